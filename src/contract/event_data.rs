//! The shapes of the events' data: names and order of members, nothing else.

use serde::Serialize;

use super::buyer::{AddressWire, BuyerWire};
use super::time::rfc3339;
use crate::domain::command::Subject;
use crate::domain::decline::{Decline, FieldError};
use crate::domain::payment::Payment;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Data<'a> {
    pub(super) message_id: &'a str,
    pub(super) amazon_biller_id: &'a str,
    pub(super) kind: &'static str,
    #[serde(flatten)]
    pub(super) subject: SubjectWire<'a>,
    pub(super) status: &'static str,
    pub(super) sequence: u32,
    pub(super) epoch: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cycle: Option<serde_json::Value>,
    pub(super) amount: String,
    pub(super) currency: &'static str,
    pub(super) captured_amount: String,
    pub(super) refunded_amount: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amazon_order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amazon_authorization_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amazon_capture_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amazon_refund_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) buyer: Option<BuyerWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) shipping_address: Option<AddressWire>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Pending>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) decline: Option<DeclineWire<'a>>,
}

#[derive(Serialize, Default)]
#[serde(rename_all = "camelCase")]
pub(super) struct SubjectWire<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) upsell_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) charge_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RejectedData<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) message_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amazon_biller_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kind: Option<&'static str>,
    #[serde(flatten)]
    pub(super) subject: SubjectWire<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amazon_order_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amazon_billing_agreement_id: Option<&'a str>,
    pub(super) status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) operation: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) request_id: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<&'a str>,
    pub(super) decline: DeclineWire<'a>,
}

#[derive(Serialize)]
pub(super) struct Pending {
    pub(super) cause: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct DeclineWire<'a> {
    pub(super) code: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) amazon_reason: Option<&'a str>,
    #[serde(rename = "type")]
    pub(super) softness: &'static str,
    pub(super) buyer_action: &'static str,
    pub(super) message: &'a str,
    pub(super) fix: &'a str,
    pub(super) retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) retry_after: Option<String>,
    pub(super) errors: Vec<ErrorWire<'a>>,
}

#[derive(Serialize)]
pub(super) struct ErrorWire<'a> {
    pub(super) field: &'a str,
    pub(super) message: &'a str,
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

impl<'a> SubjectWire<'a> {
    /// Of a charge with the order that it belongs to, where that was told.
    pub(super) fn of(payment: &'a Payment) -> Self {
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
