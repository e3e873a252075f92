//! Amazon's production quotas: a bucket of tokens for each seller account, access key and
//! operation. Every call takes one, and what is lost because the bucket was full is not given back.

use std::collections::BTreeMap;
use std::time::Instant;

use serde_json::{Value, json};

/// The operation whose use is reported: what a backlog of recurring charges consists of.
const CHARGE: &str = "AuthorizeOnBillingAgreement";

/// Tokens of a full bucket, and how many come back in a second.
fn documented(operation: &str) -> (f64, f64) {
    if operation.starts_with("Get") { (20.0, 2.0) } else { (10.0, 1.0) }
}

struct Bucket {
    tokens: f64,
    at: Instant,
    /// What was there when counting began.
    at_first: f64,
    taken: u64,
    last: Option<Instant>,
}

/// Kept from [`Quotas::begin`] on.
#[derive(Default)]
pub(super) struct Quotas {
    began: Option<Instant>,
    buckets: BTreeMap<(String, String), Bucket>,
    calls: u64,
    throttled: BTreeMap<String, u64>,
}

impl Bucket {
    fn fill(&mut self, operation: &str, now: Instant) {
        let (full, rate) = documented(operation);
        self.tokens = (self.tokens + (now - self.at).as_secs_f64() * rate).min(full);
        self.at = now;
    }
}

impl Quotas {
    /// From now on they are kept; what is counted begins anew, what is in the buckets stays.
    pub(super) fn begin(&mut self, now: Instant) {
        for ((_, operation), bucket) in &mut self.buckets {
            bucket.fill(operation, now);
            bucket.at_first = bucket.tokens;
            bucket.taken = 0;
            bucket.last = None;
        }
        self.began = Some(now);
        self.calls = 0;
        self.throttled.clear();
    }

    /// Whether a call is let through.
    pub(super) fn take(&mut self, account: String, operation: &str, now: Instant) -> bool {
        if self.began.is_none() {
            return true;
        }
        self.calls += 1;
        let (full, _) = documented(operation);
        let bucket = self.buckets.entry((account, operation.to_owned())).or_insert(Bucket {
            tokens: full,
            at: now,
            at_first: full,
            taken: 0,
            last: None,
        });
        bucket.fill(operation, now);
        if bucket.tokens < 1.0 {
            *self.throttled.entry(operation.to_owned()).or_default() += 1;
            return false;
        }
        bucket.tokens -= 1.0;
        bucket.taken += 1;
        bucket.last = Some(now);
        true
    }

    /// Since counting began: all calls, those that were throttled, and of each account's quota of
    /// charges what it offered until its last charge was let through, and what of that was taken.
    pub(super) fn report(&self) -> Value {
        let Some(began) = self.began else { return Value::Null };
        let mut accounts = Vec::new();
        for ((account, operation), bucket) in &self.buckets {
            let (true, Some(last)) = (operation == CHARGE, bucket.last) else { continue };
            let (_, rate) = documented(operation);
            let offered = bucket.at_first + (last - began).as_secs_f64() * rate;
            accounts.push(json!({
                "account": account, "taken": bucket.taken, "offered": offered,
            }));
        }
        json!({ "calls": self.calls, "throttled": self.throttled, "accounts": accounts })
    }
}
