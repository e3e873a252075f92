//! What of a message's ids can be read, although other fields of it may be bad: for its dead
//! letter, its rejection, and the subject of that.

use serde_json::Value;

use super::json::Object;
use crate::domain::command::{Kind, Subject};
use crate::domain::ids::{
    ChargeId, IdError, MerchantAccountId, OrderId, ReferenceId, RequestId, UpsellId,
};
use crate::domain::payment::Payment;
use crate::ports::broker::{COMMAND_KEYS, Message};

/// The ids of a message as far as they are readable.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReadableIds {
    /// `message_id` as it was sent, too long or not; without control characters.
    pub message_id: Option<String>,
    /// The routing key as it was sent.
    pub routing_key: String,
    /// `amazonBillerId`.
    pub mid: Option<MerchantAccountId>,
    /// `orderId`.
    pub order: Option<OrderId>,
    /// `upsellId`.
    pub upsell: Option<UpsellId>,
    /// `chargeId`.
    pub charge: Option<ChargeId>,
    /// `requestId`.
    pub request: Option<RequestId>,
    /// `amazonOrderId`.
    pub reference: Option<ReferenceId>,
    /// `amazonBillingAgreementId`.
    pub agreement: Option<ReferenceId>,
}

impl ReadableIds {
    /// The ids of a message that opened or joined a payment.
    #[must_use]
    pub fn of_payment(payment: &Payment, message_id: &str) -> Self {
        let subject = &payment.key.subject;
        let (upsell, charge) = match subject {
            Subject::Order(_) => (None, None),
            Subject::Upsell(_, upsell) => (Some(upsell.clone()), None),
            Subject::Charge(charge) => (None, Some(charge.clone())),
        };
        // An upsell may have its order's reference, which its message did not name.
        let named = payment.owns_reference || payment.on_agreement();
        let named = payment.reference.clone().filter(|_| named);
        let (routing_key, reference, agreement) = match subject.kind() {
            Kind::Order => ("order.import", named, None),
            Kind::Upsell => ("upsell.import", named, None),
            Kind::Charge => ("charge.recurring", None, named),
        };
        Self {
            message_id: Some(message_id.to_owned()),
            routing_key: routing_key.to_owned(),
            mid: Some(payment.key.mid.clone()),
            order: subject.order().or(payment.of_order.as_ref()).cloned(),
            upsell,
            charge,
            reference,
            agreement,
            ..Self::default()
        }
    }

    /// What the properties tell.
    #[must_use]
    pub fn of_message(message: &Message) -> Self {
        let clean = |id: &&String| !id.is_empty() && !id.chars().any(char::is_control);
        Self {
            message_id: message.message_id.as_ref().filter(clean).cloned(),
            routing_key: message.routing_key.replace(char::is_control, "?"),
            ..Self::default()
        }
    }

    /// Adds what the body tells.
    pub fn read(&mut self, object: &Object) {
        fn id<T>(object: &Object, name: &str, new: fn(String) -> Result<T, IdError>) -> Option<T> {
            match object.values.get(name)? {
                Value::String(text) if !object.doubled.contains(name) => new(text.clone()).ok(),
                _ => None,
            }
        }
        self.mid = id(object, "amazonBillerId", MerchantAccountId::new);
        self.order = id(object, "orderId", OrderId::new);
        self.upsell = id(object, "upsellId", UpsellId::new);
        self.charge = id(object, "chargeId", ChargeId::new);
        self.request = id(object, "requestId", RequestId::new);
        self.reference = id(object, "amazonOrderId", ReferenceId::new);
        self.agreement = id(object, "amazonBillingAgreementId", ReferenceId::new);
    }

    /// Whether the routing key names a command.
    #[must_use]
    pub fn is_command(&self) -> bool {
        COMMAND_KEYS.contains(&self.routing_key.as_str())
    }

    /// `capture`, `refund` or `cancel`, where the routing key asks for one.
    #[must_use]
    pub fn operation(&self) -> Option<&'static str> {
        match self.routing_key.as_str() {
            "capture.request" => Some("capture"),
            "refund.request" => Some("refund"),
            "cancel.request" => Some("cancel"),
            _ => None,
        }
    }

    /// The kind of payment that it is about: of an operation by its ids, else `order`; none where
    /// it is about an agreement or no command.
    #[must_use]
    pub fn kind(&self) -> Option<Kind> {
        match self.routing_key.as_str() {
            "order.import" => Some(Kind::Order),
            "upsell.import" => Some(Kind::Upsell),
            "charge.recurring" => Some(Kind::Charge),
            _ if self.operation().is_none() => None,
            _ if self.charge.is_some() => Some(Kind::Charge),
            _ if self.upsell.is_some() => Some(Kind::Upsell),
            _ => Some(Kind::Order),
        }
    }

    /// The routing key of its rejection; none where its own names no command.
    #[must_use]
    pub fn rejection_key(&self) -> Option<String> {
        let kind = self.kind().map(Kind::as_str);
        match (kind, self.operation()) {
            (Some(kind), Some(_)) => Some(format!("{kind}.operation_rejected")),
            (Some(kind), None) => Some(format!("{kind}.rejected")),
            (None, _) => self.is_command().then(|| "agreement.rejected".to_owned()),
        }
    }

    /// The subject of its rejection: `<mid>/<kind>/<key>`, with `-` for what is not readable.
    #[must_use]
    pub fn subject(&self) -> String {
        fn part<T: ToString>(id: Option<&T>) -> String {
            id.map_or_else(|| "-".to_owned(), ToString::to_string)
        }
        let mid = part(self.mid.as_ref());
        match self.kind() {
            Some(Kind::Order) => format!("{mid}/order/{}", part(self.order.as_ref())),
            Some(Kind::Upsell) => {
                let (order, upsell) = (part(self.order.as_ref()), part(self.upsell.as_ref()));
                format!("{mid}/upsell/{order}/{upsell}")
            }
            Some(Kind::Charge) => format!("{mid}/charge/{}", part(self.charge.as_ref())),
            None => format!("{mid}/agreement/{}", part(self.agreement.as_ref())),
        }
    }
}
