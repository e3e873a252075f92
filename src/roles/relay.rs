//! The relay: what the outbox holds is published, at least once and in order per subject, and told
//! to whoever asked for replies. What follows in a subject is first published when what went before
//! was confirmed. It never changes an event, and never decides what an event says.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::contract::event::CONTENT_TYPE;
use crate::ports::broker::{Broker, Message, Publication, PublishError, Target};
use crate::ports::clock::Clock;
use crate::ports::relay::{Outbox, OutboxRow};
use crate::ports::store::{OutboxEntry, ReplyTarget, Store, StoreError};
use crate::ports::vault::Vault;
use crate::telemetry::fields;
use crate::telemetry::metrics::Metrics;

/// The task of which there is one among all processes.
const TURN: &str = "relay";
/// How long a turn lasts; whoever dies in it delays events by so much. Two that publish at once
/// only repeat each other: the order of first publications does not depend on the turn.
const TURN_MS: i64 = 6_000;
/// When a turn is renewed.
const RENEW_MS: i64 = 2_000;
/// How often it is asked for while another process has it.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Rows of one batch.
const BATCH: u32 = 500;
/// Without a commit in this process: how soon it looks for one of another's.
const IDLE_MIN: Duration = Duration::from_millis(100);
const IDLE_MAX: Duration = Duration::from_millis(250);
const IDLE_STEP: Duration = Duration::from_millis(15);
/// After trouble with broker or database, doubled with each in a row.
const REST_MIN: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(5);
/// How often the backlog is counted.
const GAUGE_MS: i64 = 5_000;
/// Batches that are still published when the role is told to stop.
const LAST_BATCHES: usize = 20;

/// What the relay stands on.
pub struct Relay {
    /// What is to be published.
    pub outbox: Arc<dyn Outbox>,
    /// Whose turn it is.
    pub store: Arc<dyn Store>,
    /// Where to.
    pub broker: Arc<dyn Broker>,
    /// Opens the events.
    pub vault: Arc<dyn Vault>,
    /// When it is.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// This process among all.
    pub worker: String,
    /// Notified by the commits of this process.
    pub wake: Arc<Notify>,
}

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Batch {
    rows: usize,
    published: usize,
}

/// A row and the message that it is published as.
struct Ready {
    row: OutboxRow,
    message: Message,
}

impl Relay {
    /// Publishes until it is told to stop; then what is left, within a bound.
    pub async fn run(self, stop: CancellationToken) {
        let mut renewed_at = None;
        let mut counted_at = 0;
        let mut idle = IDLE_MIN;
        let mut rest = REST_MIN;
        let mut unmarked = Vec::new();
        while !stop.is_cancelled() {
            let now = self.clock.now_ms();
            if renewed_at.is_none_or(|at: i64| now - at >= RENEW_MS || now < at) {
                renewed_at = self.take_turn(now).await.then_some(now);
            }
            if renewed_at.is_none() {
                pause(ASK_EVERY, &stop).await;
                continue;
            }
            let batch = self.batch(&mut unmarked).await;
            match &batch {
                Ok(batch) if batch.published == batch.rows => rest = REST_MIN,
                _ => {
                    pause(rest, &stop).await;
                    rest = (rest * 2).min(REST_MAX);
                }
            }
            if now - counted_at >= GAUGE_MS {
                counted_at = now;
                self.count(now).await;
            }
            idle = match batch {
                Ok(Batch { rows: 0, .. }) => {
                    tokio::select! {
                        () = self.wake.notified() => IDLE_MIN,
                        () = pause(idle, &stop) => (idle + IDLE_STEP).min(IDLE_MAX),
                    }
                }
                _ => IDLE_MIN,
            };
        }
        if renewed_at.is_some() {
            self.leave(&mut unmarked).await;
        }
    }

    async fn take_turn(&self, now: i64) -> bool {
        match self.store.take_turn(TURN, &self.worker, now, now + TURN_MS).await {
            Ok(ours) => ours,
            Err(error) => {
                tracing::warn!({ fields::ERROR } = %error, "the relay cannot ask for its turn");
                false
            }
        }
    }

    /// What was committed up to now is published, then somebody else may.
    async fn leave(&self, unmarked: &mut Vec<OutboxRow>) {
        for _ in 0..LAST_BATCHES {
            match self.batch(unmarked).await {
                Ok(batch) if batch.published == 0 => break,
                Ok(_) => {}
                Err(_) => break,
            }
        }
        let now = self.clock.now_ms();
        if let Err(error) = self.store.take_turn(TURN, &self.worker, now, now).await {
            tracing::debug!({ fields::ERROR } = %error, "the relay's turn ends by itself");
        }
    }

    async fn count(&self, now: i64) {
        if let Ok((backlog, age_ms)) = self.outbox.backlog(now).await {
            self.metrics.outbox(backlog, age_ms);
        }
    }

    /// Publishes what is new, and beside it marks what the batch before published: an event waits
    /// for the confirm of the one before it, not for the disk that remembers it. What could not be
    /// marked is read again and published again.
    async fn batch(&self, unmarked: &mut Vec<OutboxRow>) -> Result<Batch, StoreError> {
        let before = std::mem::take(unmarked);
        let marking = async { if before.is_empty() { Ok(()) } else { self.settle(&before).await } };
        let (marked, published) = tokio::join!(marking, self.publish_new(&before));
        let (batch, rows) = published?;
        *unmarked = rows;
        marked.map(|()| batch)
    }

    /// Reads and publishes all but what was published before and is being marked.
    async fn publish_new(
        &self,
        before: &[OutboxRow],
    ) -> Result<(Batch, Vec<OutboxRow>), StoreError> {
        let read = self.read(before).await.inspect_err(|error| {
            tracing::warn!({ fields::ERROR } = %error, "the outbox cannot be read");
        })?;
        let (rows, waiters) = read;
        let count = rows.len();
        if count == 0 {
            return Ok((Batch::default(), Vec::new()));
        }
        let mut published = self.publish(self.open(rows), &waiters).await;
        // The feed shows a batch in the order of its commits.
        published.sort_unstable_by_key(|row| row.number);
        Ok((Batch { rows: count, published: published.len() }, published))
    }

    async fn read(
        &self,
        before: &[OutboxRow],
    ) -> Result<(Vec<OutboxRow>, HashMap<String, Vec<ReplyTarget>>), StoreError> {
        let mut rows = self.outbox.unpublished(BATCH).await?;
        let known: HashSet<i64> = before.iter().map(|row| row.number).collect();
        rows.retain(|row| !known.contains(&row.number));
        let payments: HashSet<_> =
            rows.iter().filter_map(|row| row.entry.payment_id.clone()).collect();
        let mut waiters: HashMap<_, Vec<_>> = HashMap::new();
        if !payments.is_empty() {
            let payments: Vec<_> = payments.into_iter().collect();
            for waiter in self.outbox.joined(&payments).await? {
                waiters.entry(waiter.payment_id).or_default().extend(waiter.reply);
            }
        }
        Ok((rows, waiters))
    }

    /// Opens the rows and puts them into one queue for each subject. A row that cannot be opened
    /// stops its subject: what follows must not overtake it.
    fn open(&self, rows: Vec<OutboxRow>) -> Vec<VecDeque<Ready>> {
        let mut subjects: Vec<VecDeque<Ready>> = Vec::new();
        let mut place_of: HashMap<String, usize> = HashMap::new();
        let mut stopped = HashSet::new();
        for row in rows {
            let subject = row.entry.subject.clone();
            if stopped.contains(&subject) {
                continue;
            }
            match self.vault.open(&format!("event/{}", row.entry.event_id), &row.entry.body) {
                Ok(body) => {
                    let place = *place_of.entry(subject).or_insert_with(|| {
                        subjects.push(VecDeque::new());
                        subjects.len() - 1
                    });
                    let message = message(&row.entry, body);
                    subjects[place].push_back(Ready { row, message });
                }
                Err(error) => {
                    let event = row.entry.event_id.as_str();
                    tracing::error!(
                        { fields::EVENT } = event, { fields::ERROR } = %error,
                        "an event cannot be opened; its subject waits"
                    );
                    stopped.insert(subject);
                }
            }
        }
        subjects
    }

    /// Publishes in rounds: the first of every subject together, then the next of each.
    async fn publish(
        &self,
        mut subjects: Vec<VecDeque<Ready>>,
        waiters: &HashMap<String, Vec<ReplyTarget>>,
    ) -> Vec<OutboxRow> {
        let mut published = Vec::new();
        while !subjects.is_empty() {
            let heads: Vec<_> = subjects.iter_mut().filter_map(VecDeque::pop_front).collect();
            let events = heads
                .iter()
                .map(|ready| Publication { target: Target::Events, message: ready.message.clone() })
                .collect();
            let results = self.broker.publish_all(events).await;
            let confirmed: Vec<_> = results.iter().map(Result::is_ok).collect();
            report(&heads, &results);
            // One queue for each head, so they are told apart by their place.
            let mut places = confirmed.iter();
            subjects.retain(|rest| places.next() == Some(&true) && !rest.is_empty());
            let heads = heads.into_iter().zip(confirmed);
            let confirmed: Vec<_> =
                heads.filter_map(|(ready, confirmed)| confirmed.then_some(ready)).collect();
            self.reply(&confirmed, waiters).await;
            published.extend(confirmed.into_iter().map(|ready| ready.row));
        }
        published
    }

    /// Copies to whoever asked. Lost ones are counted and not sent again: the event is out.
    async fn reply(&self, events: &[Ready], waiters: &HashMap<String, Vec<ReplyTarget>>) {
        let mut copies = Vec::new();
        for Ready { row, message } in events {
            let joined = row.entry.payment_id.as_ref().and_then(|id| waiters.get(id));
            let targets = row.entry.replies.iter().chain(joined.into_iter().flatten());
            let mut told = HashSet::new();
            for target in targets {
                if told.insert((&target.reply_to, &target.correlation_id)) {
                    let mut message = message.clone();
                    message.correlation_id.clone_from(&target.correlation_id);
                    copies.push(Publication {
                        target: Target::Queue(target.reply_to.clone()),
                        message,
                    });
                }
            }
        }
        if copies.is_empty() {
            return;
        }
        for result in self.broker.publish_all(copies).await {
            if result.is_err() {
                self.metrics.reply_lost();
            }
        }
    }

    async fn settle(&self, published: &[OutboxRow]) -> Result<(), StoreError> {
        let numbers: Vec<_> = published.iter().map(|row| row.number).collect();
        let over: HashSet<_> = published
            .iter()
            .filter(|row| row.entry.done)
            .filter_map(|row| row.entry.payment_id.clone())
            .collect();
        let over: Vec<_> = over.into_iter().collect();
        let now = self.clock.now_ms();
        self.outbox.published(&numbers, &over, now).await.inspect_err(|error| {
            tracing::warn!(
                { fields::ERROR } = %error, { fields::COUNT } = numbers.len(),
                "published events cannot be marked: they will be published again"
            );
        })?;
        self.metrics.published(numbers.len() as u64);
        Ok(())
    }
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = tokio::time::sleep(time) => {}
    }
}

fn message(entry: &OutboxEntry, body: Vec<u8>) -> Message {
    let traceparent = entry.traceparent.clone().map(|text| ("traceparent".to_owned(), text));
    Message {
        routing_key: entry.routing_key.clone(),
        body,
        message_id: Some(entry.event_id.clone()),
        content_type: Some(CONTENT_TYPE.to_owned()),
        timestamp: u64::try_from(entry.created_at / 1000).ok(),
        headers: traceparent.into_iter().collect(),
        ..Message::default()
    }
}

/// One line for a batch in trouble, not one for each event.
fn report(heads: &[Ready], results: &[Result<(), PublishError>]) {
    let failed = || results.iter().zip(heads).filter(|(result, _)| result.is_err());
    if let Some((Err(error), first)) = failed().next() {
        let count = failed().count();
        let event = first.row.entry.event_id.as_str();
        tracing::warn!(
            { fields::ERROR } = %error, { fields::COUNT } = count, { fields::EVENT } = event,
            "events were not confirmed: they will be published again"
        );
    }
}

#[cfg(test)]
#[path = "relay_tests.rs"]
mod tests;
