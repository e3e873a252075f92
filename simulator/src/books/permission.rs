//! Permissions that a buyer gave on Amazon's own page: they are confirmed when they are made, and
//! are the same order references and agreements as any other.

use std::sync::Arc;

use super::{
    AgreementAt, AgreementAttributes, Attributes, AuthorizationState, Books, Buyer, Environment,
    Object, OrderAt, OrderState, Plan, Reason, Refusal, SellerAt,
};
use amazon_pay_money::Money;

/// Whose permission it is, where, and how what comes of it will end.
#[derive(Debug, Clone)]
pub(crate) struct Given {
    pub(crate) seller: SellerAt,
    pub(crate) environment: Environment,
    pub(crate) buyer: Arc<Buyer>,
    pub(crate) plan: Plan,
}

impl Books {
    /// A permission for one order, Open at once: `total` was bought, `limit` may be charged.
    pub(crate) fn permit_once(
        &mut self,
        given: Given,
        (total, limit): (Money, Money),
        attributes: &Attributes,
    ) -> Result<OrderAt, Refusal> {
        if !self[given.seller].region.has(total.currency()) {
            return Err(Refusal::CurrencyUnsupported);
        }
        let at = self.new_order(given.seller, given.buyer, Some(given.environment), None);
        self[at].plan = given.plan;
        self.set_order(at, total, attributes, false)?;
        self[at].limit = Some(limit);
        self.confirm_order(at, false)?;
        Ok(at)
    }

    /// A permission for charges to come, Open at once, up to so many minor units a month.
    pub(crate) fn permit_recurring(
        &mut self,
        given: Given,
        month_minor: i64,
        attributes: &AgreementAttributes,
    ) -> Result<AgreementAt, Refusal> {
        let agreed = (given.plan, true);
        let environment = Some(given.environment);
        let (at, _) = self.leave_agreement(given.seller, given.buyer, agreed, environment);
        self.set_agreement(at, attributes)?;
        self.confirm_agreement(at)?;
        self[at].month_minor = month_minor;
        self[at].is_permission = true;
        Ok(at)
    }

    /// Closes a permission for new charges and, where asked, cancels those that nobody captured.
    pub(crate) fn close_permission(
        &mut self,
        object: Object,
        cancel_charges: bool,
        (reason, why): (Reason, Option<String>),
    ) -> Result<(), Refusal> {
        let orders = match object {
            Object::Order(at) => {
                self.close_order(at, reason, why).map_err(|_| Refusal::CloseAttempt)?;
                vec![at]
            }
            Object::Agreement(at) => {
                self.close_agreement(at, why)?;
                self[at].reason = Some(reason);
                self[at].orders.clone()
            }
            Object::Authorization(_) | Object::Capture(_) | Object::Refund(_) => Vec::new(),
        };
        for order in orders.into_iter().filter(|_| cancel_charges) {
            for at in self[order].authorizations.clone() {
                let state = self[at].state;
                let live = matches!(state, AuthorizationState::Pending | AuthorizationState::Open);
                if live && !self.is_being_captured(at) {
                    self.close_and_release(at, Reason::OrderReferenceCanceled);
                }
            }
        }
        Ok(())
    }

    /// A checkout that came to nothing leaves no permission behind.
    pub(crate) fn withdraw(&mut self, object: Object, reason: Reason) {
        match object {
            Object::Order(at) => self.end_canceled(at, reason, None),
            Object::Agreement(at) => self.end_agreement(at, OrderState::Canceled, reason, None),
            Object::Authorization(_) | Object::Capture(_) | Object::Refund(_) => {}
        }
    }
}
