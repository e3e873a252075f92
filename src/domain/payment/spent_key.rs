//! When a call of API v2 is made under another key: only where Amazon keeps its "no" under the
//! first and nothing of the first can be at work.

use super::decide::Run;
use super::phase::Exposure;
use super::state::Payment;
use crate::domain::gateway::{Effect, ReferenceState, ReferenceView};
use crate::domain::policy::Policy;

/// Whether a "no" to this call leaves open what became of it: it went out before under its key and
/// was not answered, so the first try may be at work still and be the very reason of the "no".
pub(super) fn proves_nothing(payment: &Payment, effect: &Effect) -> bool {
    let charges = matches!(effect, Effect::Authorize(_));
    charges && payment.exposure == Exposure::Sent && payment.api.keeps_refusals()
}

/// Whether no try can be at work any more: then the "no" is Amazon's word where the permission is
/// [over](is_over). Had a try succeeded, its success is what Amazon answers under that key.
pub(super) fn comes_late(payment: &Payment, now: i64, policy: &Policy) -> bool {
    payment.unanswered_at.is_some_and(|at| now - at >= policy.call_at_work_ms)
}

/// Whether nothing will ever be charged on it again, and nothing shows that something was. Of one
/// that can be charged the late "no" is not taken for proof: Amazon may have kept one that it gave
/// while the first try was at work, and the next step would be a second charge.
pub(super) fn is_over(view: &ReferenceView) -> bool {
    let shows_a_charge = view.limit.is_some() && view.balance != view.limit;
    match view.state {
        ReferenceState::Closed | ReferenceState::Canceled => !shows_a_charge,
        ReferenceState::Draft
        | ReferenceState::Open
        | ReferenceState::Suspended
        | ReferenceState::Other => false,
    }
}

/// Whether a permission that could not be charged may have been so because of our own charge. A
/// balance that is whole with nothing on its way says that it was not, and so does a state in which
/// none succeeds; a month's balance says nothing. Until then the call keeps its key, under which
/// Amazon charges once.
pub(super) fn may_be_ours(view: &ReferenceView) -> bool {
    let whole = view.limit.is_some() && view.balance == view.limit;
    match view.state {
        ReferenceState::Draft => false,
        ReferenceState::Suspended => view.limit.is_some() && !whole,
        ReferenceState::Open => !whole || view.reason.as_deref() == Some("ChargeInProgress"),
        ReferenceState::Closed | ReferenceState::Canceled | ReferenceState::Other => true,
    }
}

/// API v2 keeps its "no" to a call under the call's key and repeats it, whatever became of the
/// permission since: what is asked for now that it can be charged is a new epoch.
pub(super) fn takes_another_key(payment: &mut Payment, run: &mut Run) -> bool {
    let spent = std::mem::take(&mut run.key_spent) && payment.exposure == Exposure::Clear;
    if spent {
        payment.begin_epoch();
    }
    spent
}
