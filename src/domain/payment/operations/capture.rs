//! What Amazon's answers about a capture on an authorization at rest mean: paid, pending, or a
//! decline, which is told once the authorization is given back.

use super::decide::{
    LOOKUPS_MAX, clear, end, hand_over, key_of, pending, transient, unexpected, unexpected_sent,
};
use super::state::{Operation, OperationPhase};
use crate::domain::decline::Decline;
use crate::domain::gateway::{
    AuthorizationState, AuthorizationView, Capture, CaptureState, CaptureView, Effect,
};
use crate::domain::operation::OperationTag;
use crate::domain::payment::answers::{become_paid, capture_refused, is_failure_inside};
use crate::domain::payment::decide::{Next, Run, Wait};
use crate::domain::payment::phase::{DeadLetterReason, Outcome, Phase, Told};
use crate::domain::payment::state::Payment;
use crate::domain::policy::Policy;

fn no_authorization() -> Next {
    let detail = "no authorization is known".to_owned();
    Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, detail))
}

pub(super) fn call(payment: &Payment, operation: &Operation) -> Next {
    let Some(authorization) = payment.authorization_id.clone() else { return no_authorization() };
    Next::Call(Effect::Capture(Capture {
        authorization,
        key: key_of(payment, operation),
        amount: operation.amount.unwrap_or(payment.amount),
        soft_descriptor: payment.texts.soft_descriptor.clone(),
    }))
}

pub(super) fn read(payment: &Payment) -> Next {
    match payment.capture_id.clone() {
        Some(id) => Next::Call(Effect::ReadCapture(id)),
        None => look(payment),
    }
}

/// The authorization lists its captures; ours is among them or there is none.
pub(super) fn look(payment: &Payment) -> Next {
    payment
        .authorization_id
        .clone()
        .map_or_else(no_authorization, |id| Next::Call(Effect::ReadAuthorization(id)))
}

pub(super) fn close(payment: &mut Payment, tag: &OperationTag, run: &mut Run) -> Next {
    match payment.authorization_id.clone() {
        Some(id) => Next::Call(Effect::CloseAuthorization(id)),
        None => finish_decline(payment, tag, run),
    }
}

pub(super) fn on_capture(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    view: CaptureView,
    now: i64,
    policy: &Policy,
) -> Next {
    let Some(operation) = payment.operation(tag).cloned() else {
        return Next::Settle(Wait::Nothing);
    };
    if !view.key.is_empty() && view.key != key_of(payment, &operation).as_str() {
        return unexpected_sent(payment, tag, "a capture under another key");
    }
    if view.amount.is_some() && view.amount != operation.amount {
        return unexpected_sent(payment, tag, "a capture of another amount");
    }
    payment.capture_id = Some(view.id);
    match view.state {
        // Closed: refunded to its bound or disputed since; the money did move.
        CaptureState::Completed | CaptureState::Closed => {
            run.rule = "captured";
            let captured = view.amount.or(operation.amount).unwrap_or(payment.amount);
            become_paid(payment, captured, now, policy);
            if let Some(refunded) = view.refunded {
                payment.refunded = refunded;
            }
            payment.due_at = None;
            end(payment, tag, OperationPhase::Done);
            run.told.push(Told::By(Outcome::Paid, tag.clone()));
            Next::Settle(Wait::Nothing)
        }
        CaptureState::Pending => pending(payment, tag, run, now, policy),
        CaptureState::Declined => {
            payment.capture_id = None;
            on_declined(payment, tag, run, view.reason.unwrap_or_default(), now, policy)
        }
        CaptureState::Other => unexpected_sent(payment, tag, "a capture in an unknown state"),
    }
}

pub(super) fn on_declined(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    reason: String,
    now: i64,
    policy: &Policy,
) -> Next {
    clear(payment, tag);
    let Some(operation) = payment.operation_mut(tag) else {
        return Next::Settle(Wait::Nothing);
    };
    if is_failure_inside(&reason) && operation.declines == 0 {
        run.rule = "capture_again";
        operation.declines = 1;
        operation.phase = OperationPhase::Calling;
        return Next::Settle(Wait::Until(now + policy.processing_failure_wait_ms));
    }
    operation.decline = Some(capture_refused(&reason));
    operation.phase = OperationPhase::ClosingAuthorization;
    close(payment, tag, run)
}

/// The authorization is given back: the decline that waited for it is told.
pub(super) fn finish_decline(payment: &mut Payment, tag: &OperationTag, run: &mut Run) -> Next {
    if run.rule.is_empty() {
        run.rule = "authorization_given_back";
    }
    let decline = payment.operation(tag).and_then(|one| one.decline.clone());
    payment.phase = Phase::Declined;
    let unsaid = || Decline::processing_failure("ProcessingFailure");
    payment.decline = Some(decline.unwrap_or_else(unsaid));
    payment.due_at = None;
    end(payment, tag, OperationPhase::Declined);
    run.told.push(Told::By(Outcome::Declined, tag.clone()));
    Next::Settle(Wait::Nothing)
}

/// Amazon's business "no".
pub(super) fn on_refused(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    (effect, code): (&Effect, &str),
    now: i64,
    policy: &Policy,
) -> Next {
    if let Effect::CloseAuthorization(_) = effect {
        // Closed already, by whomever: there is nothing left to give back.
        run.rule = "authorization_over";
        return finish_decline(payment, tag, run);
    }
    let may_be_ours = matches!(
        code,
        "TransactionCountExceeded"
            | "TransactionAmountExceeded"
            | "InvalidAuthorizationStatus"
            | "InvalidChargeStatus"
            | "DuplicateRequest"
            | "DuplicateReferenceId"
            | "DuplicateIdempotencyKey"
    );
    if !may_be_ours {
        return unexpected(payment, tag, format!("{} refused: {code}", effect.name()));
    }
    if effect.moves_money() && !is_duplicate(code) {
        clear(payment, tag);
    }
    run.cause = Some(code.to_owned());
    run.lookups += 1;
    if run.lookups > LOOKUPS_MAX {
        return transient(payment, tag, run, now, policy);
    }
    look(payment)
}

/// Amazon looks ids up before it checks states and amounts, so every other refusal says that it
/// has no such call on its books. These say the contrary.
pub(super) fn is_duplicate(code: &str) -> bool {
    matches!(code, "DuplicateRequest" | "DuplicateReferenceId" | "DuplicateIdempotencyKey")
}

/// The authorization as it is.
pub(super) fn on_look(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    view: AuthorizationView,
    now: i64,
    policy: &Policy,
) -> Next {
    let ids = view.captures.clone();
    run.authorization = Some(view);
    match payment.operation(tag) {
        Some(operation) if !ids.is_empty() => {
            Next::Call(Effect::FindCapture { ids, key: key_of(payment, operation) })
        }
        Some(_) | None => on_absent(payment, tag, run, now, policy),
    }
}

/// The authorization shows no capture under our key.
pub(super) fn on_absent(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    now: i64,
    policy: &Policy,
) -> Next {
    let Some(view) = run.authorization.clone() else {
        return unexpected(payment, tag, "no authorization was read".to_owned());
    };
    if run.last_look {
        // A look that does not show it yet proves nothing.
        let detail = "Amazon shows no capture under our key, yet".to_owned();
        return Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail));
    }
    if run.cause.as_deref().is_some_and(is_duplicate) {
        return unexpected_sent(payment, tag, "our key is on Amazon's books for something else");
    }
    match view.state {
        AuthorizationState::Open | AuthorizationState::Pending => {
            transient(payment, tag, run, now, policy)
        }
        // Captured by somebody else, expired or closed: the payment is no longer at rest.
        AuthorizationState::Closed | AuthorizationState::Declined => {
            hand_over(payment, tag, run, now, policy)
        }
        AuthorizationState::Other => {
            unexpected(payment, tag, "an authorization in an unknown state".to_owned())
        }
    }
}
