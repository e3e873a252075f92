//! What cannot be finished is laid into the dead letters: the payment or the operation stays what
//! it is, and only an operator moves it.

use super::engine::Engine;
use crate::domain::operation::OperationTag;
use crate::domain::payment::decide::Run;
use crate::domain::payment::operations::OperationPhase;
use crate::domain::payment::operations::turn::Focus;
use crate::domain::payment::{
    DeadLetterReason, Exposure, OperationOutcome, Outcome, Payment, Phase, Told,
};
use crate::ports::store::DeadLetter;

impl Engine {
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
            run.told.push(Told::Payment(Outcome::PendingOperator));
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
        DeadLetter {
            message_id: Some(payment.opener.message_id.to_string()),
            routing_key: Some(routing_key(payment).to_owned()),
            attempts: payment.effort.attempt,
            ..letter(payment, id, (reason, detail), now)
        }
    }

    /// Lays an operation into the dead letters; its payment goes on being what it is.
    pub(crate) fn lay_operation_down(
        &self,
        payment: &mut Payment,
        tag: &OperationTag,
        run: &mut Run,
        (reason, detail): (DeadLetterReason, String),
        now: i64,
    ) -> DeadLetter {
        let id = tag.row_id(&payment.id());
        let (mut message_id, mut attempts) = (None, 0);
        if let Some(operation) = payment.operation_mut(tag) {
            operation.dead_letter = Some(reason);
            operation.due_at = None;
            message_id = Some(operation.asker.message_id.to_string());
            attempts = operation.effort.attempt;
            if !operation.told_pending_operator {
                operation.told_pending_operator = true;
                run.told.push(Told::Operation(tag.clone(), OperationOutcome::PendingOperator));
            }
        }
        if run.rule.is_empty() {
            run.rule = "operator";
        }
        self.metrics.dead_letter(reason);
        tracing::error!(
            payment = %payment.id(),
            reason = reason.as_str(),
            "operation {id} lies in the dead letters: {detail}"
        );
        DeadLetter {
            message_id,
            routing_key: Some(tag.kind.routing_key().to_owned()),
            attempts,
            ..letter(payment, id, (reason, detail), now)
        }
    }

    /// Lays down whatever a run drives.
    pub(crate) fn lay_focus_down(
        &self,
        payment: &mut Payment,
        focus: &Focus,
        run: &mut Run,
        (reason, detail): (DeadLetterReason, String),
        now: i64,
    ) -> DeadLetter {
        match focus {
            Focus::Payment => self.lay_down(payment, run, reason, detail, now),
            Focus::Operation(tag) => {
                self.lay_operation_down(payment, tag, run, (reason, detail), now)
            }
        }
    }
}

/// A letter about the payment's row or a part of it, `id`.
fn letter(
    payment: &Payment,
    id: String,
    (reason, detail): (DeadLetterReason, String),
    now: i64,
) -> DeadLetter {
    let (upsell_id, charge_id) = ids_of(payment);
    DeadLetter {
        id: letter_id(&id, payment.version),
        reason,
        message_id: None,
        routing_key: None,
        mid: Some(payment.key.mid.to_string()),
        kind: Some(payment.key.subject.kind().as_str().to_owned()),
        order_id: payment.key.subject.order().map(ToString::to_string),
        upsell_id,
        charge_id,
        detail,
        attempts: 0,
        since: now,
        payment_id: Some(id),
        message: None,
    }
}

/// Why something lies still whose budget is spent.
pub(crate) const fn reason_of(exposure: Exposure) -> DeadLetterReason {
    match exposure {
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

/// Whether an operation may be given up by an operator: not while money may have moved.
#[must_use]
pub fn operation_may_be_discarded(payment: &Payment, tag: &OperationTag) -> bool {
    payment.operation(tag).is_some_and(|one| {
        one.dead_letter.is_some()
            && one.exposure == Exposure::Clear
            && !matches!(one.phase, OperationPhase::Pending | OperationPhase::Counting)
    })
}
