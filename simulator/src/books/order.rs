//! Order references: what the buyer left in Draft, and what the seller makes of it.

use std::sync::Arc;

use super::ageing::Due;
use super::{
    AgreementAt, Attributes, AuthorizationAt, AuthorizationState, Books, Buyer, CaptureState,
    Environment, News, Object, OrderAt, Plan, Reason, Refusal, SellerAt,
};
use crate::clock::{DAY, HOUR, MINUTE, Millis};
use amazon_pay_money::Money;

/// How long an unconfirmed reference is kept, and how long any.
pub(super) const DRAFT_FOR: Millis = 3 * HOUR;
const KEPT_FOR: Millis = 180 * DAY;
/// How long a confirmed reference waits for an authorization that was announced as immediate.
const IMMEDIATE: Millis = 60 * MINUTE;

/// The state of an order reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum OrderState {
    Draft,
    Open,
    Suspended,
    Canceled,
    Closed,
}

impl OrderState {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            OrderState::Draft => "Draft",
            OrderState::Open => "Open",
            OrderState::Suspended => "Suspended",
            OrderState::Canceled => "Canceled",
            OrderState::Closed => "Closed",
        }
    }

    /// Whether nothing can happen to it any more.
    pub(crate) const fn is_terminal(self) -> bool {
        matches!(self, OrderState::Canceled | OrderState::Closed)
    }
}

/// What keeps a reference or an agreement from being confirmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Constraint {
    AmountNotSet,
    BuyerConsentNotSet,
    PaymentMethodNotAllowed,
    PaymentPlanNotSet,
}

/// An order reference; API v2 calls it a charge permission for one time.
#[derive(Debug, Clone)]
pub(crate) struct Order {
    pub(crate) id: String,
    pub(crate) seller: SellerAt,
    /// Bound by the first call that names it.
    pub(crate) environment: Option<Environment>,
    pub(crate) created: Millis,
    pub(crate) expires: Millis,
    pub(crate) state: OrderState,
    pub(crate) reason: Option<Reason>,
    pub(crate) description: Option<String>,
    pub(crate) updated: Option<Millis>,
    /// Whether the buyer's purchase was ever confirmed: from then on the seller sees who bought.
    pub(crate) confirmed: bool,
    pub(crate) total: Option<Money>,
    /// What may be charged in all, where that was agreed and is not the usual allowance.
    pub(crate) limit: Option<Money>,
    pub(crate) attributes: Attributes,
    /// A simulation note asks for the constraint `PaymentMethodNotAllowed`.
    pub(crate) not_allowed: bool,
    pub(crate) buyer: Arc<Buyer>,
    pub(crate) method_valid: bool,
    pub(crate) plan: Plan,
    /// The agreement that it was made from, whose plan and payment method are its own then.
    pub(crate) parent: Option<AgreementAt>,
    /// Made for one charge of an agreement, by that charge.
    pub(crate) for_one_charge: bool,
    /// Below which id its transactions are named, where not below its own.
    pub(crate) stem: Option<String>,
    pub(crate) authorizations: Vec<AuthorizationAt>,
}

impl Order {
    /// What keeps it from being confirmed, or from being charged again.
    pub(crate) fn constraints(&self) -> Vec<Constraint> {
        match self.state {
            OrderState::Draft => {
                let mut found = Vec::new();
                if self.total.is_none() {
                    found.push(Constraint::AmountNotSet);
                }
                if self.not_allowed {
                    found.push(Constraint::PaymentMethodNotAllowed);
                }
                found
            }
            OrderState::Suspended => vec![Constraint::PaymentPlanNotSet],
            OrderState::Open | OrderState::Canceled | OrderState::Closed => Vec::new(),
        }
    }
}

impl Books {
    /// A buyer leaves an order reference at a seller's, as the widgets do.
    pub(crate) fn leave_order(
        &mut self,
        seller: SellerAt,
        buyer: Arc<Buyer>,
        plan: Plan,
        environment: Option<Environment>,
    ) -> (OrderAt, String) {
        let token = self.issue_token(seller, &buyer);
        let at = self.new_order(seller, buyer, environment, None);
        self[at].plan = plan;
        (at, token)
    }

    pub(super) fn new_order(
        &mut self,
        seller: SellerAt,
        buyer: Arc<Buyer>,
        environment: Option<Environment>,
        parent: Option<AgreementAt>,
    ) -> OrderAt {
        let letter = if environment == Some(Environment::Live) { 'P' } else { 'S' };
        let id = self.new_reference(letter, seller);
        let at = OrderAt(self.orders.len());
        self.by_id.insert(id.clone(), Object::Order(at));
        self.orders.push(Order {
            id,
            seller,
            environment,
            created: self.now,
            expires: self.now + KEPT_FOR,
            state: OrderState::Draft,
            reason: None,
            description: None,
            updated: None,
            confirmed: false,
            total: None,
            limit: None,
            attributes: Attributes::default(),
            not_allowed: false,
            buyer,
            method_valid: true,
            plan: Plan::default(),
            parent,
            for_one_charge: false,
            stem: None,
            authorizations: Vec::new(),
        });
        self[seller].orders.push(at);
        self.set_timer(self.now + DRAFT_FOR, Due::Stale(at));
        self.set_timer(self.now + KEPT_FOR, Due::Expired(at));
        at
    }

    pub(super) fn turn_order(&mut self, at: OrderAt, state: OrderState, reason: Option<Reason>) {
        let now = self.now;
        let order = &mut self[at];
        order.state = state;
        order.reason = reason;
        order.updated = Some(now);
        self.announce(News::Turned(Object::Order(at)));
    }

    /// Whether the address and the buyer may be shown to whoever has this token: all of it where
    /// the purchase is confirmed or the token is the buyer's.
    pub(crate) fn shows_buyer(&self, at: OrderAt, token: Option<&str>) -> Result<bool, Refusal> {
        let order = &self[at];
        match token {
            None => Ok(order.confirmed),
            Some(token) if self.is_token_of(token, order.seller, &order.buyer) => Ok(true),
            Some(_) => Err(Refusal::Token),
        }
    }

    fn check_currency(&self, at: OrderAt, total: Money) -> Result<(), Refusal> {
        if self[self[at].seller].region.has(total.currency()) {
            Ok(())
        } else {
            Err(Refusal::CurrencyUnsupported)
        }
    }

    /// Sets total and attributes of a draft; `not_allowed` is what its note simulates.
    pub(crate) fn set_order(
        &mut self,
        at: OrderAt,
        total: Money,
        attributes: &Attributes,
        not_allowed: bool,
    ) -> Result<(), Refusal> {
        if self[at].state != OrderState::Draft {
            return Err(Refusal::NotModifiable);
        }
        self.check_currency(at, total)?;
        let order = &mut self[at];
        order.total = Some(total);
        order.attributes.overwrite(attributes);
        order.not_allowed = not_allowed;
        Ok(())
    }

    /// Sets attributes of an order; after the purchase only adds what was missing.
    pub(crate) fn set_attributes(
        &mut self,
        at: OrderAt,
        total: Option<Money>,
        attributes: &Attributes,
    ) -> Result<(), Refusal> {
        if let Some(total) = total {
            self.check_currency(at, total)?;
        }
        let order = &mut self[at];
        match order.state {
            OrderState::Draft => {
                order.total = total.or(order.total);
                order.attributes.overwrite(attributes);
                Ok(())
            }
            OrderState::Open | OrderState::Suspended if total.is_none() || total == order.total => {
                order.attributes.add(attributes)
            }
            _ => Err(Refusal::NotModifiable),
        }
    }

    /// Confirms the purchase; `immediate` where an authorization is announced to follow at once.
    pub(crate) fn confirm_order(&mut self, at: OrderAt, immediate: bool) -> Result<(), Refusal> {
        let state = self[at].state;
        match state {
            OrderState::Draft => {
                let constraints = self[at].constraints();
                if !constraints.is_empty() {
                    return Err(Refusal::Constraints(constraints));
                }
                self[at].confirmed = true;
                self.turn_order(at, OrderState::Open, None);
                if immediate {
                    self.set_timer(self.now + IMMEDIATE, Due::Unused(at));
                }
                Ok(())
            }
            OrderState::Open => Ok(()),
            OrderState::Suspended => Err(Refusal::MethodNotUpdated),
            OrderState::Canceled | OrderState::Closed if self.readings.second(9) => {
                Err(Refusal::NotModifiable)
            }
            OrderState::Canceled | OrderState::Closed => Err(Refusal::OrderState(state)),
        }
    }

    /// Cancels an order of which nothing was captured.
    pub(crate) fn cancel_order(&mut self, at: OrderAt, why: Option<String>) -> Result<(), Refusal> {
        match self[at].state {
            OrderState::Canceled => return Ok(()),
            OrderState::Closed => return Err(Refusal::CancelAttempt),
            OrderState::Draft | OrderState::Open | OrderState::Suspended => {}
        }
        let captured = |books: &Books, at: &AuthorizationAt| {
            books[*at].captures.iter().any(|at| books[*at].state != CaptureState::Declined)
        };
        if self[at].authorizations.iter().any(|authorization| captured(self, authorization)) {
            return Err(Refusal::CancelAttempt);
        }
        self.end_canceled(at, Reason::SellerCanceled, why);
        Ok(())
    }

    pub(super) fn end_canceled(&mut self, at: OrderAt, reason: Reason, why: Option<String>) {
        self.turn_order(at, OrderState::Canceled, Some(reason));
        self[at].description = why;
        for authorization in self[at].authorizations.clone() {
            let state = self[authorization].state;
            let live = matches!(state, AuthorizationState::Pending | AuthorizationState::Open);
            if live && !self.is_being_captured(authorization) {
                self.close_and_release(authorization, Reason::OrderReferenceCanceled);
            }
        }
    }

    /// Closes an order for new authorizations; what is authorized may still be captured.
    pub(crate) fn close_order(
        &mut self,
        at: OrderAt,
        reason: Reason,
        why: Option<String>,
    ) -> Result<(), Refusal> {
        match self[at].state {
            OrderState::Open | OrderState::Suspended => {
                self.turn_order(at, OrderState::Closed, Some(reason));
                self[at].description = why;
                Ok(())
            }
            OrderState::Closed if !self.readings.second(9) => Ok(()),
            OrderState::Draft | OrderState::Canceled | OrderState::Closed => {
                Err(Refusal::CloseAttempt)
            }
        }
    }

    /// The buyer changes the payment method; Amazon reopens by itself what waited for that.
    pub(crate) fn change_method(&mut self, at: OrderAt, valid: bool) {
        self[at].method_valid = valid;
        if valid && self[at].state == OrderState::Suspended {
            self.turn_order(at, OrderState::Open, None);
        }
    }
}
