//! The end of a run: what the payment waits for, what is told, and the one commit of it all.

use serde_json::json;

use super::engine::Engine;
use super::trail::Trail;
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::ids::ReferenceKind;
use crate::domain::payment::decide::{Run, Wait};
use crate::domain::payment::invariants;
use crate::domain::payment::{DeadLetterReason, Exposure, Outcome, Payment, Phase};
use crate::ports::gateway::Account;
use crate::ports::mandates::LookAt;
use crate::ports::store::{Commit, DeadLetter, PaymentWrite, StoreError};

/// How long a payment rests whose quota gave no hint.
const QUOTA_REST_MS: i64 = 1_000;

impl Engine {
    /// Commits a run: state, journal, events, dead letter; lets the payment go.
    pub(crate) async fn settle(
        &self,
        mut payment: Payment,
        expected: i64,
        mut run: Run,
        wait: Wait,
        mut trail: Trail,
        account: &Account,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let operator = self.await_what(&mut payment, &run, wait, account, now);
        payment.lease = None;
        payment.version = expected + 1;
        payment.updated_at = now;
        // A run that settles crashed nobody: only crashes in a row make a suspect.
        payment.effort.crashes = 0;
        payment.effort.crashes_alone = 0;
        if payment.exposure == Exposure::Open {
            // The run ended before its money call, or every such call was answered.
            payment.exposure = Exposure::Clear;
        }
        let mut dead_letters = Vec::new();
        if let Some((reason, detail)) = operator {
            dead_letters.push(self.lay_down(&mut payment, &mut run, reason, detail, now));
        }
        if !run.rule.is_empty() {
            let (phase, attempt) = (payment.phase.as_str(), payment.effort.attempt);
            trail.decision(now, run.rule, phase, attempt);
        }
        if payment.phase == Phase::Declined {
            payment.declined_at.get_or_insert(now);
        }
        let look_at = to_be_mended(&payment, account, now);
        let mut outbox = Vec::new();
        for outcome in run.told.drain(..) {
            let entry = self.tell(&mut payment, outcome, now);
            trail.step(now, "event", &entry.routing_key, json!({ "id": entry.event_id }));
            outbox.push(entry);
        }
        self.watch(&payment);
        let commit = Commit {
            journal: trail.take(&payment.id(), now),
            payment: Some(PaymentWrite::Update { payment, expected }),
            look_at: look_at.into_iter().collect(),
            outbox,
            dead_letters,
            ..Commit::default()
        };
        self.commit_surely(commit).await
    }

    /// Translates a wait into due time, attempt and budget; an operator's matter comes back.
    fn await_what(
        &self,
        payment: &mut Payment,
        run: &Run,
        wait: Wait,
        account: &Account,
        now: i64,
    ) -> Option<(DeadLetterReason, String)> {
        match wait {
            Wait::Nothing => payment.due_at = None,
            Wait::Until(at) => payment.due_at = Some(at),
            Wait::Backoff => {
                self.metrics.retry();
                payment.effort.attempt = payment.effort.attempt.saturating_add(1);
                let delay = self.schedule.delay(payment.effort.attempt).as_millis();
                payment.due_at = Some(now + i64::try_from(delay).unwrap_or(i64::MAX / 2));
            }
            Wait::Quota { retry_after_ms } => {
                let wait = retry_after_ms.unwrap_or(QUOTA_REST_MS).max(1);
                payment.effort.quota_wait_ms += wait;
                if payment.effort.quota_wait_ms > self.policy.budget_quota_ms {
                    let detail = "Amazon's quota let nothing through for too long".to_owned();
                    return Some((reason_of(payment), detail));
                }
                payment.due_at = Some(now + wait);
            }
            Wait::Credentials => {
                let merchant = &account.merchant;
                let since = *payment.effort.refused_since.get_or_insert(now);
                let probe_at = if run.rule == "account_tripped" {
                    now + 15_000
                } else {
                    self.metrics.refused(merchant.id.as_str(), true);
                    self.breaker.trip(merchant, now)
                };
                let budget = self.policy.budget_ms(payment.key.subject.kind());
                if now - since > budget {
                    let detail = "Amazon refuses the credentials of the account".to_owned();
                    return Some((DeadLetterReason::Configuration, detail));
                }
                payment.due_at = Some(probe_at);
            }
            Wait::Operator(reason, detail) => return Some((reason, detail)),
        }
        None
    }

    /// Lays a payment into the dead letters: it stays in hand, and only an operator moves it.
    pub(crate) fn lay_down(
        &self,
        payment: &mut Payment,
        run: &mut Run,
        reason: DeadLetterReason,
        detail: String,
        now: i64,
    ) -> DeadLetter {
        payment.dead_letter = Some(reason);
        payment.due_at = None;
        if !payment.told_pending_operator {
            payment.told_pending_operator = true;
            run.told.push(Outcome::PendingOperator);
        }
        if run.rule.is_empty() {
            run.rule = "operator";
        }
        self.metrics.dead_letter(reason);
        let id = payment.id();
        tracing::error!(
            payment = %id,
            reason = reason.as_str(),
            "payment {id} lies in the dead letters: {detail}"
        );
        let order = payment.key.subject.order().map(ToString::to_string);
        let (upsell_id, charge_id) = self::ids_of(payment);
        DeadLetter {
            id: letter_id(&id, payment.version),
            reason,
            message_id: Some(payment.opener.message_id.to_string()),
            routing_key: Some(routing_key(payment).to_owned()),
            mid: Some(payment.key.mid.to_string()),
            kind: Some(payment.key.subject.kind().as_str().to_owned()),
            order_id: order,
            upsell_id,
            charge_id,
            detail,
            attempts: payment.effort.attempt,
            since: now,
            payment_id: Some(id),
            message: None,
        }
    }

    /// The account is gone from the store: nothing can be asked of Amazon until it is back.
    pub(crate) async fn settle_without_account(
        &self,
        mut payment: Payment,
        now: i64,
    ) -> Result<(), StoreError> {
        let expected = payment.version;
        payment.version = expected + 1;
        payment.lease = None;
        let mut run = Run { rule: "account_gone", ..Run::default() };
        let mut trail = Trail::default();
        let detail = "the merchant account no longer exists".to_owned();
        let reason = DeadLetterReason::Configuration;
        let letter = self.lay_down(&mut payment, &mut run, reason, detail, now);
        let mut outbox = Vec::new();
        for outcome in run.told {
            outbox.push(self.tell(&mut payment, outcome, now));
        }
        trail.decision(now, run.rule, payment.phase.as_str(), payment.effort.attempt);
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
        mut payment: Payment,
        expected: i64,
        code: RejectionCode,
        errors: Vec<FieldError>,
        mut trail: Trail,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let id = payment.id();
        let rejected = Decline::rejected(code, errors);
        let joined = self.store.waiters(&id).await?;
        let mut commit = Commit::default();
        self.reject_opener(&mut commit, &payment, &rejected, now);
        self.reject_joined(&mut commit, &payment, joined, &rejected, now);
        let asked = payment.clone();
        trail.decision(now, "rejected", code.as_str(), 0);
        if payment.restore() {
            payment.version = expected + 1;
            payment.lease = None;
            payment.updated_at = now;
            commit.journal = trail.take(&id, now);
            commit.payment = Some(PaymentWrite::Update { payment, expected });
        } else {
            commit.journal = trail.take(&id, now);
            commit.payment = Some(PaymentWrite::Delete { id: id.clone(), expected });
        }
        self.commit_surely(commit).await?;
        // Whoever joined while this was being written is told as well.
        let late = self.store.waiters(&id).await?;
        let mut commit = Commit::default();
        self.reject_joined(&mut commit, &asked, late, &rejected, now);
        if commit.outbox.is_empty() {
            return Ok(());
        }
        self.commit_surely(commit).await
    }

    /// Commits what was learnt from Amazon, however long the database is away: until it is
    /// written, only this process knows it. (If the process dies, the same calls tell it again.)
    async fn commit_surely(&self, commit: Commit) -> Result<(), StoreError> {
        let mut tries = 0;
        loop {
            match self.commit(commit.clone()).await {
                Err(StoreError::Away(why)) => {
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

fn reason_of(payment: &Payment) -> DeadLetterReason {
    match payment.exposure {
        Exposure::Sent => DeadLetterReason::UnknownOutcome,
        Exposure::Clear | Exposure::Open => DeadLetterReason::Exhausted,
    }
}

/// The routing key of the command that opened a payment.
pub(crate) const fn routing_key(payment: &Payment) -> &'static str {
    use crate::domain::command::Kind;
    match payment.key.subject.kind() {
        Kind::Order => "order.import",
        Kind::Upsell => "upsell.import",
        Kind::Charge => "charge.recurring",
    }
}

/// `upsellId` and `chargeId` of a payment.
pub(crate) fn ids_of(payment: &Payment) -> (Option<String>, Option<String>) {
    use crate::domain::command::Subject;
    match &payment.key.subject {
        Subject::Order(_) => (None, None),
        Subject::Upsell(_, upsell) => (Some(upsell.to_string()), None),
        Subject::Charge(charge) => (None, Some(charge.to_string())),
    }
}

/// A dead letter's id: the same commit, tried twice, files it once.
pub(crate) fn letter_id(of: &str, version: i64) -> String {
    use base64::Engine as _;
    use sha2::{Digest, Sha256};
    let mut hash = Sha256::new();
    hash.update(of.as_bytes());
    hash.update(version.to_be_bytes());
    let digest = hash.finalize();
    format!("dl_{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(&digest[..15]))
}

/// Whether a payment may be given up by an operator: not while money may have moved.
#[must_use]
pub fn may_be_discarded(payment: &Payment) -> bool {
    payment.in_hand()
        && payment.dead_letter.is_some()
        && payment.exposure == Exposure::Clear
        && !matches!(payment.phase, Phase::AuthorizationPending | Phase::CapturePending)
}
