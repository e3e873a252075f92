//! Amazon's notifications: who says whether one is genuine, and where those that are lie until they
//! were heeded. A notification is a hint only; losing one costs time, never money.

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::notification::Notification;
use crate::domain::payment::Payment;

/// A request as it came in.
#[derive(Debug, Clone, Copy)]
pub struct Received<'a> {
    /// The body.
    pub body: &'a [u8],
    /// The header that names the type of the message, where it was sent.
    pub message_type: Option<&'a str>,
    /// The header that names the topic, where it was sent.
    pub topic: Option<&'a str>,
}

/// Why a message is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is no notification.
    #[error("the message is no notification: {0}")]
    Malformed(&'static str),
    /// It is not signed by whom it must be.
    #[error("the message is not signed by Amazon: {0}")]
    Forged(&'static str),
    /// It cannot be judged now: the same message again later.
    #[error("the signature cannot be verified now: {0}")]
    Unverifiable(&'static str),
}

impl Refused {
    /// Its name in the metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Refused::Malformed(_) => "malformed",
            Refused::Forged(_) => "forged",
            Refused::Unverifiable(_) => "unverifiable",
        }
    }
}

/// Says whether a message is genuine, and what it is about.
#[async_trait]
pub trait Verifier: Send + Sync {
    /// Verifies the signature and reads the message.
    ///
    /// # Errors
    /// Why it is not taken.
    async fn verify(&self, received: Received<'_>) -> Result<Notification, Refused>;
}

/// A notification in the store, not yet heeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// What it says.
    pub notification: Notification,
    /// When it came, in milliseconds since the epoch.
    pub received_at: i64,
    /// How often it was taken up in vain.
    pub attempts: u32,
}

/// What became of a notification that was taken up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heeded {
    /// Whoever is concerned will be looked at, or nobody need be.
    Done {
        /// What became of it, for people and metrics.
        outcome: &'static str,
    },
    /// Somebody concerned is in hand at the moment: to be taken up again then, in milliseconds
    /// since the epoch.
    Again(i64),
}

/// Which payments an object may concern.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConcernQuery {
    /// The consent that it belongs to.
    pub reference: String,
    /// At most so many, the newest first.
    pub limit: u32,
}

/// Notifications in the store.
#[async_trait]
pub trait Notifications: Send + Sync {
    /// Keeps one, to be taken up by a sweep at `due_at`; false where it is known already.
    async fn keep(
        &self,
        notification: &Notification,
        now: i64,
        due_at: i64,
    ) -> Result<bool, StoreError>;

    /// One that was not yet heeded.
    async fn kept(&self, message_id: &str) -> Result<Option<Kept>, StoreError>;

    /// Those that are to be taken up now, the longest due first.
    async fn unheeded(&self, now: i64, limit: u32) -> Result<Vec<Kept>, StoreError>;

    /// Records what became of one.
    async fn heeded(&self, message_id: &str, what: Heeded, now: i64) -> Result<(), StoreError>;

    /// The payments on a consent: its owner, and those whose authorization was made on it.
    async fn concerned(&self, query: &ConcernQuery) -> Result<Vec<Payment>, StoreError>;
}
