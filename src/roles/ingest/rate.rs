//! `INGEST_RATE_PER_CLIENT`: a bucket of tokens per client, filled at the rate, a second's worth
//! deep. Counts in thousandths of a token, so that a millisecond refills the rate's number of them.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::refusal::Refusal;

const REQUEST: u64 = 1000;

struct Bucket {
    tokens: u64,
    at: i64,
}

/// The buckets of all clients that have called; there are never more than clients.
pub(super) struct Rates {
    per_second: Option<u32>,
    buckets: Mutex<HashMap<String, Bucket>>,
}

impl Rates {
    pub(super) fn new(per_second: Option<u32>) -> Self {
        Self { per_second, buckets: Mutex::default() }
    }

    /// Takes one request of this client, at `now` in milliseconds.
    ///
    /// # Errors
    /// When it may come again.
    pub(super) fn take(&self, login: &str, now: i64) -> Result<(), Refusal> {
        let Some(rate) = self.per_second else { return Ok(()) };
        let rate = u64::from(rate.max(1));
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        let full = Bucket { tokens: rate * REQUEST, at: now };
        let bucket = buckets.entry(login.to_owned()).or_insert(full);
        // A clock that was set back refills nothing.
        let elapsed = u64::try_from(now.saturating_sub(bucket.at)).unwrap_or(0);
        let refilled = bucket.tokens.saturating_add(elapsed.saturating_mul(rate));
        bucket.tokens = refilled.min(rate * REQUEST);
        bucket.at = now;
        if bucket.tokens < REQUEST {
            let milliseconds = (REQUEST - bucket.tokens).div_ceil(rate);
            return Err(Refusal::TooFast(milliseconds.div_ceil(1000)));
        }
        bucket.tokens -= REQUEST;
        Ok(())
    }
}
