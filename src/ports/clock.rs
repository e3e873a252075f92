//! Every source of time and chance, so that tests and simulation can own them.

use std::time::Duration;

/// Time and chance.
pub trait Clock: Send + Sync {
    /// Milliseconds since the epoch, UTC.
    fn now_ms(&self) -> i64;

    /// `N` random bytes as lower-case hex, for ids of processes, clients and secrets.
    fn random_hex(&self, bytes: usize) -> String;
}

/// The retry schedule: exponential with jitter, bounded.
pub trait Schedule: Send + Sync {
    /// How long to wait after this many failed runs (1 = after the first).
    fn delay(&self, attempt: u32) -> Duration;
}
