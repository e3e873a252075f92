//! What the CRM asks for, parsed into types that cannot be wrong.

use super::ids::{ChargeId, MerchantAccountId, MessageId, OrderId, ReferenceId, UpsellId};
use super::money::Money;

/// What is being paid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// An order of a lander.
    Order,
    /// An upsell after an order.
    Upsell,
    /// A recurring charge.
    Charge,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 3] = [Kind::Order, Kind::Upsell, Kind::Charge];

    /// `order`, `upsell`, `charge`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Order => "order",
            Kind::Upsell => "upsell",
            Kind::Charge => "charge",
        }
    }

    /// Reads [`Kind::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// The business key of a payment within its merchant account.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Subject {
    /// `orderId`.
    Order(OrderId),
    /// `orderId` and `upsellId`.
    Upsell(OrderId, UpsellId),
    /// `chargeId`.
    Charge(ChargeId),
}

impl Subject {
    /// What kind of payment it names.
    #[must_use]
    pub const fn kind(&self) -> Kind {
        match self {
            Subject::Order(_) => Kind::Order,
            Subject::Upsell(..) => Kind::Upsell,
            Subject::Charge(_) => Kind::Charge,
        }
    }

    /// The key as one text: `orderId`, `orderId/upsellId`, `chargeId`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Subject::Order(order) => order.to_string(),
            Subject::Upsell(order, upsell) => format!("{order}/{upsell}"),
            Subject::Charge(charge) => charge.to_string(),
        }
    }

    /// What Amazon shows as SellerOrderId if the payment has a reference of its own.
    #[must_use]
    pub fn seller_order_id(&self) -> String {
        match self {
            Subject::Order(order) => order.to_string(),
            Subject::Upsell(order, upsell) => format!("{order}-{upsell}"),
            Subject::Charge(charge) => charge.to_string(),
        }
    }

    /// The order that it is or belongs to.
    #[must_use]
    pub const fn order(&self) -> Option<&OrderId> {
        match self {
            Subject::Order(order) | Subject::Upsell(order, _) => Some(order),
            Subject::Charge(_) => None,
        }
    }
}

/// One payment, for ever: merchant account, kind and business key.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PaymentKey {
    /// The merchant account.
    pub mid: MerchantAccountId,
    /// What is paid within it.
    pub subject: Subject,
}

impl PaymentKey {
    /// The subject of its events: `<mid>/<kind>/<key>`.
    #[must_use]
    pub fn event_subject(&self) -> String {
        let (mid, kind) = (self.mid.as_str(), self.subject.kind().as_str());
        match &self.subject {
            Subject::Order(order) => [mid, kind, order.as_str()].join("/"),
            Subject::Upsell(order, upsell) => {
                [mid, kind, order.as_str(), upsell.as_str()].join("/")
            }
            Subject::Charge(charge) => [mid, kind, charge.as_str()].join("/"),
        }
    }
}

/// When the money is captured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CaptureMode {
    /// In the same call as the authorization.
    Immediate,
    /// By a later `capture.request`.
    Manual,
}

/// How Amazon is asked to decide.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorizationMode {
    /// At once, and if Amazon cannot, within a day.
    SyncThenAsync,
    /// At once or not at all.
    Sync,
    /// Within a day.
    Async,
}

impl AuthorizationMode {
    /// Whether the first money call asks for a decision at once.
    #[must_use]
    pub const fn begins_synchronous(self) -> bool {
        match self {
            AuthorizationMode::SyncThenAsync | AuthorizationMode::Sync => true,
            AuthorizationMode::Async => false,
        }
    }
}

macro_rules! words {
    ($type:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        impl $type {
            /// Every variant.
            pub const ALL: &'static [$type] = &[$($type::$variant),+];
            /// The contract's word.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $($type::$variant => $word),+ }
            }
            /// Reads the contract's word.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|one| one.as_str() == text)
            }
        }
    };
}

words!(CaptureMode { Immediate = "immediate", Manual = "manual" });
words!(AuthorizationMode { SyncThenAsync = "sync_then_async", Sync = "sync", Async = "async" });

/// The texts of a command that are carried to Amazon or to the events untouched.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Texts {
    /// On the buyer's statement, at most 16 characters.
    pub soft_descriptor: Option<String>,
    /// Amazon's authorization note, at most 255 characters.
    pub note: Option<String>,
    /// Amazon's custom information.
    pub custom_information: Option<String>,
    /// Amazon's store name.
    pub store_name: Option<String>,
    /// The billing cycle, carried through to the events (charges): its JSON literal, because it
    /// may be text or a number.
    pub cycle: Option<String>,
}

/// `order.import`, `upsell.import` or `charge.recurring`: pay this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sale {
    /// Which payment.
    pub key: PaymentKey,
    /// The buyer's consent; of an upsell, absent means the order's again.
    pub reference: Option<ReferenceId>,
    /// How much.
    pub amount: Money,
    /// When it is captured.
    pub capture: CaptureMode,
    /// How Amazon is asked.
    pub authorization: AuthorizationMode,
    /// Whether an agreement is charged at once (true unless said otherwise).
    pub initial_charge: bool,
    /// Of a charge: the order that it belongs to.
    pub of_order: Option<OrderId>,
    /// Of a charge: not before this time, in milliseconds since the epoch.
    pub not_before: Option<i64>,
    /// Texts carried through.
    pub texts: Texts,
}

/// Which message asked, and who wants to hear of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    /// The producer's idempotency key.
    pub message_id: MessageId,
    /// A queue for direct replies.
    pub reply_to: Option<String>,
    /// Copied into the replies.
    pub correlation_id: Option<String>,
    /// W3C trace context of the message.
    pub traceparent: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_is_read_back() {
        for kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.as_str()), Some(kind));
        }
        for mode in CaptureMode::ALL {
            assert_eq!(CaptureMode::parse(mode.as_str()), Some(*mode));
        }
        for mode in AuthorizationMode::ALL {
            assert_eq!(AuthorizationMode::parse(mode.as_str()), Some(*mode));
        }
    }
}
