//! A payment as `GET /v1/…` shows it: the data of its own last event, its amounts as they are now,
//! and its status.

use serde_json::{Map, Value};

use crate::domain::command::Subject;
use crate::domain::payment::{Payment, Phase};

/// The payment: `data` as in its last event (whose document is `last_event`; none before the
/// first) with today's amounts, `status`, and the members of `data` once more beside it, so that
/// `capturedAmount` is found by whoever reads the payment as one flat object.
#[must_use]
pub fn payment_view(payment: &Payment, last_event: Option<&[u8]>) -> Map<String, Value> {
    let told = last_event
        .and_then(|document| serde_json::from_slice::<Map<String, Value>>(document).ok())
        .and_then(|mut document| document.remove("data"));
    let mut data = match told {
        Some(Value::Object(data)) => data,
        _ => untold(payment),
    };
    for (name, text) in [
        ("amount", payment.amount.amount()),
        ("currency", payment.amount.currency().to_string()),
        ("capturedAmount", payment.captured.amount()),
        ("refundedAmount", payment.refunded.amount()),
    ] {
        data.insert(name.to_owned(), Value::String(text));
    }
    let mut view = data.clone();
    view.insert("status".to_owned(), Value::from(status(payment)));
    view.insert("data".to_owned(), Value::Object(data));
    view
}

/// Its status now: the result of its end or rest; while it is in hand `pending` once that was
/// told, before that `accepted`.
#[must_use]
pub const fn status(payment: &Payment) -> &'static str {
    match payment.phase {
        Phase::Paid => "paid",
        Phase::Authorized => "authorized",
        Phase::Declined => "declined",
        Phase::Failed => "failed",
        Phase::Canceled => "canceled",
        Phase::Scheduled
        | Phase::WaitingForOrder
        | Phase::Inspecting
        | Phase::SettingDetails
        | Phase::Confirming
        | Phase::Metering
        | Phase::Completing
        | Phase::Authorizing
        | Phase::LookingUp
        | Phase::AuthorizationPending
        | Phase::Capturing
        | Phase::CapturePending
        | Phase::ClosingAuthorization => {
            if payment.told_pending_amazon || payment.told_pending_operator {
                "pending"
            } else {
                "accepted"
            }
        }
    }
}

/// What can be said of a payment that has told nothing yet.
fn untold(payment: &Payment) -> Map<String, Value> {
    let mut data = Map::new();
    let mut put = |name: &str, value: &str| {
        data.insert(name.to_owned(), Value::from(value));
    };
    put("messageId", payment.opener.message_id.as_str());
    put("amazonBillerId", payment.key.mid.as_str());
    put("kind", payment.key.subject.kind().as_str());
    put("status", status(payment));
    match &payment.key.subject {
        Subject::Order(order) => put("orderId", order.as_str()),
        Subject::Upsell(order, upsell) => {
            put("orderId", order.as_str());
            put("upsellId", upsell.as_str());
        }
        Subject::Charge(charge) => {
            put("chargeId", charge.as_str());
            if let Some(order) = &payment.of_order {
                put("orderId", order.as_str());
            }
        }
    }
    if let Some(reference) = &payment.reference {
        put("amazonOrderId", reference.as_str());
    }
    data.insert("sequence".to_owned(), Value::from(payment.sequence));
    data.insert("epoch".to_owned(), Value::from(payment.epoch));
    data
}
