//! Which fault an answer is that is not "yes". By Amazon's code where there is one, else by status;
//! never by a message's text. It must never call something refused that may have been done.

use super::wire::{self, Told};
use crate::adapters::amazon::http::Received;
use crate::domain::gateway::Fault;

/// Keys, tokens or the account are refused.
const CREDENTIALS: [&str; 5] = [
    "InvalidAccountStatus",
    "InvalidAuthentication",
    "InvalidAuthorizationToken",
    "InvalidRequestSignature",
    "UnauthorizedAccess",
];

/// Verdicts on the payment itself: nothing was booked.
const DECLINES: [&str; 7] = [
    "AmazonRejected",
    "HardDeclined",
    "MFANotCompleted",
    "PaymentMethodNotAllowed",
    "ProcessingFailure",
    "SoftDeclined",
    "TransactionTimedOut",
];

/// The longest code that is believed to be one.
const CODE_MAX: usize = 64;

/// The fault that an answer of another status than 2xx is.
pub(super) fn of_answer(received: &Received, now_ms: i64) -> Fault {
    let status = received.status;
    let told = wire::parse::<Told>(&received.body).ok();
    let code = told.and_then(|told| told.reason_code).filter(|code| is_word(code));
    let is = |codes: &[&str]| code.as_deref().is_some_and(|code| codes.contains(&code));
    if status == 429 || is(&["TooManyRequests"]) {
        return Fault::Throttled { retry_after_ms: received.retry_after_ms(now_ms) };
    }
    let or_status = |code: Option<String>| code.unwrap_or_else(|| format!("http_{status}"));
    // A 5xx may have been done, whatever its code says; 408 and 425 ask for the same call again.
    if status >= 500 || matches!(status, 408 | 425) {
        return Fault::Unavailable { code: or_status(code) };
    }
    if is(&CREDENTIALS) || matches!(status, 401 | 403) {
        return Fault::Credentials { code: or_status(code) };
    }
    match code {
        Some(reason) if DECLINES.contains(&reason.as_str()) => Fault::Declined { reason },
        Some(code) => Fault::Refused { code },
        None => Fault::Unexpected { detail: format!("http status {status} without a code") },
    }
}

fn is_word(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    (1..=CODE_MAX).contains(&text.len()) && text.bytes().all(good)
}

#[cfg(test)]
mod tests {
    use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};

    use super::*;

    fn fault(status: u16, body: &str) -> Fault {
        let (headers, body) = (HeaderMap::new(), body.as_bytes().to_vec());
        of_answer(&Received { status, headers, body }, 0)
    }

    fn coded(status: u16, code: &str) -> Fault {
        fault(status, &format!(r#"{{"reasonCode":"{code}","message":"of Ada Lovelace"}}"#))
    }

    #[test]
    fn the_table() {
        let refused = |code: &str| Fault::Refused { code: code.to_owned() };
        for code in ["InvalidRequest", "DuplicateIdempotencyKey", "TransactionAmountExceeded"] {
            assert_eq!(coded(400, code), refused(code));
        }
        for code in ["InvalidChargePermissionStatus", "TransactionCountExceeded"] {
            assert_eq!(coded(422, code), refused(code));
        }
        assert_eq!(coded(404, "ResourceNotFound"), refused("ResourceNotFound"));
        assert_eq!(coded(409, "AmountMismatch"), refused("AmountMismatch"));
        for reason in ["HardDeclined", "SoftDeclined", "MFANotCompleted", "AmazonRejected"] {
            assert_eq!(coded(422, reason), Fault::Declined { reason: reason.to_owned() });
        }
        for (status, code) in
            [(401, "UnauthorizedAccess"), (403, "InvalidAuthentication"), (403, "Whatever")]
        {
            assert_eq!(coded(status, code), Fault::Credentials { code: code.to_owned() });
        }
        let signature = "InvalidRequestSignature";
        let credentials = Fault::Credentials { code: signature.to_owned() };
        assert_eq!(coded(400, signature), credentials, "whatever the status");
    }

    #[test]
    fn what_may_have_been_done_is_never_a_no() {
        for (status, code) in [
            (500, "ProcessingFailure"),
            (500, "InternalServerError"),
            (503, "ServiceUnavailable"),
            (502, "HardDeclined"),
            (408, "RequestTimeout"),
            (425, "TooEarly"),
        ] {
            assert_eq!(coded(status, code), Fault::Unavailable { code: code.to_owned() });
        }
        let code = "http_504".to_owned();
        assert_eq!(fault(504, "<html>gateway</html>"), Fault::Unavailable { code });
    }

    #[test]
    fn what_is_no_code_is_not_repeated() {
        let told = fault(400, r#"{"reasonCode":"Ada Lovelace <ada@example.com>"}"#);
        assert_eq!(told, Fault::Unexpected { detail: "http status 400 without a code".to_owned() });
    }

    #[test]
    fn a_throttle_has_its_hint() {
        let mut headers = HeaderMap::new();
        headers.insert(RETRY_AFTER, HeaderValue::from_static("3"));
        let body = br#"{"reasonCode":"TooManyRequests"}"#.to_vec();
        let told = of_answer(&Received { status: 429, headers, body }, 0);
        assert_eq!(told, Fault::Throttled { retry_after_ms: Some(3_000) });
        assert_eq!(fault(429, ""), Fault::Throttled { retry_after_ms: None });
    }
}
