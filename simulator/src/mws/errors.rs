//! Amazon's errors: the two layouts, and the words for what the books refuse.

use super::xml::Xml;
use crate::books::{Books, Refusal, Region, SellerAt};
use crate::clock::rfc3339;

/// The namespace of every answer.
pub(super) const NAMESPACE: &str =
    "http://mws.amazonservices.com/schema/OffAmazonPayments/2013-01-01";

/// Which of the two front layers speaks: the gateway writes `RequestID`, the API `RequestId`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Layout {
    Api,
    Gateway,
}

/// An error as it goes out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Error {
    pub(super) status: u16,
    code: String,
    message: String,
    layout: Layout,
}

impl Error {
    pub(super) fn new(status: u16, code: &str, message: impl Into<String>) -> Self {
        let (code, message) = (code.to_owned(), message.into());
        Self { status, code, message, layout: Layout::Api }
    }

    /// An error of the layer in front of the API.
    pub(super) fn gateway(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { layout: Layout::Gateway, ..Self::new(status, code, message) }
    }

    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self::new(400, "InvalidParameterValue", message)
    }

    pub(super) fn throttled() -> Self {
        Self::gateway(503, "RequestThrottled", "Request is throttled")
    }

    /// What a fault puts in the place of an answer.
    pub(super) fn injected(status: u16, code: Option<&str>) -> Self {
        let code = code.unwrap_or(match status {
            401 => "AccessDenied",
            403 => "SignatureDoesNotMatch",
            404 => "InvalidOrderReferenceId",
            400..500 => "InvalidParameterValue",
            503 => "ServiceUnavailable",
            _ => "InternalServerError",
        });
        match code {
            "RequestThrottled" | "QuotaExceeded" => Self::gateway(status, code, "injected"),
            _ => Self::new(status, code, "injected"),
        }
    }

    pub(super) fn is_throttle(&self) -> bool {
        matches!(self.code.as_str(), "RequestThrottled" | "QuotaExceeded")
    }

    #[cfg(test)]
    pub(super) fn message(&self) -> &str {
        &self.message
    }

    /// The document.
    pub(super) fn render(&self, request_id: &str) -> String {
        let mut xml = Xml::default();
        xml.root("ErrorResponse", NAMESPACE, |xml| {
            xml.within("Error", |xml| {
                // The gateway leaves the type of a throttle empty.
                xml.leaf(
                    "Type",
                    match self.status {
                        _ if self.is_throttle() => "",
                        500.. => "Receiver",
                        _ => "Sender",
                    },
                );
                xml.leaf("Code", &self.code);
                xml.leaf("Message", &self.message);
            });
            let name = if self.layout == Layout::Gateway { "RequestID" } else { "RequestId" };
            xml.leaf(name, request_id);
        });
        xml.into_text()
    }
}

/// What was asked for by id.
#[derive(Debug, Clone, Copy)]
pub(super) enum Wanted {
    Order,
    Agreement,
    Transaction,
}

/// The books' refusal in Amazon's words.
pub(super) fn word(books: &Books, seller: SellerAt, wanted: Wanted, refusal: Refusal) -> Error {
    match refusal {
        Refusal::OtherEnvironment if books.readings.second(8) => {
            Error::new(500, "InternalServerError", "An unknown error occurred.")
        }
        Refusal::Unknown | Refusal::OtherEnvironment => {
            let code = match wanted {
                Wanted::Order => "InvalidOrderReferenceId",
                Wanted::Agreement => "InvalidBillingAgreementId",
                Wanted::Transaction => "InvalidTransactionId",
            };
            Error::new(404, code, "The id you have provided is invalid.")
        }
        Refusal::OrderState(state) => {
            let message = format!("The order reference is in {} state.", state.text());
            Error::new(405, "InvalidOrderReferenceStatus", message)
        }
        Refusal::Constraints(found) => {
            let status = if books[seller].region == Region::Na { 404 } else { 400 };
            let message = format!("The order reference has constraints: {found:?}.");
            Error::new(status, "ConstraintsExist", message)
        }
        Refusal::AgreementState(state) => {
            let message = format!("The billing agreement is in {} state.", state.text());
            Error::new(405, "InvalidBillingAgreementStatus", message)
        }
        Refusal::AgreementConstraints(found) => {
            let message = format!("The billing agreement has constraints: {found:?}.");
            Error::new(400, "BillingAgreementConstraintsExist", message)
        }
        Refusal::MonthExceeded { used, asked, allowed, ends } => {
            let ends = rfc3339(ends);
            let message = format!(
                "{used} are used, {asked} were requested, {allowed} is the most until {ends}."
            );
            Error::new(400, "PeriodicAmountExceeded", message)
        }
        Refusal::AuthorizationState(state) => {
            let message = format!("The authorization is in {} state.", state.text());
            Error::new(405, "InvalidAuthorizationStatus", message)
        }
        Refusal::AmountExceeded { used, asked, allowed } => {
            let message =
                format!("{used} are used, {asked} were requested, {allowed} is the most.");
            Error::new(400, "TransactionAmountExceeded", message)
        }
        other => {
            let (status, code, message) = plain(&other);
            Error::new(status, code, message)
        }
    }
}

/// The refusals that say no more than their name.
fn plain(refusal: &Refusal) -> (u16, &'static str, &'static str) {
    match refusal {
        Refusal::NotModifiable => (
            405,
            "OrderReferenceNotModifiable",
            "The order reference is not in draft state and cannot be modified.",
        ),
        Refusal::AgreementNotModifiable => (
            405,
            "BillingAgreementNotModifiable",
            "The billing agreement is not in draft state and cannot be modified.",
        ),
        Refusal::OrderCountExceeded => (
            405,
            "OrderReferenceCountExceeded",
            "A billing agreement in draft state has one order reference.",
        ),
        Refusal::MethodNotUpdated => {
            (405, "PaymentMethodNotUpdated", "The payment method was not updated.")
        }
        Refusal::CancelAttempt => {
            (405, "InvalidCancelAttempt", "The order reference cannot be canceled in its state.")
        }
        Refusal::CloseAttempt => {
            (405, "InvalidCloseAttempt", "The order reference cannot be closed in its state.")
        }
        Refusal::NotRefundable => {
            (405, "CaptureNotRefundable", "The capture is not in Completed state.")
        }
        Refusal::CountExceeded => {
            (405, "TransactionCountExceeded", "The maximum number of transactions is reached.")
        }
        Refusal::CurrencyMismatch => {
            (400, "CurrencyMismatch", "The currency is not that of the order.")
        }
        Refusal::CurrencyUnsupported => {
            (400, "CurrencyUnsupported", "The currency is not supported.")
        }
        Refusal::DuplicateRequest => {
            (400, "DuplicateRequest", "The reference id was used with other parameters.")
        }
        Refusal::DuplicateReference => {
            (400, "DuplicateReferenceId", "The reference id was used for another request.")
        }
        Refusal::Token => (
            404,
            "InvalidAddressConsentToken",
            "The token is expired or was not issued for this buyer.",
        ),
        Refusal::Unknown
        | Refusal::OtherEnvironment
        | Refusal::OrderState(_)
        | Refusal::Constraints(_)
        | Refusal::AgreementState(_)
        | Refusal::AgreementConstraints(_)
        | Refusal::MonthExceeded { .. }
        | Refusal::AuthorizationState(_)
        | Refusal::AmountExceeded { .. } => (500, "InternalServerError", "An error occurred."),
    }
}
