//! A delivery becomes a payment in hand, a waiter, an answer known already, or a rejection: one
//! commit, and only then is it acknowledged (invariant I7).

use std::time::Duration;

use super::claiming::fence;
use super::engine::Engine;
use super::notified::is_hint;
use super::operations::WAITING_SINCE;
use super::process::Claimed;
use super::rejection::{Resolved, replay};
use crate::contract::Personal;
use crate::contract::command::{self, Command, Parsed, Refusal, SaleCommand};
use crate::domain::command::Sale;
use crate::domain::decline::{FieldError, RejectionCode};
use crate::domain::payment::Payment;
use crate::domain::payment::admission::{Admission, Known, Seen, SeenMessage, admit};
use crate::ports::broker::{Broker, Delivery, Lane, Message, Publication, Target, Tier};
use crate::ports::gateway::Account;
use crate::ports::store::{Commit, InboxEntry, Join, KnownQuery, ReplyTarget, StoreError, Waiter};

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
        let turn = match lane {
            // Nobody waits for one, and there may be thousands.
            Lane::Recurring => self.slots.let_charge_in().await,
            Lane::Checkout => {
                self.slots.buyer_came(self.clock.now_ms());
                None
            }
            Lane::Operations | Lane::Notifications | Lane::Suspect | Lane::Unroutable => None,
        };
        let began = self.clock.now_ms();
        // Boxed, so that its room is given back before the payment is driven.
        let taken = Box::pin(self.take(&message, lane, redelivered)).await;
        if let Some(turn) = turn {
            let is_driven = matches!(taken, Ok(Taken::Drive(_)));
            let now = self.clock.now_ms();
            self.slots.rest(turn, now - began, is_driven, now);
        }
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
            Ok(Taken::Later(tier)) => match self.put_aside(broker, message, tier).await {
                true => settle.ack().await,
                false => settle.requeue().await,
            },
            Err(error) => {
                tracing::warn!(lane = lane.queue(), %error, "a delivery could not be claimed");
                match self.put_aside(broker, message, Tier::Seconds30).await {
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
        if lane == Lane::Notifications && is_hint(message) {
            return self.patiently(|| self.take_hint(message)).await.map(|()| Taken::Done);
        }
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
            Command::Charge(charge) => {
                let sale = charge.sale();
                self.patiently(|| self.take_charge(message, &parsed, &sale, redelivered)).await
            }
            Command::CloseAgreement(close) => {
                self.patiently(|| self.take_close(message, &parsed, close)).await
            }
            Command::Operation(operation) => {
                self.patiently(|| self.take_operation(message, &parsed, operation)).await
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
        self.take_payment(message, parsed, &sale, &draft.personal, redelivered).await
    }

    /// Takes what is to be paid; `look` says that what is known is looked at first.
    pub(super) async fn take_payment(
        &self,
        message: &Message,
        parsed: &Parsed,
        sale: &Sale,
        personal: &Personal,
        look: bool,
    ) -> Result<Taken, StoreError> {
        let Some(account) = self.accounts.account(&sale.key.mid).await? else {
            let errors = vec![FieldError::new("amazonBillerId", "no such merchant account")];
            self.reject(message, parsed, RejectionCode::UnknownMid, errors).await?;
            return Ok(Taken::Done);
        };
        if let Err(error) = command::check_region(sale.amount.currency(), account.merchant.region) {
            self.reject(message, parsed, RejectionCode::Invalid, vec![error]).await?;
            return Ok(Taken::Done);
        }
        // A new message of a new payment is by far the most common: it is claimed without a look,
        // and the store's unique keys say whether that was wrong.
        let mut known =
            if look { self.known(sale, parsed, &account).await? } else { Known::default() };
        for _ in 0..RACES_MAX {
            match self.act_on(message, parsed, personal, sale, &account, &known).await {
                Err(StoreError::Conflict) => known = self.known(sale, parsed, &account).await?,
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
            reference: sale.reference.clone().map(|reference| (seller.clone(), reference)),
        };
        let mut known = self.store.known(&query).await?;
        self.add_rivals(&mut known, sale, &seller).await?;
        Ok(known)
    }

    async fn act_on(
        &self,
        message: &Message,
        parsed: &Parsed,
        personal: &Personal,
        sale: &Sale,
        account: &Account,
        known: &Known,
    ) -> Result<Taken, StoreError> {
        match (admit(sale, &parsed.fingerprint, known), &known.payment) {
            (Admission::Open, _) => {
                let now = self.clock.now_ms();
                let seller = account.merchant.seller_account();
                let mut payment = Payment::open(sale.clone(), parsed.asker.clone(), seller, now);
                payment.begin_by(account.merchant.api);
                payment.describe_by(&account.merchant);
                payment.personal = self.seal_personal(&payment.id(), personal);
                self.claim_new(parsed, payment, None, account, fence(known, now)).await
            }
            (Admission::Reopen, Some(before)) => {
                let now = self.clock.now_ms();
                let mut payment = before.clone();
                let personal = self.seal_personal(&payment.id(), personal);
                payment.reopen(sale.clone(), parsed.asker.clone(), personal, now);
                payment.begin_by(account.merchant.api);
                payment.describe_by(&account.merchant);
                let fence = fence(known, now);
                self.claim_new(parsed, payment, Some(before.version), account, fence).await
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

    pub(super) fn accepted(&self, parsed: &Parsed, payment_id: &str, now: i64) -> InboxEntry {
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
            join: Some(Join {
                payment_id: id.clone(),
                opener: payment.opener.message_id.to_string(),
            }),
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
            // It ended meanwhile. What that is for this message is known now, and answered again.
            Some(after) if !after.in_hand() => Err(StoreError::Conflict),
            // (Where it is gone it was rejected after all, and this message with it.)
            Some(_) | None => Ok(Taken::Done),
        }
    }

    /// The stored document again, byte for byte, to the events and to who asks.
    pub(super) async fn answer_again(
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

impl Engine {
    /// Back to its lane after a tier; since when it waits goes with it.
    async fn put_aside(&self, broker: &dyn Broker, mut message: Message, tier: Tier) -> bool {
        let now = self.clock.now_ms().to_string();
        message.headers.entry(WAITING_SINCE.to_owned()).or_insert(now);
        let all = vec![Publication { target: Target::Retry(tier), message }];
        broker.publish_all(all).await.into_iter().all(|result| result.is_ok())
    }
}
