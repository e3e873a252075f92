//! What is always true of a payment, by number (design: I1 to I12). Checked by the tests, asserted
//! before every commit in debug builds, and counted as a metric in production.

use super::operations::{Operation, OperationPhase};
use super::phase::{Exposure, Phase};
use super::state::Payment;
use crate::domain::operation::OperationKind;

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
        .chain(payment.operations.iter().flat_map(|one| operation_rules(payment, one)))
        .filter(|(_, _, holds)| !holds)
        .map(|(number, what, _)| Broken { number, what })
        .collect()
}

/// What must hold of each operation.
fn operation_rules(payment: &Payment, one: &Operation) -> [(&'static str, &'static str, bool); 5] {
    let rests = matches!(payment.phase, Phase::Authorized | Phase::Declined);
    [
        (
            "I1",
            "more refunds begun than was captured",
            one.takes().is_none() || payment.refunds_begun().minor() <= payment.captured.minor(),
        ),
        (
            "I1",
            "a capture begun on what is not at rest",
            one.tag.kind != OperationKind::Capture || !one.phase.is_begun() || rests,
        ),
        (
            "I5",
            "an operation ended while money may have moved",
            one.phase.is_open() || one.exposure == Exposure::Clear,
        ),
        (
            "I2",
            "an operation open, and neither due nor in the dead letters",
            !one.phase.is_open() || one.due_at.is_some() || one.dead_letter.is_some(),
        ),
        (
            "I3",
            "an operation ended without a published result",
            one.phase.is_open() || one.latest_event.is_some(),
        ),
    ]
}

/// What must hold between each operation and what it becomes: amounts are fixed once, an end is
/// final, and what was begun does not vanish.
fn operation_steps(before: &Payment, after: &Payment) -> Vec<Broken> {
    let mut broken = Vec::new();
    for one in &before.operations {
        let Some(then) = after.operation(&one.tag) else {
            let unasked = matches!(one.phase, OperationPhase::Waiting | OperationPhase::Inspecting);
            if !unasked {
                broken.push(Broken { number: "I2", what: "an operation that was begun vanished" });
            }
            continue;
        };
        if one.amount.is_some() && one.amount != then.amount {
            broken.push(Broken { number: "I6", what: "an operation's amount was changed" });
        }
        if !one.phase.is_open() && one.phase != then.phase {
            broken
                .push(Broken { number: "I8", what: "an operation's end was turned into another" });
        }
    }
    broken
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
    let mut broken = operation_steps(before, after);
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
