//! Deletes what was kept long enough: a little at a time, by one worker of all, so that nobody who
//! is paid waits for it.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::domain::policy::Policy;
use crate::ports::clock::Clock;
use crate::ports::retention::Retention;
use crate::ports::store::{Store, StoreError};

/// Between two rounds, and how long the turn for one holds.
const ROUND: Duration = Duration::from_secs(600);
const TURN_MS: i64 = 600_000;
/// Deleted at once, and the pause behind it.
const STEP: u32 = 500;
const BREATH: Duration = Duration::from_millis(200);
/// Steps in a round at most: a table that grew for years is emptied over many rounds.
const STEPS_MAX: u32 = 1_000;

/// What deletes.
pub struct Housekeeping {
    /// Who it is, for the turn.
    pub worker: String,
    /// What is deleted from.
    pub retention: Arc<dyn Retention>,
    /// Whose turn it is.
    pub store: Arc<dyn Store>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// How long things are kept.
    pub policy: Policy,
}

#[derive(Clone, Copy)]
enum What {
    Messages,
    Notifications,
}

impl Housekeeping {
    /// Goes on until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(ROUND) => {}
            }
            let round = stop.run_until_cancelled(self.round());
            if let Some(Err(error)) = round.await {
                tracing::warn!(%error, "what is old could not be deleted; it is tried again");
            }
        }
    }

    /// One round, if it is this worker's turn.
    ///
    /// # Errors
    /// The store's; what was deleted stays so.
    pub async fn round(&self) -> Result<u64, StoreError> {
        let now = self.clock.now_ms();
        if !self.store.take_turn("retention", &self.worker, now, now + TURN_MS).await? {
            return Ok(0);
        }
        let messages = self.forget(What::Messages, now - self.policy.keep_messages_ms).await?;
        let before = now - self.policy.keep_notifications_ms;
        Ok(messages + self.forget(What::Notifications, before).await?)
    }

    async fn forget(&self, what: What, before: i64) -> Result<u64, StoreError> {
        let mut all = 0;
        for _ in 0..STEPS_MAX {
            let gone = match what {
                What::Messages => self.retention.forget_messages(before, STEP).await?,
                What::Notifications => self.retention.forget_notifications(before, STEP).await?,
            };
            all += gone;
            if gone < u64::from(STEP) {
                break;
            }
            tokio::time::sleep(BREATH).await;
        }
        Ok(all)
    }
}
