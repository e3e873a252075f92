//! What becomes of a payment when Amazon, or the time, says that something may have changed there.
//! A hint makes a look due, and nothing else: what is true is read from Amazon. A look at what is
//! paid can add a refund or a dispute; it never turns one end into another.

use super::operations;
use super::phase::{Phase, Told};
use super::state::Payment;
use crate::domain::gateway::{Answer, CaptureView, Effect, Fault, RefundState, RefundView, Reply};
use crate::domain::ids::RefundId;
use crate::domain::money::Money;
use crate::domain::notification::About;
use crate::domain::policy::Policy;

/// Between two looks at one payment, however many hints come.
const LOOKS_APART_MS: i64 = 1_000;
/// Before a hint that proved nothing yet is looked into once more, and between two looks at what
/// somebody else began.
const SOON_MS: i64 = 6 * 3_600_000;
/// Before a look that met trouble is tried again, at most.
const TROUBLE_MS: i64 = 3_600_000;
/// The time of a look that a hint asked for: before all that are due by the clock.
pub const BY_HINT: i64 = 0;
/// The longest wait between two looks by the clock.
const WAIT_MAX_MS: i64 = 45 * 86_400_000;

/// When Amazon is looked at again after the end, and what was found there that we did not do.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Lookout {
    /// When, in milliseconds since the epoch; [`BY_HINT`] means before anything else.
    pub at: Option<i64>,
    /// Since when, in milliseconds since the epoch.
    pub since: i64,
    /// Looks by the clock so far.
    pub looks: u32,
    /// Looks in a row that met trouble.
    pub troubles: u32,
    /// The last look, in milliseconds since the epoch.
    pub looked_at: i64,
    /// Whether a chargeback was told and none was found since.
    pub dispute_told: bool,
    /// What was found, in order.
    pub found: Vec<Found>,
}

impl Lookout {
    /// What went back without us, as far as it was found, in minor units.
    #[must_use]
    pub fn sum(&self) -> i64 {
        self.found.iter().map(|found| found.amount.minor()).sum()
    }
}

/// Money that went back without us: a refund made in Seller Central, a chargeback, a claim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// Amazon's refund, where it tells.
    pub id: Option<RefundId>,
    /// How much.
    pub amount: Money,
    /// Whether the buyer's bank or Amazon took it, and not the seller.
    pub dispute: bool,
}

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
    let sale = match about {
        About::Reference
        | About::Agreement
        | About::Authorization
        | About::Capture
        | About::Charge => true,
        About::Refund | About::Chargeback | About::Other => false,
    };
    match payment.phase {
        // They wait for Amazon; everything else in hand waits for something else, and goes on by
        // itself.
        Phase::AuthorizationPending | Phase::CapturePending | Phase::Authorized => {
            let waits = sale && payment.dead_letter.is_none();
            if waits {
                payment.due_at = Some(now);
            }
            waits
        }
        Phase::Paid => match about {
            About::Capture | About::Charge | About::Refund | About::Chargeback => {
                let lookout = &mut payment.lookout;
                let next = lookout.looked_at + LOOKS_APART_MS;
                lookout.at = Some(if next > now { next } else { BY_HINT });
                lookout.dispute_told |= about == About::Chargeback;
                true
            }
            About::Reference | About::Agreement | About::Authorization | About::Other => false,
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
        | Phase::Declined
        | Phase::Failed
        | Phase::Canceled => false,
    }
}

/// The first look at a payment that was just paid, where there is to be one.
pub fn arm(payment: &mut Payment, now: i64, policy: &Policy) {
    let lookout = &mut payment.lookout;
    if payment.phase == Phase::Paid && lookout.since == 0 && policy.reconcile_for_ms > 0 {
        lookout.since = now;
        // A hint that came before has its own time.
        lookout.at.get_or_insert(now + policy.reconcile_first_ms.min(policy.reconcile_for_ms));
    }
}

/// The call of a look; none where there is nothing to look at.
#[must_use]
pub fn begin(payment: &Payment) -> Option<Effect> {
    match payment.phase {
        Phase::Paid => payment.capture_id.clone().map(Effect::ReadRefunds),
        Phase::Scheduled
        | Phase::Metering
        | Phase::WaitingForOrder
        | Phase::Inspecting
        | Phase::SettingDetails
        | Phase::Confirming
        | Phase::Completing
        | Phase::Authorizing
        | Phase::LookingUp
        | Phase::AuthorizationPending
        | Phase::Capturing
        | Phase::CapturePending
        | Phase::ClosingAuthorization
        | Phase::Authorized
        | Phase::Declined
        | Phase::Failed
        | Phase::Canceled => None,
    }
}

/// What a look found: what is to be told of it, and when the next one is due.
pub fn on_reply(payment: &mut Payment, reply: Reply, now: i64, policy: &Policy) -> Vec<Told> {
    let by_hint = payment.lookout.at.is_none_or(|at| at < payment.lookout.since);
    match reply {
        Ok(Answer::Refunds(view, listed)) => {
            let (found, pending) = compare(payment, &view, &listed);
            settle(payment, now, by_hint, pending, policy);
            found.into_iter().map(Told::Found).collect()
        }
        Ok(_) | Err(Fault::Refused { .. } | Fault::Declined { .. } | Fault::Unexpected { .. }) => {
            settle(payment, now, by_hint, false, policy);
            Vec::new()
        }
        Err(
            Fault::Throttled { .. }
            | Fault::NotSent
            | Fault::Unavailable { .. }
            | Fault::Unknown
            | Fault::Credentials { .. },
        ) => {
            let lookout = &mut payment.lookout;
            lookout.troubles = lookout.troubles.saturating_add(1);
            let wait = 2_000i64.saturating_mul(1 << lookout.troubles.min(20));
            lookout.at = Some(now + wait.min(TROUBLE_MS));
            Vec::new()
        }
    }
}

/// Takes over what Amazon shows and we did not know; whether something is still under way.
fn compare(payment: &mut Payment, view: &CaptureView, listed: &[RefundView]) -> (Vec<Found>, bool) {
    let others: Vec<&RefundView> =
        listed.iter().filter(|refund| !operations::is_ours(payment, refund)).collect();
    let pending = others.iter().any(|one| one.state == RefundState::Pending);
    let mut new = Vec::new();
    for refund in others.iter().filter(|one| one.state == RefundState::Completed) {
        let known = payment.lookout.found.iter().any(|one| one.id.as_ref() == Some(&refund.id));
        if let (false, Some(amount)) = (known, refund.amount) {
            new.push(Found { id: Some(refund.id.clone()), amount, dispute: refund.dispute });
        }
    }
    if listed.is_empty() {
        new.extend(unlisted(payment, view));
    }
    if new.iter().any(|found| found.dispute) {
        payment.lookout.dispute_told = false;
    }
    payment.lookout.found.extend(new.iter().cloned());
    let known = payment.refunds_done().minor() + payment.lookout.sum();
    let sum = view.refunded.map_or(known, |refunded| refunded.minor().max(known));
    // What was given back is never taken back.
    let sum = sum.max(payment.refunded.minor());
    payment.refunded = Money::from_minor(sum, payment.amount.currency());
    (new, pending)
}

/// Where Amazon lists no refunds, its sum alone tells of those that are not ours.
fn unlisted(payment: &Payment, view: &CaptureView) -> Option<Found> {
    let refunded = view.refunded?;
    let more = refunded.minor() - payment.refunds_begun().minor() - payment.lookout.sum();
    (more > 0).then(|| Found {
        id: None,
        amount: Money::from_minor(more, refunded.currency()),
        dispute: payment.lookout.dispute_told,
    })
}

/// A look is over: when the next one is due.
fn settle(payment: &mut Payment, now: i64, by_hint: bool, pending: bool, policy: &Policy) {
    let lookout = &mut payment.lookout;
    lookout.looked_at = now;
    lookout.troubles = 0;
    if !by_hint {
        lookout.looks = lookout.looks.saturating_add(1);
    }
    let first = policy.reconcile_first_ms.max(1);
    // 1, 3, 7, 15 … times the first wait after the payment, then every 45 days.
    let (mut at, mut wait) = (lookout.since, first);
    for _ in 0..=lookout.looks.min(64) {
        at = at.saturating_add(wait);
        wait = wait.saturating_mul(2).min(WAIT_MAX_MS.max(first));
    }
    let last = lookout.since.saturating_add(policy.reconcile_for_ms);
    let by_clock = match at {
        at if at <= last => Some(at.max(now)),
        _ if now < last => Some(last),
        _ => None,
    };
    let soon = (pending || lookout.dispute_told).then_some(now + SOON_MS);
    lookout.dispute_told &= by_hint;
    lookout.at = by_clock.into_iter().chain(soon).min();
}
