//! From effects to Amazon's operations. Translates and decides nothing; the way back is in `views`.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use crate::domain::gateway::{Authorize, Capture, Complete, Effect, Refund, SetDetails};
use crate::domain::ids::{AuthorizationId, ReferenceId, ReferenceKind, RefundId};
use crate::domain::money::Money;

/// Amazon's bound for the name of a store.
const STORE_NAME_MAX: usize = 50;

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
    pub(super) query: Vec<(&'static str, String)>,
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
            query: Vec::new(),
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

/// The charge that an authorization of MWS is: behind its reference stands a `C`, not an `A`.
pub(super) fn charge_id(id: &str) -> Cow<'_, str> {
    if is_authorization_of_mws(id) {
        Cow::Owned(format!("{}C{}", &id[..20], &id[21..]))
    } else {
        Cow::Borrowed(id)
    }
}

/// `S01-1234567-1234567-A123456` and nothing looser: ids without such a letter are used as is.
fn is_authorization_of_mws(id: &str) -> bool {
    let shape = b"S01-1234567-1234567-A123456";
    id.len() == shape.len()
        && id.bytes().zip(shape).enumerate().all(|(at, (byte, like))| match (at, like) {
            (0, _) => matches!(byte, b'S' | b'P'),
            (_, b'0'..=b'9') => byte.is_ascii_digit(),
            (_, _) => byte == *like,
        })
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
