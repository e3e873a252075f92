//! Billing agreements: a buyer's standing permission, from Draft to its end.

use std::sync::Arc;

use super::ageing::Due;
use super::order::DRAFT_FOR;
use super::{
    AgreementAt, Books, Buyer, Constraint, Environment, News, Object, OrderAt, OrderState, Plan,
    Reason, Refusal, SellerAt,
};
use crate::clock::Millis;
use amazon_pay_money::Money;

/// 500.00, or as many yen as that has cents.
const MONTH_MINOR: i64 = 50_000;

/// What the seller says of an agreement; what is absent is not said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct AgreementAttributes {
    pub(crate) platform_id: Option<String>,
    pub(crate) seller_note: Option<String>,
    pub(crate) seller_agreement_id: Option<String>,
    pub(crate) store_name: Option<String>,
    pub(crate) custom_information: Option<String>,
    pub(crate) kind: Option<String>,
    pub(crate) subscription_amount: Option<Money>,
}

impl AgreementAttributes {
    fn overwrite(&mut self, new: &Self) {
        let pairs = [
            (&mut self.platform_id, &new.platform_id),
            (&mut self.seller_note, &new.seller_note),
            (&mut self.seller_agreement_id, &new.seller_agreement_id),
            (&mut self.store_name, &new.store_name),
            (&mut self.custom_information, &new.custom_information),
            (&mut self.kind, &new.kind),
        ];
        for (field, value) in pairs {
            if value.is_some() {
                field.clone_from(value);
            }
        }
        self.subscription_amount = new.subscription_amount.or(self.subscription_amount);
    }
}

/// A billing agreement; API v2 calls it a recurring charge permission.
#[derive(Debug, Clone)]
pub(crate) struct Agreement {
    pub(crate) id: String,
    pub(crate) seller: SellerAt,
    /// Bound by the first call that names it.
    pub(crate) environment: Option<Environment>,
    pub(crate) created: Millis,
    pub(crate) state: OrderState,
    pub(crate) reason: Option<Reason>,
    pub(crate) description: Option<String>,
    pub(crate) updated: Option<Millis>,
    pub(crate) confirmed: bool,
    pub(crate) consent: bool,
    pub(crate) attributes: AgreementAttributes,
    pub(crate) buyer: Arc<Buyer>,
    pub(crate) method_valid: bool,
    pub(crate) plan: Plan,
    /// What may be charged in a month, in minor units of the seller's currency.
    pub(crate) month_minor: i64,
    /// Made by API v2, where a charge that Amazon rejects ends it.
    pub(crate) is_permission: bool,
    pub(crate) orders: Vec<OrderAt>,
}

impl Agreement {
    /// What keeps it from being confirmed.
    pub(crate) fn constraints(&self) -> Vec<Constraint> {
        match self.state {
            OrderState::Draft if !self.consent => vec![Constraint::BuyerConsentNotSet],
            OrderState::Suspended => vec![Constraint::PaymentPlanNotSet],
            _ => Vec::new(),
        }
    }
}

impl Books {
    /// A buyer leaves an agreement at a seller's, as the widgets do.
    pub(crate) fn leave_agreement(
        &mut self,
        seller: SellerAt,
        buyer: Arc<Buyer>,
        (plan, consent): (Plan, bool),
        environment: Option<Environment>,
    ) -> (AgreementAt, String) {
        let letter = if environment == Some(Environment::Live) { 'B' } else { 'C' };
        let id = self.new_reference(letter, seller);
        let at = AgreementAt(self.agreements.len());
        let token = self.issue_token(seller, &buyer);
        self.by_id.insert(id.clone(), Object::Agreement(at));
        self.agreements.push(Agreement {
            id,
            seller,
            environment,
            created: self.now,
            state: OrderState::Draft,
            reason: None,
            description: None,
            updated: None,
            confirmed: false,
            consent,
            attributes: AgreementAttributes::default(),
            buyer,
            method_valid: true,
            plan,
            month_minor: MONTH_MINOR,
            is_permission: false,
            orders: Vec::new(),
        });
        self.set_timer(self.now + DRAFT_FOR, Due::StaleAgreement(at));
        (at, token)
    }

    fn turn_agreement(&mut self, at: AgreementAt, state: OrderState, reason: Option<Reason>) {
        let now = self.now;
        let agreement = &mut self[at];
        agreement.state = state;
        agreement.reason = reason;
        agreement.updated = Some(now);
        self.announce(News::Turned(Object::Agreement(at)));
    }

    /// As for an order: all of it once confirmed, or with the buyer's token.
    pub(crate) fn shows_subscriber(
        &self,
        at: AgreementAt,
        token: Option<&str>,
    ) -> Result<bool, Refusal> {
        let agreement = &self[at];
        match token {
            None => Ok(agreement.confirmed),
            Some(token) if self.is_token_of(token, agreement.seller, &agreement.buyer) => Ok(true),
            Some(_) => Err(Refusal::Token),
        }
    }

    /// Sets attributes of a draft.
    pub(crate) fn set_agreement(
        &mut self,
        at: AgreementAt,
        attributes: &AgreementAttributes,
    ) -> Result<(), Refusal> {
        if self[at].state != OrderState::Draft {
            return Err(Refusal::AgreementNotModifiable);
        }
        self[at].attributes.overwrite(attributes);
        Ok(())
    }

    /// Confirms the permission.
    pub(crate) fn confirm_agreement(&mut self, at: AgreementAt) -> Result<(), Refusal> {
        let state = self[at].state;
        match state {
            OrderState::Draft => {
                let constraints = self[at].constraints();
                if !constraints.is_empty() {
                    return Err(Refusal::AgreementConstraints(constraints));
                }
                self[at].confirmed = true;
                self.turn_agreement(at, OrderState::Open, None);
                Ok(())
            }
            OrderState::Open => Ok(()),
            OrderState::Suspended => Err(Refusal::MethodNotUpdated),
            OrderState::Canceled | OrderState::Closed if self.readings.second(9) => {
                Err(Refusal::AgreementNotModifiable)
            }
            OrderState::Canceled | OrderState::Closed => Err(Refusal::AgreementState(state)),
        }
    }

    /// Looks whether the payment method would do; where it would not, the agreement is suspended.
    pub(crate) fn validate_agreement(&mut self, at: AgreementAt) -> Result<bool, Refusal> {
        let agreement = &self[at];
        if agreement.state != OrderState::Open {
            return Err(Refusal::AgreementState(agreement.state));
        }
        let valid = agreement.method_valid;
        if !valid {
            self.suspend_agreement(at, None);
        }
        Ok(valid)
    }

    pub(super) fn suspend_agreement(&mut self, at: AgreementAt, mended_after: Option<Millis>) {
        self[at].method_valid = false;
        if self[at].state == OrderState::Open {
            let reason = Some(Reason::InvalidPaymentMethod);
            self.turn_agreement(at, OrderState::Suspended, reason);
        }
        if let Some(after) = mended_after {
            self.set_timer(self.now + after, Due::MendedAgreement(at));
        }
    }

    /// The buyer changes the payment method; Amazon reopens by itself what waited for that.
    pub(crate) fn change_agreement_method(&mut self, at: AgreementAt, valid: bool) {
        self[at].method_valid = valid;
        if valid && self[at].state == OrderState::Suspended {
            self.turn_agreement(at, OrderState::Open, None);
        }
        for order in self[at].orders.clone() {
            self.change_method(order, valid);
        }
    }

    /// The seller closes an agreement; what is authorized may still be captured.
    pub(crate) fn close_agreement(
        &mut self,
        at: AgreementAt,
        why: Option<String>,
    ) -> Result<(), Refusal> {
        match self[at].state {
            OrderState::Open | OrderState::Suspended => {
                self.end_agreement(at, OrderState::Closed, Reason::SellerClosed, why);
                Ok(())
            }
            OrderState::Closed if !self.readings.second(9) => Ok(()),
            OrderState::Draft | OrderState::Canceled | OrderState::Closed => {
                Err(Refusal::CloseAttempt)
            }
        }
    }

    /// Ends an agreement; where it is canceled, so is every order reference made from it.
    pub(super) fn end_agreement(
        &mut self,
        at: AgreementAt,
        state: OrderState,
        reason: Reason,
        why: Option<String>,
    ) {
        self.turn_agreement(at, state, Some(reason));
        self[at].description = why;
        if state != OrderState::Canceled {
            return;
        }
        for order in self[at].orders.clone() {
            if !self[order].state.is_terminal() {
                self.end_canceled(order, reason, None);
            }
        }
    }
}
