//! Closes references whose time for upsells is over. It moves no money, nobody waits for it, and an
//! Amazon that does not answer may keep it for long: so it is a task of its own, which gives way to
//! whatever a buyer or the CRM waits for. A close takes no lease: its commit is fenced by the
//! version, and closing what is closed does no harm.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use tokio_util::sync::CancellationToken;

use super::breaker::Passage;
use super::engine::Engine;
use super::governor::{Admit, Ask, Traffic};
use super::process::by_api;
use crate::domain::gateway::{Effect, Fault, Reply};
use crate::domain::payment::{Payment, Phase};
use crate::ports::gateway::Account;
use crate::ports::store::{Commit, PaymentWrite, StoreError};

/// One process closes, so that none is closed twice; it says so this often, for so long.
const TURN: &str = "close";
const TURN_MS: i64 = 10_000;
const RENEW: Duration = Duration::from_secs(3);
/// Between two rounds while little is due, and while much is.
const IDLE: Duration = Duration::from_millis(500);
const BUSY: Duration = Duration::from_millis(20);
/// Fetched at once, and closed side by side: so many that hang hold up the others of their round.
const BATCH: u32 = 16;
const AT_ONCE: usize = 8;
/// While an account is refused by Amazon.
const REST_MS: i64 = 15_000;
/// After trouble; sooner where the buyer's account is to be closed to more tries.
const AGAIN_MS: i64 = 600_000;
const AGAIN_SOON_MS: i64 = 60_000;
/// How long one rests whose merchant account is not there.
const NO_ACCOUNT_MS: i64 = 3_600_000;

impl Engine {
    /// Closes what is due until told to stop.
    pub async fn close_references(self: Arc<Self>, stop: CancellationToken) {
        let mut away = false;
        loop {
            let pause = match self.close_some().await {
                Ok(found) => {
                    away = false;
                    if found < BATCH as usize { IDLE } else { BUSY }
                }
                Err(error) => {
                    if !away {
                        tracing::warn!(%error, "references cannot be closed now");
                    }
                    away = true;
                    IDLE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Says how many were due, as far as they were fetched.
    async fn close_some(&self) -> Result<usize, StoreError> {
        // With half the house full nothing is closed: it can wait.
        if self.slots.free() * 2 < self.slots.size() || !self.take_closing_turn().await? {
            return Ok(0);
        }
        let due = self.store.references_to_close(self.clock.now_ms(), BATCH).await?;
        let found = due.len();
        let closes = futures_util::stream::iter(due).map(|payment| self.close(payment));
        let closing = closes.for_each_concurrent(AT_ONCE, |close| close);
        // Renewed, because a round of calls that hang takes longer than a turn.
        let renewing = async {
            loop {
                tokio::time::sleep(RENEW).await;
                if let Err(error) = self.take_closing_turn().await {
                    tracing::debug!(%error, "the turn of closing references was not renewed");
                }
            }
        };
        tokio::select! {
            () = closing => {}
            () = renewing => {}
        }
        Ok(found)
    }

    async fn take_closing_turn(&self) -> Result<bool, StoreError> {
        let now = self.clock.now_ms();
        self.store.take_turn(TURN, &self.worker, now, now + TURN_MS).await
    }

    async fn close(&self, payment: Payment) {
        let id = payment.id();
        match self.try_to_close(payment).await {
            // Somebody else wrote meanwhile: it is still due.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => {
                tracing::warn!(payment = %id, %error, "the reference of {id} is not closed yet");
            }
        }
    }

    async fn try_to_close(&self, mut payment: Payment) -> Result<(), StoreError> {
        let expected = payment.version;
        payment.close_reference_at = match payment.charged().cloned() {
            None => None,
            Some(reference) => match self.accounts.account(&payment.key.mid).await {
                Ok(Some(account)) => {
                    let api = payment.api.goes_on_by(account.merchant.api);
                    let account = by_api(account, api);
                    self.call_to_close(&payment, &account, Effect::CloseReference(reference)).await
                }
                Ok(None) | Err(StoreError::Corrupt(_)) => Some(self.clock.now_ms() + NO_ACCOUNT_MS),
                Err(error) => return Err(error),
            },
        };
        payment.version = expected + 1;
        payment.updated_at = self.clock.now_ms();
        let commit = Commit {
            payment: Some(PaymentWrite::Update { payment, expected }),
            ..Commit::default()
        };
        self.commit(commit).await
    }

    /// One call within Amazon's quota, behind everybody else; when it is to be made again, if ever.
    async fn call_to_close(
        &self,
        payment: &Payment,
        account: &Account,
        effect: Effect,
    ) -> Option<i64> {
        let (now, merchant) = (self.clock.now_ms(), &account.merchant);
        if let Passage::WaitUntil(at) = self.breaker.pass(merchant, now) {
            return Some(at.max(now + REST_MS));
        }
        let (seller, who) = (merchant.seller_account(), payment.id());
        let ask = Ask {
            account: &seller,
            sandbox: merchant.sandbox,
            api: merchant.api,
            operation: effect.quota(),
            who: &who,
            traffic: Traffic::Recurring,
        };
        if let Admit::WaitUntil(at) = self.governor.admit(&ask, now) {
            return Some(at.max(now + 1));
        }
        let reply = self.gateway.call(account, &effect).await.reply;
        let after = self.clock.now_ms();
        let result = reply.as_ref().map_or_else(Fault::name, |_| "answered");
        self.metrics.call(effect.name(), result, after - now);
        if let Err(Fault::Throttled { retry_after_ms }) = reply {
            self.metrics.throttled(effect.name());
            return Some(self.governor.throttled(&ask, retry_after_ms, after).max(after + 1));
        }
        again(payment, &reply, after)
    }
}

/// When a close is tried again: not after Amazon's word, whichever that was.
fn again(payment: &Payment, reply: &Reply, now: i64) -> Option<i64> {
    match reply {
        Ok(_) | Err(Fault::Refused { .. } | Fault::Declined { .. } | Fault::Unexpected { .. }) => {
            None
        }
        Err(
            Fault::Throttled { .. }
            | Fault::Credentials { .. }
            | Fault::NotSent
            | Fault::Unavailable { .. }
            | Fault::Unknown,
        ) => match payment.phase {
            Phase::Paid => Some(now + AGAIN_MS),
            _ => Some(now + AGAIN_SOON_MS),
        },
    }
}
