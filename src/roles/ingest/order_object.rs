//! The CRM's order object, as far as a payment knows it. Numbers are texts, times have no zone.

use serde_json::{Map, Value};

use super::params::Params;
use crate::contract::time::rfc3339;
use crate::domain::command::Subject;
use crate::domain::payment::{Payment, Phase};

/// Parameters that come back as they were sent.
const ECHOED: [&str; 27] = [
    "campaignId",
    "customerId",
    "productId",
    "replaceProductId",
    "firstName",
    "lastName",
    "companyName",
    "emailAddress",
    "phoneNumber",
    "address1",
    "address2",
    "city",
    "state",
    "postalCode",
    "country",
    "shipFirstName",
    "shipLastName",
    "shipCompanyName",
    "shipAddress1",
    "shipAddress2",
    "shipCity",
    "shipState",
    "shipPostalCode",
    "shipCountry",
    "salesTax",
    "couponCode",
    "affId",
];

/// Event members and what the CRM calls them.
const TOLD: [(&str, &str, &str); 11] = [
    ("buyer", "firstName", "firstName"),
    ("buyer", "lastName", "lastName"),
    ("buyer", "emailAddress", "emailAddress"),
    ("shippingAddress", "name", "shipFirstName"),
    ("shippingAddress", "addressLine1", "shipAddress1"),
    ("shippingAddress", "addressLine2", "shipAddress2"),
    ("shippingAddress", "city", "shipCity"),
    ("shippingAddress", "stateOrRegion", "shipState"),
    ("shippingAddress", "postalCode", "shipPostalCode"),
    ("shippingAddress", "countryCode", "shipCountry"),
    ("shippingAddress", "phone", "shipPhoneNumber"),
];

/// An order object on its way.
pub(super) struct OrderObject(Map<String, Value>);

impl OrderObject {
    /// Of a command that was just accepted.
    pub(super) fn accepted(fields: &Map<String, Value>, now: i64) -> Self {
        let mut order = Self(Map::new());
        for name in ["orderId", "upsellId", "amazonBillerId", "amazonOrderId", "currency"] {
            if let Some(value) = fields.get(name).and_then(Value::as_str) {
                order.set(name, value);
            }
        }
        if let Some(amount) = fields.get("amount").and_then(Value::as_str) {
            order.set("totalAmount", amount);
        }
        order.begin(now);
        order
    }

    /// Of a payment.
    pub(super) fn of_payment(payment: &Payment) -> Self {
        let mut order = Self(Map::new());
        match &payment.key.subject {
            Subject::Order(id) => order.set("orderId", id.as_str()),
            Subject::Upsell(id, upsell) => {
                order.set("orderId", id.as_str());
                order.set("upsellId", upsell.as_str());
            }
            Subject::Charge(id) => order.set("orderId", id.as_str()),
        }
        order.set("clientOrderId", payment.opener.message_id.as_str());
        order.set("amazonBillerId", payment.key.mid.as_str());
        if let Some(reference) = &payment.reference {
            order.set("amazonOrderId", reference.as_str());
        }
        order.set("totalAmount", &payment.amount.amount());
        order.set("currency", payment.amount.currency().code());
        order.begin(payment.created_at);
        order.set("dateUpdated", &local(payment.updated_at));
        order
    }

    fn begin(&mut self, created: i64) {
        self.set("paySource", "AMAZON");
        self.set("dateCreated", &local(created));
    }

    pub(super) fn set(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_owned(), value.into());
    }

    /// What the request said comes back.
    pub(super) fn echo(&mut self, params: &Params) {
        for name in ECHOED {
            if let Some(value) = params.get(name) {
                self.set(name, value);
            }
        }
    }

    /// What an event's data says, where nothing better is known.
    pub(super) fn told(&mut self, data: &Value) {
        let text = |name: &str| data[name].as_str();
        if let Some(id) = text("amazonCaptureId").or_else(|| text("amazonAuthorizationId")) {
            self.set("merchantTxnId", id);
        }
        for (from, to) in [
            ("amount", "totalAmount"),
            ("capturedAmount", "amountPaid"),
            ("refundedAmount", "amountRefunded"),
            ("currency", "currency"),
            ("amazonBillerId", "amazonBillerId"),
            ("amazonOrderId", "amazonOrderId"),
        ] {
            if let Some(value) = text(from) {
                self.set(to, value);
            }
        }
        for (group, from, to) in TOLD {
            if let (Some(value), false) = (data[group][from].as_str(), self.0.contains_key(to)) {
                self.set(to, value);
            }
        }
    }

    pub(super) fn with_status(mut self, status: &str) -> Value {
        self.set("orderStatus", status);
        Value::Object(self.0)
    }
}

/// The CRM's word for where a payment stands.
pub(super) fn status(payment: &Payment) -> &'static str {
    match payment.phase {
        Phase::Paid if payment.refunded.minor() >= payment.captured.minor() => "REFUNDED",
        Phase::Paid | Phase::Authorized => "COMPLETE",
        Phase::Declined => "DECLINED",
        Phase::Failed | Phase::Canceled => "CANCELLED",
        _ => "PENDING",
    }
}

/// `2026-01-31 06:00:00`, in UTC.
fn local(ms: i64) -> String {
    rfc3339(ms).chars().take(19).map(|c| if c == 'T' { ' ' } else { c }).collect()
}
