//! What Amazon's answers about a refund mean. Before the amount is fixed, Amazon is asked what went
//! back already, by whomever; what is refused as "already so" may be our own earlier success.

use super::capture::is_duplicate;
use super::decide::{
    LOOKUPS_MAX, clear, end, key_of, pending, transient, unexpected, unexpected_sent,
};
use super::standing::{self, within};
use super::state::{Operation, OperationPhase};
use crate::domain::decline::Decline;
use crate::domain::gateway::{CaptureView, Effect, Refund, RefundState, RefundView};
use crate::domain::money::Money;
use crate::domain::operation::{OperationKind, OperationTag};
use crate::domain::payment::answers::is_failure_inside;
use crate::domain::payment::decide::{Next, Run, Wait};
use crate::domain::payment::phase::{DeadLetterReason, OperationOutcome, Told};
use crate::domain::payment::state::Payment;
use crate::domain::policy::Policy;

fn no_capture() -> Next {
    let detail = "no capture is known".to_owned();
    Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, detail))
}

/// Its turn has come: what is left by our own books is a bound, Amazon knows better.
pub(super) fn begin(payment: &mut Payment, tag: &OperationTag, run: &mut Run) -> Next {
    let Some(operation) = payment.operation(tag) else { return Next::Settle(Wait::Nothing) };
    if let Err((code, errors)) = standing::object(payment, OperationKind::Refund, operation.wanted)
    {
        run.rule = "not_refundable";
        return Next::Reject(code, errors);
    }
    if let Some(operation) = payment.operation_mut(tag) {
        operation.phase = OperationPhase::Inspecting;
    }
    inspect(payment)
}

/// Reads the capture with all its refunds.
pub(super) fn inspect(payment: &Payment) -> Next {
    payment.capture_id.clone().map_or_else(no_capture, |id| Next::Call(Effect::ReadRefunds(id)))
}

pub(super) fn call(payment: &Payment, operation: &Operation) -> Next {
    let (Some(capture), Some(amount)) = (payment.capture_id.clone(), operation.amount) else {
        return no_capture();
    };
    Next::Call(Effect::Refund(Refund {
        capture,
        key: key_of(payment, operation),
        amount,
        soft_descriptor: payment.texts.soft_descriptor.clone(),
    }))
}

pub(super) fn read(payment: &Payment, operation: &Operation) -> Next {
    match operation.refund_id.clone() {
        Some(id) => Next::Call(Effect::ReadRefund(id)),
        None => inspect(payment),
    }
}

/// Reads what has gone back in all.
pub(super) fn count(payment: &Payment) -> Next {
    payment.capture_id.clone().map_or_else(no_capture, |id| Next::Call(Effect::ReadCapture(id)))
}

/// The capture and its refunds as Amazon shows them.
pub(super) fn on_listed(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    (view, listed): (CaptureView, Vec<RefundView>),
    now: i64,
    policy: &Policy,
) -> Next {
    let Some(operation) = payment.operation(tag).cloned() else {
        return Next::Settle(Wait::Nothing);
    };
    if operation.phase != OperationPhase::Inspecting {
        let ours = key_of(payment, &operation);
        let found = listed.into_iter().find(|refund| refund.key == ours.as_str());
        return match found {
            Some(refund) => on_refund(payment, tag, run, refund, now, policy),
            None => on_absent(payment, tag, run),
        };
    }
    let Some(left) = left(payment, &view, &listed) else {
        return unexpected(payment, tag, "a refund without an amount".to_owned());
    };
    payment.refunded = view.refunded.map_or(payment.refunded, |refunded| {
        if refunded.minor() > payment.refunded.minor() { refunded } else { payment.refunded }
    });
    let asked = standing::wanted(payment, operation.wanted);
    if let Ok(asked) = &asked
        && left.leaves_open(*asked)
    {
        // One of ours is under way: its end tells what went back by other hands.
        return transient(payment, tag, run, now, policy);
    }
    let fixed =
        asked.and_then(|asked| within(asked, left.surely, "is more than is left to be refunded"));
    let amount = match fixed {
        Ok(amount) => amount,
        Err((code, errors)) => {
            run.rule = "more_than_is_left";
            return Next::Reject(code, errors);
        }
    };
    let epoch = payment.epoch;
    if let Some(operation) = payment.operation_mut(tag) {
        operation.amount = Some(amount);
        operation.epoch = epoch;
        operation.phase = OperationPhase::Calling;
    }
    // The amount is committed before anything is asked for under it.
    Next::Checkpoint
}

/// Whether a refund that Amazon shows was made by one of our operations, by any of its keys.
pub(in crate::domain::payment) fn is_ours(payment: &Payment, refund: &RefundView) -> bool {
    payment.operations.iter().filter(|one| one.tag.kind == OperationKind::Refund).any(|one| {
        let mut keys = (0..=one.declines).map(|declines| {
            let at = Operation { declines, ..one.clone() };
            key_of(payment, &at)
        });
        one.refund_id.as_ref() == Some(&refund.id) || keys.any(|key| key.as_str() == refund.key)
    })
}

/// What is left to be refunded.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// So much at least.
    surely: Money,
    /// So much at most.
    perhaps: Money,
}

impl Left {
    /// Whether it cannot be told yet if so much is left (none: what all of it is).
    fn leaves_open(self, asked: Option<Money>) -> bool {
        let open = |asked: Money| {
            asked.minor() > self.surely.minor() && asked.minor() <= self.perhaps.minor()
        };
        self.surely != self.perhaps && asked.is_none_or(open)
    }
}

/// What is left by Amazon's list and our own books: the captured amount less all our refunds that
/// began and were not declined, and those of others. None where an amount cannot be told.
fn left(payment: &Payment, view: &CaptureView, listed: &[RefundView]) -> Option<Left> {
    let money = |taken: i64| {
        Money::from_minor(payment.captured.minor() - taken, payment.captured.currency())
    };
    let sum = view.refunded.map_or(0, Money::minor);
    let mut taken = payment.refunds_begun().minor();
    if listed.is_empty() {
        // Amazon's sum alone tells of others, and ours that are under way may be in it or not.
        let found = payment.lookout.sum();
        let others = |ours: i64| (sum - ours).max(found);
        return Some(Left {
            surely: money(taken + others(payment.refunds_done().minor())),
            perhaps: money(taken + others(taken)),
        });
    }
    for refund in listed.iter().filter(|refund| !is_ours(payment, refund)) {
        taken += match refund.state {
            RefundState::Declined => 0,
            RefundState::Pending | RefundState::Completed | RefundState::Other => {
                refund.amount?.minor()
            }
        };
    }
    let left = money(taken.max(sum));
    Some(Left { surely: left, perhaps: left })
}

/// The capture shows no refund under our key.
fn on_absent(payment: &mut Payment, tag: &OperationTag, run: &mut Run) -> Next {
    let cause = run.cause.take();
    if run.last_look {
        // A look that does not show it yet proves nothing.
        let detail = "Amazon shows no refund under our key, yet".to_owned();
        return Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail));
    }
    match cause {
        Some(code) if is_duplicate(&code) => {
            unexpected_sent(payment, tag, "our key is on Amazon's books for something else")
        }
        Some(code) => declined(payment, tag, run, Decline::refund_refused(&code)),
        None => unexpected_sent(payment, tag, "a refund that Amazon no longer shows"),
    }
}

pub(super) fn on_refund(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    view: RefundView,
    now: i64,
    policy: &Policy,
) -> Next {
    let Some(operation) = payment.operation(tag).cloned() else {
        return Next::Settle(Wait::Nothing);
    };
    if !view.key.is_empty() && view.key != key_of(payment, &operation).as_str() {
        return unexpected_sent(payment, tag, "a refund under another key");
    }
    if view.amount.is_some() && view.amount != operation.amount {
        return unexpected_sent(payment, tag, "a refund of another amount");
    }
    let Some(operation) = payment.operation_mut(tag) else {
        return Next::Settle(Wait::Nothing);
    };
    operation.refund_id = Some(view.id);
    match view.state {
        RefundState::Pending => pending(payment, tag, run, now, policy),
        RefundState::Completed => {
            operation.phase = OperationPhase::Counting;
            clear(payment, tag);
            count(payment)
        }
        RefundState::Declined => {
            clear(payment, tag);
            on_declined(payment, tag, run, view.reason.unwrap_or_default(), now, policy)
        }
        RefundState::Other => unexpected_sent(payment, tag, "a refund in an unknown state"),
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
    if let Some(operation) = payment.operation_mut(tag)
        && is_failure_inside(&reason)
        && operation.declines == 0
    {
        run.rule = "refund_again";
        operation.declines = 1;
        operation.refund_id = None;
        operation.phase = OperationPhase::Calling;
        return Next::Settle(Wait::Until(now + policy.processing_failure_wait_ms));
    }
    declined(payment, tag, run, Decline::refund_refused(&reason))
}

fn declined(payment: &mut Payment, tag: &OperationTag, run: &mut Run, why: Decline) -> Next {
    run.rule = "refund_declined";
    if let Some(operation) = payment.operation_mut(tag) {
        operation.decline = Some(why);
    }
    end(payment, tag, OperationPhase::Declined);
    run.told.push(Told::Operation(tag.clone(), OperationOutcome::RefundDeclined));
    Next::Settle(Wait::Nothing)
}

/// The money went back; `counted` is Amazon's sum of all that went back of the capture.
pub(super) fn finish(
    payment: &mut Payment,
    tag: &OperationTag,
    run: &mut Run,
    counted: Option<Money>,
) -> Next {
    run.rule = "refunded";
    end(payment, tag, OperationPhase::Done);
    let done = payment.refunds_done().minor().max(payment.refunded.minor());
    let sum = counted.map_or(done, |counted| counted.minor().max(done));
    payment.refunded = Money::from_minor(sum, payment.amount.currency());
    run.told.push(Told::Operation(tag.clone(), OperationOutcome::Refunded));
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
    let known = matches!(
        code,
        "TransactionAmountExceeded"
            | "TransactionCountExceeded"
            | "CaptureNotRefundable"
            | "InvalidChargeStatus"
            | "CurrencyMismatch"
            | "DuplicateRequest"
            | "DuplicateReferenceId"
            | "DuplicateIdempotencyKey"
    );
    if !known || !effect.moves_money() {
        return unexpected(payment, tag, format!("{} refused: {code}", effect.name()));
    }
    if !is_duplicate(code) {
        clear(payment, tag);
    }
    run.cause = Some(code.to_owned());
    run.lookups += 1;
    if run.lookups > LOOKUPS_MAX {
        return transient(payment, tag, run, now, policy);
    }
    inspect(payment)
}
