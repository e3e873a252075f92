//! The end of a run: what the payment waits for, what is told, and the one commit of it all.

use serde_json::json;

use super::dead_letters::reason_of;
use super::engine::Engine;
use super::trail::Trail;
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::ids::ReferenceKind;
use crate::domain::operation::OperationTag;
use crate::domain::payment::decide::{Run, Wait};
use crate::domain::payment::invariants;
use crate::domain::payment::lookout;
use crate::domain::payment::operations::turn::{self, Focus};
use crate::domain::payment::{DeadLetterReason, Exposure, Payment, Phase, Told};
use crate::ports::gateway::Account;
use crate::ports::mandates::LookAt;
use crate::ports::store::{Commit, PaymentWrite, StoreError, Waiter};

/// How long a payment rests whose quota gave no hint.
const QUOTA_REST_MS: i64 = 1_000;
/// What was learnt from Amazon is offered to a database that will not have it so many times.
const REFUSED_TRIES: u32 = 5;

impl Engine {
    /// Commits a run: state, journal, events, dead letter; lets the payment go.
    pub(crate) async fn settle(
        &self,
        (mut payment, expected): (Payment, i64),
        focus: &Focus,
        mut run: Run,
        wait: Wait,
        mut trail: Trail,
        account: &Account,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let operator = self.await_what(&mut payment, focus, &run, wait, account, now);
        payment.lease = None;
        payment.version = expected + 1;
        payment.updated_at = now;
        // A run that settles crashed nobody: only crashes in a row make a suspect.
        payment.effort.crashes = 0;
        payment.effort.crashes_alone = 0;
        let exposure = payment.chore(focus).exposure;
        if *exposure == Exposure::Open {
            // The run ended before its money call, or every such call was answered.
            *exposure = Exposure::Clear;
        }
        let mut commit = Commit::default();
        if let Some(why) = operator {
            let letter = self.lay_focus_down(&mut payment, focus, &mut run, why, now);
            commit.dead_letters.push(letter);
        }
        if run.settles_letter {
            commit.settled.push(payment.id());
        }
        if !run.rule.is_empty() {
            trail.decided(now, run.rule, &payment, focus);
        }
        if payment.phase == Phase::Declined {
            payment.declined_at.get_or_insert(now);
        }
        commit.look_at = to_be_mended(&payment, account, now).into_iter().collect();
        for told in run.told.drain(..) {
            if let Told::By(_, tag) = &told {
                self.tell_joined(&mut commit, &payment.id(), tag).await?;
            }
            let entry = self.tell(&mut payment, told, now);
            trail.step(now, "event", &entry.routing_key, json!({ "id": entry.event_id }));
            commit.outbox.push(entry);
        }
        turn::wake_waiting(&mut payment, now);
        lookout::arm(&mut payment, now, &self.policy);
        self.watch(&payment);
        commit.journal = trail.take(&payment.id(), now);
        commit.payment = Some(PaymentWrite::Update { payment, expected });
        self.commit_surely(commit).await
    }

    /// Who joined.
    pub(crate) async fn waiters_surely(&self, id: &str) -> Result<Vec<Waiter>, StoreError> {
        self.surely(id, || self.store.waiters(id)).await
    }

    async fn joins_surely(&self, id: &str) -> Result<i64, StoreError> {
        self.surely(id, || self.store.joins(id)).await
    }

    /// Reads what is to be known of those who joined, however long the database is away: what was
    /// decided is neither given up for that nor decided anew, which could be otherwise.
    async fn surely<T, F>(&self, id: &str, read: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, StoreError>>,
    {
        let mut tries = 0;
        loop {
            match read().await {
                Err(StoreError::Away(why)) => {
                    tries += 1;
                    tracing::warn!(tries, "who joined {id} cannot be read yet: {why}");
                    let delay = self.schedule.delay(tries).min(std::time::Duration::from_secs(5));
                    tokio::time::sleep(delay).await;
                }
                other => return other,
            }
        }
    }

    /// Translates a wait into due time, attempt and budget; an operator's matter comes back.
    fn await_what(
        &self,
        payment: &mut Payment,
        focus: &Focus,
        run: &Run,
        wait: Wait,
        account: &Account,
        now: i64,
    ) -> Option<(DeadLetterReason, String)> {
        let budget = match focus {
            Focus::Payment => self.policy.budget_ms(payment.key.subject.kind()),
            Focus::Operation(_) => self.policy.budget_operations_ms,
        };
        let turn::Chore { effort, due_at, exposure } = payment.chore(focus);
        match wait {
            Wait::Nothing => *due_at = None,
            Wait::Until(at) => *due_at = Some(at),
            Wait::Backoff => {
                self.metrics.retry();
                effort.attempt = effort.attempt.saturating_add(1);
                let delay = self.schedule.delay(effort.attempt).as_millis();
                *due_at = Some(now + i64::try_from(delay).unwrap_or(i64::MAX / 2));
            }
            Wait::Quota { retry_after_ms } => {
                let wait = retry_after_ms.unwrap_or(QUOTA_REST_MS).max(1);
                effort.quota_wait_ms += wait;
                if effort.quota_wait_ms > self.policy.budget_quota_ms {
                    let detail = "Amazon's quota let nothing through for too long".to_owned();
                    return Some((reason_of(*exposure), detail));
                }
                *due_at = Some(now + wait);
            }
            Wait::Credentials => {
                let merchant = &account.merchant;
                let since = *effort.refused_since.get_or_insert(now);
                let probe_at = if run.rule == "account_tripped" {
                    now + 15_000
                } else {
                    self.metrics.refused(merchant.id.as_str(), true);
                    self.breaker.trip(merchant, now)
                };
                if now - since > budget {
                    let detail = "the account's credentials are refused or cannot be opened";
                    let detail = detail.to_owned();
                    return Some((DeadLetterReason::Configuration, detail));
                }
                *due_at = Some(probe_at);
            }
            Wait::Operator(reason, detail) => return Some((reason, detail)),
        }
        None
    }

    /// The account is gone from the store: nothing can be asked of Amazon until it is back.
    pub(crate) async fn settle_without_account(
        &self,
        mut payment: Payment,
        focus: &Focus,
        now: i64,
    ) -> Result<(), StoreError> {
        let expected = payment.version;
        payment.version = expected + 1;
        payment.lease = None;
        let mut run = Run { rule: "account_gone", ..Run::default() };
        let mut trail = Trail::default();
        let detail = "the merchant account no longer exists".to_owned();
        let reason = DeadLetterReason::Configuration;
        let letter = self.lay_focus_down(&mut payment, focus, &mut run, (reason, detail), now);
        let mut outbox = Vec::new();
        for told in run.told {
            outbox.push(self.tell(&mut payment, told, now));
        }
        trail.decided(now, run.rule, &payment, focus);
        let commit = Commit {
            journal: trail.take(&payment.id(), now),
            payment: Some(PaymentWrite::Update { payment, expected }),
            outbox,
            dead_letters: vec![letter],
            ..Commit::default()
        };
        self.commit_surely(commit).await
    }

    /// The message that opened the epoch is not acceptable: every message that joined is rejected,
    /// and the payment is as it was before, or as if never asked for.
    pub(crate) async fn settle_rejected(
        &self,
        payment: Payment,
        expected: i64,
        code: RejectionCode,
        errors: Vec<FieldError>,
        mut trail: Trail,
    ) -> Result<(), StoreError> {
        trail.decision(self.clock.now_ms(), "rejected", code.as_str(), 0);
        let id = payment.id();
        let rejected = Decline::rejected(code, errors);
        loop {
            let joins = self.joins_surely(&id).await?;
            let written = (payment.clone(), expected, joins);
            let commit = self.rejection_of(written, &rejected, trail.clone()).await?;
            match self.commit_surely(commit).await {
                // Somebody joined meanwhile, and is rejected too. (In a commit of its own that
                // could be lost: nobody drives a payment that is gone.)
                // Was it done already, and nobody heard of it, then the opener's letter is there:
                // nothing is taken back from who opened a payment of that name since.
                Err(StoreError::Conflict) if self.joins_surely(&id).await? != joins => {}
                other => return other,
            }
        }
    }

    async fn rejection_of(
        &self,
        (mut payment, expected, joins): (Payment, i64, i64),
        rejected: &Decline,
        mut trail: Trail,
    ) -> Result<Commit, StoreError> {
        let now = self.clock.now_ms();
        let id = payment.id();
        let joined = self.waiters_surely(&id).await?;
        let mut commit = Commit::default();
        self.reject_opener(&mut commit, &payment, rejected, now);
        self.reject_joined(&mut commit, &payment, joined, rejected, now);
        if payment.restore() {
            turn::wake_waiting(&mut payment, now);
            payment.version = expected + 1;
            payment.lease = None;
            payment.updated_at = now;
            commit.journal = trail.take(&id, now);
            commit.payment = Some(PaymentWrite::Restore { payment, expected, joins });
        } else {
            // As if never asked for: so there is nothing that an operation could be on.
            let error = FieldError::new("orderId", "the payment was rejected");
            let unknown = Decline::rejected(RejectionCode::UnknownReference, vec![error]);
            let tags: Vec<OperationTag> =
                payment.operations.iter().map(|one| one.tag.clone()).collect();
            for tag in tags {
                self.drop_operation(&mut commit, &mut payment, &tag, &unknown, now).await?;
            }
            commit.journal = trail.take(&id, now);
            commit.payment = Some(PaymentWrite::Delete { id, expected, joins });
        }
        Ok(commit)
    }

    /// An operation is not acceptable after all: it is gone, whoever asked for it is told, and the
    /// payment is as it was.
    pub(crate) async fn settle_operation_rejected(
        &self,
        (mut payment, expected): (Payment, i64),
        tag: &OperationTag,
        (code, errors): (RejectionCode, Vec<FieldError>),
        mut trail: Trail,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let rejected = Decline::rejected(code, errors);
        let mut commit = Commit::default();
        trail.decision(now, "operation_rejected", code.as_str(), 0);
        self.drop_operation(&mut commit, &mut payment, tag, &rejected, now).await?;
        payment.lease = None;
        payment.version = expected + 1;
        payment.updated_at = now;
        payment.effort.crashes = 0;
        payment.effort.crashes_alone = 0;
        turn::wake_waiting(&mut payment, now);
        self.watch(&payment);
        commit.journal = trail.take(&payment.id(), now);
        commit.payment = Some(PaymentWrite::Update { payment, expected });
        self.commit_surely(commit).await
    }

    /// Commits what was learnt from Amazon, however long the database is away: until it is
    /// written, only this process knows it. (If the process dies, the same calls tell it again.)
    /// What the database will not have is left to whoever takes the payment up when its lease is
    /// over, and so in the end to an operator.
    async fn commit_surely(&self, commit: Commit) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            match self.commit(commit.clone()).await {
                Err(StoreError::Refused(why)) if tries >= REFUSED_TRIES => {
                    tracing::error!(tries, "a settled payment cannot be written: {why}");
                    return Err(StoreError::Refused(why));
                }
                Err(StoreError::Away(why) | StoreError::Refused(why)) => {
                    tries += 1;
                    tracing::warn!(tries, "a settled payment cannot be written yet: {why}");
                    let delay = self.schedule.delay(tries).min(std::time::Duration::from_secs(5));
                    tokio::time::sleep(delay).await;
                }
                other => return other,
            }
        }
    }

    /// Checks what must always be true: a metric in production, a stop in debug builds.
    pub(crate) fn watch(&self, payment: &Payment) {
        for broken in invariants::check(payment) {
            let id = payment.id();
            tracing::error!(
                payment = %id,
                invariant = broken.number,
                "invariant {} is broken on payment {id}: {}",
                broken.number,
                broken.what
            );
            self.metrics.broken(broken.number);
            debug_assert!(false, "{} {}: {payment:?}", broken.number, broken.what);
        }
    }
}

/// A consent whose payment method the buyer may mend: it is watched from the decline on. One for
/// one time only where somebody would do something about it.
fn to_be_mended(payment: &Payment, account: &Account, now: i64) -> Option<LookAt> {
    let suspended = payment.declined_soft()
        && payment.decline.as_ref().is_some_and(Decline::asks_for_another_method);
    let reference = payment.charged().cloned().filter(|_| suspended)?;
    let watched = match reference.kind() {
        ReferenceKind::Recurring => true,
        ReferenceKind::OneTime => account.merchant.reauthorize.enabled && payment.owns_reference,
        ReferenceKind::Session => false,
    };
    watched.then(|| LookAt {
        seller_account: payment.seller_account.clone(),
        reference,
        mid: payment.key.mid.clone(),
        at: now,
        declined: true,
    })
}
