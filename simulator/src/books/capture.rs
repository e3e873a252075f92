//! Captures: an authorized amount becomes the seller's.

use super::ageing::Due;
use super::authorization::RESULT_AFTER;
use super::limits::{AUTHORIZATIONS_MAX, allowance};
use super::{
    AuthorizationAt, AuthorizationState, Books, CaptureAt, CaptureFate, Ending, EntryKind, Made,
    News, Object, OrderAt, OrderState, Reason, RefundAt, Refusal,
};
use crate::clock::{DAY, HOUR, Millis};
use amazon_pay_money::Money;

/// Older authorizations are captured without a guarantee, and not at once.
const GUARANTEED_FOR: Millis = 7 * DAY;
const LATE_RESULT_AFTER: Millis = HOUR;

/// The state of a capture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CaptureState {
    Pending,
    Completed,
    Declined,
    Closed,
}

impl CaptureState {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            CaptureState::Pending => "Pending",
            CaptureState::Completed => "Completed",
            CaptureState::Declined => "Declined",
            CaptureState::Closed => "Closed",
        }
    }
}

/// What is asked for; two of them are one request if they are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CaptureAsk {
    pub(crate) reference: String,
    pub(crate) amount: Money,
    pub(crate) note: String,
    pub(crate) soft_descriptor: Option<String>,
}

/// A capture; API v2 shows it as part of the charge.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    pub(crate) id: String,
    pub(crate) authorization: AuthorizationAt,
    pub(crate) reference: String,
    pub(crate) ask: CaptureAsk,
    pub(crate) refunded: Money,
    pub(crate) state: CaptureState,
    pub(crate) reason: Option<Reason>,
    pub(crate) created: Millis,
    pub(crate) updated: Millis,
    pub(crate) refunds: Vec<RefundAt>,
    /// What the first answer was, where a repeat gets that again (reading 1).
    pub(crate) first_answer: Option<String>,
    fate: CaptureFate,
}

impl Books {
    /// The capture that this request made before.
    ///
    /// # Errors
    /// The reference id was used for another request.
    pub(crate) fn made_capture(
        &self,
        authorization: AuthorizationAt,
        ask: &CaptureAsk,
    ) -> Result<Option<CaptureAt>, Refusal> {
        match self.used(self[authorization].order, &ask.reference) {
            None => Ok(None),
            Some(Object::Capture(at)) if self[at].authorization == authorization => {
                if self[at].ask == *ask { Ok(Some(at)) } else { Err(Refusal::DuplicateRequest) }
            }
            Some(_) => Err(Refusal::DuplicateReference),
        }
    }

    /// Captures, or says what the same request made before; `simulated` is what a note asks.
    pub(crate) fn capture(
        &mut self,
        authorization: AuthorizationAt,
        ask: &CaptureAsk,
        simulated: Option<CaptureFate>,
    ) -> Result<Made<CaptureAt>, Refusal> {
        if let Some(at) = self.made_capture(authorization, ask)? {
            return Ok(Made { at, repeated: true });
        }
        self.may_capture(authorization, ask.amount)?;
        let order = self[authorization].order;
        let mut fate = simulated.unwrap_or_else(|| self.next_capture(order));
        if self.now - self[authorization].created > GUARANTEED_FOR {
            fate.step.after.get_or_insert(LATE_RESULT_AFTER);
        }
        // Where a capture has no name of the caller's it is part of its charge, and shares its id.
        let id = if ask.reference.is_empty() {
            self.twin_id(authorization)
        } else {
            self.serial(order, 'C')
        };
        let at = self.new_capture(id, authorization, ask, fate);
        self.use_reference(order, &ask.reference, Object::Capture(at));
        Ok(Made { at, repeated: false })
    }

    fn may_capture(&self, at: AuthorizationAt, asked: Money) -> Result<(), Refusal> {
        let authorization = &self[at];
        let taken = authorization.reason == Some(Reason::MaxCapturesProcessed)
            || self.is_being_captured(at);
        if taken && !self.readings.second(2) {
            return Err(Refusal::CountExceeded);
        }
        if taken || authorization.state != AuthorizationState::Open {
            return Err(Refusal::AuthorizationState(authorization.state));
        }
        let allowed = authorization.ask.amount;
        if asked.currency() != allowed.currency() {
            return Err(Refusal::CurrencyMismatch);
        }
        if asked.minor() > allowed.minor() {
            let used = Money::zero(allowed.currency());
            return Err(Refusal::AmountExceeded { used, asked, allowed });
        }
        Ok(())
    }

    /// The capture that an authorization makes in the same call: the same digits, the same
    /// reference, the same note.
    pub(super) fn capture_in_same_call(
        &mut self,
        authorization: AuthorizationAt,
        simulated: Option<CaptureFate>,
    ) {
        let order = self[authorization].order;
        let fate = simulated.unwrap_or_else(|| self.next_capture(order));
        let of = &self[authorization];
        let ask = CaptureAsk {
            reference: of.reference.clone(),
            amount: of.ask.amount,
            note: of.ask.note.clone(),
            soft_descriptor: of.ask.soft_descriptor.clone(),
        };
        let id = self.twin_id(authorization);
        self.new_capture(id, authorization, &ask, fate);
    }

    /// The id with the digits of the authorization, while that is free.
    fn twin_id(&mut self, authorization: AuthorizationAt) -> String {
        let same = self[authorization].id.replacen("-A", "-C", 1);
        if self.find(&same).is_none() {
            return same;
        }
        self.serial(self[authorization].order, 'C')
    }

    /// A capture with its end before it: at once, or after a while.
    fn new_capture(
        &mut self,
        id: String,
        authorization: AuthorizationAt,
        ask: &CaptureAsk,
        fate: CaptureFate,
    ) -> CaptureAt {
        let at = CaptureAt(self.captures.len());
        self.by_id.insert(id.clone(), Object::Capture(at));
        self.captures.push(Capture {
            id,
            authorization,
            reference: ask.reference.clone(),
            ask: ask.clone(),
            refunded: Money::zero(ask.amount.currency()),
            state: CaptureState::Pending,
            reason: None,
            created: self.now,
            updated: self.now,
            refunds: Vec::new(),
            first_answer: None,
            fate,
        });
        self[authorization].captures.push(at);
        match fate.step.after {
            None => self.decide_capture(at),
            Some(after) => {
                self.set_timer(self.now + after, Due::Captured(at));
                // While it is pending the authorization may count as used already (reading 3).
                if self.readings.second(3) {
                    let reason = Some(Reason::MaxCapturesProcessed);
                    self.turn_authorization(authorization, AuthorizationState::Closed, reason);
                }
            }
        }
        at
    }

    pub(super) fn decide_capture(&mut self, at: CaptureAt) {
        let (authorization, fate) = (self[at].authorization, self[at].fate);
        match fate.step.ending {
            Ending::Decline(reason) => {
                self.turn_capture(at, CaptureState::Declined, Some(reason));
                self.enter(EntryKind::Decline, Object::Capture(at), self[at].ask.amount);
                self.leave_uncaptured(authorization);
            }
            Ending::Approve => {
                self.complete_capture(at);
                if fate.closes {
                    self.set_timer(self.now + RESULT_AFTER, Due::CaptureClosed(at));
                }
            }
        }
    }

    /// After a declined capture the authorization is as it was: what was called used (reading 3)
    /// is not, and what should have expired meanwhile expires now.
    fn leave_uncaptured(&mut self, at: AuthorizationAt) {
        if self[at].reason == Some(Reason::MaxCapturesProcessed) {
            self.turn_authorization(at, AuthorizationState::Open, None);
        }
        if self[at].state == AuthorizationState::Open && self[at].expires <= self.now {
            self.close_and_release(at, Reason::ExpiredUnused);
        }
    }

    fn complete_capture(&mut self, at: CaptureAt) {
        let authorization = self[at].authorization;
        let (captured, held) = (self[at].ask.amount, self[authorization].ask.amount);
        self.turn_capture(at, CaptureState::Completed, None);
        self[authorization].captured = captured;
        let reason = Some(Reason::MaxCapturesProcessed);
        self.turn_authorization(authorization, AuthorizationState::Closed, reason);
        self.enter(EntryKind::Capture, Object::Capture(at), captured);
        if let Some(rest) = held.checked_sub(captured).filter(|rest| !rest.is_zero()) {
            self.enter(EntryKind::Release, Object::Authorization(authorization), rest);
        }
        self.close_used_up(self[authorization].order);
    }

    /// Amazon closes a reference of which no more can be captured.
    fn close_used_up(&mut self, order: OrderAt) {
        if !matches!(self[order].state, OrderState::Open | OrderState::Suspended) {
            return;
        }
        let captured = self[order].authorizations.iter().map(|at| self[*at].captured.minor());
        let (sum, count) = captured
            .filter(|minor| *minor > 0)
            .fold((0, 0), |(sum, count), minor| (sum + minor, count + 1));
        let limit = self[order].limit.or_else(|| self[order].total.map(allowance));
        let reason = if limit.is_some_and(|limit| sum >= limit.minor()) {
            Reason::MaxAmountCharged
        } else if count >= AUTHORIZATIONS_MAX && self[order].limit.is_none() {
            Reason::MaxAuthorizationsCaptured
        } else {
            return;
        };
        self.turn_order(order, OrderState::Closed, Some(reason));
    }

    pub(super) fn turn_capture(
        &mut self,
        at: CaptureAt,
        state: CaptureState,
        reason: Option<Reason>,
    ) {
        let now = self.now;
        let capture = &mut self[at];
        capture.state = state;
        capture.reason = reason;
        capture.updated = now;
        self.announce(News::Turned(Object::Capture(at)));
    }
}
