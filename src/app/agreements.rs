//! Watches standing consents: those that are suspended until the buyer has mended them, those that
//! are to be closed, those that a notification is about. What had waited for a mended payment
//! method is authorized again by itself, in commits that fence off any newer charge.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::engine::Engine;
use super::governor::{Admit, Ask, Traffic};
use super::trail::Trail;
use crate::contract::agreement::{AgreementResult, Around, render_agreement};
use crate::domain::command::Kind;
use crate::domain::decline::Decline;
use crate::domain::gateway::{Effect, Fault, Reply};
use crate::domain::mandate::{Look, Mandate, MandateState, News, Step};
use crate::domain::merchant::{Api, Reauthorize};
use crate::domain::payment::{Payment, Phase};
use crate::ports::gateway::Account;
use crate::ports::mandates::{MandateWrite, RivalQuery};
use crate::ports::store::{Commit, OutboxEntry, PaymentWrite, ReplyTarget, StoreError};

/// Between two looks for mandates that are due.
const IDLE: Duration = Duration::from_millis(500);

/// How many are looked at at once, and how many payments of one are authorized again.
const AT_ONCE: u32 = 8;
const PAYMENTS_MAX: u32 = 200;

/// A look that was begun and never ended is begun again.
const LOOK_MS: i64 = 60_000;

/// How long one rests whose merchant account is not there.
const NO_ACCOUNT_MS: i64 = 3_600_000;

impl Engine {
    /// Looks at what is due until told to stop.
    pub async fn watch_mandates(self: Arc<Self>, stop: CancellationToken) {
        loop {
            let found = match self.look_at_due().await {
                Ok(found) => found,
                Err(error) => {
                    tracing::warn!(%error, "agreements cannot be looked at now");
                    0
                }
            };
            let pause = if found > 0 { Duration::from_millis(20) } else { IDLE };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn look_at_due(self: &Arc<Self>) -> Result<usize, StoreError> {
        let now = self.clock.now_ms();
        let due = self.mandates.mandates_due(now, AT_ONCE).await?;
        let found = due.len();
        let mut looks = tokio::task::JoinSet::new();
        for mandate in due {
            let engine = Arc::clone(self);
            looks.spawn(async move { engine.look_at(mandate).await });
        }
        while looks.join_next().await.is_some() {}
        Ok(found)
    }

    /// One look, from claim to commit. A lost race is somebody else's look.
    pub(super) async fn look_at(&self, mandate: Mandate) {
        let id = mandate.id();
        match Box::pin(self.try_to_look(mandate)).await {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => tracing::warn!(agreement = %id, %error, "{id} is looked at later"),
        }
    }

    async fn try_to_look(&self, mandate: Mandate) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let mut mandate = self.put_off(mandate, now + LOOK_MS, now).await?;
        let Some(account) = self.accounts.account(&mandate.mid).await? else {
            self.put_off(mandate, now + NO_ACCOUNT_MS, now).await?;
            return Ok(());
        };
        if mandate.reopened_at.is_some() && !mandate.wants_closing() {
            return self.authorize_again(mandate, now).await;
        }
        let before = mandate.clone();
        let mut look = Look::default();
        let mut step = look.begin(&mut mandate, now, &self.policy);
        loop {
            let now = self.clock.now_ms();
            step = match step {
                Step::Call(effect) => {
                    let reply = self.ask_for(&account, &mandate, &effect).await;
                    look.decide(&mut mandate, &effect, reply, now, &self.policy)
                }
                Step::Settle => return self.settle_look(&before, mandate, look, None).await,
                Step::Operator(reason, detail) => {
                    return self.settle_look(&before, mandate, look, Some((reason, detail))).await;
                }
            };
        }
    }

    /// Claims it for a look, or puts the look off.
    async fn put_off(&self, mandate: Mandate, at: i64, now: i64) -> Result<Mandate, StoreError> {
        let mut later = mandate.clone();
        later.due_at = Some(at);
        let write = MandateWrite::after(Some(&mandate), later, now);
        let later = write.mandate().clone();
        self.commit(Commit { mandate: Some(write), ..Commit::default() }).await?;
        Ok(later)
    }

    /// One call within Amazon's quota, behind everybody who moves money.
    async fn ask_for(&self, account: &Account, mandate: &Mandate, effect: &Effect) -> Reply {
        let (seller, who) = (account.merchant.seller_account(), mandate.id());
        let began = self.clock.now_ms();
        let ask = Ask {
            account: &seller,
            sandbox: account.merchant.sandbox,
            api: account.merchant.api,
            operation: effect.quota(),
            who: &who,
            traffic: Traffic::Notifications,
        };
        if let Admit::WaitUntil(at) = self.governor.admit(&ask, began) {
            return Err(Fault::Throttled { retry_after_ms: Some(at - began) });
        }
        let reply = self.gateway.call(account, effect).await.reply;
        let now = self.clock.now_ms();
        let result = reply.as_ref().map_or_else(Fault::name, |_| "answered");
        self.metrics.call(effect.name(), result, now - began);
        if let Err(Fault::Throttled { retry_after_ms }) = &reply {
            self.metrics.throttled(effect.name());
            let until = self.governor.throttled(&ask, *retry_after_ms, now);
            return Err(Fault::Throttled { retry_after_ms: Some(until - now) });
        }
        reply
    }

    /// Commits a look: the mandate, what is told of it, whose request was answered.
    async fn settle_look(
        &self,
        before: &Mandate,
        mut mandate: Mandate,
        look: Look,
        operator: Option<(crate::domain::payment::DeadLetterReason, String)>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let mut commit = Commit::default();
        let mut refused = Vec::new();
        for news in look.news {
            match news {
                News::Suspended => {
                    self.tell_of(&mut commit, &mut mandate, AgreementResult::Suspended, now)
                }
                News::Reopened => {
                    self.tell_of(&mut commit, &mut mandate, AgreementResult::Reopened, now)
                }
                News::Closed => {
                    self.tell_of(&mut commit, &mut mandate, AgreementResult::Closed, now)
                }
                News::ClosedBy(at) => self.tell_closed(&mut commit, &mut mandate, at, now),
                News::Rejected(at, decline) => {
                    self.reject_closing(&mut commit, &mandate, at, &decline, now);
                    refused.push(at);
                }
            }
        }
        for at in refused.into_iter().rev() {
            mandate.closings.remove(at);
        }
        if let Some((reason, detail)) = operator {
            mandate.dead_letter = Some(reason);
            let letter = self.letter_of_closing(&mandate, reason, detail, now);
            commit.dead_letters.push(letter);
        }
        commit.mandate = Some(MandateWrite::after(Some(before), mandate, now));
        self.commit(commit).await
    }

    /// Adds an event of the agreement itself; what is for one time has none.
    fn tell_of(
        &self,
        commit: &mut Commit,
        mandate: &mut Mandate,
        result: AgreementResult,
        now: i64,
    ) {
        if !mandate.reference.is_recurring() {
            return;
        }
        let mid = mandate.mid.clone();
        let around = Around { mid: &mid, request: None, traceparent: None, time_ms: now };
        self.push_event(commit, mandate, result, around, Vec::new());
    }

    /// Adds the end of a request to close it.
    fn tell_closed(&self, commit: &mut Commit, mandate: &mut Mandate, at: usize, now: i64) {
        let Some(closing) = mandate.closings.get(at).cloned() else { return };
        let Some(first) = closing.askers.first() else { return };
        let replies = closing.askers.iter().filter_map(|asker| {
            let reply_to = asker.reply_to.clone()?;
            Some(ReplyTarget { reply_to, correlation_id: asker.correlation_id.clone() })
        });
        let around = Around {
            mid: &closing.mid,
            request: Some((&closing.request, first.message_id.as_str())),
            traceparent: first.traceparent.as_deref(),
            time_ms: now,
        };
        let event =
            self.push_event(commit, mandate, AgreementResult::Closed, around, replies.collect());
        if let Some(closing) = mandate.closings.get_mut(at) {
            closing.event = Some(event);
        }
    }

    fn push_event(
        &self,
        commit: &mut Commit,
        mandate: &mut Mandate,
        result: AgreementResult,
        around: Around<'_>,
        replies: Vec<ReplyTarget>,
    ) -> String {
        mandate.sequence += 1;
        let event = render_agreement(mandate, result, around);
        let id = event.id.clone();
        commit.outbox.push(OutboxEntry {
            body: self.vault.seal(&format!("event/{id}"), &event.body),
            event_id: event.id,
            subject: event.subject,
            mid: Some(around.mid.to_string()),
            routing_key: event.routing_key,
            replies,
            payment_id: None,
            done: false,
            replay: false,
            traceparent: around.traceparent.map(str::to_owned),
            created_at: around.time_ms,
        });
        id
    }

    /// Everything that waited for the mended payment method, each in a commit that any newer
    /// charge for the same thing fences off; then it is done with.
    async fn authorize_again(&self, mut mandate: Mandate, now: i64) -> Result<(), StoreError> {
        let (seller, reference) = (mandate.seller_account.clone(), mandate.reference.clone());
        for payment in self.mandates.declined_on(&seller, &reference, PAYMENTS_MAX).await? {
            let Some(account) = self.accounts.account(&payment.key.mid).await? else { continue };
            let merchant = &account.merchant;
            if !merchant.enabled || !waits(&payment, merchant.reauthorize, now) {
                continue;
            }
            if self.is_withdrawn(&payment).await? {
                continue;
            }
            let before = mandate.clone();
            let write = MandateWrite::after(Some(&before), mandate, now);
            mandate = write.mandate().clone();
            self.commit(again(payment, merchant.api, write, now)).await?;
        }
        let before = mandate.clone();
        mandate.reopened_at = None;
        mandate.due_at = None;
        if mandate.state == MandateState::Suspended {
            mandate.due_at = Some(now);
        }
        let write = MandateWrite::after(Some(&before), mandate, now);
        self.commit(Commit { mandate: Some(write), ..Commit::default() }).await
    }

    /// Whether another charge for the same thing is newer, in hand, or has taken the money.
    async fn is_withdrawn(&self, payment: &Payment) -> Result<bool, StoreError> {
        let (Some(agreement), Some(order), Some(cycle)) =
            (&payment.reference, &payment.of_order, &payment.texts.cycle)
        else {
            return Ok(false);
        };
        let query = RivalQuery {
            key: payment.key.clone(),
            seller_account: payment.seller_account.clone(),
            agreement: agreement.clone(),
            order: order.clone(),
            cycle: cycle.clone(),
        };
        let rivals = self.mandates.rivals(&query).await?;
        Ok(rivals.iter().any(|rival| {
            rival.in_hand()
                || matches!(rival.phase, Phase::Paid | Phase::Authorized)
                || rival.created_at >= payment.created_at
        }))
    }
}

/// Whether a payment waits for a mended payment method: declined for it, within window and number.
/// A charge that does not say what it is for never does.
fn waits(payment: &Payment, rule: Reauthorize, now: i64) -> bool {
    let kind = match payment.key.subject.kind() {
        Kind::Order => true,
        Kind::Upsell => false,
        Kind::Charge => payment.of_order.is_some() && payment.texts.cycle.is_some(),
    };
    let window = i64::try_from(rule.window_s).unwrap_or(i64::MAX / 2000) * 1000;
    let within = payment.declined_at.is_some_and(|at| now - at <= window);
    let mendable = payment.decline.as_ref().is_some_and(Decline::asks_for_another_method);
    rule.enabled
        && kind
        && within
        && mendable
        && payment.declined_soft()
        && payment.reauthorized < rule.max
}

/// The commit by which a payment is authorized again by itself.
fn again(mut payment: Payment, api: Api, mandate: MandateWrite, now: i64) -> Commit {
    let expected = payment.version;
    payment.reauthorize(now);
    payment.begin_by(api);
    payment.version = expected + 1;
    payment.updated_at = now;
    let mut trail = Trail::default();
    trail.step(now, "decision", "reauthorize", json!({ "epoch": payment.epoch }));
    Commit {
        journal: trail.take(&payment.id(), now),
        payment: Some(PaymentWrite::Update { payment, expected }),
        mandate: Some(mandate),
        ..Commit::default()
    }
}
