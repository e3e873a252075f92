//! One run of one payment: claimed, driven call by call until the core says settle, committed.
//! If the process dies anywhere in here, the next run makes the same calls under the same keys.

use std::sync::Arc;
use std::time::Duration;

use super::breaker::Passage;
use super::engine::Engine;
use super::governor::{Admit, Ask, HOLD_MS, Traffic};
use super::slots::Seat;
use super::trail::Trail;
use crate::domain::command::Subject;
use crate::domain::decline::{FieldError, RejectionCode};
use crate::domain::gateway::{Effect, Fault};
use crate::domain::merchant::Api;
use crate::domain::payment::decide::{Next, Run, Wait, decide, start};
use crate::domain::payment::operations::turn::{self, Focus};
use crate::domain::payment::operations::{self, OperationPhase};
use crate::domain::payment::{DeadLetterReason, Exposure, Payment, Phase, object, order_gate};
use crate::ports::gateway::{Account, Exchange};
use crate::ports::mandates::MandateWrite;
use crate::ports::store::{Commit, PaymentWrite, StoreError};

/// A run that takes longer goes on in a new one, so that a lease never runs out under it.
const RUN_MAX_MS: i64 = 120_000;

/// How often a run begins again because the database was away.
const AWAY_TRIES: u32 = 40;

/// How long buyer details are waited for once the authorization has been answered.
const DETAILS_WAIT: Duration = Duration::from_secs(5);

/// After so long a change of an account is known in every process.
const ACCOUNT_NEWS_MS: i64 = 6_000;

/// A payment that this process has claimed: its row as committed, and its place among its account.
#[derive(Debug)]
pub struct Claimed {
    /// The payment, lease and version as in its row.
    pub payment: Payment,
    /// Its seat, given back when the run is over.
    pub seat: Option<Seat>,
    /// What is driven: the payment itself or one of its operations.
    pub focus: Focus,
}

/// What a run carries along.
pub(super) struct Course<'a> {
    pub(super) engine: &'a Engine,
    account: Arc<Account>,
    pub(super) payment: Payment,
    focus: &'a Focus,
    /// The version in the store: the fence of the next write.
    pub(super) expected: i64,
    pub(super) run: Run,
    pub(super) trail: Trail,
}

impl Engine {
    /// Drives a claimed payment until it is settled. While the database is away it is this
    /// process's to go on with, because to everybody else it has an owner who is alive.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody else went on with it meanwhile: nothing is lost.
    pub async fn drive(&self, claimed: Claimed) -> Result<(), StoreError> {
        let Claimed { mut payment, seat: _seat, focus } = claimed;
        let mut tries = 0;
        loop {
            match self.run(payment.clone(), &focus).await {
                Err(StoreError::Away(why)) if tries < AWAY_TRIES => {
                    tries += 1;
                    let id = payment.id();
                    tracing::warn!(payment = %id, tries, "payment {id} waits in hand: {why}");
                    turn::unwritten(&mut payment, &focus, self.clock.now_ms());
                    let delay = self.schedule.delay(tries).min(Duration::from_secs(5));
                    tokio::time::sleep(delay).await;
                }
                other => return other,
            }
        }
    }

    async fn run(&self, payment: Payment, focus: &Focus) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let account = match self.accounts.account(&payment.key.mid).await {
            Ok(Some(account)) => account,
            Err(StoreError::Corrupt(_)) => {
                return Box::pin(self.wait_for_account(payment, focus, now)).await;
            }
            Err(error) => return Err(error),
            Ok(None) => return Box::pin(self.settle_without_account(payment, focus, now)).await,
        };
        let api = turn::api_of(&payment, focus, account.merchant.api);
        let account = by_api(account, api);
        let mut course = Course {
            engine: self,
            account,
            expected: payment.version,
            payment,
            focus,
            run: Run { began_at: now, ..Run::default() },
            trail: Trail::default(),
        };
        // The end of a run is boxed: while Amazon is waited for, which is nearly always, a payment
        // in hand holds what it needs for that and no more.
        let end = match course.run_out().await {
            Err(StoreError::Corrupt(why)) => End::Settle(course.wait_for_readers(focus, &why)),
            ended => ended?,
        };
        match end {
            End::Settle(wait) => {
                let Course { payment, expected, run, trail, account, .. } = course;
                let written = (payment, expected);
                Box::pin(self.settle(written, focus, run, wait, trail, &account)).await
            }
            End::Reject(code, errors) => {
                let Course { payment, expected, trail, .. } = course;
                match focus {
                    Focus::Payment => {
                        Box::pin(self.settle_rejected(payment, expected, code, errors, trail)).await
                    }
                    Focus::Operation(tag) => {
                        let (written, why) = ((payment, expected), (code, errors));
                        Box::pin(self.settle_operation_rejected(written, tag, why, trail)).await
                    }
                }
            }
        }
    }
}

/// The account as it speaks to Amazon by this API.
pub(crate) fn by_api(account: Arc<Account>, api: Api) -> Arc<Account> {
    if account.merchant.api == api {
        return account;
    }
    let mut account = Arc::unwrap_or_clone(account);
    account.merchant.api = api;
    Arc::new(account)
}

enum End {
    Settle(Wait),
    Reject(RejectionCode, Vec<FieldError>),
}

impl Course<'_> {
    async fn run_out(&mut self) -> Result<End, StoreError> {
        let merchant = &self.account.merchant;
        let now = self.engine.clock.now_ms();
        if let Passage::WaitUntil(_) = self.engine.breaker.pass(merchant, now) {
            self.run.rule = "account_tripped";
            return Ok(End::Settle(Wait::Credentials));
        }
        if !merchant.enabled && self.lies_unbegun() {
            // It may have been enabled a moment ago: what is known of it is a few seconds old.
            let effort = self.payment.chore(self.focus).effort;
            if effort.polls == 0 {
                effort.polls = 1;
                return Ok(End::Settle(Wait::Until(now + ACCOUNT_NEWS_MS)));
            }
            let detail = "the merchant account is disabled".to_owned();
            return Ok(End::Settle(Wait::Operator(DeadLetterReason::Configuration, detail)));
        }
        let mut next = match (self.focus, self.payment.phase) {
            (Focus::Payment, Phase::WaitingForOrder) => self.pass_the_gate().await?,
            _ => None,
        };
        loop {
            let now = self.engine.clock.now_ms();
            next = match next.take() {
                None => Some(self.begin(now)),
                Some(Next::Call(_)) if now - self.run.began_at > RUN_MAX_MS => {
                    Some(Next::Settle(Wait::Until(now)))
                }
                Some(Next::Call(effect)) => Some(self.act(effect).await),
                Some(Next::Checkpoint) => {
                    self.checkpoint(None).await?;
                    None
                }
                Some(Next::Meter) => Box::pin(self.meter()).await?,
                Some(Next::Adopt) => {
                    let taken = self.reference_taken().await?;
                    if taken.is_none() {
                        Box::pin(self.adopt_session()).await?;
                    }
                    taken
                }
                Some(Next::Settle(wait)) => return Ok(End::Settle(wait)),
                Some(Next::Reject(code, errors)) => return Ok(End::Reject(code, errors)),
            };
        }
    }

    /// The first call of the run, or of what follows a checkpoint.
    fn begin(&mut self, now: i64) -> Next {
        let (payment, run) = (&mut self.payment, &mut self.run);
        match self.focus {
            Focus::Payment => start(payment, run, now),
            Focus::Operation(tag) => {
                operations::decide::start(payment, tag, run, now, &self.engine.policy)
            }
        }
    }

    /// Whether it was laid down before anything was asked of Amazon: a disabled account takes
    /// nothing new, sent back to work or not; what has begun is finished.
    fn lies_unbegun(&self) -> bool {
        let payment = &self.payment;
        if let Focus::Operation(tag) = self.focus {
            return payment.operation(tag).is_some_and(|one| {
                one.phase == OperationPhase::Waiting && one.told_pending_operator
            });
        }
        let first = matches!(
            payment.phase,
            Phase::Scheduled
                | Phase::WaitingForOrder
                | Phase::Inspecting
                | Phase::SettingDetails
                | Phase::Metering
        );
        first && payment.told_pending_operator && payment.exposure != Exposure::Sent
    }

    /// An upsell looks at its order. What it learns is committed before anything is done with it.
    async fn pass_the_gate(&mut self) -> Result<Option<Next>, StoreError> {
        let Subject::Upsell(order, _) = self.payment.key.subject.clone() else { return Ok(None) };
        let mid = self.payment.key.mid.clone();
        let order = self.engine.store.payment(&format!("{mid}/order/{order}")).await?;
        let now = self.engine.clock.now_ms();
        let policy = &self.engine.policy;
        let judged =
            order_gate::judge(&mut self.payment, &mut self.run, order.as_ref(), now, policy);
        if judged.is_some() {
            return Ok(judged);
        }
        if self.payment.owns_reference {
            if let Some(taken) = self.reference_taken().await? {
                return Ok(Some(taken));
            }
        } else if let Some(order) = order {
            self.payment.details = self.engine.adopt_details(&order, &self.payment);
        }
        Ok(Some(Next::Checkpoint))
    }

    async fn reference_taken(&mut self) -> Result<Option<Next>, StoreError> {
        let Some(reference) = self.payment.charged() else { return Ok(None) };
        if reference.is_recurring() {
            return Ok(None);
        }
        let owner =
            self.engine.store.reference_owner(&self.payment.seller_account, reference).await?;
        if owner.is_none_or(|owner| owner == self.payment.id()) {
            return Ok(None);
        }
        let message = "another payment was made with this reference";
        let errors = vec![FieldError::new("amazonOrderId", message)];
        Ok(Some(object(&mut self.payment, &mut self.run, RejectionCode::Conflict, errors)))
    }

    /// Commits a new intent, with what it means for its mandate, and keeps the payment.
    pub(super) async fn checkpoint(
        &mut self,
        mandate: Option<MandateWrite>,
    ) -> Result<(), StoreError> {
        let now = self.engine.clock.now_ms();
        self.payment.version = self.expected + 1;
        let may_move = match self.focus {
            Focus::Payment => self.payment.may_move_money(),
            Focus::Operation(_) => true,
        };
        let exposure = self.payment.chore(self.focus).exposure;
        *exposure = match *exposure {
            Exposure::Sent => Exposure::Sent,
            Exposure::Clear | Exposure::Open if may_move => Exposure::Open,
            Exposure::Clear | Exposure::Open => Exposure::Clear,
        };
        self.payment.updated_at = now;
        self.payment.lease = Some(self.engine.lease(now));
        let mut trail = self.trail.clone();
        match self.focus {
            Focus::Payment if self.payment.may_move_money() => trail.intent(now, &self.payment),
            Focus::Payment => {}
            Focus::Operation(tag) => trail.intent_of(now, &self.payment, tag),
        }
        let commit = Commit {
            payment: Some(PaymentWrite::Update {
                payment: self.payment.clone(),
                expected: self.expected,
            }),
            mandate,
            journal: trail.take(&self.payment.id(), now),
            ..Commit::default()
        };
        self.engine.commit(commit).await?;
        self.trail = Trail::default();
        self.expected = self.payment.version;
        Ok(())
    }

    /// Makes one call, within Amazon's quota, and asks the core what it means.
    async fn act(&mut self, effect: Effect) -> Next {
        let engine = self.engine;
        let (account, who) = (self.account.merchant.seller_account(), self.payment.id());
        let now = engine.clock.now_ms();
        let ask = Ask {
            account: &account,
            sandbox: self.account.merchant.sandbox,
            api: self.account.merchant.api,
            operation: effect.quota(),
            who: &who,
            traffic: match self.focus {
                Focus::Payment => Traffic::of(self.payment.key.subject.kind()),
                Focus::Operation(_) => Traffic::Operations,
            },
        };
        match engine.governor.admit(&ask, now) {
            Admit::Go => {}
            Admit::WaitUntil(at) if at - now <= HOLD_MS => {
                let wait = u64::try_from(at - now).unwrap_or(0);
                tokio::time::sleep(Duration::from_millis(wait)).await;
            }
            Admit::WaitUntil(at) => {
                self.run.rule = "quota";
                return Next::Settle(Wait::Quota { retry_after_ms: Some(at - now) });
            }
        }
        let began = engine.clock.now_ms();
        let exchange = self.exchange(&effect).await;
        let now = engine.clock.now_ms();
        let result = exchange.reply.as_ref().map_or_else(Fault::name, |_| "answered");
        engine.metrics.call(effect.name(), result, now - began);
        if let Err(Fault::Throttled { retry_after_ms }) = exchange.reply {
            engine.metrics.throttled(effect.name());
            let until = engine.governor.throttled(&ask, retry_after_ms, now);
            self.trail.call(now, &effect, &exchange);
            self.payment.chore(self.focus).effort.last_fault = Some("throttled".to_owned());
            self.run.rule = "throttled";
            return Next::Settle(Wait::Quota { retry_after_ms: Some(until - now) });
        }
        match &exchange.reply {
            Err(Fault::Credentials { .. } | Fault::NotSent | Fault::Unknown) => {}
            Ok(_) | Err(_) => {
                if self.payment.chore(self.focus).effort.refused_since.take().is_some()
                    | engine.breaker.heal(&self.account.merchant)
                {
                    engine.metrics.refused(self.account.merchant.id.as_str(), false);
                    engine.wake_account(&self.account.merchant.id).await;
                }
            }
        }
        self.trail.call(now, &effect, &exchange);
        let (payment, run, policy) = (&mut self.payment, &mut self.run, &engine.policy);
        match self.focus {
            Focus::Payment => decide(payment, run, &effect, exchange.reply, now, policy),
            Focus::Operation(tag) => {
                let answered = (&effect, exchange.reply);
                operations::decide::decide(payment, tag, run, answered, now, policy)
            }
        }
    }

    /// The call itself; beside the authorization the buyer's details are read, because nothing
    /// that moves money depends on them. A completed session tells them no more: its permission
    /// does, beside the look at what was authorized.
    async fn exchange(&mut self, effect: &Effect) -> Exchange {
        let gateway = &self.engine.gateway;
        if !self.wants_details(effect) {
            return gateway.call(&self.account, effect).await;
        }
        let (exchange, read) = {
            let call = gateway.call(&self.account, effect);
            let mut details =
                std::pin::pin!(self.engine.read_details(&self.account, &self.payment));
            let mut call = std::pin::pin!(call);
            tokio::select! {
                exchange = &mut call => {
                    let read = tokio::time::timeout(DETAILS_WAIT, details).await;
                    (exchange, read.ok().flatten())
                }
                read = &mut details => (call.await, read),
            }
        };
        if let Some(details) = read {
            self.payment.details = Some(self.engine.seal_details(&self.payment, &details));
        }
        exchange
    }
}
