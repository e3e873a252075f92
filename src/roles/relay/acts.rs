//! What the relay does to the world, one act at a time, each to be awaited beside the others:
//! reading the outbox, publishing, marking what was confirmed, asking for the turn.

use std::collections::{HashMap, HashSet};

use super::Relay;
use super::queues::Ready;
use crate::contract::event::CONTENT_TYPE;
use crate::ports::broker::{Message, Publication, PublishError, Target};
use crate::ports::relay::{OutboxRow, RowKey};
use crate::ports::store::{OutboxEntry, ReplyTarget, StoreError};
use crate::telemetry::fields;

/// The task of which there is one among all processes.
const TURN: &str = "relay";

/// A row in flight and what became of it.
pub(super) type Sent = (Ready, Result<(), PublishError>);

impl Relay {
    /// Whether it is this process's turn until then; `until` of now gives it back.
    pub(super) async fn take_turn(&self, now: i64, until: i64) -> bool {
        match self.store.take_turn(TURN, &self.worker, now, until).await {
            Ok(ours) => ours,
            Err(error) => {
                tracing::warn!({ fields::ERROR } = %error, "the relay cannot ask for its turn");
                false
            }
        }
    }

    pub(super) async fn read(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError> {
        self.outbox.unpublished(limit).await.inspect_err(|error| {
            tracing::warn!({ fields::ERROR } = %error, "the outbox cannot be read");
        })
    }

    /// The row as it will be published; none where it cannot be opened.
    pub(super) fn open(&self, key: RowKey, entry: OutboxEntry) -> Option<Ready> {
        let event = entry.event_id.as_str();
        match self.vault.open(&format!("event/{event}"), &entry.body) {
            Ok(body) => Some(ready(key, entry, body)),
            Err(error) => {
                tracing::error!(
                    { fields::EVENT } = event, { fields::ERROR } = %error,
                    "an event cannot be opened; its subject waits"
                );
                None
            }
        }
    }

    /// Publishes the heads of as many subjects and, once they are out, copies them to who asked
    /// in the first place.
    pub(super) async fn publish(&self, heads: Vec<Ready>) -> Vec<Sent> {
        let event =
            |ready: &Ready| Publication { target: Target::Events, message: ready.message.clone() };
        let results = self.broker.publish_all(heads.iter().map(event).collect()).await;
        report(&heads, &results);
        let sent: Vec<Sent> = heads.into_iter().zip(results).collect();
        let mut copies = Vec::new();
        for (ready, _) in sent.iter().filter(|(_, result)| result.is_ok()) {
            copy(ready, &ready.replies, &mut HashSet::new(), &mut copies);
        }
        self.reply(copies).await;
        sent
    }

    /// Copies confirmed events to who joined, then remembers that they are out. What could not be
    /// marked comes back with the error.
    pub(super) async fn mark(&self, confirmed: Vec<Ready>) -> (Vec<Ready>, Result<(), StoreError>) {
        let result = async {
            self.tell_joined(&confirmed).await?;
            let keys: Vec<_> = confirmed.iter().map(|ready| ready.key.clone()).collect();
            let over = payments(confirmed.iter().filter(|ready| ready.done));
            self.outbox.published(&keys, &over, self.clock.now_ms()).await
        };
        let result = result.await;
        match &result {
            Ok(()) => self.metrics.published(confirmed.len() as u64),
            Err(error) => tracing::warn!(
                { fields::ERROR } = %error, { fields::COUNT } = confirmed.len(),
                "published events cannot be marked yet"
            ),
        }
        (confirmed, result)
    }

    /// Whoever joined a payment did so before its end was committed, so this may come late.
    async fn tell_joined(&self, confirmed: &[Ready]) -> Result<(), StoreError> {
        let payments = payments(confirmed.iter());
        if payments.is_empty() {
            return Ok(());
        }
        let mut waiters: HashMap<_, Vec<_>> = HashMap::new();
        for waiter in self.outbox.joined(&payments).await? {
            waiters.entry(waiter.payment_id).or_default().extend(waiter.reply);
        }
        let mut copies = Vec::new();
        for ready in confirmed {
            let joined = ready.payment_id.as_ref().and_then(|id| waiters.get(id));
            let mut told = ready.replies.iter().collect();
            copy(ready, joined.into_iter().flatten(), &mut told, &mut copies);
        }
        self.reply(copies).await;
        Ok(())
    }

    /// Lost copies are counted and not sent again: the event is out.
    async fn reply(&self, copies: Vec<Publication>) {
        if copies.is_empty() {
            return;
        }
        for result in self.broker.publish_all(copies).await {
            if result.is_err() {
                self.metrics.reply_lost();
            }
        }
    }

    pub(super) async fn count(&self) {
        if let Ok((backlog, age_ms)) = self.outbox.backlog(self.clock.now_ms()).await {
            self.metrics.outbox(backlog, age_ms);
        }
    }
}

/// The payments of these rows, each once.
fn payments<'a>(rows: impl Iterator<Item = &'a Ready>) -> Vec<String> {
    let payments: HashSet<_> = rows.filter_map(|ready| ready.payment_id.clone()).collect();
    payments.into_iter().collect()
}

/// A copy for each target that was not told yet.
fn copy<'a>(
    ready: &Ready,
    targets: impl IntoIterator<Item = &'a ReplyTarget>,
    told: &mut HashSet<&'a ReplyTarget>,
    copies: &mut Vec<Publication>,
) {
    for target in targets {
        if told.insert(target) {
            let mut message = ready.message.clone();
            message.correlation_id.clone_from(&target.correlation_id);
            copies.push(Publication { target: Target::Queue(target.reply_to.clone()), message });
        }
    }
}

fn ready(key: RowKey, entry: OutboxEntry, body: Vec<u8>) -> Ready {
    let traceparent = entry.traceparent.map(|text| ("traceparent".to_owned(), text));
    let message = Message {
        routing_key: entry.routing_key,
        body,
        message_id: Some(entry.event_id.clone()),
        content_type: Some(CONTENT_TYPE.to_owned()),
        timestamp: u64::try_from(entry.created_at / 1000).ok(),
        headers: traceparent.into_iter().collect(),
        ..Message::default()
    };
    Ready {
        key,
        event_id: entry.event_id,
        subject: entry.subject,
        payment_id: entry.payment_id,
        done: entry.done,
        replies: entry.replies,
        message,
    }
}

/// One line for a batch in trouble, not one for each event.
fn report(heads: &[Ready], results: &[Result<(), PublishError>]) {
    let failed = || results.iter().zip(heads).filter(|(result, _)| result.is_err());
    if let Some((Err(error), first)) = failed().next() {
        let count = failed().count();
        tracing::warn!(
            { fields::ERROR } = %error, { fields::COUNT } = count,
            { fields::EVENT } = first.event_id.as_str(),
            "events were not confirmed: they will be published again"
        );
    }
}
