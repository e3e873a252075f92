//! Sandbox simulation notes: JSON that a seller writes into a note to play a decline. Honored in
//! the sandbox alone; in production, and where it is no JSON, a note is just a note.

use serde_json::{Map, Value};

use super::errors::Error;
use crate::books::{CaptureFate, Ending, Environment, Fate, Reason, Step};
use crate::clock::{MINUTE, Millis, SECOND};

/// How long what happens "then" takes.
const A_WHILE: Millis = 30 * SECOND;

/// The simulation in a note, if it is one.
fn simulation(note: &str, environment: Environment) -> Result<Option<Map<String, Value>>, Error> {
    let note = note.trim();
    let meant = note.starts_with('{') && note.contains("SandboxSimulation");
    if environment == Environment::Live || !meant {
        return Ok(None);
    }
    let value: Value = serde_json::from_str(note).map_err(|_| wrong("the note is no JSON"))?;
    match value.get("SandboxSimulation") {
        Some(Value::Object(simulation)) => Ok(Some(simulation.clone())),
        _ => Err(wrong("SandboxSimulation is no object")),
    }
}

fn wrong(what: &str) -> Error {
    Error::new(400, "InvalidSandboxSimulationSpecified", format!("Invalid simulation: {what}."))
}

fn text<'a>(simulation: &'a Map<String, Value>, name: &str) -> &'a str {
    simulation.get(name).and_then(Value::as_str).unwrap_or("")
}

/// Minutes within bounds, as a number or as its text.
fn minutes(simulation: &Map<String, Value>, name: &str, max: i64) -> Result<Option<Millis>, Error> {
    let number = match simulation.get(name) {
        None => return Ok(None),
        Some(Value::String(text)) => text.parse().ok(),
        Some(value) => value.as_i64(),
    };
    match number {
        Some(number) if (1..=max).contains(&number) => Ok(Some(number * MINUTE)),
        _ => Err(wrong(&format!("{name} must be 1 to {max}"))),
    }
}

fn decline(reason: Reason) -> Step {
    Step { ending: Ending::Decline(reason), after: None }
}

/// What a note on an authorization asks for; `synchronous` calls cannot be mended by themselves.
pub(super) fn authorization(
    note: &str,
    environment: Environment,
    synchronous: bool,
    captures: bool,
) -> Result<Option<Fate>, Error> {
    let Some(simulation) = simulation(note, environment)? else { return Ok(None) };
    let mut fate = Fate::from(Step::APPROVE);
    match (text(&simulation, "State"), text(&simulation, "ReasonCode")) {
        ("Declined", "InvalidPaymentMethod") => {
            fate.step = decline(Reason::InvalidPaymentMethod);
            let mended = minutes(&simulation, "PaymentMethodUpdateTimeInMins", 240)?;
            fate.mended_after = mended.filter(|_| !synchronous);
            fate.soft = match simulation.get("SoftDecline") {
                None => false,
                Some(Value::Bool(soft)) => *soft,
                Some(Value::String(text)) if text == "true" || text == "false" => text == "true",
                Some(_) => return Err(wrong("SoftDecline must be true or false")),
            };
        }
        ("Declined", "AmazonRejected") => fate.step = decline(Reason::AmazonRejected),
        ("Declined", "TransactionTimedOut") => fate.step = decline(Reason::TransactionTimedOut),
        ("Closed", "ExpiredUnused") => {
            let after = minutes(&simulation, "ExpirationTimeInMins", 60)?;
            fate.closes = Some((Reason::ExpiredUnused, after.unwrap_or(MINUTE)));
        }
        ("Closed", "AmazonClosed") => fate.closes = Some((Reason::AmazonClosed, A_WHILE)),
        ("Pending", "") if captures => fate.capture = Some(pending_capture()),
        _ => return Err(wrong("this state and reason cannot be simulated")),
    }
    Ok(Some(fate))
}

fn pending_capture() -> CaptureFate {
    Step { ending: Ending::Approve, after: Some(A_WHILE) }.into()
}

/// What a note on a capture asks for.
pub(super) fn capture(note: &str, environment: Environment) -> Result<Option<CaptureFate>, Error> {
    let Some(simulation) = simulation(note, environment)? else { return Ok(None) };
    match (text(&simulation, "State"), text(&simulation, "ReasonCode")) {
        ("Pending", "") => Ok(Some(pending_capture())),
        ("Declined", "AmazonRejected") => Ok(Some(decline(Reason::AmazonRejected).into())),
        ("Closed", "AmazonClosed") => Ok(Some(CaptureFate { step: Step::APPROVE, closes: true })),
        _ => Err(wrong("this state and reason cannot be simulated")),
    }
}

/// What a note on a refund asks for.
pub(super) fn refund(note: &str, environment: Environment) -> Result<Option<Step>, Error> {
    let Some(simulation) = simulation(note, environment)? else { return Ok(None) };
    match (text(&simulation, "State"), text(&simulation, "ReasonCode")) {
        ("Declined", "AmazonRejected") => Ok(Some(decline(Reason::AmazonRejected))),
        _ => Err(wrong("this state and reason cannot be simulated")),
    }
}

/// Whether a note on an order asks for the constraint `PaymentMethodNotAllowed`.
pub(super) fn not_allowed(note: &str, environment: Environment) -> Result<bool, Error> {
    let Some(simulation) = simulation(note, environment)? else { return Ok(false) };
    match text(&simulation, "Constraint") {
        "PaymentMethodNotAllowed" => Ok(true),
        _ => Err(wrong("this constraint cannot be simulated")),
    }
}

/// Whether the reason for closing an order asks for Amazon's closing it.
pub(super) fn amazon_closes(note: &str, environment: Environment) -> Result<bool, Error> {
    let Some(simulation) = simulation(note, environment)? else { return Ok(false) };
    match (text(&simulation, "State"), text(&simulation, "ReasonCode")) {
        ("Closed", "AmazonClosed") => Ok(true),
        _ => Err(wrong("this state and reason cannot be simulated")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(inside: &str) -> String {
        format!(r#" {{ "SandboxSimulation" : {{{inside}}} }} "#)
    }

    fn sandbox(inside: &str) -> Result<Option<Fate>, Error> {
        authorization(&note(inside), Environment::Sandbox, false, true)
    }

    #[test]
    fn every_note_of_an_authorization_is_understood() {
        let declined = |reason| Ending::Decline(reason);
        for (inside, ending) in [
            (
                r#""State":"Declined","ReasonCode":"InvalidPaymentMethod","SoftDecline":"true""#,
                declined(Reason::InvalidPaymentMethod),
            ),
            (
                r#""State":"Declined","ReasonCode":"AmazonRejected""#,
                declined(Reason::AmazonRejected),
            ),
            (
                r#""State":"Declined","ReasonCode":"TransactionTimedOut""#,
                declined(Reason::TransactionTimedOut),
            ),
            (
                r#""State":"Closed","ReasonCode":"ExpiredUnused","ExpirationTimeInMins":"60""#,
                Ending::Approve,
            ),
            (r#""State":"Closed","ReasonCode":"AmazonClosed""#, Ending::Approve),
            (r#""State":"Pending""#, Ending::Approve),
        ] {
            assert_eq!(sandbox(inside).unwrap().unwrap().step.ending, ending, "{inside}");
        }
    }

    #[test]
    fn what_cannot_be_simulated_is_refused_and_other_notes_are_just_notes() {
        for inside in [
            r#""State":"Declined","ReasonCode":"ProcessingFailure""#,
            r#""State":"Open""#,
            r#""State":"Closed","ReasonCode":"ExpiredUnused","ExpirationTimeInMins":61"#,
            concat!(
                r#""State":"Declined","ReasonCode":"InvalidPaymentMethod","#,
                r#""PaymentMethodUpdateTimeInMins":0"#
            ),
            r#""State":"#,
        ] {
            assert!(sandbox(inside).is_err(), "{inside}");
        }
        let plain = |text: &str| authorization(text, Environment::Sandbox, true, false);
        assert_eq!(plain("thanks"), Ok(None));
        assert_eq!(plain(r#"{"gift":true}"#), Ok(None));
        let live = note(r#""State":"nonsense""#);
        assert_eq!(authorization(&live, Environment::Live, true, false), Ok(None));
    }

    #[test]
    fn captures_refunds_and_orders_have_notes_of_their_own() {
        let rejected = note(r#""State":"Declined","ReasonCode":"AmazonRejected""#);
        let sandbox = Environment::Sandbox;
        assert!(capture(&rejected, sandbox).unwrap().is_some());
        assert!(refund(&rejected, sandbox).unwrap().is_some());
        assert!(refund(&note(r#""State":"Pending""#), sandbox).is_err());
        let constraint = note(r#""Constraint":"PaymentMethodNotAllowed""#);
        assert_eq!(not_allowed(&constraint, sandbox), Ok(true));
        let closed = note(r#""State":"Closed","ReasonCode":"AmazonClosed""#);
        assert_eq!(amazon_closes(&closed, sandbox), Ok(true));
        assert!(capture(&closed, sandbox).unwrap().unwrap().closes);
    }
}
