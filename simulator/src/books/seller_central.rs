//! What happens at Amazon's without the seller's program: an employee closes or captures in Seller
//! Central, a buyer disputes.

use super::{
    AgreementAt, AuthorizationAt, AuthorizationState, Books, CaptureAsk, CaptureAt, CaptureState,
    News, Object, OrderAt, OrderState, Reason, RefundAsk, RefundAt, RefundKind, Step,
};
use amazon_pay_money::Money;

impl Books {
    /// Closes whatever it is. A word that is a reason code becomes the reason, any other the
    /// description of it.
    ///
    /// # Errors
    /// A text that says why not.
    pub(crate) fn close_by_hand(
        &mut self,
        object: Object,
        word: Option<&str>,
    ) -> Result<(), String> {
        let reason = word.and_then(Reason::parse);
        let why = word.filter(|_| reason.is_none()).map(str::to_owned);
        let reason = reason.unwrap_or(match object {
            Object::Capture(_) => Reason::AmazonClosed,
            _ => Reason::SellerClosed,
        });
        match object {
            Object::Order(at) => self.close_order_by_hand(at, reason, why),
            Object::Agreement(at) => self.close_agreement_by_hand(at, reason, why),
            Object::Authorization(at) => self
                .close_authorization(at, reason, why)
                .map_err(|_| format!("the authorization is {}", self[at].state.text())),
            Object::Capture(at) if self[at].state == CaptureState::Completed => {
                self.turn_capture(at, CaptureState::Closed, Some(reason));
                Ok(())
            }
            Object::Capture(at) => Err(format!("the capture is {}", self[at].state.text())),
            Object::Refund(_) => Err("a refund cannot be closed".to_owned()),
        }
    }

    fn close_order_by_hand(
        &mut self,
        at: OrderAt,
        reason: Reason,
        why: Option<String>,
    ) -> Result<(), String> {
        let state = self[at].state;
        if state.is_terminal() {
            return Err(format!("the order reference is {}", state.text()));
        }
        match reason {
            Reason::AmazonCanceled | Reason::SellerCanceled | Reason::Stale => {
                self.end_canceled(at, reason, why);
            }
            _ => {
                self.turn_order(at, OrderState::Closed, Some(reason));
                self[at].description = why;
            }
        }
        Ok(())
    }

    fn close_agreement_by_hand(
        &mut self,
        at: AgreementAt,
        reason: Reason,
        why: Option<String>,
    ) -> Result<(), String> {
        let state = self[at].state;
        if state.is_terminal() {
            return Err(format!("the agreement is {}", state.text()));
        }
        let state = match reason {
            Reason::AmazonCanceled | Reason::SellerCanceled | Reason::Stale => OrderState::Canceled,
            _ => OrderState::Closed,
        };
        self.end_agreement(at, state, reason, why);
        Ok(())
    }

    /// Captures what is authorized, as an employee does it with a button; all of it unless told.
    ///
    /// # Errors
    /// A text that says why not.
    pub(crate) fn capture_by_hand(
        &mut self,
        object: Object,
        amount: Option<&str>,
    ) -> Result<CaptureAt, String> {
        let authorization = match object {
            Object::Authorization(at) => Some(at),
            Object::Order(at) => self.open_authorization(at),
            Object::Agreement(at) => {
                let orders = self[at].orders.iter().rev();
                orders.copied().find_map(|order| self.open_authorization(order))
            }
            Object::Capture(_) | Object::Refund(_) => None,
        };
        let at = authorization.ok_or("there is no open authorization")?;
        let amount = read_amount(amount, self[at].ask.amount)?;
        let ask = CaptureAsk {
            reference: format!("SC-{}", self.ids.hex(16)),
            amount,
            note: String::new(),
            soft_descriptor: None,
        };
        let made = self.capture(at, &ask, Some(Step::APPROVE.into()));
        made.map(|made| made.at).map_err(|refusal| format!("refused: {refusal:?}"))
    }

    fn open_authorization(&self, at: OrderAt) -> Option<AuthorizationAt> {
        let open = |at: &&AuthorizationAt| self[**at].state == AuthorizationState::Open;
        self[at].authorizations.iter().rev().find(open).copied()
    }

    /// A buyer gets money back over the seller's head.
    ///
    /// # Errors
    /// A text that says why not.
    pub(crate) fn dispute(
        &mut self,
        object: Object,
        amount: Option<&str>,
        kind: RefundKind,
    ) -> Result<RefundAt, String> {
        let capture = match object {
            Object::Capture(at) => Some(at),
            Object::Refund(at) => Some(self[at].capture),
            Object::Authorization(at) => self[at].captures.last().copied(),
            Object::Order(at) => self.last_capture(at),
            Object::Agreement(at) => {
                self[at].orders.iter().rev().find_map(|order| self.last_capture(*order))
            }
        };
        let moved = |at: &CaptureAt| {
            matches!(self[*at].state, CaptureState::Completed | CaptureState::Closed)
        };
        let capture = capture.filter(moved).ok_or("nothing was captured")?;
        let captured = self[capture].ask.amount;
        let left = captured.checked_sub(self[capture].refunded).filter(|left| !left.is_zero());
        let amount = read_amount(amount, left.ok_or("all of it was given back already")?)?;
        let ask = RefundAsk {
            reference: String::new(),
            amount,
            note: String::new(),
            soft_descriptor: None,
        };
        let at = self.new_refund(capture, ask, kind, Step::APPROVE);
        self.complete_refund(at);
        self.announce(News::Disputed(at));
        Ok(at)
    }

    fn last_capture(&self, at: OrderAt) -> Option<CaptureAt> {
        let mut captures = self[at].authorizations.iter().flat_map(|at| &self[*at].captures);
        captures.rfind(|at| self[**at].state != CaptureState::Declined).copied()
    }
}

/// An amount up to `max`, or all of it where none is named.
fn read_amount(amount: Option<&str>, max: Money) -> Result<Money, String> {
    let Some(text) = amount else { return Ok(max) };
    let money = Money::parse(text, max.currency()).map_err(|error| format!("amount: {error}"))?;
    if money.minor() > max.minor() {
        return Err(format!("amount: at most {}", max.amount()));
    }
    Ok(money)
}
