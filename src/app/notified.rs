//! A notification is heeded: whoever it may concern is looked at now instead of later. It changes
//! no state by itself, so a forged, repeated, late or foreign one costs at most a look.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use crate::domain::ids::ReferenceId;
use crate::domain::notification::{About, Notification};
use crate::domain::payment::Payment;
use crate::domain::payment::lookout::heed;
use crate::ports::broker::Message;
use crate::ports::notifications::{ConcernQuery, Heeded, Kept};
use crate::ports::store::{Commit, PaymentWrite, StoreError};

/// What the routing keys of hints begin with.
const HINTS: &str = "notification.";
/// Between two looks for notifications that no message brought.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How many are taken up at once.
const BATCH: u32 = 50;
/// Payments that one notification may concern: years of charges on one consent.
const CONCERNED_MAX: u32 = 200;
/// How often one is taken up whose object nobody knows (its payment may be about to learn the id),
/// and how often one whose payment is always in hand. Then the looks by the clock must do.
const UNKNOWN_TRIES: u32 = 3;
const BUSY_TRIES: u32 = 60;

/// What became of the payments that a notification concerns.
#[derive(Default)]
struct Found {
    looked: bool,
    busy: bool,
}

impl Engine {
    /// Takes up what a message of the ipn role names.
    pub(crate) async fn take_hint(&self, message: &Message) -> Result<(), StoreError> {
        let Some(id) = hinted(message) else { return Ok(()) };
        match self.notifications.kept(&id).await? {
            Some(kept) => self.take_up(&kept).await,
            None => Ok(()),
        }
    }

    /// Takes up what no message brought, until told to stop.
    pub async fn take_up_notifications(self: Arc<Self>, stop: CancellationToken) {
        let mut away = false;
        loop {
            match self.take_up_due().await {
                Ok(()) => away = false,
                Err(error) if !away => {
                    away = true;
                    tracing::warn!(%error, "notifications cannot be looked for");
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    async fn take_up_due(&self) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        for kept in self.notifications.unheeded(now, BATCH).await? {
            self.take_up(&kept).await?;
        }
        Ok(())
    }

    async fn take_up(&self, kept: &Kept) -> Result<(), StoreError> {
        let notification = &kept.notification;
        let now = self.clock.now_ms();
        let what = self.heed(notification, kept.attempts, now).await?;
        if let Heeded::Done { outcome } = what {
            self.metrics.notification(outcome);
            let (about, id) = (notification.about.as_str(), &notification.object_id);
            tracing::debug!(about, object = %id, outcome, "a notification of {about} {id}");
        }
        self.notifications.heeded(&notification.message_id, what, now).await
    }

    async fn heed(
        &self,
        notification: &Notification,
        attempts: u32,
        now: i64,
    ) -> Result<Heeded, StoreError> {
        let done = |outcome| Ok(Heeded::Done { outcome });
        let Some(reference) = notification.reference.clone() else { return done("nothing") };
        match notification.about {
            About::Other => return done("nothing"),
            // A mandate that nobody knows is left alone.
            About::Agreement => {
                self.point_at_mandate(notification, &reference, now).await?;
                return done("looked");
            }
            About::Reference => self.point_at_mandate(notification, &reference, now).await?,
            About::Authorization
            | About::Capture
            | About::Charge
            | About::Refund
            | About::Chargeback => {}
        }
        let query = ConcernQuery { reference, limit: CONCERNED_MAX };
        let payments = self.notifications.concerned(&query).await?;
        if payments.is_empty() {
            let again = Heeded::Again(now + 1_000 * i64::from(attempts + 1));
            return if attempts < UNKNOWN_TRIES { Ok(again) } else { done("unknown") };
        }
        let (mut found, mut ours) = (Found::default(), false);
        for payment in payments {
            if is_of(&payment, notification) {
                ours = true;
                self.point(payment, notification, now, &mut found).await?;
            }
        }
        match (ours, found.busy, found.looked) {
            (false, _, _) => done("foreign"),
            (true, true, _) if attempts < BUSY_TRIES => {
                let wait = 200 * i64::from(attempts + 1).min(50);
                Ok(Heeded::Again(now + wait))
            }
            (true, _, true) => done("looked"),
            (true, _, false) => done("nothing"),
        }
    }

    /// Makes a standing consent due for a look, in whichever accounts its id can belong to.
    async fn point_at_mandate(
        &self,
        notification: &Notification,
        reference: &str,
        now: i64,
    ) -> Result<(), StoreError> {
        let Ok(id) = ReferenceId::new(reference) else { return Ok(()) };
        let environment = match reference.as_bytes() {
            [b'S' | b'C', ..] => "sandbox",
            _ => "live",
        };
        let regions: &[&str] = match reference.get(1..3) {
            Some("01") => &["na"],
            Some("02") => &["eu", "uk"],
            Some("03") => &["jp"],
            _ => &["na", "eu", "uk", "jp"],
        };
        for region in regions {
            let account = format!("{region}/{environment}/{}", notification.seller_id);
            self.mandates.look_at_mandate(&account, &id, now).await?;
        }
        Ok(())
    }

    /// Makes a payment due for a look. One that is in somebody's hand is left alone: a write would
    /// take it out of it.
    async fn point(
        &self,
        mut payment: Payment,
        notification: &Notification,
        now: i64,
        found: &mut Found,
    ) -> Result<(), StoreError> {
        let expected = payment.version;
        let in_hand = payment.lease.as_ref().is_some_and(|lease| lease.until > now);
        if !heed(&mut payment, notification.about, now) {
            // What is in hand may be about to rest where it would concern it.
            found.busy |= in_hand && payment.in_hand();
            return Ok(());
        }
        if in_hand {
            found.busy = true;
            return Ok(());
        }
        payment.version += 1;
        payment.updated_at = now;
        let commit = Commit {
            payment: Some(PaymentWrite::Update { payment, expected }),
            ..Commit::default()
        };
        match self.commit(commit).await {
            Ok(()) => found.looked = true,
            Err(StoreError::Conflict) => found.busy = true,
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// The message by which a notification that is stored is taken up at once.
#[must_use]
pub fn hint(notification: &Notification) -> Message {
    let id = &notification.message_id;
    Message {
        routing_key: format!("{HINTS}{}", notification.about.as_str()),
        body: json!({ "messageId": id }).to_string().into_bytes(),
        message_id: Some(format!("ipn:{id}")),
        content_type: Some("application/json".to_owned()),
        ..Message::default()
    }
}

/// Whether the message is a [`hint`]. Whatever else comes to the lane names no command.
pub(crate) fn is_hint(message: &Message) -> bool {
    let about = message.routing_key.strip_prefix(HINTS).and_then(About::parse);
    about.is_some() && hinted(message).is_some()
}

/// The id of the notification that a message names.
fn hinted(message: &Message) -> Option<String> {
    let body: Value = serde_json::from_slice(&message.body).ok()?;
    let id = body["messageId"].as_str()?;
    (message.message_id.as_deref()?.strip_prefix("ipn:")? == id).then(|| id.to_owned())
}

/// Whether the payment is of the seller that the notification names, in the same environment.
fn is_of(payment: &Payment, notification: &Notification) -> bool {
    let mut parts = payment.seller_account.split('/').skip(1);
    let (environment, seller) = (parts.next(), parts.next());
    let sandbox = environment == Some("sandbox");
    seller == Some(&notification.seller_id) && notification.sandbox.is_none_or(|it| it == sandbox)
}
