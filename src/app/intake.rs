//! A delivery becomes a payment in hand, a waiter, an answer known already, or a rejection: one
//! commit, and only then is it acknowledged (invariant I7).

use std::time::Duration;

use super::engine::Engine;
use super::process::Claimed;
use super::rejection::replay;
use super::trail::Trail;
use crate::contract::command::{self, Command, Parsed, Refusal, SaleCommand};
use crate::domain::command::Sale;
use crate::domain::decline::{FieldError, RejectionCode};
use crate::domain::payment::admission::{Admission, Known, Seen, SeenMessage, admit};
use crate::domain::payment::decide::Run;
use crate::domain::payment::{DeadLetterReason, Exposure, Payment};
use crate::ports::broker::{Broker, Delivery, Lane, Message, Publication, Target, Tier};
use crate::ports::gateway::Account;
use crate::ports::store::{
    Commit, InboxEntry, KnownQuery, PaymentWrite, ReplyTarget, StoreError, Waiter,
};

/// Lost races in a row before a delivery is given back.
const RACES_MAX: u32 = 16;

/// How long a delivery is held while the database is away.
const HOLD_TRIES: u32 = 40;

/// What became of a delivery.
pub(crate) enum Taken {
    /// Everything is committed.
    Done,
    /// Claimed: it is to be driven now.
    Drive(Box<Claimed>),
    /// It cannot be judged yet: back to its lane after a tier.
    Later(Tier),
}

impl Taken {
    /// Its name in the metrics.
    const fn name(&self) -> &'static str {
        match self {
            Taken::Done => "done",
            Taken::Drive(_) => "claimed",
            Taken::Later(_) => "later",
        }
    }
}

impl Engine {
    /// Handles a delivery from first look to acknowledgement.
    pub async fn handle(&self, delivery: Delivery, broker: &dyn Broker) {
        let Delivery { message, lane, redelivered, settle, .. } = delivery;
        // Boxed, so that its room is given back before the payment is driven.
        let taken = Box::pin(self.take(&message, lane, redelivered)).await;
        self.metrics.message(lane, taken.as_ref().map_or("held", Taken::name));
        let settled = match taken {
            Ok(Taken::Done) => settle.ack().await,
            Ok(Taken::Drive(claimed)) => {
                let id = claimed.payment.id();
                match Box::pin(self.drive(*claimed)).await {
                    Ok(()) | Err(StoreError::Conflict) => {}
                    Err(error) => {
                        tracing::warn!(payment = %id, %error, "payment {id} is left to the sweep");
                    }
                }
                settle.ack().await
            }
            Ok(Taken::Later(tier)) => match put_aside(broker, message, tier).await {
                true => settle.ack().await,
                false => settle.requeue().await,
            },
            Err(error) => {
                tracing::warn!(lane = lane.queue(), %error, "a delivery could not be claimed");
                match put_aside(broker, message, Tier::Seconds30).await {
                    true => settle.ack().await,
                    false => settle.requeue().await,
                }
            }
        };
        if let Err(error) = settled {
            // It will come again, and find its message id in the inbox.
            tracing::debug!(lane = lane.queue(), %error, "a delivery was not settled");
        }
    }

    async fn take(
        &self,
        message: &Message,
        lane: Lane,
        redelivered: bool,
    ) -> Result<Taken, StoreError> {
        let parsed = match command::parse(message, self.vault.as_ref()) {
            Ok(parsed) => parsed,
            Err(Refusal::Rejected(rejection)) => {
                self.patiently(|| self.file_rejection(message, &rejection)).await?;
                return Ok(Taken::Done);
            }
            Err(Refusal::KeyMissing(_)) => {
                tracing::error!("a message is sealed under a master key that is not configured");
                return Ok(Taken::Later(Tier::Minutes2));
            }
        };
        if lane == Lane::Unroutable {
            // A known key that no lane took: the lanes are declared by now.
            return Ok(Taken::Later(Tier::Seconds5));
        }
        match &parsed.command {
            Command::Sale(sale) => {
                self.patiently(|| self.take_sale(message, &parsed, sale, redelivered)).await
            }
            Command::Charge(_) | Command::Operation(_) | Command::CloseAgreement(_) => {
                let why = "this version does not take such commands yet";
                let errors = vec![FieldError::new("type", why)];
                self.patiently(|| {
                    self.reject(message, &parsed, RejectionCode::Invalid, errors.clone())
                })
                .await?;
                Ok(Taken::Done)
            }
        }
    }

    /// Repeats what failed because the database is away, within a bound.
    async fn patiently<T, F>(&self, act: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut tries = 0;
        loop {
            match act().await {
                Err(StoreError::Away(why)) if tries < HOLD_TRIES => {
                    tries += 1;
                    if tries == 1 {
                        tracing::warn!("a delivery is held: {why}");
                    }
                    let delay = self.schedule.delay(tries.min(3));
                    tokio::time::sleep(delay.min(Duration::from_secs(5))).await;
                }
                other => return other,
            }
        }
    }

    async fn take_sale(
        &self,
        message: &Message,
        parsed: &Parsed,
        draft: &SaleCommand,
        redelivered: bool,
    ) -> Result<Taken, StoreError> {
        let sale = match self.resolve(message, parsed, draft).await? {
            Resolved::Sale(sale) => sale,
            Resolved::Rejected => return Ok(Taken::Done),
            Resolved::Later => return Ok(Taken::Later(Tier::Seconds5)),
        };
        let Some(account) = self.accounts.account(&sale.key.mid).await? else {
            let errors = vec![FieldError::new("amazonBillerId", "no such merchant account")];
            self.reject(message, parsed, RejectionCode::UnknownMid, errors).await?;
            return Ok(Taken::Done);
        };
        if let Err(error) = command::check_region(sale.amount, account.merchant.region) {
            self.reject(message, parsed, RejectionCode::Invalid, vec![error]).await?;
            return Ok(Taken::Done);
        }
        // A new message of a new payment is by far the most common: it is claimed without a look,
        // and the store's unique keys say whether that was wrong.
        let mut known =
            if redelivered { self.known(&sale, parsed, &account).await? } else { Known::default() };
        for _ in 0..RACES_MAX {
            match self.act_on(message, parsed, draft, &sale, &account, &known).await {
                Err(StoreError::Conflict) => known = self.known(&sale, parsed, &account).await?,
                other => return other,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn known(
        &self,
        sale: &Sale,
        parsed: &Parsed,
        account: &Account,
    ) -> Result<Known, StoreError> {
        let seller = account.merchant.seller_account();
        let query = KnownQuery {
            message_id: parsed.asker.message_id.to_string(),
            payment_id: sale.key.event_subject(),
            reference: sale.reference.clone().map(|reference| (seller, reference)),
        };
        self.store.known(&query).await
    }

    async fn act_on(
        &self,
        message: &Message,
        parsed: &Parsed,
        draft: &SaleCommand,
        sale: &Sale,
        account: &Account,
        known: &Known,
    ) -> Result<Taken, StoreError> {
        match (admit(sale, &parsed.fingerprint, known), &known.payment) {
            (Admission::Open, _) => {
                let now = self.clock.now_ms();
                let seller = account.merchant.seller_account();
                let mut payment = Payment::open(sale.clone(), parsed.asker.clone(), seller, now);
                payment.personal = self.seal_personal(&payment.id(), &draft.personal);
                self.claim_new(parsed, payment, None, account, now).await
            }
            (Admission::Reopen, Some(before)) => {
                let now = self.clock.now_ms();
                let mut payment = before.clone();
                let personal = self.seal_personal(&payment.id(), &draft.personal);
                payment.reopen(sale.clone(), parsed.asker.clone(), personal, now);
                self.claim_new(parsed, payment, Some(before.version), account, now).await
            }
            (Admission::Join, Some(payment)) => self.join(parsed, payment, known).await,
            (Admission::Again, Some(payment)) => {
                self.answer_again(parsed, payment.latest_event.as_deref(), known, &payment.id())
                    .await
            }
            (Admission::RejectedAgain(event), _) => {
                self.answer_again(parsed, Some(&event), known, "").await
            }
            (Admission::Reject(code, errors), _) => {
                self.reject(message, parsed, code, errors).await?;
                Ok(Taken::Done)
            }
            (Admission::Reopen | Admission::Join | Admission::Again, None) => {
                Err(StoreError::Conflict)
            }
        }
    }

    /// Commits the claim: payment with its intent, message id, journal. Without room for its
    /// account it is parked, and the sweep takes it when there is some.
    async fn claim_new(
        &self,
        parsed: &Parsed,
        mut payment: Payment,
        expected: Option<i64>,
        account: &Account,
        now: i64,
    ) -> Result<Taken, StoreError> {
        let mut trail = Trail::default();
        let message = parsed.asker.message_id.as_str();
        trail.step(now, "message", &parsed.ids.routing_key, serde_json::json!({ "id": message }));
        payment.version = expected.map_or(1, |version| version + 1);
        payment.updated_at = now;
        let mut commit =
            Commit { inbox: vec![self.accepted(parsed, &payment.id(), now)], ..Commit::default() };
        let seat = self.slots.sit(&payment.seller_account);
        let drive = account.merchant.enabled && seat.is_some();
        if !account.merchant.enabled {
            let mut run = Run { rule: "mid_disabled", ..Run::default() };
            let detail = "the merchant account is disabled".to_owned();
            let reason = DeadLetterReason::Configuration;
            let letter = self.lay_down(&mut payment, &mut run, reason, detail, now);
            commit.dead_letters.push(letter);
            for outcome in run.told {
                let entry = self.tell(&mut payment, outcome, now);
                commit.outbox.push(entry);
            }
        } else if drive {
            payment.lease = Some(self.lease(now));
            payment.exposure = Exposure::Open;
            trail.intent(now, &payment);
        } else {
            payment.due_at = Some(now + 250);
        }
        commit.journal = trail.take(&payment.id(), now);
        commit.payment = Some(match expected {
            None => PaymentWrite::Insert(payment.clone()),
            Some(expected) => PaymentWrite::Update { payment: payment.clone(), expected },
        });
        match self.commit(commit).await {
            Err(StoreError::Away(why)) if !self.was_committed(&payment).await? => {
                return Err(StoreError::Away(why));
            }
            Err(StoreError::Away(_)) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        if !drive {
            return Ok(Taken::Done);
        }
        Ok(Taken::Drive(Box::new(Claimed { payment, seat })))
    }

    /// Whether a claim that nobody confirmed is in the store: then this process has to drive it,
    /// because to everybody else it has an owner who is alive.
    pub(super) async fn was_committed(&self, claim: &Payment) -> Result<bool, StoreError> {
        let stored = self.store.payment(&claim.id()).await?;
        Ok(stored.is_some_and(|stored| {
            stored.version == claim.version
                && stored.lease == claim.lease
                && stored.opener.message_id == claim.opener.message_id
        }))
    }

    fn accepted(&self, parsed: &Parsed, payment_id: &str, now: i64) -> InboxEntry {
        InboxEntry {
            message_id: parsed.asker.message_id.to_string(),
            seen: SeenMessage {
                fingerprint: parsed.fingerprint.clone(),
                seen: Seen::Accepted(payment_id.to_owned()),
            },
            at: now,
        }
    }

    /// Joins a payment in hand; if it ended meanwhile, its result is answered at once.
    async fn join(
        &self,
        parsed: &Parsed,
        payment: &Payment,
        known: &Known,
    ) -> Result<Taken, StoreError> {
        let now = self.clock.now_ms();
        let id = payment.id();
        let reply = reply_of(parsed);
        let opener = payment.opener.message_id == parsed.asker.message_id
            && payment.opener.reply_to == parsed.asker.reply_to
            && payment.opener.correlation_id == parsed.asker.correlation_id;
        if opener {
            return Ok(Taken::Done);
        }
        let mut commit = Commit {
            waiters: vec![Waiter {
                payment_id: id.clone(),
                message_id: parsed.asker.message_id.to_string(),
                reply,
            }],
            ..Commit::default()
        };
        if known.message.is_none() {
            commit.inbox.push(self.accepted(parsed, &id, now));
        }
        self.commit(commit).await?;
        match self.store.payment(&id).await? {
            Some(after) if after.in_hand() => Ok(Taken::Done),
            Some(after) => {
                let seen = Known {
                    message: Some(self.accepted(parsed, &id, now).seen),
                    ..Known::default()
                };
                self.answer_again(parsed, after.latest_event.as_deref(), &seen, &id).await
            }
            // It was rejected after all, and this message with it.
            None => Ok(Taken::Done),
        }
    }

    /// The stored document again, byte for byte, to the events and to who asks.
    async fn answer_again(
        &self,
        parsed: &Parsed,
        event: Option<&str>,
        known: &Known,
        payment_id: &str,
    ) -> Result<Taken, StoreError> {
        let now = self.clock.now_ms();
        let mut commit = Commit::default();
        if let Some(event) = event
            && let Some(entry) = self.store.event(event).await?
        {
            commit.outbox.push(replay(entry, reply_of(parsed).into_iter().collect(), now));
        }
        if known.message.is_none() {
            commit.inbox.push(self.accepted(parsed, payment_id, now));
        }
        self.commit(commit).await?;
        Ok(Taken::Done)
    }
}

/// Where the asker of a message hears of it.
pub(crate) fn reply_of(parsed: &Parsed) -> Option<ReplyTarget> {
    parsed.asker.reply_to.clone().map(|reply_to| ReplyTarget {
        reply_to,
        correlation_id: parsed.asker.correlation_id.clone(),
    })
}

/// What a sale turns out to be once its merchant account is known.
pub(crate) enum Resolved {
    /// It names a payment.
    Sale(Box<Sale>),
    /// It was rejected, and that is committed.
    Rejected,
    /// Its order may still come.
    Later,
}

async fn put_aside(broker: &dyn Broker, message: Message, tier: Tier) -> bool {
    let all = vec![Publication { target: Target::Retry(tier), message }];
    broker.publish_all(all).await.into_iter().all(|result| result.is_ok())
}
