//! Whose turn it is: the payment's own, or that of one of its operations. One thing is driven at a
//! time, under the payment's lease.

use super::decide;
use super::standing;
use super::state::OperationPhase;
use crate::domain::merchant::Api;
use crate::domain::operation::{OperationKind, OperationTag};
use crate::domain::payment::phase::{Exposure, Phase};
use crate::domain::payment::state::{Effort, Payment};

/// What a run drives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Focus {
    /// The payment itself.
    Payment,
    /// One of its operations.
    Operation(OperationTag),
}

/// How often an authorization at rest is looked at, because Amazon lets it expire without a word.
const LOOK_EVERY_MS: i64 = 86_400_000;

/// Whether an operation of this kind, behind the first `before` ones, has to wait: its payment is
/// in hand, or an operation that decides what becomes of the payment goes first.
pub(super) fn must_wait(payment: &Payment, kind: OperationKind, before: usize) -> bool {
    if kind == OperationKind::Cancel && standing::is_unsent(payment) {
        return false;
    }
    let decisive = |kind| match kind {
        OperationKind::Capture | OperationKind::Cancel => true,
        OperationKind::Refund => false,
    };
    payment.in_hand()
        || payment
            .operations
            .iter()
            .take(before)
            .any(|one| decisive(one.tag.kind) && one.phase.is_open())
}

/// Whether an operation's turn has come.
#[must_use]
pub fn has_come(payment: &Payment, tag: &OperationTag) -> bool {
    payment
        .operations
        .iter()
        .position(|one| one.tag == *tag)
        .is_some_and(|at| !must_wait(payment, tag.kind, at))
}

/// What is to be driven now; none where nothing is due.
#[must_use]
pub fn focus(payment: &Payment, now: i64) -> Option<Focus> {
    let due = |at: Option<i64>| at.is_some_and(|at| at <= now);
    let operations = || {
        let driven = |one: &&super::Operation| {
            one.phase.is_open() && one.dead_letter.is_none() && due(one.due_at)
        };
        payment.operations.iter().filter(driven)
    };
    // Whoever gives a payment up goes before another try of it.
    let cancels = |one: &&super::Operation| {
        one.tag.kind == OperationKind::Cancel && standing::is_unsent(payment)
    };
    if let Some(cancel) = operations().find(cancels) {
        return Some(Focus::Operation(cancel.tag.clone()));
    }
    let begun = payment
        .operations
        .iter()
        .any(|one| one.phase.is_begun() && one.tag.kind != OperationKind::Refund);
    let own = payment.dead_letter.is_none()
        && due(payment.due_at)
        && (payment.in_hand() || (payment.phase == Phase::Authorized && !begun));
    if own {
        return Some(Focus::Payment);
    }
    let first = operations().min_by_key(|one| one.due_at)?;
    Some(Focus::Operation(first.tag.clone()))
}

/// By which API that is driven, for an account that speaks `now`: what has begun is finished by the
/// one that began it, and what rests goes on by whichever knows it.
#[must_use]
pub fn api_of(payment: &Payment, focus: &Focus, now: Api) -> Api {
    match focus {
        Focus::Operation(tag) => payment.operation(tag).map_or(payment.api, |one| one.api),
        Focus::Payment if payment.in_hand() => payment.api,
        Focus::Payment => payment.api.goes_on_by(now),
    }
}

/// Makes the intent of what is driven part of the claim: a run that never settled counts as sent,
/// and an amount that can be fixed by what is known is.
pub fn claim(payment: &mut Payment, focus: &Focus, now: i64) {
    let claimed = |before: Exposure| match before {
        Exposure::Sent | Exposure::Open => Exposure::Sent,
        Exposure::Clear => Exposure::Open,
    };
    if payment.exposure == Exposure::Sent && payment.unanswered_at.is_none() {
        payment.unanswered_at = Some(now);
    }
    match focus {
        Focus::Payment if payment.exposure == Exposure::Clear && !payment.may_move_money() => {}
        Focus::Payment => match payment.exposure {
            Exposure::Clear => payment.exposure = Exposure::Open,
            Exposure::Open => payment.goes_unanswered(now),
            Exposure::Sent => {}
        },
        Focus::Operation(tag) => {
            decide::fix_capture(payment, tag);
            let Some(operation) = payment.operation_mut(tag) else { return };
            let calls = match operation.phase {
                OperationPhase::Calling => operation.tag.kind != OperationKind::Cancel,
                OperationPhase::Waiting
                | OperationPhase::Inspecting
                | OperationPhase::Pending
                | OperationPhase::Counting
                | OperationPhase::ClosingAuthorization
                | OperationPhase::Done
                | OperationPhase::Declined
                | OperationPhase::Failed => false,
            };
            if calls {
                operation.exposure = claimed(operation.exposure);
            }
        }
    }
}

/// Whoever had it in hand has it no more, and may have made its money call until now; whether
/// anybody had.
pub fn lose_driver(payment: &mut Payment) -> bool {
    let lost = payment.lease.take().is_some();
    if lost && payment.exposure == Exposure::Sent {
        // Nobody knows when: the next claim says that it was then.
        payment.unanswered_at = None;
    }
    lost
}

/// A run that was not written may have got as far as its money call.
pub fn unwritten(payment: &mut Payment, focus: &Focus, now: i64) {
    match focus {
        Focus::Payment if payment.exposure == Exposure::Clear => {}
        Focus::Payment => payment.goes_unanswered(now),
        Focus::Operation(_) => {
            let exposure = payment.chore(focus).exposure;
            if *exposure == Exposure::Open {
                *exposure = Exposure::Sent;
            }
        }
    }
}

/// Nothing of a payment that was found due can be driven: when it is to be looked at again.
pub fn nothing_to_do(payment: &mut Payment, now: i64) {
    payment.due_at = (payment.phase == Phase::Authorized).then_some(now + LOOK_EVERY_MS);
}

/// After a run: operations whose turn has come by it are due now.
pub fn wake_waiting(payment: &mut Payment, now: i64) {
    let tags: Vec<OperationTag> = payment
        .operations
        .iter()
        .filter(|one| one.phase == OperationPhase::Waiting && one.dead_letter.is_none())
        // What came back from its turn without success waits for its own time.
        .filter(|one| one.effort.attempt == 0 || payment.phase != Phase::Authorized)
        .map(|one| one.tag.clone())
        .filter(|tag| has_come(payment, tag))
        .collect();
    for tag in tags {
        if let Some(one) = payment.operation_mut(&tag) {
            one.due_at = Some(one.due_at.map_or(now, |due| due.min(now)));
        }
    }
}

/// The technical side of what a run drives.
#[derive(Debug)]
pub struct Chore<'a> {
    /// Tries and waits.
    pub effort: &'a mut Effort,
    /// When it is due.
    pub due_at: &'a mut Option<i64>,
    /// Whether money may have moved.
    pub exposure: &'a mut Exposure,
}

impl Payment {
    /// The technical side of what a run drives.
    pub fn chore(&mut self, focus: &Focus) -> Chore<'_> {
        let found = match focus {
            Focus::Payment => None,
            Focus::Operation(tag) => self.operations.iter_mut().find(|one| one.tag == *tag),
        };
        match found {
            Some(one) => Chore {
                effort: &mut one.effort,
                due_at: &mut one.due_at,
                exposure: &mut one.exposure,
            },
            None => Chore {
                effort: &mut self.effort,
                due_at: &mut self.due_at,
                exposure: &mut self.exposure,
            },
        }
    }
}
