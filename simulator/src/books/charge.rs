//! Charges of an agreement: each is an order reference of its own, made, confirmed, authorized and
//! closed in one call, within what a buyer may be charged in a month.

use super::{
    AgreementAt, Attributes, AuthorizationAt, AuthorizationState, AuthorizeAsk, Books, Environment,
    Fate, Made, Object, OrderAt, OrderState, Reason, Refusal,
};
use crate::clock::{Millis, month};
use crate::settings::Reading;
use amazon_pay_money::Money;

/// What an agreement may be charged in one calendar month (UTC), and what of it is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Balance {
    pub(crate) limit: Money,
    pub(crate) left: Money,
    pub(crate) starts: Millis,
    pub(crate) ends: Millis,
}

impl Books {
    /// The balance of the month that is now.
    pub(crate) fn balance(&self, at: AgreementAt) -> Balance {
        let currency = self[self[at].seller].region.currency();
        let limit = Money::from_minor(self[at].month_minor, currency);
        let (starts, ends) = month(self.now);
        let authorizations = self[at].orders.iter().flat_map(|order| &self[*order].authorizations);
        let used: i64 = authorizations
            .filter(|at| self[**at].created >= starts)
            .map(|at| self.weight(*at))
            .sum();
        // A negative rest is none.
        let left = Money::from_minor(limit.minor() - used, currency);
        Balance { limit, left, starts, ends }
    }

    /// An order reference made from an agreement.
    pub(crate) fn order_from_agreement(
        &mut self,
        at: AgreementAt,
        total: Option<Money>,
        attributes: &Attributes,
        confirm: bool,
    ) -> Result<OrderAt, Refusal> {
        match self[at].state {
            OrderState::Open => {}
            OrderState::Draft if self[at].orders.is_empty() => {}
            OrderState::Draft => return Err(Refusal::OrderCountExceeded),
            state => return Err(Refusal::AgreementState(state)),
        }
        let order = self.child(at);
        if let Some(total) = total {
            self.set_order(order, total, attributes, false)?;
        } else {
            self[order].attributes = attributes.clone();
        }
        if confirm {
            self.confirm_order(order, false)?;
        }
        Ok(order)
    }

    fn child(&mut self, at: AgreementAt) -> OrderAt {
        let agreement = &self[at];
        let (seller, buyer, environment) =
            (agreement.seller, agreement.buyer.clone(), agreement.environment);
        let order = self.new_order(seller, buyer, environment, Some(at));
        self[at].orders.push(order);
        order
    }

    /// The charge that this request made before.
    ///
    /// # Errors
    /// The reference id was used for another request.
    pub(crate) fn made_charge(
        &self,
        at: AgreementAt,
        ask: &AuthorizeAsk,
        attributes: &Attributes,
    ) -> Result<Option<AuthorizationAt>, Refusal> {
        let environment = self[at].environment.unwrap_or(Environment::Sandbox);
        match self.used_by(self[at].seller, environment, &ask.reference) {
            None => Ok(None),
            Some(Object::Authorization(made)) if self.is_charge_of(made, at) => {
                let same = self[self[made].order].attributes == *attributes;
                if same && self[made].ask == *ask {
                    Ok(Some(made))
                } else {
                    Err(Refusal::DuplicateRequest)
                }
            }
            Some(_) => Err(Refusal::DuplicateReference),
        }
    }

    fn is_charge_of(&self, made: AuthorizationAt, at: AgreementAt) -> bool {
        let order = &self[self[made].order];
        order.for_one_charge && order.parent == Some(at)
    }

    /// Charges an agreement, or says what the same request made before.
    pub(crate) fn charge(
        &mut self,
        at: AgreementAt,
        ask: &AuthorizeAsk,
        attributes: &Attributes,
        simulated: Option<Fate>,
    ) -> Result<Made<AuthorizationAt>, Refusal> {
        if let Some(at) = self.made_charge(at, ask, attributes)? {
            return Ok(Made { at, repeated: true });
        }
        let state = self[at].state;
        if state != OrderState::Open {
            return Err(Refusal::AgreementState(state));
        }
        let seller = self[at].seller;
        if !self[seller].region.has(ask.amount.currency()) {
            return Err(Refusal::CurrencyUnsupported);
        }
        let Balance { limit, left, ends, .. } = self.balance(at);
        if ask.amount.minor() > left.minor() {
            let used = Money::from_minor(limit.minor() - left.minor(), limit.currency());
            let asked = ask.amount;
            return Err(Refusal::MonthExceeded { used, asked, allowed: limit, ends });
        }
        let order = self.child(at);
        self[order].for_one_charge = true;
        if ask.reference.is_empty() {
            self[order].stem = Some(self[at].id.clone());
        }
        self.set_order(order, ask.amount, attributes, false)?;
        self.confirm_order(order, false)?;
        let made = self.authorize(order, ask, simulated)?;
        if self[made.at].state != AuthorizationState::Declined {
            let reason = Some(Reason::MaxAuthorizationsProcessed);
            self.turn_order(order, OrderState::Closed, reason);
        }
        Ok(made)
    }

    /// What becomes of the order reference of a charge that was declined is reading 6.
    pub(super) fn end_declined_charge(&mut self, order: OrderAt) {
        let (state, reason) = match self.readings.of(6) {
            Reading::A => (OrderState::Closed, Some(Reason::MaxAuthorizationsProcessed)),
            Reading::B => (OrderState::Canceled, Some(Reason::AmazonCanceled)),
            Reading::C => (OrderState::Open, None),
        };
        if self[order].state != state {
            self.turn_order(order, state, reason);
        }
    }
}
