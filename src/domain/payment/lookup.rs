//! What a refusal and a look at the reference mean: "already so" may well be our own earlier
//! success, so Amazon is asked for our own key before anything is judged.

use super::calls::{authorization_key, authorize, confirm, read_reference, set_details};
use super::decide::{Next, Run, Wait, decline, transient, unexpected};
use super::phase::{DeadLetterReason, Exposure, Outcome, Phase, Told};
use super::rejecting::{never_sent, other_total, reject};
use super::session;
use super::spent_key::{comes_late, is_over, may_be_ours, proves_nothing, takes_another_key};
use super::state::Payment;
use crate::domain::command::Kind;
use crate::domain::decline::{Decline, RejectionCode};
use crate::domain::gateway::{Effect, ReferenceState, ReferenceView};
use crate::domain::mandate::month_of;
use crate::domain::policy::Policy;

/// Look-ups in one run before it is let go: Amazon contradicts itself, time may help.
pub(super) const LOOKUPS_MAX: u32 = 4;

/// How often an agreement without a first charge is looked at.
const A_DAY_MS: i64 = 86_400_000;

/// Amazon's business "no" to a call.
pub(super) fn on_refused(
    payment: &mut Payment,
    run: &mut Run,
    effect: &Effect,
    code: &str,
    now: i64,
    policy: &Policy,
) -> Next {
    if let Effect::CloseAuthorization(_) = effect {
        // Closed already, by whomever: there is nothing left to give back.
        let told = payment
            .decline
            .take()
            .unwrap_or_else(|| Decline::processing_failure("ProcessingFailure"));
        return decline(payment, run, "authorization_over", told);
    }
    match code {
        "InvalidOrderReferenceId" | "InvalidBillingAgreementId" | "ResourceNotFound"
            if is_of_reference(effect) =>
        {
            let message = "Amazon does not know this reference for this merchant account";
            let field = match payment.key.subject.kind() {
                Kind::Order | Kind::Upsell => "amazonOrderId",
                Kind::Charge => "amazonBillingAgreementId",
            };
            reject(payment, run, RejectionCode::UnknownReference, field, message)
        }
        "PeriodicAmountExceeded" if proves_nothing(payment, effect) => {
            ask_again(payment, run, now, policy)
        }
        "PeriodicAmountExceeded" => {
            // The business answer to this very call: nothing moved under this key.
            payment.exposure = Exposure::Clear;
            let next_month = match run.seen.as_ref().and_then(|view| view.month) {
                Some(month) => month.ends,
                None => month_of(now, payment.amount.currency()).ends,
            };
            over_the_month(payment, run, Some(code), next_month)
        }
        "BillingAgreementNotModifiable"
        | "BillingAgreementConstraintsExist"
        | "InvalidBillingAgreementStatus"
        | "OrderReferenceNotModifiable"
        | "InvalidOrderReferenceStatus"
        | "DuplicateRequest"
        | "DuplicateReferenceId"
        | "TransactionAmountExceeded"
        | "TransactionCountExceeded"
        | "ConstraintsExist"
        | "InvalidAuthorizationStatus"
        | "InvalidTransactionId"
        | "DuplicateIdempotencyKey"
        | "InvalidChargePermissionStatus"
        | "InvalidChargeStatus"
        | "InvalidCheckoutSessionStatus"
        | "CheckoutSessionCanceled"
        | "AmountMismatch" => {
            if effect.moves_money() && is_word(code) {
                if !proves_nothing(payment, effect) {
                    // The business answer to this very call: nothing moved under this key.
                    payment.exposure = Exposure::Clear;
                }
                run.refused = true;
                run.refused_late = comes_late(payment, now, policy);
                run.key_spent = code == "InvalidChargePermissionStatus";
            }
            run.cause = Some(code.to_owned());
            look(payment, run, effect, now, policy)
        }
        "PaymentMethodNotUpdated" => {
            decline(payment, run, "method_not_updated", Decline::invalid_payment_method(code))
        }
        "CurrencyMismatch" | "CurrencyUnsupported" | "InvalidCaptureStatus" => {
            decline(payment, run, "refused_object", Decline::of_object(code))
        }
        other => unexpected(payment, format!("{} refused: {other}", effect.name())),
    }
}

/// A refusal that Amazon only gives when it has no such call on its books: ids are looked up
/// before states and amounts are checked. The duplicates say the contrary.
fn is_word(code: &str) -> bool {
    match code {
        "DuplicateRequest" | "DuplicateReferenceId" | "InvalidTransactionId" => false,
        // A session bears no key: that it is completed may well be our own doing.
        "DuplicateIdempotencyKey" | "InvalidCheckoutSessionStatus" => false,
        _ => true,
    }
}

/// Whether what Amazon does not know is the reference itself.
const fn is_of_reference(effect: &Effect) -> bool {
    match effect {
        Effect::SetDetails(_)
        | Effect::Confirm(_)
        | Effect::Complete(_)
        | Effect::Authorize(_)
        | Effect::ReadReference(_)
        | Effect::CloseReference(_) => true,
        Effect::FindAuthorization { .. }
        | Effect::ReadAuthorization(_)
        | Effect::Capture(_)
        | Effect::ReadCapture(_)
        | Effect::FindCapture { .. }
        | Effect::Refund(_)
        | Effect::ReadRefund(_)
        | Effect::ReadRefunds(_)
        | Effect::CloseAuthorization(_) => false,
    }
}

fn look(payment: &mut Payment, run: &mut Run, effect: &Effect, now: i64, policy: &Policy) -> Next {
    run.lookups += 1;
    if run.lookups > LOOKUPS_MAX {
        return transient(payment, run, now, policy);
    }
    if let (Effect::Capture(_), Some(id)) = (effect, payment.authorization_id.clone()) {
        // The authorization lists its captures; ours is among them or there is none.
        payment.phase = Phase::CapturePending;
        return Next::Call(Effect::ReadAuthorization(id));
    }
    payment.phase = Phase::LookingUp;
    read_reference(payment)
}

/// The reference as it is.
pub(super) fn on_reference(
    payment: &mut Payment,
    run: &mut Run,
    view: ReferenceView,
    now: i64,
    policy: &Policy,
) -> Next {
    let repeats = std::mem::take(&mut run.repeats);
    if payment.phase == Phase::Authorized {
        return at_rest(payment, run, &view, now);
    }
    if payment.is_uncompleted() {
        return session::on_session(payment, run, view, now, policy);
    }
    if repeats {
        if never_sent(payment, &view) {
            payment.exposure = Exposure::Clear;
        } else if other_total(payment, &view).is_none() {
            run.seen = Some(view);
            return authorize(payment);
        }
    }
    let ids = view.authorizations.clone();
    run.seen = Some(view);
    if ids.is_empty() {
        on_not_found(payment, run, now, policy)
    } else {
        Next::Call(Effect::FindAuthorization { ids, key: authorization_key(payment) })
    }
}

/// The reference shows no authorization under our key.
pub(super) fn on_not_found(
    payment: &mut Payment,
    run: &mut Run,
    now: i64,
    policy: &Policy,
) -> Next {
    let Some(view) = run.seen.clone() else {
        return unexpected(payment, "no reference was read".to_owned());
    };
    let refused = std::mem::take(&mut run.refused);
    let late = std::mem::take(&mut run.refused_late);
    if refused && (!may_be_ours(&view) || (late && is_over(&view))) {
        payment.exposure = Exposure::Clear;
    }
    if payment.exposure == Exposure::Sent && (refused || payment.on_agreement()) {
        return ask_again(payment, run, now, policy);
    }
    match view.state {
        ReferenceState::Closed | ReferenceState::Canceled
            if payment.exposure == Exposure::Sent && !view.lists_all =>
        {
            // It may well be closed because our own call took all that there was.
            let detail = "the reference is closed, and Amazon does not list its charges".to_owned();
            Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail))
        }
        ReferenceState::Closed | ReferenceState::Canceled => {
            let word = view.reason.as_deref().unwrap_or("Closed");
            let over = match payment.on_agreement() {
                true => Decline::agreement_over(word),
                false => Decline::reference_over(word),
            };
            decline(payment, run, "reference_over", over)
        }
        ReferenceState::Other => unexpected(payment, "a reference in an unknown state".to_owned()),
        ReferenceState::Draft | ReferenceState::Open | ReferenceState::Suspended
            if run.last_look =>
        {
            // A look that does not show it yet proves nothing.
            let detail = "Amazon shows no authorization under our key, yet".to_owned();
            Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail))
        }
        ReferenceState::Draft => on_draft(payment, run, &view, now, policy),
        ReferenceState::Open => on_open(payment, run, &view, now, policy),
        ReferenceState::Suspended => on_suspended(payment, run, &view),
    }
}

fn on_draft(
    payment: &mut Payment,
    run: &mut Run,
    view: &ReferenceView,
    now: i64,
    policy: &Policy,
) -> Next {
    let cause = run.cause.take();
    let constrained =
        matches!(cause.as_deref(), Some("ConstraintsExist" | "BillingAgreementConstraintsExist"));
    if constrained && let Some(constraint) = view.constraints.first() {
        return decline(payment, run, "constraint", Decline::constraint(constraint));
    }
    if !payment.owns_reference && !payment.on_agreement() {
        let word = Decline::reference_over("Draft");
        return decline(payment, run, "order_not_confirmed", word);
    }
    run.lookups += 1;
    if run.lookups > LOOKUPS_MAX {
        return transient(payment, run, now, policy);
    }
    if takes_another_key(payment, run) {
        payment.phase = Phase::SettingDetails;
        return Next::Checkpoint;
    }
    set_details(payment)
}

fn on_open(
    payment: &mut Payment,
    run: &mut Run,
    view: &ReferenceView,
    now: i64,
    policy: &Policy,
) -> Next {
    if view.authentication_required {
        let required = Decline::authentication_required("PaymentAuthenticationRequired");
        return decline(payment, run, "authentication", required);
    }
    if let Some(message) = other_total(payment, view) {
        return reject(payment, run, RejectionCode::Conflict, "amount", message);
    }
    if payment.owns_reference {
        payment.confirmed_total = view.total.or(payment.confirmed_total);
        if let Some(limit) = view.limit {
            payment.confirmed_total = Some(payment.amount);
            // What was sent and not answered may be what is missing.
            if view.balance != Some(limit) && payment.exposure != Exposure::Sent {
                let message = "something else was charged on this reference already";
                return reject(payment, run, RejectionCode::Conflict, "amazonOrderId", message);
            }
        }
    }
    match run.cause.take().as_deref() {
        Some(code @ ("TransactionAmountExceeded" | "TransactionCountExceeded")) => {
            decline(payment, run, "over_allowance", Decline::of_object(code))
        }
        Some("DuplicateRequest" | "DuplicateReferenceId" | "DuplicateIdempotencyKey") => {
            payment.exposure = Exposure::Sent;
            unexpected(payment, "our key is on Amazon's books for something else".to_owned())
        }
        _ => {
            run.lookups += 1;
            if run.lookups > LOOKUPS_MAX {
                return transient(payment, run, now, policy);
            }
            let anew = takes_another_key(payment, run);
            if payment.on_agreement() {
                return meter(payment);
            }
            if anew {
                payment.phase = Phase::Authorizing;
                return Next::Checkpoint;
            }
            authorize(payment)
        }
    }
}

/// The agreement is open: what it may be charged this month is taken before the money call.
pub(super) fn meter(payment: &mut Payment) -> Next {
    payment.phase = Phase::Metering;
    Next::Meter
}

/// It does not fit into what an agreement may be charged this month; `said` is Amazon's word for
/// it, where it was Amazon who said so, `next_month` when the next one begins, in milliseconds
/// since the epoch.
#[must_use]
pub fn over_the_month(
    payment: &mut Payment,
    run: &mut Run,
    said: Option<&str>,
    next_month: i64,
) -> Next {
    decline(payment, run, "over_the_month", Decline::over_the_month(said, next_month))
}

/// Its part of the month is taken, in the commit that is to follow: it goes on with the money
/// call, or rests where nothing is to be charged yet.
pub fn metered(payment: &mut Payment, run: &mut Run, now: i64) -> Option<Next> {
    if payment.initial_charge {
        payment.phase = Phase::Authorizing;
        return None;
    }
    run.rule = "agreed";
    payment.phase = Phase::Authorized;
    payment.exposure = Exposure::Clear;
    payment.effort.begin_anew(now);
    run.told.push(Told::Payment(Outcome::Authorized));
    Some(Next::Settle(Wait::Until(now + A_DAY_MS)))
}

/// An agreement that was confirmed and not charged, as it is now.
fn at_rest(payment: &mut Payment, run: &mut Run, view: &ReferenceView, now: i64) -> Next {
    payment.effort.begin_anew(now);
    match view.state {
        ReferenceState::Closed | ReferenceState::Canceled => {
            run.rule = "agreement_over";
            payment.phase = Phase::Canceled;
            run.told.push(Told::Payment(Outcome::Canceled));
            Next::Settle(Wait::Nothing)
        }
        ReferenceState::Draft
        | ReferenceState::Open
        | ReferenceState::Suspended
        | ReferenceState::Other => Next::Settle(Wait::Until(now + A_DAY_MS)),
    }
}

/// The call was sent and an agreement does not list what it made: only the same call again tells.
fn ask_again(payment: &mut Payment, run: &mut Run, now: i64, policy: &Policy) -> Next {
    if let Some("DuplicateRequest" | "DuplicateReferenceId" | "DuplicateIdempotencyKey") =
        run.cause.take().as_deref()
    {
        return unexpected(payment, "our key is on Amazon's books for something else".to_owned());
    }
    run.lookups += 1;
    if run.lookups > LOOKUPS_MAX {
        return transient(payment, run, now, policy);
    }
    authorize(payment)
}

fn on_suspended(payment: &mut Payment, run: &mut Run, view: &ReferenceView) -> Next {
    if let Some(message) = other_total(payment, view) {
        return reject(payment, run, RejectionCode::Conflict, "amount", message);
    }
    if run.reconfirmed {
        let word = view.reason.as_deref().unwrap_or("Suspended");
        return decline(payment, run, "suspended", Decline::invalid_payment_method(word));
    }
    // The buyer may have chosen another method in the widgets: confirming again tells.
    run.reconfirmed = true;
    confirm(payment)
}
