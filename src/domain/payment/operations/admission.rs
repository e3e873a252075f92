//! Whether an operation begins, joins one that is open, is answered with what it came to, or is not
//! acceptable. A request id belongs to one payment and one kind of operation and happens once.

use super::standing::{self, Objection, conflict};
use super::state::Operation;
use super::turn;
use crate::domain::decline::{FieldError, RejectionCode};
use crate::domain::operation::OperationCommand;
use crate::domain::payment::admission::{Known, Seen};
use crate::domain::payment::state::Payment;

/// Operations of one payment, whatever became of them; Amazon takes ten refunds of a capture.
const OPERATIONS_MAX: usize = 100;

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationAdmission {
    /// It is a new operation of the payment.
    Open,
    /// The operation is open: its outcome is this command's too.
    Join,
    /// The operation's latest result again; the event's id.
    Again(Option<String>),
    /// The message's own rejection again; the event's id.
    RejectedAgain(String),
    /// Nobody knows the payment, yet.
    Unknown,
    /// Not acceptable.
    Reject(RejectionCode, Vec<FieldError>),
}

impl From<Objection> for OperationAdmission {
    fn from((code, errors): Objection) -> Self {
        OperationAdmission::Reject(code, errors)
    }
}

/// Judges an operation by what is known.
#[must_use]
pub fn admit(command: &OperationCommand, fingerprint: &str, known: &Known) -> OperationAdmission {
    if let Some(message) = &known.message {
        if message.fingerprint != fingerprint {
            let why = "this message id was used before with other fields";
            return conflict("messageId", why).into();
        }
        if let Seen::Rejected(event) = &message.seen {
            return OperationAdmission::RejectedAgain(event.clone());
        }
    }
    let Some(payment) = &known.payment else { return OperationAdmission::Unknown };
    match payment.operation(&command.tag()) {
        Some(operation) => admit_known(command, payment, operation),
        None => admit_new(command, payment),
    }
}

fn admit_known(
    command: &OperationCommand,
    payment: &Payment,
    operation: &Operation,
) -> OperationAdmission {
    let asked = match standing::wanted(payment, command.wanted) {
        Ok(asked) => asked,
        Err(objection) => return objection.into(),
    };
    let first = standing::wanted(payment, operation.wanted).unwrap_or(operation.amount);
    // Left out meant all that was left; a repeat may name what that came to.
    let same = asked == first || (asked.is_some() && asked == operation.amount);
    if !same {
        let shown = operation.amount.or(first);
        let shown = shown.map_or("all that is left".to_owned(), |amount| amount.amount());
        let why = format!("this requestId was used for {shown}");
        return conflict("amount", why).into();
    }
    if operation.phase.is_open() {
        OperationAdmission::Join
    } else {
        OperationAdmission::Again(operation.latest_event.clone())
    }
}

fn admit_new(command: &OperationCommand, payment: &Payment) -> OperationAdmission {
    if payment.operations.len() >= OPERATIONS_MAX {
        let why = "the payment has more operations than it may have";
        return conflict("requestId", why).into();
    }
    let judged = if turn::must_wait(payment, command.operation, payment.operations.len()) {
        standing::wanted(payment, command.wanted).map(|_| ())
    } else {
        standing::object(payment, command.operation, command.wanted).map(|_| ())
    };
    match judged {
        Ok(()) => OperationAdmission::Open,
        Err(objection) => objection.into(),
    }
}
