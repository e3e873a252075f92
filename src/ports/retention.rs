//! What has been kept for as long as it must be, and may go.

use async_trait::async_trait;

use super::store::StoreError;

/// Deletes what is older than it has to be, in steps with a bound.
#[async_trait]
pub trait Retention: Send + Sync {
    /// Message ids first seen before this time (milliseconds since the epoch), the oldest first, at
    /// most so many; says how many. Sent again after that, a message is judged by its payment.
    async fn forget_messages(&self, before: i64, limit: u32) -> Result<u64, StoreError>;

    /// Notifications received before this time, in the same way.
    async fn forget_notifications(&self, before: i64, limit: u32) -> Result<u64, StoreError>;
}
