//! Amazon's own books: sellers, objects, plans, timers and every movement of money. They know
//! nothing of any wire; the APIs word what the books answer. Whatever is due is settled before
//! anything is asked, in the order in which it fell due, so that one seed gives one history.

mod ageing;
mod agreement;
mod attributes;
mod authorization;
mod buyer;
mod capture;
mod charge;
mod ledger;
mod limits;
mod news;
mod order;
mod permission;
mod plan;
mod reason;
mod refund;
mod seller;
mod seller_central;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::ops::{Index, IndexMut};

use super::clock::Millis;
use super::ids::Ids;
use super::settings::Readings;
use ageing::Due;
pub(crate) use agreement::{Agreement, AgreementAttributes};
pub(crate) use attributes::Attributes;
pub(crate) use authorization::{Authorization, AuthorizationState, AuthorizeAsk, Patience};
pub(crate) use buyer::{Address, Buyer, Token};
pub(crate) use capture::{Capture, CaptureAsk, CaptureState};
pub(crate) use ledger::{Entry, Kind as EntryKind};
pub(crate) use limits::{allowance, order_fits};
pub(crate) use news::News;
pub(crate) use order::{Constraint, Order, OrderState};
pub(crate) use permission::Given;
pub(crate) use plan::{CaptureFate, Ending, Fate, Plan, Step};
pub(crate) use reason::Reason;
pub(crate) use refund::{Refund, RefundAsk, RefundKind, RefundState};
pub(crate) use seller::{Region, Seller, SellerChange};

use amazon_pay_money::Money;

/// Sandbox or production: two worlds that know nothing of each other's objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Environment {
    Sandbox,
    Live,
}

macro_rules! places {
    ($($(#[$doc:meta])* $name:ident of $record:ty as $field:ident),+ $(,)?) => {
        $(
            $(#[$doc])*
            #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
            pub(crate) struct $name(usize);

            impl Index<$name> for Books {
                type Output = $record;
                fn index(&self, place: $name) -> &$record {
                    &self.$field[place.0]
                }
            }

            impl IndexMut<$name> for Books {
                fn index_mut(&mut self, place: $name) -> &mut $record {
                    &mut self.$field[place.0]
                }
            }
        )+
    };
}

places! {
    /// Where a seller stands in the books.
    SellerAt of Seller as sellers,
    /// Where an order reference stands in the books.
    OrderAt of Order as orders,
    /// Where a billing agreement stands in the books.
    AgreementAt of Agreement as agreements,
    /// Where an authorization stands in the books.
    AuthorizationAt of Authorization as authorizations,
    /// Where a capture stands in the books.
    CaptureAt of Capture as captures,
    /// Where a refund stands in the books.
    RefundAt of Refund as refunds,
}

/// Whatever has an id of Amazon's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Object {
    Order(OrderAt),
    Agreement(AgreementAt),
    Authorization(AuthorizationAt),
    Capture(CaptureAt),
    Refund(RefundAt),
}

/// What the books refuse, in no API's words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No such object of this seller.
    Unknown,
    /// The object belongs to the other environment (reading 8).
    OtherEnvironment,
    /// The order reference can no longer be changed.
    NotModifiable,
    /// The order reference is not in a state for this.
    OrderState(OrderState),
    /// The order reference cannot be confirmed yet.
    Constraints(Vec<Constraint>),
    /// A suspended reference was confirmed with the same payment method.
    MethodNotUpdated,
    AgreementNotModifiable,
    AgreementState(OrderState),
    AgreementConstraints(Vec<Constraint>),
    /// A second order reference from an agreement in Draft.
    OrderCountExceeded,
    /// Above what may be charged in one month, which ends then.
    MonthExceeded {
        used: Money,
        asked: Money,
        allowed: Money,
        ends: Millis,
    },
    CancelAttempt,
    CloseAttempt,
    /// The authorization is not in a state for this.
    AuthorizationState(AuthorizationState),
    /// The capture is not in a state to be refunded.
    NotRefundable,
    /// Above the allowance: what is used already, what was asked, what is allowed.
    AmountExceeded {
        used: Money,
        asked: Money,
        allowed: Money,
    },
    CountExceeded,
    CurrencyMismatch,
    CurrencyUnsupported,
    /// The reference id again, with other parameters.
    DuplicateRequest,
    /// The reference id was used for something else.
    DuplicateReference,
    /// The consent token is expired, or not of this buyer.
    Token,
}

/// The answer of a call that has a reference id: what it made, or made before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Made<At> {
    pub(crate) at: At,
    pub(crate) repeated: bool,
}

/// All books.
pub(crate) struct Books {
    pub(crate) readings: Readings,
    pub(crate) ids: Ids,
    now: Millis,
    sellers: Vec<Seller>,
    by_merchant: HashMap<String, SellerAt>,
    orders: Vec<Order>,
    agreements: Vec<Agreement>,
    authorizations: Vec<Authorization>,
    captures: Vec<Capture>,
    refunds: Vec<Refund>,
    by_id: HashMap<String, Object>,
    users: HashMap<String, String>,
    tokens: HashMap<String, Token>,
    references: HashMap<(SellerAt, Environment, String), Object>,
    timers: BTreeMap<(Millis, u64), Due>,
    timers_set: u64,
    ledger: Vec<Entry>,
    news: VecDeque<News>,
}

impl Books {
    pub(crate) fn new(ids: Ids, now: Millis) -> Self {
        Self {
            readings: Readings::default(),
            ids,
            now,
            sellers: Vec::new(),
            by_merchant: HashMap::new(),
            orders: Vec::new(),
            agreements: Vec::new(),
            authorizations: Vec::new(),
            captures: Vec::new(),
            refunds: Vec::new(),
            by_id: HashMap::new(),
            users: HashMap::new(),
            tokens: HashMap::new(),
            references: HashMap::new(),
            timers: BTreeMap::new(),
            timers_set: 0,
            ledger: Vec::new(),
            news: VecDeque::new(),
        }
    }

    /// Amazon's time of what happens now.
    pub(crate) fn now(&self) -> Millis {
        self.now
    }

    /// The object of this id, whosever it is.
    pub(crate) fn find(&self, id: &str) -> Option<Object> {
        self.by_id.get(id).copied()
    }

    /// The order reference that an object is, or belongs to.
    pub(crate) fn order_of(&self, object: Object) -> Option<OrderAt> {
        match object {
            Object::Order(at) => Some(at),
            Object::Agreement(_) => None,
            Object::Authorization(at) => Some(self[at].order),
            Object::Capture(at) => Some(self.order_of_capture(at)),
            Object::Refund(at) => Some(self.order_of_capture(self[at].capture)),
        }
    }

    pub(crate) fn order_of_capture(&self, at: CaptureAt) -> OrderAt {
        self[self[at].authorization].order
    }

    /// The object of this id as `seller` sees it in `environment`; the first who calls for a
    /// reference or an agreement binds it to an environment.
    ///
    /// # Errors
    /// It is unknown, another seller's, or of the other environment.
    pub(crate) fn look_up(
        &mut self,
        seller: SellerAt,
        environment: Environment,
        id: &str,
    ) -> Result<Object, Refusal> {
        let object = self.find(id).ok_or(Refusal::Unknown)?;
        let (owner, bound) = match (object, self.order_of(object)) {
            (Object::Agreement(at), _) => {
                let agreement = &mut self[at];
                (agreement.seller, &mut agreement.environment)
            }
            (_, Some(at)) => {
                let order = &mut self[at];
                (order.seller, &mut order.environment)
            }
            (_, None) => return Err(Refusal::Unknown),
        };
        if owner != seller {
            return Err(Refusal::Unknown);
        }
        if *bound.get_or_insert(environment) == environment {
            Ok(object)
        } else {
            Err(Refusal::OtherEnvironment)
        }
    }

    /// As [`Books::look_up`], for MWS: what API v2 made is not known there.
    ///
    /// # Errors
    /// As of [`Books::look_up`].
    pub(crate) fn look_up_by_mws(
        &mut self,
        seller: SellerAt,
        environment: Environment,
        id: &str,
    ) -> Result<Object, Refusal> {
        let object = self.look_up(seller, environment, id)?;
        if self.is_of_v2(object) { Err(Refusal::Unknown) } else { Ok(object) }
    }

    /// Whether API v2 made it, or what it belongs to.
    pub(crate) fn is_of_v2(&self, object: Object) -> bool {
        match object {
            Object::Agreement(at) => self[at].is_permission,
            other => self.order_of(other).is_some_and(|at| {
                let parent = self[at].parent;
                self[at].limit.is_some() || parent.is_some_and(|at| self[at].is_permission)
            }),
        }
    }

    /// What a reference id was used for, if it was.
    fn used(&self, order: OrderAt, reference: &str) -> Option<Object> {
        self.used_by(self[order].seller, self.environment_of(order), reference)
    }

    fn used_by(
        &self,
        seller: SellerAt,
        environment: Environment,
        reference: &str,
    ) -> Option<Object> {
        self.references.get(&(seller, environment, reference.to_owned())).copied()
    }

    fn use_reference(&mut self, order: OrderAt, reference: &str, object: Object) {
        if reference.is_empty() {
            return;
        }
        let key = (self[order].seller, self.environment_of(order), reference.to_owned());
        self.references.insert(key, object);
    }

    fn environment_of(&self, order: OrderAt) -> Environment {
        self[order].environment.unwrap_or(Environment::Sandbox)
    }

    /// A new id of a reference or an agreement.
    fn new_reference(&mut self, letter: char, seller: SellerAt) -> String {
        let region = self[seller].region.digits();
        loop {
            let id = self.ids.reference(letter, region);
            if self.find(&id).is_none() {
                return id;
            }
        }
    }

    /// A new id below an order reference: `-A`, `-C` or `-R` and six digits. An authorization and
    /// a capture of the same digits belong together: API v2 knows both by one id.
    fn serial(&mut self, order: OrderAt, letter: char) -> String {
        let stem = self[order].stem.as_ref().unwrap_or(&self[order].id).clone();
        loop {
            let serial = self.ids.serial();
            let twins = if letter == 'R' { "R" } else { "AC" };
            let id = |letter| format!("{stem}-{letter}{serial}");
            if twins.chars().all(|letter| !self.by_id.contains_key(&id(letter))) {
                return id(letter);
            }
        }
    }

    /// The order references of a seller, oldest first.
    pub(crate) fn orders_of(&self, seller: SellerAt) -> impl Iterator<Item = &Order> {
        self[seller].orders.iter().map(|at| &self[*at])
    }
}
