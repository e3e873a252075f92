//! The state machines and limits of the books, without any wire: a shop with one seller, whose
//! time stands still until a test moves it.

mod agreements;
mod authorizations;
mod captures;
mod orders;
mod refunds;

use std::sync::Arc;

use super::*;
use crate::settings::Reading;
use amazon_pay_money::Currency;

pub(super) const DECLINED: Ending = Ending::Decline(Reason::ProcessingFailure);

/// One seller and his books.
pub(super) struct Shop {
    pub(super) books: Books,
    pub(super) seller: SellerAt,
}

pub(super) fn usd(minor: i64) -> Money {
    Money::from_minor(minor, Currency::USD)
}

pub(super) fn step(ending: Ending) -> Step {
    Step { ending, after: None }
}

pub(super) fn decline(reason: Reason) -> Step {
    step(Ending::Decline(reason))
}

impl Shop {
    pub(super) fn new() -> Self {
        let mut books = Books::new(Ids::new(42), 0);
        let (seller, is_new) = books.register("A1", SellerChange::default());
        assert!(is_new);
        Self { books, seller }
    }

    /// A shop under the second reading of a point.
    pub(super) fn reading(point: usize) -> Self {
        let mut shop = Self::new();
        assert!(shop.books.readings.choose(point, Reading::B));
        shop
    }

    pub(super) fn wait(&mut self, ms: Millis) {
        self.books.settle(self.books.now() + ms);
    }

    pub(super) fn draft(&mut self, plan: Plan) -> OrderAt {
        let user_id = self.books.user_id("b@example.com");
        let (name, email) = ("Test Buyer".to_owned(), "b@example.com".to_owned());
        let address = Some(Address::demo(&name));
        let buyer = Arc::new(Buyer { user_id, name, email, address });
        let environment = Some(Environment::Sandbox);
        self.books.leave_order(self.seller, buyer, plan, environment).0
    }

    pub(super) fn set(&mut self, at: OrderAt, total: i64) {
        let attributes = Attributes::default();
        self.books.set_order(at, usd(total), &attributes, false).unwrap();
    }

    /// A confirmed order of 100.00 whose authorizations end like this.
    pub(super) fn order(&mut self, authorize: &[Step]) -> OrderAt {
        let authorize = authorize.iter().copied().collect();
        self.planned(Plan { authorize, ..Plan::default() })
    }

    pub(super) fn planned(&mut self, plan: Plan) -> OrderAt {
        let at = self.draft(plan);
        self.set(at, 10_000);
        self.books.confirm_order(at, false).unwrap();
        at
    }

    pub(super) fn authorize(
        &mut self,
        order: OrderAt,
        ask: &AuthorizeAsk,
    ) -> Result<AuthorizationAt, Refusal> {
        self.books.authorize(order, ask, None).map(|made| made.at)
    }

    /// An open authorization of this much.
    pub(super) fn held(&mut self, order: OrderAt, amount: i64) -> AuthorizationAt {
        let reference = format!("a{}", self.books.authorizations.len());
        let at = self.authorize(order, &ask(&reference, amount)).unwrap();
        assert_eq!(self.books[at].state, AuthorizationState::Open);
        at
    }

    pub(super) fn capture(
        &mut self,
        at: AuthorizationAt,
        amount: i64,
    ) -> Result<CaptureAt, Refusal> {
        let reference = format!("c{}", self.books.captures.len());
        let ask = capture_ask(&reference, amount);
        self.books.capture(at, &ask, None).map(|made| made.at)
    }

    /// A completed capture of 100.00.
    pub(super) fn sold(&mut self, plan: Plan) -> CaptureAt {
        let order = self.planned(plan);
        let held = self.held(order, 10_000);
        self.capture(held, 10_000).unwrap()
    }

    pub(super) fn told(&self, at: AuthorizationAt) -> (AuthorizationState, Option<Reason>) {
        (self.books[at].state, self.books[at].reason)
    }

    pub(super) fn order_told(&self, at: OrderAt) -> (OrderState, Option<Reason>) {
        (self.books[at].state, self.books[at].reason)
    }

    pub(super) fn moved(&self) -> Vec<(EntryKind, i64)> {
        self.books.ledger().iter().map(|entry| (entry.kind, entry.amount.minor())).collect()
    }
}

/// A synchronous authorization without a capture.
pub(super) fn ask(reference: &str, amount: i64) -> AuthorizeAsk {
    AuthorizeAsk {
        reference: reference.to_owned(),
        amount: usd(amount),
        note: String::new(),
        timeout_minutes: 0,
        patience: Patience::Little,
        capture_now: false,
        soft_descriptor: None,
    }
}

pub(super) fn capture_ask(reference: &str, amount: i64) -> CaptureAsk {
    let reference = reference.to_owned();
    CaptureAsk { reference, amount: usd(amount), note: String::new(), soft_descriptor: None }
}
