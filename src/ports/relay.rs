//! The outbox as the relay reads it, and the feed of what was published.

use async_trait::async_trait;

use super::store::{OutboxEntry, StoreError, Waiter};
use super::vault::Sealed;

/// An unpublished row.
#[derive(Debug, Clone)]
pub struct OutboxRow {
    /// The row's number, in order of commits of one subject.
    pub number: i64,
    /// The event.
    pub entry: OutboxEntry,
}

impl OutboxRow {
    /// Its name.
    #[must_use]
    pub fn key(&self) -> RowKey {
        if self.entry.replay {
            RowKey::Replay(self.number)
        } else {
            RowKey::First(self.entry.event_id.clone())
        }
    }
}

/// One row of the outbox by name: an event's own row is known before it has a number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RowKey {
    /// The one in which an event was committed, by the event's id.
    First(String),
    /// One that publishes an event again, by its number.
    Replay(i64),
}

/// A published event in the feed.
#[derive(Debug, Clone)]
pub struct FeedRow {
    /// Its place: nothing ever appears at or before a place that was given out.
    pub position: i64,
    /// Its id, for unsealing.
    pub event_id: String,
    /// The document.
    pub body: Sealed,
}

/// The relay's side of the store.
#[async_trait]
pub trait Outbox: Send + Sync {
    /// The oldest unpublished rows, in order; of a subject none behind one that cannot be read.
    async fn unpublished(&self, limit: u32) -> Result<Vec<OutboxRow>, StoreError>;

    /// Who joined these payments.
    async fn joined(&self, payment_ids: &[String]) -> Result<Vec<Waiter>, StoreError>;

    /// These rows were confirmed: first-published ones get their place in the feed, in the order
    /// given, and `over` payments (whose command is done) lose their waiters. One commit.
    async fn published(&self, rows: &[RowKey], over: &[String], now: i64)
    -> Result<(), StoreError>;

    /// Published events after a place, oldest first; only of these accounts, all where `None`.
    async fn feed(
        &self,
        after: i64,
        limit: u32,
        mids: Option<&[String]>,
    ) -> Result<Vec<FeedRow>, StoreError>;

    /// Rows not yet published, and the age of the oldest in milliseconds at `now`.
    async fn backlog(&self, now: i64) -> Result<(u64, i64), StoreError>;
}
