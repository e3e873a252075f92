//! The relay over models of its ports: order, failures of one subject, replies, the turn. Time is
//! virtual.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::*;
use crate::domain::ids::{MerchantAccountId, OrderId, ReferenceId};
use crate::domain::payment::Payment;
use crate::domain::payment::admission::Known;
use crate::ports::broker::{
    BrokerError, Consumer, Lane, Publication, PublishError, Replies, Target,
};
use crate::ports::relay::{FeedRow, OutboxRow, RowKey};
use crate::ports::store::{
    Commit, DueQuery, KnownQuery, OutboxEntry, ReplyTarget, StoreError, Waiter,
};
use crate::ports::vault::{Sealed, VaultError};

/// Everything behind the relay, in memory.
#[derive(Default)]
struct World {
    rows: Mutex<Vec<OutboxRow>>,
    waiters: Mutex<Vec<Waiter>>,
    settled: Mutex<Vec<RowKey>>,
    over: Mutex<Vec<String>>,
    /// Message ids that were given to the broker, confirmed or not.
    begun: Mutex<Vec<String>>,
    sent: Mutex<Vec<Publication>>,
    /// Sizes of the batches.
    batches: Mutex<Vec<usize>>,
    /// Message ids that the broker refuses so many times more.
    refuses: Mutex<HashMap<String, usize>>,
    /// Message ids whose confirms do not come until they are taken out.
    held: Mutex<HashSet<String>>,
    released: Notify,
    database_away: Mutex<bool>,
    marks_fail: Mutex<bool>,
    turn: Mutex<Option<String>>,
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap()
}

#[async_trait]
impl Outbox for World {
    async fn unpublished(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        if *lock(&self.database_away) {
            return Err(StoreError::Away("gone".to_owned()));
        }
        let settled = lock(&self.settled);
        let rows = lock(&self.rows);
        let open = rows.iter().filter(|row| !settled.contains(&row.key()));
        Ok(open.take(limit as usize).cloned().collect())
    }

    async fn joined(&self, payment_ids: &[String]) -> Result<Vec<Waiter>, StoreError> {
        let waiters = lock(&self.waiters);
        Ok(waiters.iter().filter(|w| payment_ids.contains(&w.payment_id)).cloned().collect())
    }

    async fn published(&self, rows: &[RowKey], over: &[String], _: i64) -> Result<(), StoreError> {
        if *lock(&self.marks_fail) {
            return Err(StoreError::Away("gone".to_owned()));
        }
        lock(&self.settled).extend(rows.iter().cloned());
        lock(&self.over).extend(over.iter().cloned());
        Ok(())
    }

    async fn feed(&self, _: i64, _: u32, _: Option<&[String]>) -> Result<Vec<FeedRow>, StoreError> {
        Ok(Vec::new())
    }

    async fn backlog(&self, _: i64) -> Result<(u64, i64), StoreError> {
        Ok((0, 0))
    }
}

#[async_trait]
impl Broker for World {
    async fn declare(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn publish_all(&self, all: Vec<Publication>) -> Vec<Result<(), PublishError>> {
        lock(&self.batches).push(all.len());
        for publication in &all {
            let id = publication.message.message_id.as_deref().unwrap();
            lock(&self.begun).push(id.to_owned());
            while lock(&self.held).contains(id) {
                self.released.notified().await;
            }
        }
        let mut refuses = lock(&self.refuses);
        let mut results = Vec::new();
        for publication in all {
            let gone = matches!(&publication.target, Target::Queue(name) if name == "gone");
            let id = publication.message.message_id.clone().unwrap();
            let refused = refuses.get_mut(&id).filter(|left| **left > 0);
            results.push(match refused {
                Some(left) => {
                    *left -= 1;
                    Err(PublishError::Unconfirmed("late".to_owned()))
                }
                None if gone => Err(PublishError::Unroutable),
                None => {
                    lock(&self.sent).push(publication);
                    Ok(())
                }
            });
        }
        results
    }

    async fn consume(&self, _: Lane, _: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        Err(BrokerError::Away("not asked for".to_owned()))
    }

    async fn consume_thrown_out(
        &self,
        lane: Lane,
        prefetch: u16,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        self.consume(lane, prefetch).await
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, BrokerError> {
        Err(BrokerError::Away("not asked for".to_owned()))
    }

    async fn check(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}

impl Vault for World {
    fn seal(&self, _: &str, _: &[u8]) -> Sealed {
        Sealed(String::new())
    }

    fn open(&self, identity: &str, sealed: &Sealed) -> Result<Vec<u8>, VaultError> {
        if sealed.0 == identity {
            Ok(identity.as_bytes().to_vec())
        } else {
            Err(VaultError::Broken)
        }
    }
}

impl Clock for World {
    fn now_ms(&self) -> i64 {
        1_000_000
    }

    fn random_hex(&self, _: usize) -> String {
        String::new()
    }
}

type Answer<T> = Result<T, StoreError>;

fn not_asked<T>() -> Answer<T> {
    Err(StoreError::Away("not asked for".to_owned()))
}

#[async_trait]
impl Store for World {
    async fn known(&self, _: &KnownQuery) -> Answer<Known> {
        not_asked()
    }
    async fn commit(&self, _: Commit) -> Answer<()> {
        not_asked()
    }
    async fn payment(&self, _: &str) -> Answer<Option<Payment>> {
        not_asked()
    }
    async fn orders(&self, _: &OrderId, _: &[MerchantAccountId]) -> Answer<Vec<Payment>> {
        not_asked()
    }
    async fn reference_owner(&self, _: &str, _: &ReferenceId) -> Answer<Option<String>> {
        not_asked()
    }
    async fn due(&self, _: &DueQuery) -> Answer<Vec<Payment>> {
        not_asked()
    }

    async fn due_count(&self, _: i64, _: i64, _: bool) -> Answer<u64> {
        not_asked()
    }

    async fn references_to_close(&self, _: i64, _: u32) -> Answer<Vec<Payment>> {
        not_asked()
    }

    async fn to_look_at(&self, _: i64, _: i64, _: u32) -> Answer<Vec<Payment>> {
        not_asked()
    }
    async fn wake(&self, _: &MerchantAccountId, _: i64) -> Answer<u64> {
        not_asked()
    }
    async fn joins(&self, _: &str) -> Answer<i64> {
        not_asked()
    }
    async fn waiters(&self, _: &str) -> Answer<Vec<Waiter>> {
        not_asked()
    }
    async fn event(&self, _: &str) -> Answer<Option<OutboxEntry>> {
        not_asked()
    }
    async fn heartbeat(&self, _: &str, _: i64, _: i64) -> Answer<u32> {
        not_asked()
    }
    async fn farewell(&self, _: &str) -> Answer<()> {
        not_asked()
    }
    async fn take_turn(&self, task: &str, worker: &str, now: i64, until: i64) -> Answer<bool> {
        assert_eq!(task, "relay");
        let mut turn = lock(&self.turn);
        let ours = turn.as_deref().is_none_or(|holder| holder == worker);
        if ours {
            *turn = (until > now).then(|| worker.to_owned());
        }
        Ok(ours)
    }
    async fn check(&self) -> Answer<()> {
        Ok(())
    }
}

fn relay(world: &Arc<World>, worker: &str) -> Relay {
    Relay {
        outbox: world.clone(),
        store: world.clone(),
        broker: world.clone(),
        vault: world.clone(),
        clock: world.clone(),
        metrics: Metrics::local().unwrap(),
        worker: worker.to_owned(),
        handover: Arc::default(),
    }
}

impl World {
    /// Commits an event `<subject>-<n>` for each word.
    fn with(words: &[&str]) -> Arc<Self> {
        let world = Arc::new(Self::default());
        words.iter().for_each(|word| world.add(word, |_| {}));
        world
    }

    fn add(&self, event_id: &str, change: impl Fn(&mut OutboxEntry)) {
        let mut rows = lock(&self.rows);
        let entry = entry(event_id, change);
        let number = i64::try_from(rows.len()).unwrap();
        rows.push(OutboxRow { number, entry });
    }

    /// The confirm of an event that was held comes now.
    fn release(&self, event_id: &str) {
        lock(&self.held).remove(event_id);
        self.released.notify_waiters();
    }

    fn marked(&self) -> Vec<String> {
        let settled = lock(&self.settled);
        settled
            .iter()
            .map(|key| match key {
                RowKey::First(event) => event.clone(),
                RowKey::Replay(number) => number.to_string(),
            })
            .collect()
    }

    fn events(&self) -> Vec<String> {
        let sent = lock(&self.sent);
        let events = sent.iter().filter(|publication| publication.target == Target::Events);
        events.map(|publication| publication.message.message_id.clone().unwrap()).collect()
    }

    fn replies(&self) -> Vec<(String, Option<String>, String)> {
        let sent = lock(&self.sent);
        let replies = sent.iter().filter_map(|publication| match &publication.target {
            Target::Queue(queue) => {
                let message = publication.message.clone();
                Some((queue.clone(), message.correlation_id, message.message_id.unwrap()))
            }
            _ => None,
        });
        replies.collect()
    }
}

fn entry(event_id: &str, change: impl Fn(&mut OutboxEntry)) -> OutboxEntry {
    let subject = event_id.split('-').next().unwrap().to_owned();
    let mut entry = OutboxEntry {
        event_id: event_id.to_owned(),
        subject: subject.clone(),
        mid: None,
        routing_key: "order.paid".to_owned(),
        body: Sealed(format!("event/{event_id}")),
        replies: Vec::new(),
        payment_id: Some(subject),
        done: false,
        replay: false,
        traceparent: Some("00-1-2-01".to_owned()),
        created_at: 5_000,
    };
    change(&mut entry);
    entry
}

fn target(queue: &str, correlation: &str) -> ReplyTarget {
    ReplyTarget { reply_to: queue.to_owned(), correlation_id: Some(correlation.to_owned()) }
}

/// A relay at work on the world.
struct Running {
    handover: Arc<Handover>,
    metrics: Arc<Metrics>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Running {
    fn start(world: &Arc<World>, worker: &str) -> Self {
        let relay = relay(world, worker);
        let (handover, metrics) = (Arc::clone(&relay.handover), Arc::clone(&relay.metrics));
        let stop = CancellationToken::new();
        let task = tokio::spawn(relay.run(stop.clone()));
        Self { handover, metrics, stop, task }
    }

    async fn end(self) {
        self.stop.cancel();
        self.task.await.unwrap();
    }
}

/// Publishes and marks all that is there, and ends.
async fn once(world: &Arc<World>) {
    let running = Running::start(world, "w");
    until(|| lock(&world.turn).is_some()).await;
    running.end().await;
}

/// Looks until it is so; how long that may take is a bound, and not what is tested.
async fn until(so: impl Fn() -> bool) {
    for _ in 0..600 {
        if so() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("it never came");
}

async fn a_while() {
    tokio::time::sleep(Duration::from_secs(30)).await;
}

#[tokio::test(start_paused = true)]
async fn subjects_go_together_and_each_in_its_order() {
    let world = World::with(&["a-1", "a-2", "b-1", "c-1", "a-3", "b-2"]);
    once(&world).await;
    assert_eq!(world.events(), ["a-1", "b-1", "c-1", "a-2", "b-2", "a-3"]);
    assert_eq!(*lock(&world.batches), [3, 2, 1]);
    assert_eq!(world.marked(), world.events(), "the feed has the order of the confirms");
    assert_eq!(*lock(&world.turn), None, "others may");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_confirmed_stops_its_subject_and_no_other() {
    let world = World::with(&["a-1", "a-2", "b-1", "b-2"]);
    lock(&world.refuses).insert("a-1".to_owned(), 1);
    let running = Running::start(&world, "w");
    until(|| world.events().len() == 4).await;
    running.end().await;
    assert_eq!(world.events(), ["b-1", "b-2", "a-1", "a-2"]);
    assert_eq!(world.marked(), ["b-1", "b-2", "a-1", "a-2"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_opened_stops_its_subject_and_no_other() {
    let world = World::with(&["b-1"]);
    world.add("a-1", |entry| entry.body = Sealed("moved".to_owned()));
    world.add("a-2", |_| {});
    world.add("b-2", |_| {});
    let running = Running::start(&world, "w");
    a_while().await;
    assert_eq!(world.events(), ["b-1", "b-2"]);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn an_event_is_published_as_it_was_committed() {
    let world = World::with(&["a-1"]);
    once(&world).await;
    let sent = lock(&world.sent);
    let message = &sent[0].message;
    assert_eq!(message.body, b"event/a-1");
    assert_eq!(message.routing_key, "order.paid");
    assert_eq!(message.content_type.as_deref(), Some("application/cloudevents+json"));
    assert_eq!(message.headers["traceparent"], "00-1-2-01");
    assert_eq!(message.timestamp, Some(5));
    assert_eq!(message.reply_to, None);
}

#[tokio::test(start_paused = true)]
async fn replies_go_to_who_asked_and_to_who_joined_after_the_event() {
    let world = World::with(&[]);
    world.add("a-1", |entry| {
        entry.replies = vec![target("q-1", "c-1"), target("gone", "c-2")];
        entry.done = true;
    });
    world.add("b-1", |_| {});
    let reply = |reply| Waiter { payment_id: "a".to_owned(), message_id: "m".to_owned(), reply };
    lock(&world.waiters).extend([
        reply(Some(target("q-3", "c-3"))),
        reply(None),
        reply(Some(target("q-1", "c-1"))),
        reply(Some(target("q-1", "c-4"))),
    ]);
    let running = Running::start(&world, "w");
    until(|| world.marked().len() == 2).await;
    let page = running.metrics.page().unwrap();
    running.end().await;
    let expected = [("q-1", "c-1"), ("q-3", "c-3"), ("q-1", "c-4")];
    let expected = expected.map(|(queue, correlation)| {
        (queue.to_owned(), Some(correlation.to_owned()), "a-1".to_owned())
    });
    assert_eq!(world.replies(), expected);
    assert_eq!(lock(&world.sent)[0].target, Target::Events, "the event is out first");
    assert_eq!(*lock(&world.over), ["a"]);
    assert!(page.contains("amazon_pay_replies_lost_total"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_in_flight_holds_up_its_subjects_and_no_others() {
    let world = World::with(&["a-1", "a-2"]);
    lock(&world.held).insert("a-1".to_owned());
    let running = Running::start(&world, "w");
    until(|| *lock(&world.begun) == ["a-1"]).await;
    world.add("b-1", |_| {});
    until(|| world.marked() == ["b-1"]).await;
    a_while().await;
    assert_eq!(*lock(&world.begun), ["a-1", "b-1"], "nothing goes twice, nothing overtakes");
    world.release("a-1");
    until(|| world.marked() == ["b-1", "a-1", "a-2"]).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_handed_over_is_not_read() {
    let world = World::with(&[]);
    let running = Running::start(&world, "w");
    until(|| lock(&world.turn).is_some()).await;
    tokio::time::sleep(Duration::from_millis(1)).await;
    // It is not among the rows yet that a look would find.
    running.handover.hand(vec![entry("a-1", |_| {}), entry("b-1", |_| {})]);
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.events(), ["a-1", "b-1"], "at once");
    world.add("a-1", |_| {});
    world.add("b-1", |_| {});
    world.add("a-2", |_| {});
    until(|| world.events().len() == 3).await;
    // Found by a look before it was handed over.
    running.handover.hand(vec![entry("a-2", |_| {})]);
    a_while().await;
    assert_eq!(world.events(), ["a-1", "b-1", "a-2"], "each once");
    assert_eq!(world.marked(), ["a-1", "b-1", "a-2"]);
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_dies_before_marking_has_it_published_again() {
    let world = World::with(&["a-1", "a-2"]);
    *lock(&world.marks_fail) = true;
    let dying = Running::start(&world, "w");
    until(|| world.events() == ["a-1", "a-2"]).await;
    a_while().await;
    assert_eq!(world.events().len(), 2, "while it lives, it remembers");
    dying.task.abort();
    *lock(&world.marks_fail) = false;
    *lock(&world.turn) = None;
    once(&world).await;
    assert_eq!(world.events(), ["a-1", "a-2", "a-1", "a-2"]);
    assert_eq!(world.marked(), ["a-1", "a-2"]);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_marked_is_marked_before_what_follows() {
    let world = World::with(&["a-1"]);
    *lock(&world.marks_fail) = true;
    let running = Running::start(&world, "w");
    until(|| world.events() == ["a-1"]).await;
    world.add("a-2", |_| {});
    until(|| world.events() == ["a-1", "a-2"]).await;
    *lock(&world.marks_fail) = false;
    until(|| world.marked() == ["a-1", "a-2"]).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn who_loses_its_turn_begins_nothing_more() {
    let world = World::with(&["a-1", "a-2"]);
    lock(&world.held).insert("a-1".to_owned());
    let running = Running::start(&world, "w");
    until(|| *lock(&world.begun) == ["a-1"]).await;
    *lock(&world.turn) = Some("other".to_owned());
    a_while().await;
    running.handover.hand(vec![entry("b-1", |_| {})]);
    world.release("a-1");
    a_while().await;
    assert_eq!(world.marked(), ["a-1"], "what was in flight counts");
    assert_eq!(*lock(&world.begun), ["a-1"]);
    *lock(&world.turn) = None;
    until(|| world.marked() == ["a-1", "a-2"]).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn it_goes_on_after_the_database_was_away_and_leaves_its_turn() {
    let world = World::with(&["a-1"]);
    *lock(&world.database_away) = true;
    let running = Running::start(&world, "w");
    until(|| lock(&world.turn).as_deref() == Some("w")).await;
    assert!(world.events().is_empty());
    *lock(&world.database_away) = false;
    until(|| world.events() == ["a-1"]).await;
    // Committed just before the end: published all the same.
    world.add("a-2", |_| {});
    running.end().await;
    assert_eq!(world.events(), ["a-1", "a-2"]);
    assert_eq!(world.marked(), ["a-1", "a-2"]);
    assert_eq!(*lock(&world.turn), None);
}

#[tokio::test(start_paused = true)]
async fn one_publishes_while_the_others_wait() {
    let world = World::with(&["a-1"]);
    *lock(&world.turn) = Some("other".to_owned());
    let running = Running::start(&world, "w");
    a_while().await;
    assert!(world.events().is_empty());
    *lock(&world.turn) = None;
    until(|| world.events() == ["a-1"]).await;
    running.end().await;
}

#[tokio::test(start_paused = true)]
async fn it_looks_by_itself_and_is_woken_by_a_commit() {
    let world = World::with(&[]);
    let running = Running::start(&world, "w");
    until(|| lock(&world.turn).is_some()).await;
    world.add("a-1", |_| {});
    running.handover.hand(Vec::new());
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(world.events(), ["a-1"]);
    // Another process committed: nobody tells.
    world.add("a-2", |_| {});
    until(|| world.events() == ["a-1", "a-2"]).await;
    running.end().await;
}
