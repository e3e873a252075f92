//! Whether a command opens a payment, a new epoch, joins one in hand, is answered with what is
//! known already, or is not acceptable: the table "the same payment asked for again".

use super::phase::Phase;
use super::state::Payment;
use crate::domain::command::{Sale, Subject};
use crate::domain::decline::{FieldError, RejectionCode};
use crate::domain::ids::ReferenceId;
use crate::domain::mandate::Mandate;

/// What a message id was taken for when it was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seen {
    /// A command for this payment (its row's id).
    Accepted(String),
    /// Not acceptable; the event that says so.
    Rejected(String),
}

/// What the store knows of a message id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenMessage {
    /// Digest of its parsed fields.
    pub fingerprint: String,
    /// What it was taken for.
    pub seen: Seen,
}

/// What the store knows that bears on a command.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// The same message id.
    pub message: Option<SeenMessage>,
    /// The same payment.
    pub payment: Option<Payment>,
    /// Row id of the payment that owns the command's reference in the same seller account.
    pub reference_owner: Option<String>,
    /// The other charges of the same agreement, order and cycle.
    pub rivals: Vec<Payment>,
    /// The agreement, where one of them may yet be authorized again by itself.
    pub mandate: Option<Mandate>,
}

/// What becomes of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// A payment begins.
    Open,
    /// A new epoch of a payment that was declined softly.
    Reopen,
    /// The outcome of the payment in hand is this one's too.
    Join,
    /// The payment's latest result again.
    Again,
    /// The message's own rejection again; the event's id.
    RejectedAgain(String),
    /// Not acceptable.
    Reject(RejectionCode, Vec<FieldError>),
}

/// Judges a sale by what is known.
#[must_use]
pub fn admit(sale: &Sale, fingerprint: &str, known: &Known) -> Admission {
    if let Some(message) = &known.message {
        if message.fingerprint != fingerprint {
            return conflict("messageId", "this message id was used before with other fields");
        }
        return match (&message.seen, &known.payment) {
            (Seen::Rejected(event), _) => Admission::RejectedAgain(event.clone()),
            (Seen::Accepted(_), Some(payment)) if payment.in_hand() => Admission::Join,
            // Never a new attempt under the same message id, soft decline or not.
            (Seen::Accepted(_), Some(_)) => Admission::Again,
            (Seen::Accepted(_), None) => Admission::Open,
        };
    }
    match &known.payment {
        Some(payment) => admit_known(sale, payment, known),
        None => match reference_taken(sale, known).or_else(|| charged_by_itself(known)) {
            Some(rejection) => rejection,
            None => Admission::Open,
        },
    }
}

fn admit_known(sale: &Sale, payment: &Payment, known: &Known) -> Admission {
    let differing = differences(sale, payment);
    if payment.in_hand() {
        return if differing.is_empty() { Admission::Join } else { reject(differing) };
    }
    match payment.phase {
        Phase::Declined if payment.declined_soft() => admit_after_soft(sale, payment, known),
        Phase::Authorized | Phase::Paid if !differing.is_empty() => reject(differing),
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
        | Phase::ClosingAuthorization
        | Phase::Authorized
        | Phase::Paid
        | Phase::Declined
        | Phase::Failed
        | Phase::Canceled => Admission::Again,
    }
}

fn admit_after_soft(sale: &Sale, payment: &Payment, known: &Known) -> Admission {
    let same_reference = sale.reference.is_none() || payment.is_on(sale.reference.as_ref());
    if same_reference
        && payment.owns_reference
        && let Some(total) = payment.confirmed_total
        && total != sale.amount
    {
        let message = format!("the reference was confirmed with a total of {total}");
        return conflict("amount", &message);
    }
    reference_taken(sale, known).or_else(|| charged_by_itself(known)).unwrap_or(Admission::Reopen)
}

/// An earlier charge for the same thing is being charged again by ourselves, or was: never both.
fn charged_by_itself(known: &Known) -> Option<Admission> {
    let charged =
        |rival: &&Payment| rival.by_itself() && (rival.in_hand() || rival.phase == Phase::Paid);
    known.rivals.iter().find(charged).map(|rival| {
        let charge = rival.key.subject.key();
        let message = format!("charge {charge} of this cycle was authorized again by itself");
        conflict("cycle", &message)
    })
}

fn reference_taken(sale: &Sale, known: &Known) -> Option<Admission> {
    // Many payments share it, and the order whose checkout session it came of is its owner.
    if sale.reference.as_ref().is_some_and(ReferenceId::is_recurring) {
        return None;
    }
    let owner = known.reference_owner.as_ref()?;
    let order_s = match &sale.key.subject {
        // An upsell may name its order's reference: it does not take it.
        Subject::Upsell(order, _) => *owner == format!("{}/order/{order}", sale.key.mid),
        Subject::Order(_) | Subject::Charge(_) => false,
    };
    if *owner == sale.key.event_subject() || order_s {
        return None;
    }
    Some(conflict("amazonOrderId", "another payment was made with this reference"))
}

fn differences(sale: &Sale, payment: &Payment) -> Vec<FieldError> {
    let mut errors = Vec::new();
    if sale.amount.currency() != payment.amount.currency() {
        let message = format!("the payment is in {}", payment.amount.currency());
        errors.push(FieldError::new("currency", message));
    } else if sale.amount != payment.amount {
        let message = format!("the payment is of {}", payment.amount.amount());
        errors.push(FieldError::new("amount", message));
    }
    let same = match (&sale.reference, &payment.reference) {
        (Some(_), Some(_)) => payment.is_on(sale.reference.as_ref()),
        // Left out means the order's, which the payment may not have learnt yet.
        (None, _) => !payment.owns_reference,
        (Some(_), None) => true,
    };
    if !same {
        errors.push(FieldError::new("amazonOrderId", "the payment is on another reference"));
    }
    errors
}

fn reject(errors: Vec<FieldError>) -> Admission {
    Admission::Reject(RejectionCode::Conflict, errors)
}

fn conflict(field: &str, message: &str) -> Admission {
    reject(vec![FieldError::new(field, message)])
}
