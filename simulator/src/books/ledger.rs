//! Every movement of money, in the order in which it happened. Entries are only ever added.

use super::{Books, Object, OrderAt};
use crate::clock::Millis;
use amazon_pay_money::Money;

/// What moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Authorize,
    Decline,
    Capture,
    Release,
    Refund,
    Chargeback,
}

impl Kind {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Kind::Authorize => "authorize",
            Kind::Decline => "decline",
            Kind::Capture => "capture",
            Kind::Release => "release",
            Kind::Refund => "refund",
            Kind::Chargeback => "chargeback",
        }
    }
}

/// One movement of money.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) at: Millis,
    pub(crate) order: OrderAt,
    pub(crate) kind: Kind,
    pub(crate) amount: Money,
    pub(crate) object: Object,
}

impl Books {
    pub(super) fn enter(&mut self, kind: Kind, object: Object, amount: Money) {
        if let Some(order) = self.order_of(object) {
            self.ledger.push(Entry { at: self.now, order, kind, amount, object });
        }
    }

    /// The entries, oldest first.
    pub(crate) fn ledger(&self) -> &[Entry] {
        &self.ledger
    }

    /// The id and the reference id of what moved.
    pub(crate) fn names(&self, object: Object) -> (&str, &str) {
        match object {
            Object::Order(at) => (&self[at].id, ""),
            Object::Agreement(at) => (&self[at].id, ""),
            Object::Authorization(at) => (&self[at].id, &self[at].reference),
            Object::Capture(at) => (&self[at].id, &self[at].reference),
            Object::Refund(at) => (&self[at].id, &self[at].reference),
        }
    }
}
