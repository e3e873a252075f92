//! Authorizations: an amount that is held on the buyer's payment method, or is not.

use super::ageing::Due;
use super::limits::{AUTHORIZATIONS_MAX, CHARGES_OPEN_MAX, allowance};
use super::{
    AuthorizationAt, Books, CaptureAt, CaptureState, Ending, EntryKind, Environment, Fate, Made,
    News, Object, OrderAt, OrderState, Reason, Refusal,
};
use crate::clock::{DAY, MINUTE, Millis, SECOND};
use amazon_pay_money::Money;

/// How long Amazon thinks about what is not answered at once.
pub(super) const RESULT_AFTER: Millis = 30 * SECOND;

/// The state of an authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum AuthorizationState {
    Pending,
    Open,
    Declined,
    Closed,
}

impl AuthorizationState {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            AuthorizationState::Pending => "Pending",
            AuthorizationState::Open => "Open",
            AuthorizationState::Declined => "Declined",
            AuthorizationState::Closed => "Closed",
        }
    }
}

/// Whether whoever asks can wait for the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// Not at all: what is not decided at once is timed out.
    None,
    /// Not at all, unless Amazon makes him (reading 11).
    Little,
    Enough,
}

/// What is asked for; two of them are one request if they are equal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct AuthorizeAsk {
    /// The caller's own name for the request; empty where he names it otherwise.
    pub(crate) reference: String,
    pub(crate) amount: Money,
    pub(crate) note: String,
    /// How long it may stay pending; zero sets no bound, and no time that Amazon takes anyway.
    pub(crate) timeout_minutes: u32,
    pub(crate) patience: Patience,
    pub(crate) capture_now: bool,
    pub(crate) soft_descriptor: Option<String>,
}

/// An authorization; API v2 calls it a charge.
#[derive(Debug, Clone)]
pub(crate) struct Authorization {
    pub(crate) id: String,
    pub(crate) order: OrderAt,
    pub(crate) reference: String,
    pub(crate) ask: AuthorizeAsk,
    pub(crate) captured: Money,
    pub(crate) state: AuthorizationState,
    pub(crate) reason: Option<Reason>,
    pub(crate) description: Option<String>,
    pub(crate) soft: bool,
    pub(crate) created: Millis,
    pub(crate) updated: Millis,
    pub(crate) expires: Millis,
    pub(crate) captures: Vec<CaptureAt>,
    /// What the first answer was, where a repeat gets that again (reading 1).
    pub(crate) first_answer: Option<String>,
    fate: Fate,
}

impl Books {
    /// The authorization that this request made before.
    ///
    /// # Errors
    /// The reference id was used for another request.
    pub(crate) fn made_authorization(
        &self,
        order: OrderAt,
        ask: &AuthorizeAsk,
    ) -> Result<Option<AuthorizationAt>, Refusal> {
        match self.used(order, &ask.reference) {
            None => Ok(None),
            Some(Object::Authorization(at)) if self[at].order == order => {
                if self[at].ask == *ask {
                    Ok(Some(at))
                } else {
                    Err(Refusal::DuplicateRequest)
                }
            }
            Some(_) => Err(Refusal::DuplicateReference),
        }
    }

    /// Authorizes, or says what the same request made before; `simulated` is what a note asks.
    pub(crate) fn authorize(
        &mut self,
        order: OrderAt,
        ask: &AuthorizeAsk,
        simulated: Option<Fate>,
    ) -> Result<Made<AuthorizationAt>, Refusal> {
        if let Some(at) = self.made_authorization(order, ask)? {
            return Ok(Made { at, repeated: true });
        }
        self.may_authorize(order, ask.amount)?;
        let at = self.new_authorization(order, ask, simulated);
        self.set_timer(self[at].expires, Due::Closed(at, Reason::ExpiredUnused));
        let fate = self[at].fate;
        match self.thinks_for(ask, fate) {
            None => self.decide_authorization(at),
            Some(wait) => self.set_timer(self.now + wait, Due::Authorized(at)),
        }
        Ok(Made { at, repeated: false })
    }

    fn may_authorize(&self, order: OrderAt, asked: Money) -> Result<(), Refusal> {
        let state = self[order].state;
        let Some(total) = self[order].total.filter(|_| state == OrderState::Open) else {
            return Err(Refusal::OrderState(state));
        };
        if asked.currency() != total.currency() {
            return Err(Refusal::CurrencyMismatch);
        }
        if self.has_too_many(order) {
            return Err(Refusal::CountExceeded);
        }
        let used = self.authorized(order, total);
        let allowed = self[order].limit.unwrap_or_else(|| allowance(total));
        if used.minor() + asked.minor() > allowed.minor() {
            return Err(Refusal::AmountExceeded { used, asked, allowed });
        }
        Ok(())
    }

    /// A reference has so many authorizations in all, a permission of API v2 so many at once.
    fn has_too_many(&self, order: OrderAt) -> bool {
        let declined_count = self.readings.second(7);
        let states = self[order].authorizations.iter().map(|at| self[*at].state);
        if self[order].limit.is_some() {
            let live = |state: &AuthorizationState| {
                matches!(state, AuthorizationState::Pending | AuthorizationState::Open)
            };
            return states.filter(live).count() >= CHARGES_OPEN_MAX;
        }
        let counts =
            |state: &AuthorizationState| declined_count || *state != AuthorizationState::Declined;
        states.filter(counts).count() >= AUTHORIZATIONS_MAX
    }

    /// What of the allowance is used: what is held, and what was captured.
    fn authorized(&self, order: OrderAt, total: Money) -> Money {
        let used = self[order].authorizations.iter().map(|at| self.weight(*at));
        Money::from_minor(used.sum(), total.currency())
    }

    /// What may be charged to an order, and what of it is left.
    pub(crate) fn order_balance(&self, order: OrderAt) -> Option<(Money, Money)> {
        let total = self[order].total?;
        let limit = self[order].limit.unwrap_or_else(|| allowance(total));
        let left = limit.minor() - self.authorized(order, total).minor();
        Some((limit, Money::from_minor(left, limit.currency())))
    }

    /// What one authorization uses up, in minor units.
    pub(super) fn weight(&self, at: AuthorizationAt) -> i64 {
        let held = match self[at].state {
            AuthorizationState::Pending | AuthorizationState::Open => true,
            AuthorizationState::Closed => self.is_being_captured(at),
            AuthorizationState::Declined => false,
        };
        if held { self[at].ask.amount.minor() } else { self[at].captured.minor() }
    }

    fn new_authorization(
        &mut self,
        order: OrderAt,
        ask: &AuthorizeAsk,
        simulated: Option<Fate>,
    ) -> AuthorizationAt {
        let fate = simulated.unwrap_or_else(|| self.next_authorization(order, ask.patience).into());
        // The sandbox of MWS forgets sooner; of API v2 nothing like that is said.
        let kept_for = match self.environment_of(order) {
            Environment::Sandbox if !ask.reference.is_empty() => 2 * DAY,
            Environment::Live | Environment::Sandbox => 30 * DAY,
        };
        let at = AuthorizationAt(self.authorizations.len());
        let id = self.serial(order, 'A');
        self.by_id.insert(id.clone(), Object::Authorization(at));
        self.use_reference(order, &ask.reference, Object::Authorization(at));
        self.authorizations.push(Authorization {
            id,
            order,
            reference: ask.reference.clone(),
            ask: ask.clone(),
            captured: Money::zero(ask.amount.currency()),
            state: AuthorizationState::Pending,
            reason: None,
            description: None,
            soft: false,
            created: self.now,
            updated: self.now,
            expires: self.now + kept_for,
            captures: Vec::new(),
            first_answer: None,
            fate,
        });
        self[order].authorizations.push(at);
        at
    }

    /// How long it stays pending; `None` where it is decided at once. Nothing is pending for
    /// longer than its timeout, and a timeout that nobody planned otherwise comes at its end, or
    /// at any time before (reading 4).
    fn thinks_for(&self, ask: &AuthorizeAsk, fate: Fate) -> Option<Millis> {
        if ask.timeout_minutes == 0 {
            return fate.step.after;
        }
        let timeout = Millis::from(ask.timeout_minutes) * MINUTE;
        let times_out = fate.step.ending == Ending::Decline(Reason::TransactionTimedOut);
        let wait = match fate.step.after {
            Some(after) => after,
            None if times_out && !self.readings.second(4) => timeout,
            None => RESULT_AFTER,
        };
        Some(wait.min(timeout))
    }

    pub(super) fn decide_authorization(&mut self, at: AuthorizationAt) {
        let (fate, ask) = (self[at].fate, self[at].ask.clone());
        let timeout = Millis::from(ask.timeout_minutes) * MINUTE;
        let too_late = timeout > 0 && fate.step.after.is_some_and(|after| after > timeout);
        match fate.step.ending {
            _ if too_late => self.decline_authorization(at, Reason::TransactionTimedOut),
            Ending::Decline(reason) => self.decline_authorization(at, reason),
            Ending::Approve => {
                self.turn_authorization(at, AuthorizationState::Open, None);
                self.enter(EntryKind::Authorize, Object::Authorization(at), ask.amount);
                if let Some((reason, after)) = fate.closes {
                    self.set_timer(self.now + after, Due::Closed(at, reason));
                }
                if ask.capture_now {
                    self.capture_in_same_call(at, fate.capture);
                }
            }
        }
    }

    fn decline_authorization(&mut self, at: AuthorizationAt, reason: Reason) {
        let (order, fate) = (self[at].order, self[at].fate);
        self.turn_authorization(at, AuthorizationState::Declined, Some(reason));
        self.enter(EntryKind::Decline, Object::Authorization(at), self[at].ask.amount);
        self[at].soft = fate.soft;
        if let Some(agreement) = self[order].parent
            && reason == Reason::InvalidPaymentMethod
        {
            self.suspend_agreement(agreement, fate.mended_after);
        }
        if let Some(agreement) = self[order].parent
            && reason == Reason::AmazonRejected
            && self[agreement].is_permission
        {
            self.end_agreement(agreement, OrderState::Closed, Reason::AmazonCanceled, None);
        }
        if self[order].for_one_charge {
            return self.end_declined_charge(order);
        }
        let open = self[order].state == OrderState::Open;
        match reason {
            Reason::InvalidPaymentMethod => {
                self[order].method_valid = false;
                if open {
                    self.turn_order(order, OrderState::Suspended, Some(reason));
                }
                if let Some(after) = fate.mended_after {
                    self.set_timer(self.now + after, Due::Mended(order));
                }
            }
            Reason::AmazonRejected if open && !self.readings.second(5) => {
                self.turn_order(order, OrderState::Closed, Some(Reason::AmazonClosed));
            }
            _ => {}
        }
    }

    pub(super) fn turn_authorization(
        &mut self,
        at: AuthorizationAt,
        state: AuthorizationState,
        reason: Option<Reason>,
    ) {
        let now = self.now;
        let authorization = &mut self[at];
        authorization.state = state;
        authorization.reason = reason;
        authorization.updated = now;
        self.announce(News::Turned(Object::Authorization(at)));
    }

    /// Whether a capture of it is on its way.
    pub(crate) fn is_being_captured(&self, at: AuthorizationAt) -> bool {
        self[at].captures.iter().any(|at| self[*at].state == CaptureState::Pending)
    }

    /// Closes an authorization that was not captured and gives the amount back to the buyer.
    pub(crate) fn close_and_release(&mut self, at: AuthorizationAt, reason: Reason) {
        let held = self[at].state == AuthorizationState::Open;
        self.turn_authorization(at, AuthorizationState::Closed, Some(reason));
        if held {
            self.enter(EntryKind::Release, Object::Authorization(at), self[at].ask.amount);
        }
    }

    /// Closes an authorization that is pending or open, by whoever gives this reason.
    pub(crate) fn close_authorization(
        &mut self,
        at: AuthorizationAt,
        reason: Reason,
        why: Option<String>,
    ) -> Result<(), Refusal> {
        let state = self[at].state;
        let live = matches!(state, AuthorizationState::Pending | AuthorizationState::Open);
        if !live || self.is_being_captured(at) {
            return Err(Refusal::AuthorizationState(state));
        }
        self.close_and_release(at, reason);
        self[at].description = why;
        Ok(())
    }
}
