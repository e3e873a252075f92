//! Standing consents: their rows, which of them are to be looked at, and the payments that wait for
//! a mended payment method. They are written in the commits of [`super::store::Store`].

use async_trait::async_trait;

use super::store::StoreError;
use crate::domain::command::PaymentKey;
use crate::domain::ids::{MerchantAccountId, OrderId, ReferenceId};
use crate::domain::mandate::Mandate;
use crate::domain::payment::Payment;

/// How a mandate is written.
#[derive(Debug, Clone)]
pub enum MandateWrite {
    /// A new row; one that is there already is a conflict.
    Insert(Mandate),
    /// Replaces the row whose version is `expected`.
    Update {
        /// The row, with its new version.
        mandate: Mandate,
        /// The version that it must have.
        expected: i64,
    },
}

impl MandateWrite {
    /// The row that is written.
    #[must_use]
    pub const fn mandate(&self) -> &Mandate {
        match self {
            MandateWrite::Insert(mandate) | MandateWrite::Update { mandate, .. } => mandate,
        }
    }

    /// What is to follow upon `known`: its next version, or the first.
    #[must_use]
    pub fn after(known: Option<&Mandate>, mut mandate: Mandate, now: i64) -> Self {
        mandate.updated_at = now;
        match known {
            None => {
                mandate.version = 1;
                MandateWrite::Insert(mandate)
            }
            Some(known) => {
                mandate.version = known.version + 1;
                MandateWrite::Update { mandate, expected: known.version }
            }
        }
    }
}

/// A mandate is to be looked at; it is made where it is not there yet. Never a conflict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookAt {
    /// Seller account and environment.
    pub seller_account: String,
    /// Amazon's id of it.
    pub reference: ReferenceId,
    /// Through which merchant account, where it is made.
    pub mid: MerchantAccountId,
    /// When, in milliseconds since the epoch; an earlier time that is set already stays.
    pub at: i64,
    /// Whether a payment was declined because it is suspended.
    pub declined: bool,
}

/// A charge among those that are made for the same thing.
#[derive(Debug, Clone)]
pub struct RivalQuery {
    /// The charge.
    pub key: PaymentKey,
    /// Seller account and environment.
    pub seller_account: String,
    /// The agreement.
    pub agreement: ReferenceId,
    /// The order that it belongs to.
    pub order: OrderId,
    /// The cycle, as its JSON literal.
    pub cycle: String,
}

/// Mandates.
#[async_trait]
pub trait MandateStore: Send + Sync {
    /// One mandate.
    async fn mandate(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
    ) -> Result<Option<Mandate>, StoreError>;

    /// One mandate by its row's id.
    async fn mandate_by_id(&self, id: &str) -> Result<Option<Mandate>, StoreError>;

    /// Mandates that are to be looked at now, the longest due first.
    async fn mandates_due(&self, now: i64, limit: u32) -> Result<Vec<Mandate>, StoreError>;

    /// These payments, as far as they are there.
    async fn payments(&self, ids: &[String]) -> Result<Vec<Payment>, StoreError>;

    /// Payments on the reference that were declined.
    async fn declined_on(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError>;

    /// The other charges of the same agreement, order and cycle.
    async fn rivals(&self, query: &RivalQuery) -> Result<Vec<Payment>, StoreError>;

    /// The mandate is to be looked at (a notification, an operator). Unknown ones are left alone.
    async fn look_at_mandate(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
        now: i64,
    ) -> Result<(), StoreError>;
}
