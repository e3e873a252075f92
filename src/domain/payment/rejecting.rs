//! The message that opened an epoch is not acceptable, which only Amazon or another payment told.

use super::decide::{Next, Run, decline, unexpected};
use super::phase::Exposure;
use super::state::Payment;
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::gateway::{ReferenceState, ReferenceView};

/// Takes nothing of it, where nothing was published since. Otherwise that is a hard decline: a
/// payment of which somebody has heard does not vanish. While money may have moved, it is a matter
/// for an operator.
#[must_use]
pub fn object(
    payment: &mut Payment,
    run: &mut Run,
    code: RejectionCode,
    errors: Vec<FieldError>,
) -> Next {
    if payment.exposure == Exposure::Sent {
        let said = errors.into_iter().next().map(|error| error.message).unwrap_or_default();
        return unexpected(payment, said);
    }
    if payment.published_in_epoch {
        return decline(payment, run, "rejected_late", Decline::rejected(code, errors));
    }
    run.rule = "rejected";
    Next::Reject(code, errors)
}

/// The same, for one field.
pub(super) fn reject(
    payment: &mut Payment,
    run: &mut Run,
    code: RejectionCode,
    field: &str,
    message: &str,
) -> Next {
    object(payment, run, code, vec![FieldError::new(field, message)])
}

/// What is wrong with the total to which the buyer agreed on a reference of the payment's own.
pub(super) fn other_total(payment: &Payment, view: &ReferenceView) -> Option<&'static str> {
    let agreed = match view.state {
        ReferenceState::Open | ReferenceState::Suspended => payment.owns_reference,
        ReferenceState::Draft
        | ReferenceState::Closed
        | ReferenceState::Canceled
        | ReferenceState::Other => false,
    };
    if !agreed {
        return None;
    }
    if view.total.is_some_and(|total| total != payment.amount) {
        return Some("the reference was confirmed with another total");
    }
    let amounts = [payment.amount, payment.amount.with_allowance()];
    let other = view.limit.is_some_and(|limit| !amounts.contains(&limit));
    other.then_some("the buyer agreed to another total")
}

/// Whether the reference says that this epoch has asked for no money, whatever became of the worker
/// that meant to: nothing is charged on a draft, and a total is what we set or does not change any
/// more. A limit proves nothing, because Amazon reckons it.
pub(super) fn never_sent(payment: &Payment, view: &ReferenceView) -> bool {
    let other = view.total.is_some_and(|total| total != payment.amount);
    view.state == ReferenceState::Draft || (other && other_total(payment, view).is_some())
}
