//! Sandbox simulation codes: what a header of the merchant's asks to happen. Each operation has its
//! own, and the word is good in the sandbox alone.

use super::Call;
use super::errors::Error;
use crate::books::{Ending, Environment, Fate, Reason, Step};
use crate::clock::{Millis, SECOND};

/// How long what is pending takes.
const A_WHILE: Millis = 30 * SECOND;

/// What befalls a checkout when it is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Checkout {
    /// It is canceled, for this reason.
    Canceled(&'static str),
    /// The authorization is pending first.
    Pending,
}

fn wrong(code: &str) -> Error {
    let message = format!("{code} cannot be simulated here.");
    Error::new(400, "InvalidSandboxSimulationSpecified", message)
}

/// The code of a call, if it has one.
fn code<'a>(call: &Call<'a>) -> Result<Option<&'a str>, Error> {
    match call.simulation {
        Some(code) if call.environment == Environment::Live => Err(wrong(code)),
        code => Ok(code),
    }
}

fn decline(reason: Reason) -> Fate {
    Step { ending: Ending::Decline(reason), after: None }.into()
}

/// Of `POST charges`.
pub(super) fn charge(call: &Call<'_>, may_pend: bool) -> Result<Option<Fate>, Error> {
    let Some(code) = code(call)? else { return Ok(None) };
    let (word, after) = match code.strip_prefix("Pending") {
        Some(word) if may_pend => (word, Some(A_WHILE)),
        Some(_) => return Err(wrong(code)),
        None => (code, None),
    };
    let mut fate = match word {
        "HardDeclined" => decline(Reason::InvalidPaymentMethod),
        "SoftDeclined" => Fate { soft: true, ..decline(Reason::ProcessingFailure) },
        "AmazonRejected" => decline(Reason::AmazonRejected),
        "ProcessingFailure" => decline(Reason::ProcessingFailure),
        "TransactionTimedOut" => decline(Reason::TransactionTimedOut),
        "AuthorizationInitiated" if may_pend => {
            Step { ending: Ending::Approve, after: Some(A_WHILE) }.into()
        }
        "" | "Authorized" => Step::APPROVE.into(),
        "CaptureInitiated" => {
            let capture = Step { ending: Ending::Approve, after: Some(A_WHILE) };
            Fate { capture: Some(capture.into()), ..Step::APPROVE.into() }
        }
        _ => return Err(wrong(code)),
    };
    fate.step.after = after.or(fate.step.after);
    Ok(Some(fate))
}

/// Of `POST checkoutSessions/{id}/complete`.
pub(super) fn checkout(call: &Call<'_>) -> Result<Option<Checkout>, Error> {
    match code(call)? {
        None => Ok(None),
        Some("BuyerCanceled") => Ok(Some(Checkout::Canceled("BuyerCanceled"))),
        Some("AmazonCanceled") => Ok(Some(Checkout::Canceled("AmazonCanceled"))),
        Some("Declined") => Ok(Some(Checkout::Canceled("Declined"))),
        Some("AuthorizationInitiated") => Ok(Some(Checkout::Pending)),
        Some(other) => Err(wrong(other)),
    }
}

/// The fate of an authorization that is pending first and approved then.
pub(super) fn pending() -> Fate {
    Step { ending: Ending::Approve, after: Some(A_WHILE) }.into()
}

/// Of `POST charges/{id}/capture` and `POST refunds`.
pub(super) fn step(call: &Call<'_>) -> Result<Option<Step>, Error> {
    let Some(code) = code(call)? else { return Ok(None) };
    let decline = |reason| Step { ending: Ending::Decline(reason), after: None };
    match code {
        "AmazonRejected" => Ok(Some(decline(Reason::AmazonRejected))),
        "ProcessingFailure" => Ok(Some(decline(Reason::ProcessingFailure))),
        "CaptureInitiated" | "RefundInitiated" => {
            Ok(Some(Step { ending: Ending::Approve, after: Some(A_WHILE) }))
        }
        _ => Err(wrong(code)),
    }
}

/// Of `DELETE chargePermissions/{id}/close`: whether Amazon is to close it.
pub(super) fn amazon_closes(call: &Call<'_>) -> Result<bool, Error> {
    match code(call)? {
        None => Ok(false),
        Some("AmazonClosed") => Ok(true),
        Some(other) => Err(wrong(other)),
    }
}
