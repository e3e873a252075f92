//! Bounds and waits of the worker.

use std::num::NonZeroUsize;
use std::time::Duration;

use super::reader::Reader;
use crate::domain::policy::Policy;

/// 180 days: no message id is forgotten sooner.
const KEEP_MESSAGES_S: u64 = 15_552_000;

/// How the worker works.
#[derive(Debug, Clone)]
pub struct Worker {
    /// Payments in hand at once.
    pub concurrency: u32,
    /// How many times a message, alone in hand, may crash the worker.
    pub poison_after: u32,
    /// The numbers behind decisions.
    pub policy: Policy,
}

impl Worker {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let concurrency = reader.number("WORKER_CONCURRENCY", 1, 10_000);
        let poison_after = reader.number("POISON_AFTER", 1, 1_000);
        let mut ms =
            |name: &str, default: u64, min: u64| millis(reader.seconds(name, default, min));
        let policy = Policy {
            budget_checkout_ms: ms("RETRY_BUDGET_CHECKOUT", 1_800, 0),
            budget_operations_ms: ms("RETRY_BUDGET_OPERATIONS", 86_400, 0),
            budget_recurring_ms: ms("RETRY_BUDGET_RECURRING", 86_400, 0),
            processing_failure_wait_ms: ms("PROCESSING_FAILURE_WAIT", 90, 0),
            pending_poll_first_ms: ms("PENDING_POLL_FIRST", 20, 1),
            reference_open_for_ms: ms("REFERENCE_OPEN_FOR", 86_400, 0),
            reconcile_first_ms: ms("RECONCILE_FIRST", 86_400, 1),
            reconcile_for_ms: ms("RECONCILE_FOR", 15_552_000, 0),
            keep_messages_ms: ms("KEEP_MESSAGES", KEEP_MESSAGES_S, KEEP_MESSAGES_S),
            keep_notifications_ms: ms("KEEP_NOTIFICATIONS", 2_592_000, 3_600),
            ..Policy::default()
        };
        let number = |given: Option<u64>| given.and_then(|number| u32::try_from(number).ok());
        Self {
            concurrency: number(concurrency).unwrap_or_else(default_concurrency),
            poison_after: number(poison_after).unwrap_or(3),
            policy,
        }
    }
}

fn millis(time: Duration) -> i64 {
    i64::try_from(time.as_millis()).unwrap_or(i64::MAX)
}

/// Payments wait for Amazon nearly all of their time: many for each core, within bounds that a
/// database's pool and Amazon's connections bear.
fn default_concurrency() -> u32 {
    let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    u32::try_from(cores * 128).unwrap_or(1024).clamp(128, 1024)
}
