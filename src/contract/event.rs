//! Result events: CloudEvents 1.0 as structured JSON, worded as the public contract has them. An
//! event is rendered once, when it is committed; its id follows from what it tells, never from
//! chance, so that the same fact never has two.

use serde::Serialize;

use super::buyer::{AddressWire, BuyerWire, buyer, shipping_address};
use super::fingerprint::digest;
use super::ids::ReadableIds;
use super::personal::Personal;
use super::render::cycle_value;
use super::time::rfc3339;
use crate::domain::command::{Kind, Subject};
use crate::domain::decline::{Decline, FieldError};
use crate::domain::payment::{Outcome, Payment};
use crate::ports::gateway::BuyerDetails;

/// The content type of every event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";
/// The `source` of every event.
pub const SOURCE: &str = "/amazon-pay-worker";

/// A rendered event. Its body has the buyer in clear: seal it before it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct Event {
    /// Its id, for ever.
    pub id: String,
    /// Its routing key; the CloudEvents type is `payments.` and this.
    pub routing_key: String,
    /// Events of one subject are published in order.
    pub subject: String,
    /// The document.
    pub body: Vec<u8>,
}

impl std::fmt::Debug for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Event({} {} {})", self.id, self.routing_key, self.subject)
    }
}

/// What an event of a payment tells beside the payment itself.
#[derive(Debug, Clone, Copy, Default)]
pub struct Circumstances<'a> {
    /// The time of the commit, in milliseconds since the epoch.
    pub time_ms: i64,
    /// What the command told about the buyer.
    pub personal: Option<&'a Personal>,
    /// What Amazon told about the buyer; none where it was not heard.
    pub details: Option<&'a BuyerDetails>,
    /// The trace that it belongs to; none means the opener's.
    pub traceparent: Option<&'a str>,
}

#[derive(Serialize)]
struct Envelope<'a, D> {
    specversion: &'static str,
    id: &'a str,
    source: &'static str,
    #[serde(rename = "type")]
    kind: String,
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceparent: Option<&'a str>,
    data: D,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    message_id: &'a str,
    amazon_biller_id: &'a str,
    kind: &'static str,
    #[serde(flatten)]
    subject: SubjectWire<'a>,
    status: &'static str,
    sequence: u32,
    epoch: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    cycle: Option<serde_json::Value>,
    amount: String,
    currency: &'static str,
    captured_amount: String,
    refunded_amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_authorization_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_capture_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    buyer: Option<BuyerWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    shipping_address: Option<AddressWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pending: Option<Pending>,
    #[serde(skip_serializing_if = "Option::is_none")]
    decline: Option<DeclineWire<'a>>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
struct SubjectWire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    upsell_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    charge_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RejectedData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_biller_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<&'static str>,
    #[serde(flatten)]
    subject: SubjectWire<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_billing_agreement_id: Option<&'a str>,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    decline: DeclineWire<'a>,
}

#[derive(Serialize)]
struct Pending {
    cause: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct DeclineWire<'a> {
    code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_reason: Option<&'a str>,
    #[serde(rename = "type")]
    softness: &'static str,
    buyer_action: &'static str,
    message: &'a str,
    fix: &'a str,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<String>,
    errors: Vec<ErrorWire<'a>>,
}

#[derive(Serialize)]
struct ErrorWire<'a> {
    field: &'a str,
    message: &'a str,
}

impl<'a> From<&'a Decline> for DeclineWire<'a> {
    fn from(decline: &'a Decline) -> Self {
        let error =
            |error: &'a FieldError| ErrorWire { field: &error.field, message: &error.message };
        Self {
            code: &decline.code,
            amazon_reason: decline.amazon_reason.as_deref(),
            softness: decline.softness.as_str(),
            buyer_action: decline.buyer_action.as_str(),
            message: &decline.message,
            fix: &decline.fix,
            retryable: decline.retryable,
            retry_after: decline.retry_after.map(rfc3339),
            errors: decline.errors.iter().map(error).collect(),
        }
    }
}

/// The id of the event with this number of this payment.
#[must_use]
pub fn event_id(payment_id: &str, sequence: u32) -> String {
    id(&[b"payment", payment_id.as_bytes(), &sequence.to_be_bytes()])
}

/// The id of the rejection of a message. `unique` tells it apart: its message id where it has one,
/// otherwise chance.
#[must_use]
pub fn rejection_id(unique: &str, fingerprint: &str) -> String {
    id(&[b"rejection", unique.as_bytes(), fingerprint.as_bytes()])
}

pub(super) fn id(parts: &[&[u8]]) -> String {
    format!("evt_{}", &digest(parts)[..32])
}

/// Renders a result of a payment, whose `sequence` is that of this event already.
#[must_use]
pub fn render(payment: &Payment, outcome: Outcome, around: &Circumstances<'_>) -> Event {
    let subject = payment.key.event_subject();
    let kind = payment.key.subject.kind().as_str();
    let data = Data {
        message_id: payment.opener.message_id.as_str(),
        amazon_biller_id: payment.key.mid.as_str(),
        kind,
        subject: SubjectWire::of(payment),
        status: outcome.as_str(),
        sequence: payment.sequence,
        epoch: payment.epoch,
        cycle: payment.texts.cycle.as_deref().map(cycle_value),
        amount: payment.amount.amount(),
        currency: payment.amount.currency().code(),
        captured_amount: payment.captured.amount(),
        refunded_amount: payment.refunded.amount(),
        amazon_order_id: payment.reference.as_ref().map(|id| id.as_str()),
        amazon_authorization_id: payment.authorization_id.as_ref().map(|id| id.as_str()),
        amazon_capture_id: payment.capture_id.as_ref().map(|id| id.as_str()),
        buyer: around.details.and_then(|details| buyer(details, around.personal)),
        shipping_address: around.details.and_then(shipping_address),
        pending: pending(outcome),
        decline: decline(payment, outcome).map(DeclineWire::from),
    };
    let traceparent = around.traceparent.or(payment.opener.traceparent.as_deref());
    envelope(
        event_id(&payment.id(), payment.sequence),
        format!("{kind}.{}", outcome.as_str()),
        subject,
        around.time_ms,
        traceparent,
        data,
    )
}

const fn pending(outcome: Outcome) -> Option<Pending> {
    match outcome {
        Outcome::PendingAmazon => Some(Pending { cause: "amazon" }),
        Outcome::PendingOperator => Some(Pending { cause: "operator" }),
        Outcome::Paid
        | Outcome::Authorized
        | Outcome::Declined
        | Outcome::Failed
        | Outcome::Canceled => None,
    }
}

const fn decline(payment: &Payment, outcome: Outcome) -> Option<&Decline> {
    match outcome {
        Outcome::Declined | Outcome::Failed => payment.decline.as_ref(),
        Outcome::Paid
        | Outcome::Authorized
        | Outcome::Canceled
        | Outcome::PendingAmazon
        | Outcome::PendingOperator => None,
    }
}

impl<'a> SubjectWire<'a> {
    /// Of a charge with the order that it belongs to, where that was told.
    fn of(payment: &'a Payment) -> Self {
        match &payment.key.subject {
            Subject::Order(order) => Self { order_id: Some(order.as_str()), ..Self::default() },
            Subject::Upsell(order, upsell) => Self {
                order_id: Some(order.as_str()),
                upsell_id: Some(upsell.as_str()),
                charge_id: None,
            },
            Subject::Charge(charge) => Self {
                order_id: payment.of_order.as_ref().map(|order| order.as_str()),
                upsell_id: None,
                charge_id: Some(charge.as_str()),
            },
        }
    }
}

/// Renders the rejection of a message: `<kind>.rejected`, `<kind>.operation_rejected` or
/// `agreement.rejected`; none where its routing key names no command. `id` is
/// [`rejection_id`]'s.
#[must_use]
pub fn render_rejected(
    ids: &ReadableIds,
    decline: &Decline,
    id: String,
    time_ms: i64,
    traceparent: Option<&str>,
) -> Option<Event> {
    let routing_key = ids.rejection_key()?;
    let operation = ids.operation();
    let kind = ids.kind();
    let of_agreement = kind.is_none();
    let data = RejectedData {
        message_id: ids.message_id.as_deref(),
        amazon_biller_id: ids.mid.as_ref().map(|id| id.as_str()),
        kind: kind.map(Kind::as_str),
        subject: SubjectWire {
            order_id: ids.order.as_ref().map(|id| id.as_str()),
            upsell_id: ids.upsell.as_ref().map(|id| id.as_str()),
            charge_id: ids.charge.as_ref().map(|id| id.as_str()),
        },
        amazon_order_id: ids.reference.as_ref().map(|id| id.as_str()),
        amazon_billing_agreement_id: ids.agreement.as_ref().map(|id| id.as_str()),
        status: if operation.is_some() { "operation_rejected" } else { "rejected" },
        operation,
        request_id: ids.request.as_ref().map(|id| id.as_str()),
        reason: of_agreement.then_some(decline.code.as_str()),
        decline: decline.into(),
    };
    Some(envelope(id, routing_key, ids.subject(), time_ms, traceparent, data))
}

/// The document around `data`.
pub(super) fn envelope<D: Serialize>(
    id: String,
    routing_key: String,
    subject: String,
    time_ms: i64,
    traceparent: Option<&str>,
    data: D,
) -> Event {
    let document = Envelope {
        specversion: "1.0",
        id: &id,
        source: SOURCE,
        kind: format!("payments.{routing_key}"),
        subject: &subject,
        time: rfc3339(time_ms),
        datacontenttype: "application/json",
        traceparent,
        data,
    };
    let body = serde_json::to_vec(&document);
    let body = body.unwrap_or_else(|_| unreachable!("texts and numbers are always JSON"));
    Event { id, routing_key, subject, body }
}
