//! An Amazon that tells nobody anything: the model finds everything by asking.

use amazon_pay_worker::domain::notification::Notification;
use amazon_pay_worker::domain::payment::Payment;
use amazon_pay_worker::ports::notifications::{ConcernQuery, Heeded, Kept, Notifications};
use amazon_pay_worker::ports::store::StoreError;
use async_trait::async_trait;

/// No notification ever comes.
pub(crate) struct Quiet;

#[async_trait]
impl Notifications for Quiet {
    async fn keep(&self, _: &Notification, _: i64, _: i64) -> Result<bool, StoreError> {
        Ok(false)
    }

    async fn kept(&self, _: &str) -> Result<Option<Kept>, StoreError> {
        Ok(None)
    }

    async fn unheeded(&self, _: i64, _: u32) -> Result<Vec<Kept>, StoreError> {
        Ok(Vec::new())
    }

    async fn heeded(&self, _: &str, _: Heeded, _: i64) -> Result<(), StoreError> {
        Ok(())
    }

    async fn concerned(&self, _: &ConcernQuery) -> Result<Vec<Payment>, StoreError> {
        Ok(Vec::new())
    }
}
