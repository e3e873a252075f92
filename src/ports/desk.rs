//! What operators look at: dead letters, payments and their timelines.

use async_trait::async_trait;

use super::store::{DeadLetter, DeadLetterStatus, JournalEntry, StoreError};
use crate::domain::payment::{DeadLetterReason, Payment};

/// A dead letter and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetterRow {
    /// The letter.
    pub letter: DeadLetter,
    /// What became of it.
    pub status: DeadLetterStatus,
}

/// Which dead letters.
#[derive(Debug, Clone, Default)]
pub struct DeadLetterFilter {
    /// Only these ids, where any.
    pub ids: Vec<String>,
    /// Only this reason.
    pub reason: Option<DeadLetterReason>,
    /// Only this account.
    pub mid: Option<String>,
    /// Only since this time, in milliseconds since the epoch.
    pub since: Option<i64>,
    /// Only in this status.
    pub status: Option<DeadLetterStatus>,
}

/// Which payments.
#[derive(Debug, Clone, Default)]
pub struct PaymentFilter {
    /// Only this account.
    pub mid: Option<String>,
    /// Only this phase.
    pub phase: Option<String>,
    /// At most so many, newest first.
    pub limit: u32,
}

/// The operators' desk.
#[async_trait]
pub trait Desk: Send + Sync {
    /// Dead letters, oldest first.
    async fn dead_letters(
        &self,
        filter: &DeadLetterFilter,
    ) -> Result<Vec<DeadLetterRow>, StoreError>;

    /// Payments, newest first.
    async fn payments(&self, filter: &PaymentFilter) -> Result<Vec<Payment>, StoreError>;

    /// Payments of an order or a charge through whichever account, by any of their ids.
    async fn find(&self, text: &str) -> Result<Vec<Payment>, StoreError>;

    /// The timeline of a payment, oldest first.
    async fn timeline(&self, payment_id: &str) -> Result<Vec<JournalEntry>, StoreError>;
}
