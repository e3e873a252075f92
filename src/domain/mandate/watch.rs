//! What a look at a consent means: it was suspended, mended, closed; and how one that is to be
//! closed is closed. Pure, like the life of a payment: it says which call to make and what to tell.

use super::{Mandate, MandateState};
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::gateway::{Answer, Effect, Fault, ReferenceState, ReferenceView, Reply};
use crate::domain::payment::DeadLetterReason;
use crate::domain::policy::Policy;

/// Looks that follow the schedule of what is pending; after those it is looked at four times a day.
const LOOKS_SOON: u32 = 64;
const LATER_MS: i64 = 6 * 3_600_000;
/// Half a year of those, then nobody mends it any more.
const LOOKS_MAX: u32 = LOOKS_SOON + 4 * 180;

/// Before a word of Amazon that we do not know is looked at again.
const STRANGE_MS: i64 = 3_600_000;

/// What is to be told of an agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum News {
    /// The buyer must mend the payment method.
    Suspended,
    /// The buyer has mended it.
    Reopened,
    /// It is over, by whomever.
    Closed,
    /// It is over, as was asked for by this request.
    ClosedBy(usize),
    /// This request is not acceptable.
    Rejected(usize, Decline),
}

/// What must be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Make this call and come back with the reply.
    Call(Effect),
    /// Commit and let go.
    Settle,
    /// Commit, and lay the requests to close it before an operator.
    Operator(DeadLetterReason, String),
}

/// One look: what it has learnt so far.
#[derive(Debug, Clone, Default)]
pub struct Look {
    /// What is to be told, in order.
    pub news: Vec<News>,
    /// Calls so far: a guard against turning in circles.
    calls: u32,
}

impl Look {
    /// The first step of a look.
    #[must_use]
    pub fn begin(&mut self, mandate: &mut Mandate, now: i64, policy: &Policy) -> Step {
        if mandate.declined_at.take().is_some() {
            // The decline said so: Amazon need not be asked before it is told.
            if !matches!(mandate.state, MandateState::Suspended | MandateState::Closed) {
                mandate.state = MandateState::Suspended;
                self.news.push(News::Suspended);
            }
            mandate.polls = 0;
            wait(mandate, now, policy);
            if !mandate.wants_closing() {
                return Step::Settle;
            }
        }
        self.call(Effect::ReadReference(mandate.reference.clone()))
    }

    /// What a reply means.
    #[must_use]
    pub fn decide(
        &mut self,
        mandate: &mut Mandate,
        effect: &Effect,
        reply: Reply,
        now: i64,
        policy: &Policy,
    ) -> Step {
        match (effect, reply) {
            (Effect::ReadReference(_), Ok(Answer::Reference(view))) => {
                self.seen(mandate, &view, now, policy)
            }
            (Effect::CloseReference(_), Ok(Answer::Done)) => {
                mandate.state = MandateState::Closed;
                self.over(mandate)
            }
            // Somebody else closed it, or it is in Draft: a look tells.
            (Effect::CloseReference(_), Err(Fault::Refused { .. })) if self.calls < 4 => {
                self.call(Effect::ReadReference(mandate.reference.clone()))
            }
            (Effect::ReadReference(_), Err(Fault::Refused { code })) if is_unknown(&code) => {
                let message = "Amazon does not know this agreement for this merchant account";
                self.refuse(mandate, RejectionCode::UnknownReference, message)
            }
            (_, Ok(_)) => trouble(mandate, "an answer to something else", now, policy),
            (_, Err(Fault::Throttled { retry_after_ms })) => {
                mandate.due_at = Some(now + retry_after_ms.unwrap_or(1_000).max(1_000));
                Step::Settle
            }
            (_, Err(fault)) => trouble(mandate, fault.name(), now, policy),
        }
    }

    fn call(&mut self, effect: Effect) -> Step {
        self.calls += 1;
        Step::Call(effect)
    }

    fn seen(
        &mut self,
        mandate: &mut Mandate,
        view: &ReferenceView,
        now: i64,
        policy: &Policy,
    ) -> Step {
        let before = mandate.state;
        mandate.see(view);
        match view.state {
            ReferenceState::Closed | ReferenceState::Canceled => {
                if before != MandateState::Closed && !mandate.wants_closing() {
                    self.news.push(News::Closed);
                }
                self.over(mandate)
            }
            ReferenceState::Draft if mandate.wants_closing() => {
                let message = "the agreement is not confirmed yet: there is nothing to close";
                self.refuse(mandate, RejectionCode::Conflict, message)
            }
            ReferenceState::Draft => {
                mandate.due_at = None;
                Step::Settle
            }
            ReferenceState::Open | ReferenceState::Suspended => {
                self.turned(mandate, before, now, policy);
                if mandate.wants_closing() {
                    return self.call(Effect::CloseReference(mandate.reference.clone()));
                }
                Step::Settle
            }
            ReferenceState::Other => {
                mandate.due_at = Some(now + STRANGE_MS);
                Step::Settle
            }
        }
    }

    fn turned(&mut self, mandate: &mut Mandate, before: MandateState, now: i64, policy: &Policy) {
        match (before, mandate.state) {
            (MandateState::Suspended, MandateState::Open) => {
                self.news.push(News::Reopened);
                mandate.reopened_at = Some(now);
                mandate.polls = 0;
                mandate.due_at = Some(now);
            }
            (MandateState::Suspended, MandateState::Suspended) => wait(mandate, now, policy),
            (_, MandateState::Suspended) => {
                self.news.push(News::Suspended);
                mandate.polls = 0;
                wait(mandate, now, policy);
            }
            (_, MandateState::Open | MandateState::Closed | MandateState::Unknown) => {
                mandate.due_at = mandate.reopened_at.map(|_| now);
            }
        }
    }

    fn over(&mut self, mandate: &mut Mandate) -> Step {
        mandate.due_at = None;
        mandate.reopened_at = None;
        let open = mandate.closings.iter().enumerate();
        let open = open.filter(|(_, closing)| closing.event.is_none());
        self.news.extend(open.map(|(at, _)| News::ClosedBy(at)));
        Step::Settle
    }

    fn refuse(&mut self, mandate: &mut Mandate, code: RejectionCode, message: &str) -> Step {
        mandate.due_at = None;
        for (at, closing) in mandate.closings.iter().enumerate() {
            if closing.event.is_none() {
                let errors = vec![FieldError::new("amazonBillingAgreementId", message)];
                self.news.push(News::Rejected(at, Decline::rejected(code, errors)));
            }
        }
        Step::Settle
    }
}

impl Mandate {
    /// Whether a request to close it is not done with.
    #[must_use]
    pub fn wants_closing(&self) -> bool {
        self.dead_letter.is_none() && self.closings.iter().any(|closing| closing.event.is_none())
    }
}

/// A suspended one is looked at again, ever later.
fn wait(mandate: &mut Mandate, now: i64, policy: &Policy) {
    mandate.due_at = match mandate.polls {
        soon if soon < LOOKS_SOON => Some(now + policy.poll_after_ms(soon)),
        later if later < LOOKS_MAX => Some(now + LATER_MS),
        _ => None,
    };
    mandate.polls = mandate.polls.saturating_add(1);
}

/// Amazon could not be asked: later again, and for a request to close it within its budget.
fn trouble(mandate: &mut Mandate, why: &str, now: i64, policy: &Policy) -> Step {
    let oldest = mandate.closings.iter().filter(|closing| closing.event.is_none());
    let oldest = oldest.map(|closing| closing.since).min();
    if oldest.is_some_and(|since| now - since > policy.budget_operations_ms) {
        mandate.due_at = None;
        let detail = format!("transient trouble outlasted the budget ({why})");
        return Step::Operator(DeadLetterReason::Exhausted, detail);
    }
    wait(mandate, now, policy);
    if mandate.due_at.is_none() && oldest.is_some() {
        mandate.due_at = Some(now + LATER_MS);
    }
    Step::Settle
}

fn is_unknown(code: &str) -> bool {
    matches!(code, "InvalidBillingAgreementId" | "InvalidOrderReferenceId" | "ResourceNotFound")
}
