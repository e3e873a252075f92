//! What happens to an operation next: one total function over (phase, input), as for the payment
//! itself. It never calls anybody.

use super::state::{Operation, OperationPhase};
use super::{cancel, capture, refund, standing, turn};
use crate::domain::gateway::{Answer, Effect, Fault, Reply};
use crate::domain::ids::OperationKey;
use crate::domain::operation::{OperationKind, OperationTag};
use crate::domain::payment::decide::{Next, Run, Wait};
use crate::domain::payment::phase::{DeadLetterReason, Exposure, OperationOutcome, Told};
use crate::domain::payment::state::Payment;
use crate::domain::policy::Policy;
use crate::domain::reference::{self, operation_key};

/// Look-ups in one run before it is let go: Amazon contradicts itself, time may help.
pub(super) const LOOKUPS_MAX: u32 = 4;

/// The key of an operation's call; of a cancel, which has none, what it would be.
#[must_use]
pub fn key_of(payment: &Payment, operation: &Operation) -> OperationKey {
    let call = match operation.tag.kind {
        OperationKind::Capture | OperationKind::Cancel => reference::Operation::Capture,
        OperationKind::Refund => reference::Operation::Refund,
    };
    let request = Some(operation.tag.request.as_str());
    operation_key(&payment.key, call, request, operation.epoch, operation.declines)
}

/// The first call of a run that drives an operation.
#[must_use]
pub fn start(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    now: i64,
    policy: &Policy,
) -> Next {
    run.tries = 0;
    let Some(operation) = payment.operation(tag).cloned() else {
        return Next::Settle(Wait::Nothing);
    };
    match operation.phase {
        OperationPhase::Waiting if !turn::has_come(payment, tag) => {
            wait_for_turn(&operation, run, now, policy)
        }
        OperationPhase::Waiting => match tag.kind {
            OperationKind::Capture => match fix(payment, tag) {
                Err((code, errors)) => Next::Reject(code, errors),
                Ok(()) => Next::Checkpoint,
            },
            OperationKind::Refund => refund::begin(payment, tag, run),
            OperationKind::Cancel => cancel::begin(payment, tag, run),
        },
        OperationPhase::Inspecting => refund::inspect(payment),
        OperationPhase::Calling => call(payment, &operation),
        OperationPhase::Pending => match tag.kind {
            OperationKind::Refund => refund::read(payment, &operation),
            OperationKind::Capture | OperationKind::Cancel => capture::read(payment),
        },
        OperationPhase::Counting => refund::count(payment),
        OperationPhase::ClosingAuthorization => capture::close(payment, tag, run),
        OperationPhase::Done | OperationPhase::Declined | OperationPhase::Failed => {
            Next::Settle(Wait::Nothing)
        }
    }
}

/// Makes or repeats the operation's call.
pub(super) fn call(payment: &Payment, operation: &Operation) -> Next {
    match operation.tag.kind {
        OperationKind::Capture => capture::call(payment, operation),
        OperationKind::Refund => refund::call(payment, operation),
        OperationKind::Cancel => cancel::call(payment),
    }
}

/// Its turn has not come: later again, or too late.
fn wait_for_turn(operation: &Operation, run: &mut Run, now: i64, policy: &Policy) -> Next {
    run.rule = "waits_for_its_turn";
    let until = operation.effort.since + policy.budget_operations_ms;
    if now < until {
        return Next::Settle(Wait::Until(until));
    }
    let detail = "its payment reached no end within the budget".to_owned();
    Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, detail))
}

/// Fixes the amount of a capture whose turn has come, as part of its claim.
pub(super) fn fix_capture(payment: &mut Payment, tag: &OperationTag) {
    let waits = payment.operation(tag).is_some_and(|one| one.phase == OperationPhase::Waiting);
    if waits && tag.kind == OperationKind::Capture && turn::has_come(payment, tag) {
        // What is not acceptable is said by the run.
        let _objection = fix(payment, tag);
    }
}

/// Judges an operation whose turn has come, and fixes its amount.
fn fix(payment: &mut Payment, tag: &OperationTag) -> Result<(), standing::Objection> {
    let Some(asked) = payment.operation(tag).map(|one| one.wanted) else { return Ok(()) };
    let amount = standing::object(payment, tag.kind, asked)?;
    let epoch = payment.epoch;
    if let Some(operation) = payment.operation_mut(tag) {
        operation.amount.get_or_insert(amount);
        operation.epoch = epoch;
        operation.phase = OperationPhase::Calling;
    }
    Ok(())
}

/// What a reply means for the operation.
#[must_use]
pub fn decide(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    (effect, reply): (&Effect, Reply),
    now: i64,
    policy: &Policy,
) -> Next {
    let answer = match reply {
        Ok(answer) => answer,
        Err(fault) => return on_fault(payment, tag, run, (effect, fault), now, policy),
    };
    run.tries = 0;
    match (tag.kind, effect, answer) {
        (OperationKind::Capture, Effect::Capture(_), Answer::Capture(view))
        | (OperationKind::Capture, Effect::ReadCapture(_), Answer::Capture(view))
        | (OperationKind::Capture, Effect::FindCapture { .. }, Answer::Capture(view)) => {
            capture::on_capture(payment, tag, run, view, now, policy)
        }
        (OperationKind::Capture, Effect::ReadAuthorization(_), Answer::Authorization(view)) => {
            capture::on_look(payment, tag, run, view, now, policy)
        }
        (OperationKind::Capture, Effect::FindCapture { .. }, Answer::NotFound) => {
            capture::on_absent(payment, tag, run, now, policy)
        }
        (OperationKind::Capture, Effect::CloseAuthorization(_), Answer::Done) => {
            capture::finish_decline(payment, tag, run)
        }
        (OperationKind::Refund, Effect::ReadRefunds(_), Answer::Refunds(view, listed)) => {
            refund::on_listed(payment, tag, run, (view, listed), now, policy)
        }
        (OperationKind::Refund, Effect::Refund(_), Answer::Refund(view))
        | (OperationKind::Refund, Effect::ReadRefund(_), Answer::Refund(view)) => {
            refund::on_refund(payment, tag, run, view, now, policy)
        }
        (OperationKind::Refund, Effect::ReadCapture(_), Answer::Capture(view)) => {
            refund::finish(payment, tag, run, view.refunded)
        }
        (OperationKind::Cancel, Effect::CloseAuthorization(_), Answer::Done) => {
            cancel::finish(payment, tag, run, "authorization_given_back")
        }
        (OperationKind::Cancel, Effect::ReadAuthorization(_), Answer::Authorization(view)) => {
            cancel::on_look(payment, tag, run, view, now, policy)
        }
        (_, effect, answer) => {
            unexpected(payment, tag, format!("{} answered {answer:?}", effect.name()))
        }
    }
}

fn on_fault(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    (effect, fault): (&Effect, Fault),
    now: i64,
    policy: &Policy,
) -> Next {
    let Some(operation) = payment.operation_mut(tag) else {
        return Next::Settle(Wait::Nothing);
    };
    operation.effort.last_fault = Some(fault.name().to_owned());
    if effect.moves_money() && fault.leaves_unknown() {
        operation.exposure = Exposure::Sent;
    }
    if operation.phase == OperationPhase::Counting {
        // The money went back; only the sum of it all could not be read.
        return refund::finish(payment, tag, run, None);
    }
    match fault {
        Fault::Throttled { retry_after_ms } => {
            run.rule = "throttled";
            Next::Settle(Wait::Quota { retry_after_ms })
        }
        Fault::Credentials { .. } => {
            run.rule = "credentials_refused";
            Next::Settle(Wait::Credentials)
        }
        Fault::NotSent | Fault::Unavailable { .. } | Fault::Unknown => {
            run.tries += 1;
            let early = now - run.began_at <= policy.at_once_ms;
            if run.tries < policy.at_once_tries && early {
                return Next::Call(effect.clone());
            }
            transient(payment, tag, run, now, policy)
        }
        Fault::Declined { reason } => {
            clear(payment, tag);
            match effect {
                Effect::Capture(_) => capture::on_declined(payment, tag, run, reason, now, policy),
                Effect::Refund(_) => refund::on_declined(payment, tag, run, reason, now, policy),
                Effect::SetDetails(_)
                | Effect::Confirm(_)
                | Effect::Complete(_)
                | Effect::Authorize(_)
                | Effect::ReadReference(_)
                | Effect::FindAuthorization { .. }
                | Effect::ReadAuthorization(_)
                | Effect::ReadCapture(_)
                | Effect::FindCapture { .. }
                | Effect::ReadRefund(_)
                | Effect::ReadRefunds(_)
                | Effect::CloseAuthorization(_)
                | Effect::CloseReference(_) => {
                    unexpected(payment, tag, format!("{} declined: {reason}", effect.name()))
                }
            }
        }
        Fault::Refused { code } => {
            run.tries = 0;
            match tag.kind {
                OperationKind::Capture => {
                    capture::on_refused(payment, tag, run, (effect, &code), now, policy)
                }
                OperationKind::Refund => {
                    refund::on_refused(payment, tag, run, (effect, &code), now, policy)
                }
                OperationKind::Cancel => {
                    cancel::on_refused(payment, tag, run, (effect, &code), now, policy)
                }
            }
        }
        Fault::Unexpected { detail } => unexpected(payment, tag, detail),
    }
}

/// Transient trouble: later again within the budget, else a last look, else an operator.
pub(super) fn transient(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    now: i64,
    policy: &Policy,
) -> Next {
    run.rule = "transient";
    let Some(operation) = payment.operation(tag) else { return Next::Settle(Wait::Nothing) };
    let spent = now - operation.effort.since - operation.effort.quota_wait_ms;
    if spent <= policy.budget_operations_ms {
        return Next::Settle(Wait::Backoff);
    }
    match operation.exposure {
        Exposure::Sent if !run.last_look => {
            run.last_look = true;
            match tag.kind {
                OperationKind::Refund => refund::inspect(payment),
                OperationKind::Capture | OperationKind::Cancel => capture::look(payment),
            }
        }
        Exposure::Sent => {
            let detail = "Amazon never told what became of the call".to_owned();
            Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail))
        }
        Exposure::Clear | Exposure::Open => {
            let fault = operation.effort.last_fault.clone().unwrap_or_default();
            let detail = format!("transient trouble outlasted the budget ({fault})");
            Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, detail))
        }
    }
}

/// An answer that is in no table: a matter for people.
pub(super) fn unexpected(payment: &Payment, tag: &OperationTag, detail: String) -> Next {
    let exposure = payment.operation(tag).map_or(Exposure::Clear, |one| one.exposure);
    let reason = match exposure {
        Exposure::Sent => DeadLetterReason::UnknownOutcome,
        Exposure::Clear | Exposure::Open => DeadLetterReason::Exhausted,
    };
    Next::Settle(Wait::Operator(reason, detail))
}

/// The same, where money may have moved.
pub(super) fn unexpected_sent(payment: &mut Payment, tag: &OperationTag, detail: &str) -> Next {
    if let Some(operation) = payment.operation_mut(tag) {
        operation.exposure = Exposure::Sent;
    }
    unexpected(payment, tag, detail.to_owned())
}

/// Amazon has not decided: it is looked at again, ever later, within a bound.
pub(super) fn pending(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    now: i64,
    policy: &Policy,
) -> Next {
    run.rule = "pending_at_amazon";
    let Some(operation) = payment.operation_mut(tag) else {
        return Next::Settle(Wait::Nothing);
    };
    operation.phase = OperationPhase::Pending;
    operation.exposure = Exposure::Sent;
    // Amazon answered: trouble is counted from here on, and time is Amazon's.
    operation.effort.since = now;
    operation.effort.attempt = 0;
    if !operation.told_pending_amazon {
        operation.told_pending_amazon = true;
        operation.effort.polls = 0;
        run.told.push(Told::Operation(tag.clone(), OperationOutcome::PendingAmazon));
    }
    if operation.effort.polls >= policy.polls_max {
        let detail = "pending at Amazon for longer than it may be".to_owned();
        return Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail));
    }
    let wait = policy.poll_after_ms(operation.effort.polls);
    operation.effort.polls = operation.effort.polls.saturating_add(1);
    Next::Settle(Wait::Until(now + wait))
}

/// The payment itself must find out what became of it first; then the operation's turn comes
/// again, and is judged anew.
pub(super) fn hand_over(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    now: i64,
    policy: &Policy,
) -> Next {
    run.rule = "handed_over";
    let Some(operation) = payment.operation_mut(tag) else { return Next::Settle(Wait::Nothing) };
    operation.phase = OperationPhase::Waiting;
    if now - operation.effort.since - operation.effort.quota_wait_ms > policy.budget_operations_ms {
        let detail = "its payment did not find out what became of it within the budget".to_owned();
        return Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, detail));
    }
    payment.due_at = Some(now);
    Next::Settle(Wait::Backoff)
}

/// The operation is at an end.
pub(super) fn end(payment: &mut Payment, tag: &OperationTag, phase: OperationPhase) {
    if let Some(operation) = payment.operation_mut(tag) {
        operation.phase = phase;
        operation.exposure = Exposure::Clear;
        operation.due_at = None;
    }
}

/// Amazon's business answer to this very call: nothing moved under this key.
pub(super) fn clear(payment: &mut Payment, tag: &OperationTag) {
    if let Some(operation) = payment.operation_mut(tag) {
        operation.exposure = Exposure::Clear;
    }
}
