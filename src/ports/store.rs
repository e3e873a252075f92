//! Payments, the journal, the inbox, and what is committed together. Every write is one commit
//! that either is there as a whole or not at all; a lost race is [`StoreError::Conflict`].

use async_trait::async_trait;

use super::mandates::{LookAt, MandateWrite};
use super::vault::Sealed;
use crate::domain::ids::{MerchantAccountId, OrderId, ReferenceId};
use crate::domain::payment::admission::{Known, SeenMessage};
use crate::domain::payment::{DeadLetterReason, Payment};

/// Why the store did not do it.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Somebody else wrote first: load and judge again.
    #[error("another writer was first")]
    Conflict,
    /// The database is away or failed: nothing was written, or it is not known whether it was.
    /// Load before anything is done again.
    #[error("the database is away: {0}")]
    Away(String),
    /// The database works and will not have it, now or later: nothing was written.
    #[error("the database refuses it: {0}")]
    Refused(String),
    /// What is stored cannot be read: an operator must act.
    #[error("a stored row cannot be read: {0}")]
    Corrupt(String),
}

/// How a payment is written.
#[derive(Debug, Clone)]
pub enum PaymentWrite {
    /// A new row; its version is written as it is. Another row with its key, or another owner of
    /// its reference in the seller account, is a conflict.
    Insert(Payment),
    /// Replaces the row whose version is `expected`.
    Update {
        /// The row, with its new version.
        payment: Payment,
        /// The version that it must have.
        expected: i64,
    },
    /// The same for what asked for its newest epoch was not acceptable: it is as it was before.
    Restore {
        /// The row, with its new version.
        payment: Payment,
        /// The version that it must have.
        expected: i64,
        /// What [`Store::joins`] was before it was read who they are: they all are told by this
        /// commit, and one who joined since makes it a conflict.
        joins: i64,
    },
    /// Removes the row whose version is `expected`: as if never asked for.
    Delete {
        /// The row's id.
        id: String,
        /// The version that it must have.
        expected: i64,
        /// As in `Restore`.
        joins: i64,
    },
}

impl PaymentWrite {
    /// The row's id.
    #[must_use]
    pub fn id(&self) -> String {
        match self {
            Self::Insert(payment)
            | Self::Update { payment, .. }
            | Self::Restore { payment, .. } => payment.id(),
            Self::Delete { id, .. } => id.clone(),
        }
    }

    /// The row as it is then, if it is.
    #[must_use]
    pub const fn payment(&self) -> Option<&Payment> {
        match self {
            Self::Insert(payment)
            | Self::Update { payment, .. }
            | Self::Restore { payment, .. } => Some(payment),
            Self::Delete { .. } => None,
        }
    }
}

/// A line of a payment's timeline. Append-only; never holds secrets or personal data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEntry {
    /// Row id of the payment.
    pub payment_id: String,
    /// Milliseconds since the epoch.
    pub at: i64,
    /// `message`, `intent`, `call`, `decision`, `event`, `operator`.
    pub kind: String,
    /// The rule, the call or the event's name.
    pub name: String,
    /// JSON with what is worth knowing.
    pub detail: String,
}

/// An event to be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxEntry {
    /// The event's id, deterministic; a second row with it is a replay.
    pub event_id: String,
    /// Events of one subject are published in order.
    pub subject: String,
    /// The merchant account, for the feed's clients; none where it was not readable.
    pub mid: Option<String>,
    /// The routing key.
    pub routing_key: String,
    /// The event as it is published, sealed for the identity `event/<event id>`.
    pub body: Sealed,
    /// Direct replies of this very row; those of joined commands come from the waiters.
    pub replies: Vec<ReplyTarget>,
    /// The waiters that hear of it: those of this payment, or of this operation of one.
    pub payment_id: Option<String>,
    /// Whether the payment's waiters are done with it.
    pub done: bool,
    /// Published before: no new place in the feed.
    pub replay: bool,
    /// Trace context that it continues.
    pub traceparent: Option<String>,
    /// Milliseconds since the epoch.
    pub created_at: i64,
}

/// Where a direct reply goes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ReplyTarget {
    /// The queue.
    pub reply_to: String,
    /// Copied from the command.
    pub correlation_id: Option<String>,
}

/// Somebody who joined a payment in hand and hears of all its events until it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiter {
    /// Row id of the payment, or of its operation (`<payment>#<operation>/<requestId>`).
    pub payment_id: String,
    /// The message that joined.
    pub message_id: String,
    /// Where it is answered, if anywhere.
    pub reply: Option<ReplyTarget>,
}

/// A message id and what it was taken for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InboxEntry {
    /// The message id.
    pub message_id: String,
    /// Digest and meaning.
    pub seen: SeenMessage,
    /// Milliseconds since the epoch.
    pub at: i64,
}

/// A new dead letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// Its id.
    pub id: String,
    /// Why.
    pub reason: DeadLetterReason,
    /// The message, where it had an id.
    pub message_id: Option<String>,
    /// Its routing key.
    pub routing_key: Option<String>,
    /// `amazonBillerId`, where readable.
    pub mid: Option<String>,
    /// `order`, `upsell`, `charge`, where readable.
    pub kind: Option<String>,
    /// `orderId`, where readable.
    pub order_id: Option<String>,
    /// `upsellId`, where readable.
    pub upsell_id: Option<String>,
    /// `chargeId`, where readable.
    pub charge_id: Option<String>,
    /// What happened, in words.
    pub detail: String,
    /// Tries before.
    pub attempts: u32,
    /// Milliseconds since the epoch.
    pub since: i64,
    /// The payment, or the operation of one, that lies still because of it.
    pub payment_id: Option<String>,
    /// The whole message, sealed for the identity `dead-letter/<id>`.
    pub message: Option<Sealed>,
}

/// What becomes of an open dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeadLetterStatus {
    /// Waits for an operator.
    Open,
    /// Sent back to work.
    Redriven,
    /// Given up.
    Discarded,
}

impl DeadLetterStatus {
    /// Every status.
    pub const ALL: [DeadLetterStatus; 3] =
        [DeadLetterStatus::Open, DeadLetterStatus::Redriven, DeadLetterStatus::Discarded];

    /// The contract's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DeadLetterStatus::Open => "open",
            DeadLetterStatus::Redriven => "redriven",
            DeadLetterStatus::Discarded => "discarded",
        }
    }

    /// Reads [`DeadLetterStatus::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// A change of a dead letter's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterChange {
    /// Which.
    pub id: String,
    /// Must be open; otherwise it is a conflict.
    pub to: DeadLetterStatus,
}

/// An operator's act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Milliseconds since the epoch.
    pub at: i64,
    /// Who, as far as is known.
    pub actor: String,
    /// What, e.g. `dead-letter.redrive`.
    pub act: String,
    /// On what.
    pub object: String,
    /// Why, or how.
    pub detail: String,
}

/// A payment that a message joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Join {
    /// Row id of the payment.
    pub payment_id: String,
    /// The message that opened its epoch: the message was compared with what that one asks for.
    pub opener: String,
}

/// What is committed together.
#[derive(Debug, Clone, Default)]
pub struct Commit {
    /// The payment.
    pub payment: Option<PaymentWrite>,
    /// The consent that it is made on.
    pub mandate: Option<MandateWrite>,
    /// Mandates that are to be looked at, none of them that of `mandate`.
    pub look_at: Vec<LookAt>,
    /// New message ids; one that is there already is a conflict.
    pub inbox: Vec<InboxEntry>,
    /// Message ids that were accepted and proved unacceptable: their entries, which are there,
    /// become rejections by these events, and they no longer wait for this commit's payment.
    pub rejected: Vec<(String, String)>,
    /// Who waits no more: waiters' row id and message id.
    pub forget: Vec<(String, String)>,
    /// Timeline.
    pub journal: Vec<JournalEntry>,
    /// Events.
    pub outbox: Vec<OutboxEntry>,
    /// What is joined. If it is not in hand (any more), that is a conflict, as nobody would hear
    /// of it; if another message opened it, too.
    pub join: Option<Join>,
    /// Who waits.
    pub waiters: Vec<Waiter>,
    /// Dead letters.
    pub dead_letters: Vec<DeadLetter>,
    /// What is at an end without an operator (row ids, as in a letter's `payment_id`): its open
    /// letters are given up.
    pub settled: Vec<String>,
    /// Dead letters that an operator dealt with.
    pub dead_letter_changes: Vec<DeadLetterChange>,
    /// Operators' acts.
    pub audit: Vec<AuditEntry>,
}

/// What to load for judging a command.
#[derive(Debug, Clone)]
pub struct KnownQuery {
    /// The message id.
    pub message_id: String,
    /// Row id of the payment.
    pub payment_id: String,
    /// Seller account and reference, where one is named.
    pub reference: Option<(String, ReferenceId)>,
}

/// Which payments the sweep wants.
#[derive(Debug, Clone)]
pub struct DueQuery {
    /// Due at or before this time.
    pub now: i64,
    /// A lease of a worker that was last seen before this time counts as free.
    pub alive_since: i64,
    /// At most so many.
    pub limit: u32,
    /// Seller accounts that have no room at the moment.
    pub except: Vec<String>,
    /// Charges alone, or everything else: thousands of charges hide nothing.
    pub charges: bool,
}

/// Payments. Rows that cannot be read are left out of what is due, each told of once: they hide no
/// other.
#[async_trait]
pub trait Store: Send + Sync {
    /// Everything that bears on a command, in as few round trips as possible.
    async fn known(&self, query: &KnownQuery) -> Result<Known, StoreError>;

    /// Writes it all or nothing.
    async fn commit(&self, commit: Commit) -> Result<(), StoreError>;

    /// One payment by its row's id.
    async fn payment(&self, id: &str) -> Result<Option<Payment>, StoreError>;

    /// Payments of the order among these accounts (all when empty); of kind order only.
    async fn orders(
        &self,
        order: &OrderId,
        mids: &[MerchantAccountId],
    ) -> Result<Vec<Payment>, StoreError>;

    /// Row id of the payment that owns the reference in the seller account.
    async fn reference_owner(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
    ) -> Result<Option<String>, StoreError>;

    /// Payments that somebody must drive now, the longest due first.
    async fn due(&self, query: &DueQuery) -> Result<Vec<Payment>, StoreError>;

    /// How many there are, whether their accounts have room or not.
    async fn due_count(&self, now: i64, alive_since: i64, charges: bool)
    -> Result<u64, StoreError>;

    /// Payments whose reference is to be closed now.
    async fn references_to_close(&self, now: i64, limit: u32) -> Result<Vec<Payment>, StoreError>;

    /// Payments that are over and to be looked at again, due until `due`, the longest due first;
    /// none that somebody drives at `now`.
    async fn to_look_at(&self, due: i64, now: i64, limit: u32) -> Result<Vec<Payment>, StoreError>;

    /// Everything of an account that waits for credentials or lies still for them is due now.
    async fn wake(&self, mid: &MerchantAccountId, now: i64) -> Result<u64, StoreError>;

    /// How often the payment was joined in hand; 0 where there is none.
    async fn joins(&self, payment_id: &str) -> Result<i64, StoreError>;

    /// The joined messages of a payment.
    async fn waiters(&self, payment_id: &str) -> Result<Vec<Waiter>, StoreError>;

    /// The stored document of an event, with its routing key.
    async fn event(&self, event_id: &str) -> Result<Option<OutboxEntry>, StoreError>;

    /// A sign of life of a worker; returns how many are alive, itself included.
    async fn heartbeat(&self, worker: &str, now: i64, alive_since: i64) -> Result<u32, StoreError>;

    /// The worker leaves in good order: its leases are free at once.
    async fn farewell(&self, worker: &str) -> Result<(), StoreError>;

    /// Takes or renews a lease on a task of which there is one (relay, suspect lane); false while
    /// somebody else has it.
    async fn take_turn(
        &self,
        task: &str,
        worker: &str,
        now: i64,
        until: i64,
    ) -> Result<bool, StoreError>;

    /// Whether the database can be reached and its schema is up to date.
    async fn check(&self) -> Result<(), StoreError>;
}
