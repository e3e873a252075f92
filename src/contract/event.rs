//! Result events: CloudEvents 1.0 as structured JSON, worded as the public contract has them. An
//! event is rendered once, when it is committed; its id follows from what it tells, never from
//! chance, so that the same fact never has two.

use serde::Serialize;

use super::buyer::{buyer, shipping_address};
use super::event_data::{Data, DeclineWire, Pending, RejectedData, SubjectWire};
use super::fingerprint::digest;
use super::ids::ReadableIds;
use super::personal::Personal;
use super::render::cycle_value;
use super::time::rfc3339;
use crate::domain::command::Kind;
use crate::domain::decline::Decline;
use crate::domain::operation::OperationTag;
use crate::domain::payment::{Operation, OperationOutcome, Outcome, Payment, Told};
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

/// The id of the event of an operation alone with this number of its payment.
#[must_use]
pub fn operation_event_id(payment_id: &str, tag: &OperationTag, sequence: u32) -> String {
    let tag = tag.to_string();
    id(&[b"operation", payment_id.as_bytes(), tag.as_bytes(), &sequence.to_be_bytes()])
}

/// The id of the event with this number that tells of money which went back without us.
#[must_use]
pub fn found_event_id(payment_id: &str, sequence: u32) -> String {
    id(&[b"found", payment_id.as_bytes(), &sequence.to_be_bytes()])
}

/// Renders a result of a payment or of one of its operations; the payment's `sequence` is that of
/// this event already.
#[must_use]
pub fn render(payment: &Payment, told: impl Into<Told>, around: &Circumstances<'_>) -> Event {
    let told = told.into();
    let operation = told.tag().and_then(|tag| payment.operation(tag));
    let alone = operation.filter(|_| matches!(told, Told::Operation(..)));
    let found = match &told {
        Told::Found(found) => Some(found),
        Told::Payment(_) | Told::By(..) | Told::Operation(..) => None,
    };
    let given_back = found.filter(|found| !found.dispute).map(|found| found.amount);
    let amount = alone.and_then(|one| one.amount).or(given_back).unwrap_or(payment.amount);
    let asker = alone.map_or(&payment.opener, |one| &one.asker);
    let kind = payment.key.subject.kind().as_str();
    let data = Data {
        message_id: asker.message_id.as_str(),
        amazon_biller_id: payment.key.mid.as_str(),
        kind,
        subject: SubjectWire::of(payment),
        status: told.as_str(),
        sequence: payment.sequence,
        epoch: payment.epoch,
        cycle: payment.texts.cycle.as_deref().map(cycle_value),
        amount: amount.amount(),
        currency: amount.currency().code(),
        captured_amount: payment.captured.amount(),
        refunded_amount: payment.refunded.amount(),
        amazon_order_id: payment.reference.as_ref().map(|id| id.as_str()),
        amazon_authorization_id: payment.authorization_id.as_ref().map(|id| id.as_str()),
        amazon_capture_id: payment.capture_id.as_ref().map(|id| id.as_str()),
        amazon_refund_id: operation
            .and_then(|one| one.refund_id.as_ref())
            .or_else(|| found.and_then(|found| found.id.as_ref()))
            .map(|id| id.as_str()),
        operation: told.tag().map(|tag| tag.kind.as_str()),
        request_id: told.tag().map(|tag| tag.request.as_str()),
        buyer: around.details.and_then(|details| buyer(details, around.personal)),
        shipping_address: around.details.and_then(shipping_address),
        pending: pending(&told),
        decline: decline(payment, alone, &told).map(DeclineWire::from),
    };
    let id = match &told {
        Told::Payment(_) | Told::By(..) => event_id(&payment.id(), payment.sequence),
        Told::Operation(tag, _) => operation_event_id(&payment.id(), tag, payment.sequence),
        Told::Found(_) => found_event_id(&payment.id(), payment.sequence),
    };
    let disputed = found.is_some_and(|found| found.dispute);
    let topic = if disputed { "dispute" } else { kind };
    let routing_key = format!("{topic}.{}", told.as_str());
    let traceparent = around.traceparent.or(asker.traceparent.as_deref());
    envelope(id, routing_key, payment.key.event_subject(), around.time_ms, traceparent, data)
}

const fn pending(told: &Told) -> Option<Pending> {
    match told {
        Told::Payment(Outcome::PendingAmazon)
        | Told::By(Outcome::PendingAmazon, _)
        | Told::Operation(_, OperationOutcome::PendingAmazon) => Some(Pending { cause: "amazon" }),
        Told::Payment(Outcome::PendingOperator)
        | Told::By(Outcome::PendingOperator, _)
        | Told::Operation(_, OperationOutcome::PendingOperator) => {
            Some(Pending { cause: "operator" })
        }
        Told::Payment(_) | Told::By(..) | Told::Operation(..) | Told::Found(_) => None,
    }
}

fn decline<'a>(
    payment: &'a Payment,
    alone: Option<&'a Operation>,
    told: &Told,
) -> Option<&'a Decline> {
    match told {
        Told::Payment(outcome) | Told::By(outcome, _) => match outcome {
            Outcome::Declined | Outcome::Failed => payment.decline.as_ref(),
            Outcome::Paid
            | Outcome::Authorized
            | Outcome::Canceled
            | Outcome::PendingAmazon
            | Outcome::PendingOperator => None,
        },
        Told::Operation(_, outcome) => match outcome {
            OperationOutcome::RefundDeclined | OperationOutcome::Failed => {
                alone.and_then(|one| one.decline.as_ref())
            }
            OperationOutcome::Refunded
            | OperationOutcome::PendingAmazon
            | OperationOutcome::PendingOperator => None,
        },
        Told::Found(_) => None,
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
