//! The ports of ingest in memory, with a switch for each thing that can be away.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use amazon_pay_worker::domain::ids::{MerchantAccountId, OrderId, ReferenceId};
use amazon_pay_worker::domain::payment::Payment;
use amazon_pay_worker::domain::payment::admission::{Known, SeenMessage};
use amazon_pay_worker::ports::broker::{
    Broker, BrokerError, Consumer, Lane, Message, Publication, PublishError, Replies,
};
use amazon_pay_worker::ports::clock::Clock;
use amazon_pay_worker::ports::desk::{DeadLetterFilter, DeadLetterRow, Desk, PaymentFilter};
use amazon_pay_worker::ports::merchants::{ApiClient, MerchantRow, MerchantStore};
use amazon_pay_worker::ports::relay::{FeedRow, Outbox, OutboxRow, RowKey};
use amazon_pay_worker::ports::store::{
    Commit, DueQuery, JournalEntry, KnownQuery, OutboxEntry, Store, StoreError, Waiter,
};
use async_trait::async_trait;
use tokio::sync::mpsc;

type Stored<T> = Result<T, StoreError>;

/// The database.
#[derive(Default)]
pub(crate) struct Database {
    pub(crate) away: AtomicBool,
    /// Never answers what is asked of it.
    pub(crate) hangs: AtomicBool,
    /// Looks at clients and merchant accounts.
    pub(crate) looks: AtomicU64,
    /// Looks that found everything.
    pub(crate) read: AtomicU64,
    pub(crate) clients: Mutex<Vec<ApiClient>>,
    pub(crate) merchants: Mutex<Vec<MerchantRow>>,
    pub(crate) payments: Mutex<Vec<Payment>>,
    pub(crate) events: Mutex<BTreeMap<String, OutboxEntry>>,
    pub(crate) steps: Mutex<Vec<JournalEntry>>,
    pub(crate) messages: Mutex<BTreeMap<String, SeenMessage>>,
    /// Position, account, row.
    pub(crate) feed: Mutex<Vec<(String, FeedRow)>>,
}

impl Database {
    async fn answers(&self) {
        if self.hangs.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
    }

    fn here(&self) -> Stored<()> {
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Away("secret-host-of-the-database".to_owned()));
        }
        Ok(())
    }
}

fn not_asked<T>() -> Stored<T> {
    Err(StoreError::Corrupt("ingest never asks for this".to_owned()))
}

#[async_trait]
impl MerchantStore for Database {
    async fn merchant(&self, _: &MerchantAccountId) -> Stored<Option<MerchantRow>> {
        not_asked()
    }

    async fn merchants(&self) -> Stored<Vec<MerchantRow>> {
        self.here()?;
        self.read.fetch_add(1, Ordering::SeqCst);
        Ok(self.merchants.lock().unwrap().clone())
    }

    async fn put_merchant(&self, _: &MerchantRow) -> Stored<()> {
        not_asked()
    }

    async fn clients(&self) -> Stored<Vec<ApiClient>> {
        self.looks.fetch_add(1, Ordering::SeqCst);
        // Long enough that others come meanwhile.
        tokio::time::sleep(Duration::from_millis(5)).await;
        self.answers().await;
        self.here()?;
        Ok(self.clients.lock().unwrap().clone())
    }

    async fn put_client(&self, _: &ApiClient) -> Stored<()> {
        not_asked()
    }
}

#[async_trait]
impl Store for Database {
    async fn known(&self, query: &KnownQuery) -> Stored<Known> {
        self.answers().await;
        self.here()?;
        let message = self.messages.lock().unwrap().get(&query.message_id).cloned();
        Ok(Known { message, ..Known::default() })
    }

    async fn commit(&self, _: Commit) -> Stored<()> {
        not_asked()
    }

    async fn payment(&self, id: &str) -> Stored<Option<Payment>> {
        self.here()?;
        Ok(self.payments.lock().unwrap().iter().find(|payment| payment.id() == id).cloned())
    }

    async fn orders(&self, order: &OrderId, mids: &[MerchantAccountId]) -> Stored<Vec<Payment>> {
        self.answers().await;
        self.here()?;
        let payments = self.payments.lock().unwrap();
        let wanted = payments.iter().filter(|payment| {
            let of_order = payment.id() == format!("{}/order/{order}", payment.key.mid);
            of_order && (mids.is_empty() || mids.contains(&payment.key.mid))
        });
        Ok(wanted.cloned().collect())
    }

    async fn reference_owner(&self, _: &str, _: &ReferenceId) -> Stored<Option<String>> {
        not_asked()
    }

    async fn due(&self, _: &DueQuery) -> Stored<Vec<Payment>> {
        not_asked()
    }

    async fn due_count(&self, _: i64, _: i64, _: bool) -> Stored<u64> {
        not_asked()
    }

    async fn references_to_close(&self, _: i64, _: u32) -> Stored<Vec<Payment>> {
        not_asked()
    }

    async fn to_look_at(&self, _: i64, _: i64, _: u32) -> Stored<Vec<Payment>> {
        not_asked()
    }

    async fn wake(&self, _: &MerchantAccountId, _: i64) -> Stored<u64> {
        not_asked()
    }

    async fn joins(&self, _: &str) -> Stored<i64> {
        not_asked()
    }

    async fn waiters(&self, _: &str) -> Stored<Vec<Waiter>> {
        not_asked()
    }

    async fn event(&self, event_id: &str) -> Stored<Option<OutboxEntry>> {
        self.here()?;
        Ok(self.events.lock().unwrap().get(event_id).cloned())
    }

    async fn heartbeat(&self, _: &str, _: i64, _: i64) -> Stored<u32> {
        not_asked()
    }

    async fn farewell(&self, _: &str) -> Stored<()> {
        not_asked()
    }

    async fn take_turn(&self, _: &str, _: &str, _: i64, _: i64) -> Stored<bool> {
        not_asked()
    }

    async fn check(&self) -> Stored<()> {
        self.here()
    }
}

#[async_trait]
impl Desk for Database {
    async fn dead_letters(&self, _: &DeadLetterFilter) -> Stored<Vec<DeadLetterRow>> {
        not_asked()
    }

    async fn payments(&self, _: &PaymentFilter) -> Stored<Vec<Payment>> {
        not_asked()
    }

    async fn find(&self, _: &str) -> Stored<Vec<Payment>> {
        not_asked()
    }

    async fn timeline(&self, payment_id: &str) -> Stored<Vec<JournalEntry>> {
        self.here()?;
        let steps = self.steps.lock().unwrap();
        Ok(steps.iter().filter(|step| step.payment_id == payment_id).cloned().collect())
    }
}

#[async_trait]
impl Outbox for Database {
    async fn unpublished(&self, _: u32) -> Stored<Vec<OutboxRow>> {
        not_asked()
    }

    async fn joined(&self, _: &[String]) -> Stored<Vec<Waiter>> {
        not_asked()
    }

    async fn published(&self, _: &[RowKey], _: &[String], _: i64) -> Stored<()> {
        not_asked()
    }

    async fn feed(&self, after: i64, limit: u32, mids: Option<&[String]>) -> Stored<Vec<FeedRow>> {
        self.here()?;
        let feed = self.feed.lock().unwrap();
        let wanted = feed.iter().filter(|(mid, row)| {
            row.position > after && mids.is_none_or(|mids| mids.contains(mid))
        });
        Ok(wanted.take(limit as usize).map(|(_, row)| row.clone()).collect())
    }

    async fn backlog(&self, _: i64) -> Stored<(u64, i64)> {
        not_asked()
    }
}

/// What a worker would say to a command, as events.
type Worker = Box<dyn Fn(&Message) -> Vec<Vec<u8>> + Send>;

/// The broker, with a worker behind it.
#[derive(Default)]
pub(crate) struct Queues {
    pub(crate) away: AtomicBool,
    /// How many publications more are refused.
    pub(crate) refuses: AtomicU64,
    pub(crate) tries: AtomicU64,
    pub(crate) published: Mutex<Vec<Message>>,
    pub(crate) worker: Mutex<Option<Worker>>,
    replies: Mutex<Option<mpsc::Sender<Message>>>,
}

impl Queues {
    /// The reply queue is gone; the next one has another name.
    pub(crate) fn lose_replies(&self) {
        self.replies.lock().unwrap().take();
    }
}

#[async_trait]
impl Broker for Queues {
    async fn declare(&self) -> Result<(), BrokerError> {
        self.check().await
    }

    async fn publish_all(&self, all: Vec<Publication>) -> Vec<Result<(), PublishError>> {
        let mut results = Vec::new();
        for one in all {
            self.tries.fetch_add(1, Ordering::SeqCst);
            if self.away.load(Ordering::SeqCst) {
                results.push(Err(PublishError::Unconfirmed("secret-host".to_owned())));
                continue;
            }
            let refuse = |left: u64| left.checked_sub(1);
            let (set, get) = (Ordering::SeqCst, Ordering::SeqCst);
            if self.refuses.fetch_update(set, get, refuse).is_ok() {
                results.push(Err(PublishError::Refused));
                continue;
            }
            if let (Some(worker), Some(sender), true) = (
                &*self.worker.lock().unwrap(),
                &*self.replies.lock().unwrap(),
                one.message.reply_to.is_some(),
            ) {
                for body in worker(&one.message) {
                    let correlation_id = one.message.correlation_id.clone();
                    let reply = Message { body, correlation_id, ..Message::default() };
                    sender.try_send(reply).unwrap();
                }
            }
            self.published.lock().unwrap().push(one.message);
            results.push(Ok(()));
        }
        results
    }

    async fn consume(&self, _: Lane, _: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        Err(BrokerError::Away("ingest never consumes".to_owned()))
    }

    async fn consume_thrown_out(
        &self,
        lane: Lane,
        prefetch: u16,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        self.consume(lane, prefetch).await
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, BrokerError> {
        self.check().await?;
        let (sender, receiver) = mpsc::channel(100);
        *self.replies.lock().unwrap() = Some(sender);
        Ok(Box::new(ReplyQueue(receiver)))
    }

    async fn check(&self) -> Result<(), BrokerError> {
        if self.away.load(Ordering::SeqCst) {
            return Err(BrokerError::Away("secret-host-of-the-broker".to_owned()));
        }
        Ok(())
    }
}

struct ReplyQueue(mpsc::Receiver<Message>);

#[async_trait]
impl Replies for ReplyQueue {
    fn queue(&self) -> String {
        "replies-of-this-process".to_owned()
    }

    async fn next(&mut self) -> Option<Message> {
        self.0.recv().await
    }
}

/// Time that stands still, and chance that counts.
pub(crate) struct Watch {
    pub(crate) now: AtomicI64,
    drawn: AtomicU64,
}

impl Watch {
    pub(crate) fn new() -> Self {
        Self { now: AtomicI64::new(1_769_839_200_000), drawn: AtomicU64::new(1) }
    }

    pub(crate) fn forward(&self, time: Duration) {
        self.now.fetch_add(i64::try_from(time.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Watch {
    fn now_ms(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    fn random_hex(&self, bytes: usize) -> String {
        format!("{:0>width$x}", self.drawn.fetch_add(1, Ordering::SeqCst), width = bytes * 2)
    }
}
