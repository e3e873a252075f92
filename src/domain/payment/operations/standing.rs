//! Whether a payment, as it stands, can be captured, refunded or canceled at all. Asked when the
//! command comes and again when its turn has come, because a payment may end meanwhile.

use crate::domain::command::Kind;
use crate::domain::decline::{FieldError, RejectionCode};
use crate::domain::money::Money;
use crate::domain::operation::{OperationKind, Wanted};
use crate::domain::payment::phase::{Exposure, Phase};
use crate::domain::payment::state::Payment;

/// Why an operation is not acceptable.
pub(super) type Objection = (RejectionCode, Vec<FieldError>);

/// A contradiction to what is known.
pub(super) fn conflict(field: &str, message: impl Into<String>) -> Objection {
    (RejectionCode::Conflict, vec![FieldError::new(field, message)])
}

/// The field that names the payment.
const fn its_field(payment: &Payment) -> &'static str {
    match payment.key.subject.kind() {
        Kind::Order => "orderId",
        Kind::Upsell => "upsellId",
        Kind::Charge => "chargeId",
    }
}

/// The amount in the payment's currency; none means all that is left.
pub(super) fn wanted(payment: &Payment, wanted: Wanted) -> Result<Option<Money>, Objection> {
    wanted.in_currency(payment.amount.currency()).map_err(|error| {
        let code = match error.field.as_str() {
            "currency" => RejectionCode::Conflict,
            _ => RejectionCode::Invalid,
        };
        (code, vec![error])
    })
}

/// Judges an operation on a payment that is at an end or at rest; of a refund and a capture, the
/// amount as far as our own books know what is left.
pub(super) fn object(
    payment: &Payment,
    kind: OperationKind,
    asked: Wanted,
) -> Result<Money, Objection> {
    let asked = wanted(payment, asked)?;
    match kind {
        OperationKind::Capture => may_capture(payment, asked),
        OperationKind::Refund => may_refund(payment, asked),
        OperationKind::Cancel => may_cancel(payment),
    }
}

fn may_capture(payment: &Payment, asked: Option<Money>) -> Result<Money, Objection> {
    if payment.phase != Phase::Authorized || payment.authorization_id.is_none() {
        return Err(conflict(its_field(payment), "nothing of it is authorized and not captured"));
    }
    within(asked, payment.amount, "is more than is authorized")
}

fn may_refund(payment: &Payment, asked: Option<Money>) -> Result<Money, Objection> {
    if payment.phase != Phase::Paid || payment.capture_id.is_none() {
        return Err(conflict(its_field(payment), "nothing of it was captured"));
    }
    within(asked, payment.left(), "is more than is left to be refunded")
}

/// The amount that is asked for, or all of it.
pub(super) fn within(
    asked: Option<Money>,
    there: Money,
    too_much: &str,
) -> Result<Money, Objection> {
    let amount = asked.unwrap_or(there);
    if there.is_zero() {
        return Err(conflict("amount", "nothing is left"));
    }
    if amount.minor() > there.minor() {
        return Err(conflict("amount", format!("{too_much}: {there}")));
    }
    Ok(amount)
}

fn may_cancel(payment: &Payment) -> Result<Money, Objection> {
    let cancelable =
        payment.phase == Phase::Authorized || payment.declined_soft() || is_unsent(payment);
    if cancelable {
        return Ok(payment.amount);
    }
    let why = match payment.phase {
        Phase::Paid => "it is paid: refund it instead",
        Phase::Canceled => "it is canceled already",
        Phase::Failed => "it failed already",
        Phase::Declined => "it was declined for good",
        Phase::Authorized
        | Phase::Scheduled
        | Phase::Metering
        | Phase::Completing
        | Phase::WaitingForOrder
        | Phase::Inspecting
        | Phase::SettingDetails
        | Phase::Confirming
        | Phase::Authorizing
        | Phase::LookingUp
        | Phase::AuthorizationPending
        | Phase::Capturing
        | Phase::CapturePending
        | Phase::ClosingAuthorization => "its money call was sent",
    };
    Err(conflict(its_field(payment), why))
}

/// In hand, and every run is recorded as having ended before the epoch's money call, or by
/// Amazon's word that it moved nothing: it can be given up without asking anybody.
pub(super) fn is_unsent(payment: &Payment) -> bool {
    let before = match payment.phase {
        Phase::Scheduled
        | Phase::Metering
        | Phase::Completing
        | Phase::WaitingForOrder
        | Phase::Inspecting
        | Phase::SettingDetails
        | Phase::Confirming
        | Phase::Authorizing
        | Phase::LookingUp => true,
        Phase::AuthorizationPending
        | Phase::Capturing
        | Phase::CapturePending
        | Phase::ClosingAuthorization
        | Phase::Authorized
        | Phase::Paid
        | Phase::Declined
        | Phase::Failed
        | Phase::Canceled => false,
    };
    before && payment.exposure == Exposure::Clear && payment.authorization_id.is_none()
}
