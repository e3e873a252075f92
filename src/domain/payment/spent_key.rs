//! When a call of API v2 is made under another key: only where Amazon keeps its "no" under the
//! first and nothing of the first can be at work.

use super::decide::Run;
use super::phase::Exposure;
use super::state::Payment;
use crate::domain::gateway::{Effect, ReferenceState, ReferenceView};
use crate::domain::policy::Policy;

/// Whether a "no" to this call leaves open what became of it: it went out before under its key and
/// was not answered, so the first try may be at work still and be the very reason of the "no". Once
/// no try can be at work any more the "no" is Amazon's word: had one succeeded, its success is what
/// Amazon answers under that key.
pub(super) fn proves_nothing(
    payment: &Payment,
    effect: &Effect,
    now: i64,
    policy: &Policy,
) -> bool {
    let charges = matches!(effect, Effect::Authorize(_));
    let over = payment.unanswered_at.is_some_and(|at| now - at >= policy.call_at_work_ms);
    charges && payment.exposure == Exposure::Sent && payment.api.keeps_refusals() && !over
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
