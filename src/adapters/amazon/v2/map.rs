//! From effects to Amazon's operations and from its documents to views. Translates and decides
//! nothing; what a document should hold and does not is said, never guessed.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::wire::{self, Charge, Permission, Place, Session, Status};
use crate::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, Authorize, Capture, CaptureState, CaptureView,
    Complete, Effect, Intent, Month, ReferenceState, ReferenceView, Refund, RefundState,
    RefundView, SetDetails,
};
use crate::domain::ids::{AuthorizationId, CaptureId, ReferenceId, ReferenceKind, RefundId};
use crate::domain::mandate::month_of;
use crate::domain::money::Money;
use crate::ports::gateway::{Address, BuyerDetails};

/// Amazon's bound for the name of a store.
const STORE_NAME_MAX: usize = 50;

/// Amazon's words for what is permitted.
const ONE_TIME: &str = "OneTime";
const RECURRING: &str = "Recurring";

/// What a document is read as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Session,
    Permission,
    /// Whether a permission may be charged.
    Chargeable,
    Authorization,
    Capture,
    /// The charge, and that no refunds are listed.
    Refunds,
    Refund,
    /// Nothing in it matters.
    Done,
}

/// One operation.
pub(super) struct Call {
    /// Its name in traces.
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    /// Its path below the version.
    pub(super) resource: String,
    pub(super) body: Vec<u8>,
    /// The idempotency key of a call that makes something.
    pub(super) key: Option<String>,
    pub(super) kind: Kind,
    /// The object that is read, as we call it; an answer about another one is none.
    pub(super) object: Option<String>,
    /// Whether that is made for many charges, as far as its name tells.
    pub(super) is_recurring: bool,
}

impl Call {
    /// The operation behind an effect; none behind a search, because nothing is listed.
    pub(super) fn of(effect: &Effect) -> Option<Self> {
        Some(match effect {
            Effect::SetDetails(details) => set_details(details),
            Effect::Confirm(id) => Self { kind: Kind::Chargeable, ..Self::read_reference(id) },
            Effect::Complete(made) => complete(made),
            Effect::Authorize(made) => authorize(made),
            Effect::ReadReference(id) => Self::read_reference(id),
            Effect::FindAuthorization { .. } => return None,
            // A charge is captured once: its capture is what the charge shows.
            Effect::FindCapture { ids, .. } => read_charge(ids.last()?.as_str(), Kind::Capture),
            Effect::Refund(made) => refund(made),
            Effect::ReadRefund(id) => read_refund(id),
            // Refunds are not listed; the charge shows what they come to.
            Effect::ReadRefunds(id) => read_charge(id.as_str(), Kind::Refunds),
            Effect::ReadAuthorization(id) => read_charge(id.as_str(), Kind::Authorization),
            Effect::Capture(made) => capture(made),
            Effect::ReadCapture(id) => read_charge(id.as_str(), Kind::Capture),
            Effect::CloseAuthorization(id) => cancel(id),
            Effect::CloseReference(id) => close(id),
        })
    }

    /// Reads a session or a permission.
    pub(super) fn read_reference(id: &ReferenceId) -> Self {
        let (name, place, kind) = match id.kind() {
            ReferenceKind::Session => ("GetCheckoutSession", "checkoutSessions", Kind::Session),
            ReferenceKind::OneTime | ReferenceKind::Recurring => {
                ("GetChargePermission", "chargePermissions", Kind::Permission)
            }
        };
        Self {
            object: Some(id.to_string()),
            is_recurring: id.is_recurring(),
            ..Self::bare(name, "GET", format!("{place}/{id}"), kind)
        }
    }

    fn bare(name: &'static str, method: &'static str, resource: String, kind: Kind) -> Self {
        Self {
            name,
            method,
            resource,
            body: Vec::new(),
            key: None,
            kind,
            object: None,
            is_recurring: false,
        }
    }

    fn with(mut self, body: &Value) -> Self {
        self.body = body.to_string().into_bytes();
        self
    }
}

fn price(amount: Money) -> Value {
    json!({ "amount": amount.amount(), "currencyCode": amount.currency().code() })
}

/// An object of what is there; what is empty is not sent.
fn object<const N: usize>(fields: [(&str, Option<Value>); N]) -> Value {
    let there = |value: &Value| !value.is_null() && value.as_str() != Some("");
    let fields = fields
        .into_iter()
        .filter_map(|(name, value)| value.filter(there).map(|value| (name.to_owned(), value)));
    Value::Object(fields.collect::<Map<_, _>>())
}

fn metadata(
    order_id: &str,
    store_name: Option<&str>,
    note: Option<&str>,
    information: Option<&str>,
) -> Value {
    let store_name = store_name.map(|name| name.chars().take(STORE_NAME_MAX).collect::<String>());
    object([
        ("merchantReferenceId", Some(order_id.into())),
        ("merchantStoreName", store_name.map(Value::from)),
        ("noteToBuyer", note.map(Value::from)),
        ("customInformation", information.map(Value::from)),
    ])
}

fn set_details(details: &SetDetails) -> Call {
    let read = Call::read_reference(&details.reference);
    let name = match read.kind {
        Kind::Session => "UpdateCheckoutSession",
        Kind::Permission
        | Kind::Chargeable
        | Kind::Authorization
        | Kind::Capture
        | Kind::Refunds
        | Kind::Refund
        | Kind::Done => "UpdateChargePermission",
    };
    let metadata = metadata(
        &details.seller_order_id,
        details.store_name.as_deref(),
        None,
        details.custom_information.as_deref(),
    );
    let body = json!({ "merchantMetadata": metadata });
    Call { name, method: "PATCH", object: None, ..read }.with(&body)
}

fn complete(made: &Complete) -> Call {
    let resource = format!("checkoutSessions/{}/complete", made.session);
    let body = json!({ "chargeAmount": price(made.total) });
    Call::bare("CompleteCheckoutSession", "POST", resource, Kind::Session).with(&body)
}

fn authorize(made: &Authorize) -> Call {
    let seller = &made.seller;
    let metadata = metadata(
        &seller.order_id,
        seller.store_name.as_deref(),
        made.note.as_deref(),
        seller.custom_information.as_deref(),
    );
    let descriptor = made.soft_descriptor.as_deref().filter(|_| made.capture_now);
    let body = object([
        ("chargePermissionId", Some(made.reference.as_str().into())),
        ("chargeAmount", Some(price(made.amount))),
        ("captureNow", Some(made.capture_now.into())),
        ("canHandlePendingAuthorization", Some((!made.synchronous).into())),
        ("softDescriptor", descriptor.map(Value::from)),
        ("merchantMetadata", Some(metadata)),
    ]);
    let call =
        Call::bare("CreateCharge", "POST", "charges".to_owned(), Kind::Authorization).with(&body);
    Call { key: Some(made.key.to_string()), ..call }
}

fn capture(made: &Capture) -> Call {
    let resource = format!("charges/{}/capture", charge_id(made.authorization.as_str()));
    let body = object([
        ("captureAmount", Some(price(made.amount))),
        ("softDescriptor", made.soft_descriptor.as_deref().map(Value::from)),
    ]);
    let call = Call::bare("CaptureCharge", "POST", resource, Kind::Capture).with(&body);
    Call { key: Some(made.key.to_string()), ..call }
}

fn refund(made: &Refund) -> Call {
    let body = object([
        ("chargeId", Some(charge_id(made.capture.as_str()).into())),
        ("refundAmount", Some(price(made.amount))),
        ("softDescriptor", made.soft_descriptor.as_deref().map(Value::from)),
    ]);
    let call = Call::bare("CreateRefund", "POST", "refunds".to_owned(), Kind::Refund).with(&body);
    Call { key: Some(made.key.to_string()), ..call }
}

fn read_refund(id: &RefundId) -> Call {
    let resource = format!("refunds/{id}");
    Call { object: Some(id.to_string()), ..Call::bare("GetRefund", "GET", resource, Kind::Refund) }
}

fn read_charge(id: &str, kind: Kind) -> Call {
    let resource = format!("charges/{}", charge_id(id));
    Call { object: Some(id.to_owned()), ..Call::bare("GetCharge", "GET", resource, kind) }
}

fn cancel(id: &AuthorizationId) -> Call {
    let resource = format!("charges/{}/cancel", charge_id(id.as_str()));
    let body = json!({ "cancellationReason": "no longer needed" });
    Call::bare("CancelCharge", "DELETE", resource, Kind::Done).with(&body)
}

fn close(id: &ReferenceId) -> Call {
    let resource = format!("chargePermissions/{id}/close");
    let body = json!({ "closureReason": "completed", "cancelPendingCharges": false });
    Call::bare("CloseChargePermission", "DELETE", resource, Kind::Done).with(&body)
}

/// The charge that an authorization of MWS is: the letter behind its reference says `C`, not `A`.
pub(super) fn charge_id(id: &str) -> Cow<'_, str> {
    if is_authorization_of_mws(id) {
        Cow::Owned(format!("{}C{}", &id[..20], &id[21..]))
    } else {
        Cow::Borrowed(id)
    }
}

/// `S01-1234567-1234567-A123456` and nothing looser: ids without such a letter are used as they are.
fn is_authorization_of_mws(id: &str) -> bool {
    let shape = b"S01-1234567-1234567-A123456";
    id.len() == shape.len()
        && id.bytes().zip(shape).enumerate().all(|(at, (byte, like))| match (at, like) {
            (0, _) => matches!(byte, b'S' | b'P'),
            (_, b'0'..=b'9') => byte.is_ascii_digit(),
            (_, _) => byte == *like,
        })
}

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

/// The charge as an authorization. Its id is its capture's too.
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
        captures: captured.then_some(capture).into_iter().collect(),
    }))
}

/// The charge as a capture.
pub(super) fn capture_view(charge: &Charge, call: &Call) -> Result<Answer, &'static str> {
    let shown = charge.charge_id.as_deref();
    is_asked_for(shown, call)?;
    let status = charge.status_details.as_ref().ok_or("a charge without a status")?;
    let state = match state(status)? {
        // Authorized: the capture is not seen yet.
        "CaptureInitiated" | "Authorized" | "AuthorizationInitiated" => CaptureState::Pending,
        "Captured" => CaptureState::Completed,
        "Declined" | "Canceled" => CaptureState::Declined,
        _ => CaptureState::Other,
    };
    let id = call.object.as_deref().or(shown).unwrap_or_default();
    Ok(Answer::Capture(CaptureView {
        id: CaptureId::new(id).map_err(|_| "a charge without an id")?,
        key: String::new(),
        state,
        reason: status.reasons().next().map(str::to_owned),
        amount: wire::money(charge.capture_amount.as_ref())?,
        refunded: wire::money(charge.refunded_amount.as_ref())?,
    }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_authorization_of_mws_becomes_a_charge_of_another_name() {
        for (id, charge) in [
            ("S01-5797829-1888777-A043451", "S01-5797829-1888777-C043451"),
            ("P02-2063624-0128488-A098527", "P02-2063624-0128488-C098527"),
            ("S01-5797829-1888777-C043451", "S01-5797829-1888777-C043451"),
            ("C01-5797829-1888777-A043451", "C01-5797829-1888777-A043451"),
            ("S01-5797829-1888777-A04345", "S01-5797829-1888777-A04345"),
            ("P01-1234567-1234567-0000001", "P01-1234567-1234567-0000001"),
            ("S01-A797829-1888777-A043451", "S01-A797829-1888777-A043451"),
        ] {
            assert_eq!(charge_id(id), charge);
        }
    }
}
