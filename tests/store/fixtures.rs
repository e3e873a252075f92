//! A database of its own for each test, and payments to put into it.

use amazon_pay_worker::adapters::database::{Database, Options};
use amazon_pay_worker::domain::command::{
    Asker, AuthorizationMode, CaptureMode, PaymentKey, Sale, Subject, Texts,
};
use amazon_pay_worker::domain::ids::{
    ChargeId, MerchantAccountId, MessageId, OrderId, ReferenceId, UpsellId,
};
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::domain::payment::admission::{Seen, SeenMessage};
use amazon_pay_worker::domain::payment::{Payment, Sealed};
use amazon_pay_worker::ports::store::{
    Commit, InboxEntry, OutboxEntry, PaymentWrite, ReplyTarget, Store as _, Waiter,
};

use crate::support::{Store, services};

/// A fresh database with its schema, and what keeps it there.
pub(crate) struct Opened {
    pub(crate) database: Database,
    pub(crate) url: String,
    _folder: Option<tempfile::TempDir>,
    _postgres: Option<services::PostgresEnv>,
}

impl std::ops::Deref for Opened {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

impl Opened {
    /// The same database as another process sees it.
    pub(crate) async fn again(&self) -> Database {
        Database::connect(&self.url, &Options::default()).await.unwrap()
    }
}

/// Without a schema yet.
pub(crate) async fn open_empty(store: Store) -> Opened {
    let (folder, postgres, url) = match store {
        Store::Sqlite => {
            let folder = tempfile::tempdir().unwrap();
            let url = format!("sqlite://{}/new/store.db", folder.path().display());
            (Some(folder), None, url)
        }
        Store::Postgres => {
            let postgres = services::postgres().await.unwrap();
            let url = postgres.url().to_owned();
            (None, Some(postgres), url)
        }
    };
    let database = Database::connect(&url, &Options::default()).await.unwrap();
    Opened { database, url, _folder: folder, _postgres: postgres }
}

pub(crate) async fn open(store: Store) -> Opened {
    let opened = open_empty(store).await;
    opened.migrate_up().await.unwrap();
    opened
}

pub(crate) const NOW: i64 = 1_795_000_000_000;
pub(crate) const ACCOUNT: &str = "eu/sandbox/SELLER";

pub(crate) fn mid(text: &str) -> MerchantAccountId {
    MerchantAccountId::new(text).unwrap()
}

pub(crate) fn order_id(text: &str) -> OrderId {
    OrderId::new(text).unwrap()
}

pub(crate) fn reference(text: &str) -> ReferenceId {
    ReferenceId::new(text).unwrap()
}

pub(crate) fn eur(minor: i64) -> Money {
    Money::from_minor(minor, Currency::EUR)
}

pub(crate) fn asker(message: &str) -> Asker {
    Asker {
        message_id: MessageId::new(message).unwrap(),
        reply_to: None,
        correlation_id: None,
        traceparent: None,
    }
}

fn payment(mid_text: &str, subject: Subject, reference_text: Option<&str>) -> Payment {
    let message = format!("m-{mid_text}-{}", subject.key());
    let sale = Sale {
        key: PaymentKey { mid: mid(mid_text), subject },
        reference: reference_text.map(reference),
        amount: eur(1995),
        capture: CaptureMode::Immediate,
        authorization: AuthorizationMode::SyncThenAsync,
        initial_charge: true,
        of_order: None,
        not_before: None,
        texts: Texts::default(),
    };
    Payment::open(sale, asker(&message), ACCOUNT.to_owned(), NOW)
}

/// An order of MID 7 on a reference of its own.
pub(crate) fn order(name: &str) -> Payment {
    order_through("7", name, &format!("S01-{name}"))
}

pub(crate) fn order_through(mid_text: &str, name: &str, reference_text: &str) -> Payment {
    payment(mid_text, Subject::Order(order_id(name)), Some(reference_text))
}

pub(crate) fn upsell(name: &str, upsell: &str) -> Payment {
    let subject = Subject::Upsell(order_id(name), UpsellId::new(upsell).unwrap());
    payment("7", subject, None)
}

pub(crate) fn charge(name: &str) -> Payment {
    let mut charge = payment("7", Subject::Charge(ChargeId::new(name).unwrap()), Some("B01-1"));
    charge.owns_reference = false;
    charge
}

pub(crate) fn inbox(message: &str, payment_id: &str) -> InboxEntry {
    let seen = Seen::Accepted(payment_id.to_owned());
    let seen = SeenMessage { fingerprint: format!("print of {message}"), seen };
    InboxEntry { message_id: message.to_owned(), seen, at: NOW }
}

/// The claim of a new payment by the message that opened it.
pub(crate) fn claim(payment: &Payment) -> Commit {
    Commit {
        inbox: vec![inbox(payment.opener.message_id.as_str(), &payment.id())],
        payment: Some(PaymentWrite::Insert(payment.clone())),
        ..Commit::default()
    }
}

/// Writes a new payment as it is, and nothing else.
pub(crate) async fn insert(store: &Database, payment: &Payment) {
    store.commit(just(PaymentWrite::Insert(payment.clone()))).await.unwrap();
}

pub(crate) fn just(write: PaymentWrite) -> Commit {
    Commit { payment: Some(write), ..Commit::default() }
}

/// The next version of a payment, over the one that it has.
pub(crate) fn update(payment: &mut Payment) -> Commit {
    let expected = payment.version;
    payment.version += 1;
    just(PaymentWrite::Update { payment: payment.clone(), expected })
}

pub(crate) fn event(id: &str, payment: &Payment) -> OutboxEntry {
    OutboxEntry {
        event_id: id.to_owned(),
        subject: payment.id(),
        mid: Some(payment.key.mid.to_string()),
        routing_key: "order.paid".to_owned(),
        body: Sealed(format!("sealed {id}")),
        replies: Vec::new(),
        payment_id: Some(payment.id()),
        done: true,
        replay: false,
        traceparent: None,
        created_at: NOW,
    }
}

pub(crate) fn waiter(payment: &Payment, message: &str, reply_to: Option<&str>) -> Waiter {
    let reply = reply_to.map(|reply_to| ReplyTarget {
        reply_to: reply_to.to_owned(),
        correlation_id: Some(format!("correlation of {message}")),
    });
    Waiter { payment_id: payment.id(), message_id: message.to_owned(), reply }
}
