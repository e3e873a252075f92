//! When a call of API v2 is made under another key: only where Amazon keeps its "no" under the
//! first and nothing of the first can be at work.

use super::decide::Run;
use super::phase::Exposure;
use super::state::Payment;
use crate::domain::gateway::ReferenceView;

/// Whether a permission that could not be charged may have been so because of our own charge: the
/// call went out twice, and the first may be at work still while the second is refused. A balance
/// that is whole with nothing on its way says that it is not; a month's says nothing. Until then
/// the call keeps its key, under which Amazon charges once.
pub(super) fn may_be_ours(run: &Run, view: &ReferenceView) -> bool {
    let whole = view.limit.is_some() && view.balance == view.limit;
    let on_its_way = view.reason.as_deref() == Some("ChargeInProgress");
    run.key_spent && run.after_silence && (!whole || on_its_way)
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
