//! Which fault an answer is that is not "yes". By Amazon's code where there is one, else by status;
//! never by a message's text. It must never call something refused that may have been done.

use super::wire::{Document, Element};
use crate::adapters::amazon::http::{Received, believed, until};
use crate::domain::gateway::Fault;

/// Refused before execution by a quota.
const THROTTLED: [&str; 3] = ["RequestThrottled", "QuotaExceeded", "TooManyRequests"];

/// Amazon failed; nobody knows how far it had come.
const UNAVAILABLE: [&str; 5] = [
    "InputStreamDisconnected",
    "InternalError",
    "InternalServerError",
    "ServiceError",
    "ServiceUnavailable",
];

/// Keys, tokens or the account are refused.
const CREDENTIALS: [&str; 9] = [
    "AccessDenied",
    "InvalidAccessKeyId",
    "InvalidAccountStatus",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "MissingClientTokenId",
    "SignatureDoesNotMatch",
    "UnauthorizedAccess",
    "UnauthorizedSolutionProvider",
];

/// Business answers that integrations have met as plain text instead of XML.
const PLAIN: [&str; 14] = [
    "BillingAgreementConstraintsExist",
    "BillingAgreementNotModifiable",
    "CaptureNotRefundable",
    "ConstraintsExist",
    "InvalidAuthorizationStatus",
    "InvalidBillingAgreementId",
    "InvalidBillingAgreementStatus",
    "InvalidOrderReferenceId",
    "InvalidOrderReferenceStatus",
    "InvalidTransactionId",
    "OrderReferenceNotModifiable",
    "PeriodicAmountExceeded",
    "TransactionAmountExceeded",
    "TransactionCountExceeded",
];

/// What an error document says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    code: Option<String>,
    /// The server says that it is to blame.
    receiver: bool,
    pub(super) request_id: Option<String>,
}

impl Told {
    /// An error document in one of its three layouts; none where it is another document.
    pub(super) fn of(root: Element<'_>) -> Option<Self> {
        let error = if root.name() == "Error" { Some(root) } else { root.child("Error") }?;
        Some(Self {
            code: error.text_of("Code").map(str::to_owned),
            receiver: error.text_of("Type") == Some("Receiver"),
            request_id: request_id(root),
        })
    }

    fn of_body(body: &[u8]) -> Self {
        let parsed = Document::parse(body).ok();
        parsed.and_then(|document| Self::of(document.root())).unwrap_or_else(|| Self::scan(body))
    }

    /// What can be found in a body that is no such document: Amazon and what stands before it have
    /// answered with loose elements and with plain text.
    fn scan(body: &[u8]) -> Self {
        let text = String::from_utf8_lossy(body);
        let between = |name: &str| {
            let (_, rest) = text.split_once(&format!("<{name}>"))?;
            let (inside, _) = rest.split_once(&format!("</{name}>"))?;
            let inside = inside.trim();
            (!inside.is_empty() && inside.len() <= 128).then(|| inside.to_owned())
        };
        let plain = || {
            let text = text.trim_start();
            let end = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
            let first = &text[..end];
            let known = [&THROTTLED[..], &UNAVAILABLE, &CREDENTIALS, &PLAIN].concat();
            known.contains(&first).then(|| first.to_owned())
        };
        Self {
            code: between("Code").filter(|code| is_word(code)).or_else(plain),
            receiver: between("Type").as_deref() == Some("Receiver"),
            request_id: between("RequestId").or_else(|| between("RequestID")),
        }
    }
}

/// Amazon's id of the exchange, wherever it stands.
pub(super) fn request_id(root: Element<'_>) -> Option<String> {
    let of = |element: Element<'_>| {
        element.text_of("RequestId").or_else(|| element.text_of("RequestID")).map(str::to_owned)
    };
    of(root).or_else(|| root.child("ResponseMetadata").and_then(of))
}

/// The fault that an answer of another status than 200 is, and its request id.
pub(super) fn of_answer(received: &Received, now_ms: i64) -> (Fault, Option<String>) {
    let told = Told::of_body(&received.body);
    let request_id = told.request_id.clone();
    (of_told(told, received, now_ms), request_id)
}

/// The fault that an error document is, under whatever status it came.
pub(super) fn of_told(told: Told, received: &Received, now_ms: i64) -> Fault {
    let Told { code, receiver, .. } = told;
    let status = received.status;
    let is = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
    if is(&THROTTLED) || status == 429 {
        let retry_after_ms = retry_after(received, code.as_deref(), now_ms);
        return Fault::Throttled { retry_after_ms };
    }
    let or_status = |code: Option<String>| code.unwrap_or_else(|| format!("http_{status}"));
    if is(&UNAVAILABLE) || receiver || status >= 500 || (status == 408 && code.is_none()) {
        return Fault::Unavailable { code: or_status(code) };
    }
    if is(&CREDENTIALS) || matches!(status, 401 | 403) {
        return Fault::Credentials { code: or_status(code) };
    }
    match code {
        Some(code) => Fault::Refused { code },
        None => Fault::Unexpected { detail: format!("http status {status} without a code") },
    }
}

/// Amazon's hint in milliseconds: how long to wait, or, where the hour's quota is spent, when it is
/// given anew.
fn retry_after(received: &Received, code: Option<&str>, now_ms: i64) -> Option<i64> {
    let spent = code == Some("QuotaExceeded")
        || received.header("x-mws-quota-remaining").is_some_and(|left| left.trim() == "0");
    received.retry_after_ms(now_ms).or_else(|| {
        let given = received.header("x-mws-quota-resetson").filter(|_| spent)?;
        until(given, now_ms).and_then(believed)
    })
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}
