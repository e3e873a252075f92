//! What an upsell makes of its order: wait, go on with the order's reference or its own, or give
//! up because the order was not paid.

use super::decide::{Next, Run, Wait, decline};
use super::phase::{DeadLetterReason, Exposure, Phase};
use super::rejecting::object;
use super::state::Payment;
use crate::domain::decline::{Decline, FieldError, RejectionCode, Softness};
use crate::domain::policy::Policy;

/// How often a waiting upsell looks at its order.
const LOOK_EVERY_MS: i64 = 250;

/// Judges an upsell in [`Phase::WaitingForOrder`] by its order; `None` means go on with
/// [`super::decide::start`].
#[must_use]
pub fn judge(
    upsell: &mut Payment,
    run: &mut Run,
    order: Option<&Payment>,
    now: i64,
    policy: &Policy,
) -> Option<Next> {
    let waited = now - upsell.effort.since;
    let wait = Some(Next::Settle(Wait::Until(now + LOOK_EVERY_MS)));
    let Some(order) = order else {
        return match (&upsell.reference, waited < policy.order_unknown_ms) {
            (_, true) => wait,
            // Its own consent stands without an order that we know.
            (Some(_), false) => own_reference(upsell),
            (None, false) => {
                run.rule = "order_unknown";
                let error = FieldError::new("orderId", "no such order is known");
                Some(object(upsell, run, RejectionCode::UnknownReference, vec![error]))
            }
        };
    };
    let known = [order.reference.as_ref(), order.permission.as_ref()];
    let own = upsell.reference.is_some() && !known.contains(&upsell.reference.as_ref());
    if own {
        return own_reference(upsell);
    }
    match order.phase {
        Phase::Authorized | Phase::Paid => {
            upsell.reference = order.reference.clone();
            upsell.permission = order.permission.clone();
            upsell.api = order.api.goes_on_by(upsell.api);
            upsell.owns_reference = false;
            // After an earlier soft decline the reference may be suspended: it is read first.
            upsell.phase = match (upsell.epoch > 1, upsell.on_agreement()) {
                (true, _) => Phase::Inspecting,
                (false, true) => Phase::Metering,
                (false, false) => Phase::Authorizing,
            };
            forget_exposure(upsell);
            upsell.effort.since = now;
            None
        }
        Phase::Declined | Phase::Failed | Phase::Canceled => {
            let softness = if order.declined_soft() { Softness::Soft } else { Softness::Hard };
            Some(decline(upsell, run, "order_not_paid", Decline::order_not_paid(softness)))
        }
        Phase::Scheduled
        | Phase::WaitingForOrder
        | Phase::Inspecting
        | Phase::SettingDetails
        | Phase::Confirming
        | Phase::Metering
        | Phase::Completing
        | Phase::Authorizing
        | Phase::LookingUp
        | Phase::AuthorizationPending
        | Phase::Capturing
        | Phase::CapturePending
        | Phase::ClosingAuthorization => {
            if waited <= policy.budget_ms(upsell.key.subject.kind()) {
                return wait;
            }
            let detail = "its order reached no end within the budget".to_owned();
            Some(Next::Settle(Wait::Operator(DeadLetterReason::Exhausted, detail)))
        }
    }
}

fn own_reference(upsell: &mut Payment) -> Option<Next> {
    upsell.owns_reference = !upsell.on_agreement();
    upsell.phase = upsell.first_phase();
    forget_exposure(upsell);
    None
}

/// While it waited for its order nothing was asked of Amazon, whatever became of its worker.
fn forget_exposure(upsell: &mut Payment) {
    if upsell.on_agreement() {
        upsell.exposure = Exposure::Clear;
    }
}
