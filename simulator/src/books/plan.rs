//! How what comes will end: the plan that a test gave the object, or what a simulation note asks.

use std::collections::VecDeque;

use super::{Books, OrderAt, Patience, Reason};
use crate::clock::Millis;

/// How an authorization, a capture or a refund ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ending {
    Approve,
    Decline(Reason),
}

/// One entry of a plan; with `after` it is pending for that long first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) ending: Ending,
    pub(crate) after: Option<Millis>,
}

impl Step {
    pub(crate) const APPROVE: Step = Step { ending: Ending::Approve, after: None };
}

/// What is still to come for one object; after the last entry all is approved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Plan {
    pub(crate) authorize: VecDeque<Step>,
    pub(crate) capture: VecDeque<Step>,
    pub(crate) refund: VecDeque<Step>,
}

/// How a capture ends, and whether Amazon closes it afterwards.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct CaptureFate {
    pub(crate) step: Step,
    pub(crate) closes: bool,
}

impl From<Step> for CaptureFate {
    fn from(step: Step) -> Self {
        Self { step, closes: false }
    }
}

/// How an authorization ends, and what follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fate {
    pub(crate) step: Step,
    /// Whether the issuer may accept it another time.
    pub(crate) soft: bool,
    /// How long after an asynchronous decline the buyer mends the payment method.
    pub(crate) mended_after: Option<Millis>,
    /// Once open: why it closes by itself, and after how long.
    pub(crate) closes: Option<(Reason, Millis)>,
    /// What a note says of the capture that is made in the same call.
    pub(crate) capture: Option<CaptureFate>,
}

impl From<Step> for Fate {
    fn from(step: Step) -> Self {
        Self { step, soft: false, mended_after: None, closes: None, capture: None }
    }
}

impl Books {
    /// The plan of an order, or of the agreement that it was made from.
    fn plan_of(&mut self, order: OrderAt) -> &mut Plan {
        match self[order].parent {
            Some(agreement) => &mut self[agreement].plan,
            None => &mut self[order].plan,
        }
    }

    /// The next entry for a capture, used up.
    pub(super) fn next_capture(&mut self, order: OrderAt) -> CaptureFate {
        self.plan_of(order).capture.pop_front().unwrap_or(Step::APPROVE).into()
    }

    /// The next entry for a refund, used up.
    pub(super) fn next_refund(&mut self, order: OrderAt) -> Step {
        self.plan_of(order).refund.pop_front().unwrap_or(Step::APPROVE)
    }

    /// The next entry for an authorization. A synchronous call that meets one which is pending
    /// first has no time for it: it is timed out and the entry is left to the next, unless a
    /// synchronous call may come back pending (reading 11).
    pub(super) fn next_authorization(&mut self, order: OrderAt, patience: Patience) -> Step {
        let parent = self[order].parent;
        let valid = parent.map_or(self[order].method_valid, |at| self[at].method_valid);
        if !valid {
            let ending = Ending::Decline(Reason::InvalidPaymentMethod);
            return Step { ending, after: None };
        }
        let may_pend = match patience {
            Patience::None => false,
            Patience::Little => self.readings.second(11),
            Patience::Enough => true,
        };
        let plan = &mut self.plan_of(order).authorize;
        match plan.front() {
            Some(Step { after: Some(_), .. }) if !may_pend => {
                Step { ending: Ending::Decline(Reason::TransactionTimedOut), after: None }
            }
            _ => plan.pop_front().unwrap_or(Step::APPROVE),
        }
    }
}
