//! What is always true of a payment, by number (design: I1 to I12). Checked by the tests, asserted
//! before every commit in debug builds, and counted as a metric in production.

use super::phase::{Exposure, Phase};
use super::state::Payment;

/// A broken invariant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Broken {
    /// Its number.
    pub number: &'static str,
    /// What was found.
    pub what: &'static str,
}

/// Every invariant that one payment can break by itself.
#[must_use]
pub fn check(payment: &Payment) -> Vec<Broken> {
    let rules: [(&'static str, &'static str, bool); 7] = [
        (
            "I1",
            "more captured than was asked for",
            payment.captured.currency() == payment.amount.currency()
                && payment.captured.minor() <= payment.amount.minor(),
        ),
        (
            "I4",
            "paid without a capture id",
            payment.phase != Phase::Paid || payment.capture_id.is_some(),
        ),
        (
            "I4",
            "paid without anything captured",
            payment.phase != Phase::Paid || !payment.captured.is_zero(),
        ),
        (
            "I5",
            "ended while money may have moved",
            payment.in_hand() || payment.exposure != Exposure::Sent,
        ),
        (
            "I2",
            "in hand, and neither due nor in the dead letters",
            !payment.in_hand() || payment.due_at.is_some() || payment.dead_letter.is_some(),
        ),
        (
            "I3",
            "ended without a published result",
            payment.in_hand() || payment.latest_event.is_some(),
        ),
        (
            "I10",
            "an epoch or a sequence that is no count",
            payment.epoch >= 1 && payment.processing_failures <= 16,
        ),
    ];
    rules
        .into_iter()
        .filter(|(_, _, holds)| !holds)
        .map(|(number, what, _)| Broken { number, what })
        .collect()
}

/// Every invariant between a payment and what it becomes by one commit.
#[must_use]
pub fn check_step(before: &Payment, after: &Payment) -> Vec<Broken> {
    let final_before = match before.phase {
        Phase::Paid | Phase::Failed | Phase::Canceled => true,
        Phase::Declined => !before.declined_soft(),
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
        | Phase::Authorized => false,
    };
    let mut broken = Vec::new();
    if final_before && after.phase != before.phase {
        broken.push(Broken { number: "I8", what: "an end was turned into something else" });
    }
    if after.epoch > before.epoch && before.exposure == Exposure::Sent && !before.in_hand() {
        broken.push(Broken { number: "I6", what: "a new epoch while the last one is unknown" });
    }
    if after.sequence < before.sequence {
        broken.push(Broken { number: "I3", what: "the sequence went back" });
    }
    broken
}
