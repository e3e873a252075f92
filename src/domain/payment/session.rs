//! A checkout session: held against the command before it is completed, and completed once. From
//! then on its permission is charged, and to everybody else the two are one reference.

use super::calls::{authorize, complete, read_authorization, set_details};
use super::decide::{Next, Run, Wait, decline, transient, unexpected};
use super::lookup::{LOOKUPS_MAX, meter};
use super::phase::{DeadLetterReason, Exposure, Phase};
use super::rejecting::reject;
use super::state::Payment;
use crate::domain::command::CaptureMode;
use crate::domain::decline::{Decline, RejectionCode};
use crate::domain::gateway::{Intent, ReferenceState, ReferenceView};
use crate::domain::money::Money;
use crate::domain::policy::Policy;

/// The session as it is.
pub(super) fn on_session(
    payment: &mut Payment,
    run: &mut Run,
    view: ReferenceView,
    now: i64,
    policy: &Policy,
) -> Next {
    run.lookups += 1;
    if run.lookups > LOOKUPS_MAX {
        return transient(payment, run, now, policy);
    }
    match view.state {
        ReferenceState::Draft => on_open(payment, run, &view),
        ReferenceState::Open => on_completed(payment, run, view),
        ReferenceState::Closed | ReferenceState::Canceled => over(payment, run, &view),
        ReferenceState::Suspended | ReferenceState::Other => {
            unexpected(payment, "a checkout session in an unknown state".to_owned())
        }
    }
}

/// The buyer is back from Amazon and nobody completed it: does it say what the command says?
fn on_open(payment: &mut Payment, run: &mut Run, view: &ReferenceView) -> Next {
    if run.last_look {
        // A look that does not show it yet proves nothing.
        let detail = "Amazon shows the checkout session as not completed, yet".to_owned();
        return Next::Settle(Wait::Operator(DeadLetterReason::UnknownOutcome, detail));
    }
    if let Some(total) = view.total
        && total != payment.amount
    {
        return differs(payment, run, total, "the buyer agreed to");
    }
    if view.intent == Some(Intent::Capture) && payment.capture == CaptureMode::Manual {
        let message = "the checkout session captures when it is completed";
        return reject(payment, run, RejectionCode::Conflict, "capture", message);
    }
    let standing = view.consent == Some(true);
    let charges = match view.intent {
        Some(Intent::Confirm) => false,
        Some(Intent::Capture) => true,
        Some(Intent::Authorize) | None => standing,
    };
    if charges && !payment.initial_charge {
        let message = "the checkout session charges when it is completed";
        return reject(payment, run, RejectionCode::Conflict, "recurring", message);
    }
    if let Some(constraint) = view.constraints.first() {
        return decline(payment, run, "constraint", Decline::constraint(constraint));
    }
    let ours = payment.key.subject.seller_order_id();
    if view.seller_order_id.as_ref() == Some(&ours) {
        complete(payment)
    } else {
        set_details(payment)
    }
}

/// Completed, by an earlier call of ours or by somebody else: its charge is this payment's.
fn on_completed(payment: &mut Payment, run: &mut Run, view: ReferenceView) -> Next {
    if payment.exposure == Exposure::Sent {
        return on_completion(payment, run, view);
    }
    let charge = view.authorizations.into_iter().next();
    if let (None, Some(total)) = (&charge, view.total)
        && total != payment.amount
    {
        return differs(payment, run, total, "the buyer agreed to");
    }
    if view.permission.is_none() {
        return unexpected(payment, "a completed checkout without a permission".to_owned());
    }
    run.rule = "session_adopted";
    run.adopting = true;
    payment.permission = view.permission;
    payment.phase = if charge.is_some() { Phase::AuthorizationPending } else { Phase::Inspecting };
    payment.authorization_id = charge;
    Next::Adopt
}

/// What our own completion made of it.
pub(super) fn on_completion(payment: &mut Payment, run: &mut Run, view: ReferenceView) -> Next {
    match view.state {
        ReferenceState::Open => {}
        ReferenceState::Closed | ReferenceState::Canceled => return over(payment, run, &view),
        ReferenceState::Draft | ReferenceState::Suspended | ReferenceState::Other => {
            return unexpected(payment, "a checkout that was completed and is not".to_owned());
        }
    }
    if view.permission.is_none() {
        return unexpected(payment, "a completed checkout without a permission".to_owned());
    }
    let charges = matches!(view.intent, Some(Intent::Authorize | Intent::Capture));
    if charges && view.authorizations.is_empty() {
        // It has charged or will: a charge of our own beside it could be the second.
        payment.exposure = Exposure::Sent;
        return unexpected(payment, "a completed checkout that shows no charge".to_owned());
    }
    payment.permission = view.permission;
    payment.confirmed_total = Some(payment.amount);
    // What was seen was the session: of its permission nothing is known yet.
    run.seen = None;
    match view.authorizations.into_iter().next() {
        Some(charge) => {
            payment.exposure = Exposure::Sent;
            payment.phase = Phase::AuthorizationPending;
            payment.authorization_id = Some(charge);
            // What it took of an agreement's month is reckoned in before it is followed.
            if payment.on_agreement() { Next::Adopt } else { read_authorization(payment) }
        }
        // It charges nothing by itself, and a charge of ours was not sent: it is measured first,
        // in a commit that holds the permission as well.
        None if payment.on_agreement() => {
            payment.exposure = Exposure::Clear;
            meter(payment)
        }
        None => authorize(payment),
    }
}

/// The charge of a session that somebody else completed is of another amount.
pub(super) fn not_ours(payment: &mut Payment, run: &mut Run, charged: Money) -> Next {
    differs(payment, run, charged, "it was charged with")
}

fn differs(payment: &mut Payment, run: &mut Run, other: Money, what: &str) -> Next {
    let same = other.currency() == payment.amount.currency();
    let field = if same { "amount" } else { "currency" };
    let message = format!("{what} {other}");
    reject(payment, run, RejectionCode::Conflict, field, &message)
}

fn over(payment: &mut Payment, run: &mut Run, view: &ReferenceView) -> Next {
    match view.reason.as_deref() {
        // The buyer's method was refused on Amazon's own page: another checkout may be paid.
        Some(word @ "Declined") => {
            decline(payment, run, "session_declined", Decline::invalid_payment_method(word))
        }
        // In answer to our completion that is Amazon's own "no" to the payment.
        Some(word @ "AmazonCanceled") if run.refused => {
            decline(payment, run, "hard_decline", Decline::amazon_rejected().because(word))
        }
        word => {
            let word = word.unwrap_or("Canceled");
            decline(payment, run, "reference_over", Decline::reference_over(word))
        }
    }
}
