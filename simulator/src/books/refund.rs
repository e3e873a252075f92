//! Refunds: the seller's own, and those that Amazon makes over the seller's head.

use super::ageing::Due;
use super::authorization::RESULT_AFTER;
use super::limits::{REFUNDS_MAX, allowance};
use super::{
    Books, CaptureAt, CaptureState, Ending, EntryKind, Made, News, Object, Reason, RefundAt,
    Refusal, Step,
};
use crate::clock::Millis;
use amazon_pay_money::Money;

/// The state of a refund.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefundState {
    Pending,
    Completed,
    Declined,
}

impl RefundState {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            RefundState::Pending => "Pending",
            RefundState::Completed => "Completed",
            RefundState::Declined => "Declined",
        }
    }
}

/// Who gives the money back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RefundKind {
    SellerInitiated,
    Guarantee,
    Chargeback,
}

impl RefundKind {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            RefundKind::SellerInitiated => "SellerInitiated",
            RefundKind::Guarantee => "AmazonA-ZGuarantee",
            RefundKind::Chargeback => "Chargeback",
        }
    }
}

/// What is asked for; two of them are one request if they are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RefundAsk {
    pub(crate) reference: String,
    pub(crate) amount: Money,
    pub(crate) note: String,
    pub(crate) soft_descriptor: Option<String>,
}

/// A refund.
#[derive(Debug, Clone)]
pub(crate) struct Refund {
    pub(crate) id: String,
    pub(crate) capture: CaptureAt,
    pub(crate) reference: String,
    pub(crate) ask: RefundAsk,
    pub(crate) kind: RefundKind,
    pub(crate) state: RefundState,
    pub(crate) reason: Option<Reason>,
    pub(crate) created: Millis,
    pub(crate) updated: Millis,
    /// What the first answer was, where a repeat gets that again (reading 1).
    pub(crate) first_answer: Option<String>,
    step: Step,
}

impl Books {
    /// The refund that this request made before.
    ///
    /// # Errors
    /// The reference id was used for another request.
    pub(crate) fn made_refund(
        &self,
        capture: CaptureAt,
        ask: &RefundAsk,
    ) -> Result<Option<RefundAt>, Refusal> {
        let order = self.order_of_capture(capture);
        match self.used(order, &ask.reference) {
            None => Ok(None),
            Some(Object::Refund(at)) if self[at].capture == capture => {
                if self[at].ask == *ask {
                    Ok(Some(at))
                } else {
                    Err(Refusal::DuplicateRequest)
                }
            }
            Some(_) => Err(Refusal::DuplicateReference),
        }
    }

    /// Refunds, or says what the same request made before; `simulated` is what a note asks.
    pub(crate) fn refund(
        &mut self,
        capture: CaptureAt,
        ask: &RefundAsk,
        simulated: Option<Step>,
    ) -> Result<Made<RefundAt>, Refusal> {
        if let Some(at) = self.made_refund(capture, ask)? {
            return Ok(Made { at, repeated: true });
        }
        self.may_refund(capture, ask.amount)?;
        let order = self.order_of_capture(capture);
        let step = simulated.unwrap_or_else(|| self.next_refund(order));
        let at = self.new_refund(capture, ask.clone(), RefundKind::SellerInitiated, step);
        self.use_reference(order, &ask.reference, Object::Refund(at));
        self.set_timer(self.now + step.after.unwrap_or(RESULT_AFTER), Due::Refunded(at));
        Ok(Made { at, repeated: false })
    }

    fn may_refund(&self, capture: CaptureAt, asked: Money) -> Result<(), Refusal> {
        let of = &self[capture];
        if of.state != CaptureState::Completed {
            return Err(Refusal::NotRefundable);
        }
        if asked.currency() != of.ask.amount.currency() {
            return Err(Refusal::CurrencyMismatch);
        }
        let begun: Vec<i64> = (of.refunds.iter().map(|at| &self[*at]))
            .filter(|refund| refund.state != RefundState::Declined)
            .map(|refund| refund.ask.amount.minor())
            .collect();
        if begun.len() >= REFUNDS_MAX {
            return Err(Refusal::CountExceeded);
        }
        let used = Money::from_minor(begun.iter().sum(), asked.currency());
        let allowed = allowance(of.ask.amount);
        if used.minor() + asked.minor() > allowed.minor() {
            return Err(Refusal::AmountExceeded { used, asked, allowed });
        }
        Ok(())
    }

    pub(super) fn new_refund(
        &mut self,
        capture: CaptureAt,
        ask: RefundAsk,
        kind: RefundKind,
        step: Step,
    ) -> RefundAt {
        let order = self.order_of_capture(capture);
        let id = self.serial(order, 'R');
        let at = RefundAt(self.refunds.len());
        self.by_id.insert(id.clone(), Object::Refund(at));
        self.refunds.push(Refund {
            id,
            capture,
            reference: ask.reference.clone(),
            ask,
            kind,
            state: RefundState::Pending,
            reason: None,
            created: self.now,
            updated: self.now,
            first_answer: None,
            step,
        });
        self[capture].refunds.push(at);
        at
    }

    pub(super) fn decide_refund(&mut self, at: RefundAt) {
        match self[at].step.ending {
            Ending::Decline(reason) => {
                self.turn_refund(at, RefundState::Declined, Some(reason));
                self.enter(EntryKind::Decline, Object::Refund(at), self[at].ask.amount);
            }
            Ending::Approve => {
                self.complete_refund(at);
            }
        }
    }

    /// The money goes back, and Amazon closes a capture of which no more can.
    pub(super) fn complete_refund(&mut self, at: RefundAt) {
        let (capture, amount) = (self[at].capture, self[at].ask.amount);
        self.turn_refund(at, RefundState::Completed, None);
        let kind = match self[at].kind {
            RefundKind::SellerInitiated | RefundKind::Guarantee => EntryKind::Refund,
            RefundKind::Chargeback => EntryKind::Chargeback,
        };
        self.enter(kind, Object::Refund(at), amount);
        let refunded = self[capture].refunded.minor() + amount.minor();
        self[capture].refunded = Money::from_minor(refunded, amount.currency());
        self.announce(News::Turned(Object::Capture(capture)));
        if self[capture].state != CaptureState::Completed {
            return;
        }
        let completed = |at: &&RefundAt| self[**at].state == RefundState::Completed;
        let count = self[capture].refunds.iter().filter(completed).count();
        if refunded >= allowance(self[capture].ask.amount).minor() {
            self.turn_capture(capture, CaptureState::Closed, Some(Reason::MaxAmountRefunded));
        } else if count >= REFUNDS_MAX {
            self.turn_capture(capture, CaptureState::Closed, Some(Reason::MaxRefundsProcessed));
        }
    }

    fn turn_refund(&mut self, at: RefundAt, state: RefundState, reason: Option<Reason>) {
        let now = self.now;
        let refund = &mut self[at];
        refund.state = state;
        refund.reason = reason;
        refund.updated = now;
        self.announce(News::Turned(Object::Refund(at)));
    }
}
