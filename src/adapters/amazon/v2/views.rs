//! From Amazon's documents to views. Decides nothing; what a document should hold and does not is
//! said, never guessed.

use super::map::{Call, charge_id};
use super::wire::{self, Charge, Permission, Place, Session, Status};
use crate::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, CaptureState, CaptureView, Intent, Month,
    ReferenceState, ReferenceView, RefundState, RefundView,
};
use crate::domain::ids::{AuthorizationId, CaptureId, ReferenceId, RefundId};
use crate::domain::mandate::month_of;
use crate::ports::gateway::{Address, BuyerDetails};

/// Amazon's words for what is permitted.
const ONE_TIME: &str = "OneTime";
const RECURRING: &str = "Recurring";

/// The session as a reference; an error names what is wrong with it, without its contents.
pub(super) fn session(session: Session, call: &Call) -> Result<Answer, &'static str> {
    is_asked_for(session.checkout_session_id.as_deref(), call)?;
    let status = session.status_details.ok_or("a session without a status")?;
    let payment = session.payment_details;
    let constraints = session.constraints.unwrap_or_default().into_iter();
    let state = match state(&status)? {
        "Open" => ReferenceState::Draft,
        "Completed" => ReferenceState::Open,
        "Canceled" => ReferenceState::Canceled,
        _ => ReferenceState::Other,
    };
    let (price, intent) = match payment {
        Some(payment) => (payment.charge_amount, payment.payment_intent),
        None => (None, None),
    };
    let intent = match intent.as_deref() {
        Some("Confirm") => Some(Intent::Confirm),
        Some("Authorize") => Some(Intent::Authorize),
        Some("AuthorizeWithCapture") => Some(Intent::Capture),
        // What it would do is not known, so it is not done.
        Some(_) => return Err("a session with an unknown intent"),
        None => None,
    };
    let standing = session.charge_permission_type.as_deref() == Some(RECURRING);
    let id = |text: Option<String>| text.filter(|text| !text.is_empty());
    Ok(Answer::Reference(ReferenceView {
        reason: status.reasons().next().map(str::to_owned),
        total: wire::money(price.as_ref())?,
        constraints: constraints.filter_map(|one| one.constraint_id).collect(),
        authorizations: id(session.charge_id)
            .map(|id| AuthorizationId::new(id).map_err(|_| "a session with a broken charge id"))
            .transpose()?
            .into_iter()
            .collect(),
        lists_all: false,
        intent,
        permission: id(session.charge_permission_id)
            .map(|id| ReferenceId::new(id).map_err(|_| "a session with a broken permission id"))
            .transpose()?,
        seller_order_id: session.merchant_metadata.and_then(|data| data.merchant_reference_id),
        consent: standing.then_some(true),
        ..ReferenceView::in_state(state)
    }))
}

/// The permission as a reference.
pub(super) fn permission(
    permission: Permission,
    call: &Call,
    now_ms: i64,
) -> Result<Answer, &'static str> {
    is_asked_for(permission.charge_permission_id.as_deref(), call)?;
    let status = permission.status_details.ok_or("a permission without a status")?;
    let reasons: Vec<&str> = status.reasons().collect();
    let authentication_required = reasons.contains(&"MFAFailed");
    let state = match state(&status)? {
        "Chargeable" => ReferenceState::Open,
        // Another charge is on its way, or the buyer must authenticate: no method is at fault.
        "NonChargeable"
            if authentication_required || reasons.first() == Some(&"ChargeInProgress") =>
        {
            ReferenceState::Open
        }
        "NonChargeable" => ReferenceState::Suspended,
        "Closed" => ReferenceState::Closed,
        _ => ReferenceState::Other,
    };
    let (limit, balance) = match &permission.limits {
        Some(limits) => (limits.amount_limit.as_ref(), limits.amount_balance.as_ref()),
        None => (None, None),
    };
    let (limit, balance) = (wire::money(limit)?, wire::money(balance)?);
    // Of a standing one the limit is a calendar month's: it is nobody's total.
    let standing = match permission.charge_permission_type.as_deref() {
        Some(kind) => kind != ONE_TIME,
        None => call.is_recurring,
    };
    let month = balance.filter(|_| standing);
    let month = month.map(|left| Month { left, ..month_of(now_ms, left.currency()) });
    Ok(Answer::Reference(ReferenceView {
        reason: reasons.first().map(|reason| (*reason).to_owned()),
        limit: limit.filter(|_| !standing),
        balance: balance.filter(|_| !standing),
        consent: standing.then_some(true),
        month,
        lists_all: false,
        seller_order_id: permission.merchant_metadata.and_then(|data| data.merchant_reference_id),
        authentication_required,
        ..ReferenceView::in_state(state)
    }))
}

/// The charge as an authorization. Its id is its capture's too, and it shows that as well.
pub(super) fn authorization(charge: &Charge, call: &Call) -> Result<Answer, &'static str> {
    let shown = charge.charge_id.as_deref();
    is_asked_for(shown, call)?;
    let shown = shown.unwrap_or_default();
    let status = charge.status_details.as_ref().ok_or("a charge without a status")?;
    let reason = status.reasons().next();
    let (state, reason, captured) = match state(status)? {
        "AuthorizationInitiated" => (AuthorizationState::Pending, reason, false),
        "Authorized" => (AuthorizationState::Open, reason, false),
        "CaptureInitiated" => (AuthorizationState::Open, reason, true),
        "Captured" => (AuthorizationState::Closed, Some("MaxCapturesProcessed"), true),
        "Canceled" => (AuthorizationState::Closed, reason, false),
        "Declined" => (AuthorizationState::Declined, reason, false),
        _ => (AuthorizationState::Other, reason, false),
    };
    let id = call.object.as_deref().unwrap_or(shown);
    let capture = CaptureId::new(shown).map_err(|_| "a charge without an id")?;
    Ok(Answer::Authorization(AuthorizationView {
        id: AuthorizationId::new(id).map_err(|_| "a charge without an id")?,
        // Amazon shows the key of a charge to nobody; that it is ours is known by its id.
        key: String::new(),
        state,
        reason: reason.map(str::to_owned),
        amount: wire::money(charge.charge_amount.as_ref())?,
        shown: captured.then(|| capture_of(charge, capture.clone())).transpose()?,
        captures: captured.then_some(capture).into_iter().collect(),
    }))
}

/// The charge as a capture.
pub(super) fn capture_view(charge: &Charge, call: &Call) -> Result<Answer, &'static str> {
    let shown = charge.charge_id.as_deref();
    is_asked_for(shown, call)?;
    let id = call.object.as_deref().or(shown).unwrap_or_default();
    let id = CaptureId::new(id).map_err(|_| "a charge without an id")?;
    capture_of(charge, id).map(Answer::Capture)
}

fn capture_of(charge: &Charge, id: CaptureId) -> Result<CaptureView, &'static str> {
    let status = charge.status_details.as_ref().ok_or("a charge without a status")?;
    let state = match state(status)? {
        // Authorized: the capture is not seen yet.
        "CaptureInitiated" | "Authorized" | "AuthorizationInitiated" => CaptureState::Pending,
        "Captured" => CaptureState::Completed,
        "Declined" | "Canceled" => CaptureState::Declined,
        _ => CaptureState::Other,
    };
    Ok(CaptureView {
        id,
        key: String::new(),
        state,
        reason: status.reasons().next().map(str::to_owned),
        amount: wire::money(charge.capture_amount.as_ref())?,
        refunded: wire::money(charge.refunded_amount.as_ref())?,
    })
}

/// The charge as a capture with its refunds, of which none is listed.
pub(super) fn refunds(charge: &Charge, call: &Call) -> Result<Answer, &'static str> {
    match capture_view(charge, call)? {
        Answer::Capture(view) => Ok(Answer::Refunds(view, Vec::new())),
        _ => Err("no charge"),
    }
}

/// The refund; it shows no key.
pub(super) fn refund_view(refund: &wire::Refund, call: &Call) -> Result<Answer, &'static str> {
    let shown = refund.refund_id.as_deref();
    is_asked_for(shown, call)?;
    let status = refund.status_details.as_ref().ok_or("a refund without a status")?;
    Ok(Answer::Refund(RefundView {
        id: RefundId::new(shown.unwrap_or_default()).map_err(|_| "a refund without an id")?,
        key: String::new(),
        // Disputes are objects of their own there, and no refunds.
        dispute: false,
        state: match state(status)? {
            "RefundInitiated" => RefundState::Pending,
            "Refunded" => RefundState::Completed,
            "Declined" => RefundState::Declined,
            _ => RefundState::Other,
        },
        reason: status.reasons().next().map(str::to_owned),
        amount: wire::money(refund.refund_amount.as_ref())?,
    }))
}

fn state(status: &Status) -> Result<&str, &'static str> {
    status.state.as_deref().ok_or("a status without a state")
}

fn is_asked_for(shown: Option<&str>, call: &Call) -> Result<(), &'static str> {
    match (shown, &call.object) {
        (None | Some(""), _) => Err("an object without an id"),
        (Some(shown), Some(asked)) if shown != charge_id(asked) => Err("another object"),
        (Some(_), Some(_) | None) => Ok(()),
    }
}

/// The buyer and the shipping address that a session or a permission shows.
pub(super) fn buyer(buyer: Option<wire::Buyer>, place: Option<Place>) -> BuyerDetails {
    let (name, email) = match buyer {
        Some(buyer) => (buyer.name, buyer.email),
        None => (None, None),
    };
    BuyerDetails { name, email, address: place.map(address) }
}

fn address(place: Place) -> Address {
    Address {
        name: place.name,
        line1: place.address_line1,
        line2: place.address_line2,
        line3: place.address_line3,
        city: place.city,
        state_or_region: place.state_or_region,
        postal_code: place.postal_code,
        country_code: place.country_code,
        phone: place.phone_number,
    }
}
