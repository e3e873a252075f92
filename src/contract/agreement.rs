//! News of an agreement as events: suspended, reopened, closed. Its rejections are those of a
//! message, like any other's.

use serde::Serialize;

use super::event::{Event, envelope, id};
use crate::domain::ids::{MerchantAccountId, ReferenceId, RequestId};
use crate::domain::mandate::Mandate;

/// What has become of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AgreementResult {
    /// The buyer must mend the payment method.
    Suspended,
    /// The buyer has mended it.
    Reopened,
    /// It is over.
    Closed,
}

impl AgreementResult {
    /// The contract's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            AgreementResult::Suspended => "suspended",
            AgreementResult::Reopened => "reopened",
            AgreementResult::Closed => "closed",
        }
    }
}

/// Who is told, and because of what.
#[derive(Debug, Clone, Copy)]
pub struct Around<'a> {
    /// The merchant account.
    pub mid: &'a MerchantAccountId,
    /// The request that it answers, with the message that it came in.
    pub request: Option<(&'a RequestId, &'a str)>,
    /// The trace that it belongs to.
    pub traceparent: Option<&'a str>,
    /// The time of the commit, in milliseconds since the epoch.
    pub time_ms: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Data<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a str>,
    amazon_biller_id: &'a str,
    amazon_billing_agreement_id: &'a str,
    status: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<&'a str>,
}

/// The subject of an agreement's events.
#[must_use]
pub fn agreement_subject(mid: &MerchantAccountId, reference: &ReferenceId) -> String {
    format!("{mid}/agreement/{reference}")
}

/// Renders news of a mandate, whose `sequence` is that of this event already.
#[must_use]
pub fn render_agreement(mandate: &Mandate, result: AgreementResult, around: Around<'_>) -> Event {
    let row = mandate.id();
    let data = Data {
        message_id: around.request.map(|(_, message)| message),
        amazon_biller_id: around.mid.as_str(),
        amazon_billing_agreement_id: mandate.reference.as_str(),
        status: result.as_str(),
        reason: mandate.reason.as_deref(),
        request_id: around.request.map(|(request, _)| request.as_str()),
    };
    envelope(
        id(&[b"agreement", row.as_bytes(), &mandate.sequence.to_be_bytes()]),
        format!("agreement.{}", result.as_str()),
        agreement_subject(around.mid, &mandate.reference),
        around.time_ms,
        around.traceparent,
        data,
    )
}
