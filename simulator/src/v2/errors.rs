//! API v2's errors: a status, a reason code, a message; and its words for what the books refuse.

use serde_json::{Value, json};

use crate::books::{Authorization, Capture, CaptureState, Reason, Refusal};
use crate::clock::compact;

/// An error as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    pub(super) status: u16,
    pub(super) code: String,
    message: String,
}

impl Error {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into() }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValue", message)
    }

    pub(super) fn unknown() -> Self {
        Self::new(404, "ResourceNotFound", "The requested resource could not be found.")
    }

    pub(super) fn throttled() -> Self {
        Self::new(429, TOO_MANY, "The request rate is too high; try again later.")
    }

    pub(super) fn is_throttle(&self) -> bool {
        self.status == 429
    }

    /// What a fault puts in the place of an answer.
    pub(super) fn injected(status: u16, code: Option<&str>) -> Self {
        let code = code.unwrap_or(match status {
            401 => "UnauthorizedAccess",
            403 => "InvalidRequestSignature",
            404 => "ResourceNotFound",
            405 => "UnsupportedOperation",
            408 => "RequestTimeout",
            409 => "AmountMismatch",
            422 => "InvalidChargePermissionStatus",
            429 => TOO_MANY,
            400..500 => "InvalidParameterValue",
            503 => "ServiceUnavailable",
            _ => "InternalServerError",
        });
        Self::new(status, code, "injected")
    }

    pub(super) fn body(&self) -> Value {
        json!({"reasonCode": self.code, "message": self.message})
    }
}

const TOO_MANY: &str = "TooManyRequests";

/// The books' refusal in the words of API v2.
pub(super) fn word(refusal: Refusal) -> Error {
    match refusal {
        Refusal::Unknown | Refusal::OtherEnvironment | Refusal::Token => Error::unknown(),
        Refusal::OrderState(state) | Refusal::AgreementState(state) => {
            permission_status(&format!("The charge permission is {}.", state.text()))
        }
        Refusal::Constraints(_) | Refusal::AgreementConstraints(_) => {
            permission_status("The charge permission has constraints.")
        }
        Refusal::MethodNotUpdated => permission_status("The payment method was not updated."),
        Refusal::OrderCountExceeded => permission_status("The permission is not confirmed."),
        Refusal::CancelAttempt | Refusal::CloseAttempt => {
            permission_status("The charge permission cannot be closed in its state.")
        }
        Refusal::NotModifiable | Refusal::AgreementNotModifiable => {
            let message = "The charge permission cannot be modified in its state.";
            Error::new(422, "ChargePermissionNotModifiable", message)
        }
        Refusal::MonthExceeded { used, asked, allowed, ends } => {
            let ends = compact(ends);
            let message = format!(
                "{used} are used, {asked} were requested, {allowed} is the most to {ends}."
            );
            Error::new(400, "PeriodicAmountExceeded", message)
        }
        Refusal::AmountExceeded { used, asked, allowed } => {
            let message =
                format!("{used} are used, {asked} were requested, {allowed} is the most.");
            Error::new(400, "TransactionAmountExceeded", message)
        }
        Refusal::AuthorizationState(state) => {
            charge_status(&format!("The charge's authorization is {}.", state.text()))
        }
        Refusal::NotRefundable => charge_status("The charge is not captured."),
        Refusal::CountExceeded => {
            let message = "The maximum number of transactions is reached.";
            Error::new(422, "TransactionCountExceeded", message)
        }
        Refusal::CurrencyMismatch => {
            Error::new(400, "CurrencyMismatch", "The currency is not that of the permission.")
        }
        Refusal::CurrencyUnsupported => Error::invalid("The currency is not supported."),
        Refusal::DuplicateRequest | Refusal::DuplicateReference => {
            Error::new(400, "DuplicateIdempotencyKey", "The key was used for another request.")
        }
    }
}

fn permission_status(message: &str) -> Error {
    Error::new(422, "InvalidChargePermissionStatus", message)
}

/// The charge is not in a state for this.
pub(super) fn charge_status(message: &str) -> Error {
    Error::new(422, "InvalidChargeStatus", message)
}

/// Why a charge is declined, in v2's words.
pub(super) fn decline_code(charge: &Authorization) -> &'static str {
    match charge.reason {
        Some(Reason::InvalidPaymentMethod) => "HardDeclined",
        Some(Reason::ProcessingFailure) if charge.soft => "SoftDeclined",
        Some(reason) => reason.text(),
        None => "ProcessingFailure",
    }
}

/// A synchronous decline is an error, not an object.
pub(super) fn declined(charge: &Authorization) -> Error {
    decline(decline_code(charge))
}

/// As for a charge, where its capture was declined at once.
pub(super) fn capture_declined(capture: &Capture) -> Option<Error> {
    let code = capture.reason.map_or("ProcessingFailure", Reason::text);
    (capture.state == CaptureState::Declined).then(|| decline(code))
}

fn decline(code: &str) -> Error {
    // The one decline that is also an error of Amazon's own.
    let status = if code == "ProcessingFailure" { 500 } else { 422 };
    Error::new(status, code, "The transaction was declined.")
}
