//! What becomes of a payment when Amazon, or the time, says that something may have changed there.
//! A hint makes a look due, and nothing else: what is true is read from Amazon.

use super::phase::Phase;
use super::state::Payment;
use crate::domain::notification::About;

/// A hint about an object of this payment's consent; true where the payment is to be looked at now,
/// because it waits for Amazon's word or may have been changed at Amazon since.
pub fn heed(payment: &mut Payment, about: About, now: i64) -> bool {
    let operations = match about {
        About::Refund | About::Capture | About::Charge | About::Chargeback => {
            payment.poke_operations(now)
        }
        About::Reference | About::Agreement | About::Authorization | About::Other => false,
    };
    heed_itself(payment, about, now) || operations
}

fn heed_itself(payment: &mut Payment, about: About, now: i64) -> bool {
    if payment.dead_letter.is_some() {
        return false;
    }
    match payment.phase {
        // They wait for Amazon; everything else in hand waits for something else, and goes on by
        // itself.
        Phase::AuthorizationPending | Phase::CapturePending | Phase::Authorized => match about {
            About::Reference
            | About::Agreement
            | About::Authorization
            | About::Capture
            | About::Charge => {
                payment.due_at = Some(now);
                true
            }
            About::Refund | About::Chargeback | About::Other => false,
        },
        Phase::Scheduled
        | Phase::Metering
        | Phase::WaitingForOrder
        | Phase::Inspecting
        | Phase::SettingDetails
        | Phase::Confirming
        | Phase::Completing
        | Phase::Authorizing
        | Phase::LookingUp
        | Phase::Capturing
        | Phase::ClosingAuthorization
        | Phase::Paid
        | Phase::Declined
        | Phase::Failed
        | Phase::Canceled => false,
    }
}
