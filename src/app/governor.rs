//! Amazon's quotas as this process has learnt them: a bucket per seller account and operation,
//! ungoverned until Amazon throttles it for the first time, because many merchants have more than
//! the documented quota. It only counts: it never waits, asks no clock, and forgets what is quiet.

mod bucket;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};

use self::bucket::{Bucket, Quota};
use crate::domain::command::Kind;
use crate::domain::merchant::Api;

pub use self::bucket::HOLD_MS;

/// For so long after a throttle of anybody's, charges of accounts that were not throttled yet are
/// made at the documented pace as well: thousands of them would find out the same, one by one.
const WARNED_MS: i64 = 900_000;

/// Buckets at once; the one that was quiet the longest makes room.
const BUCKETS_MAX: usize = 1024;

/// Whose call it is. Earlier ones go first where a bucket is short.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Traffic {
    /// A buyer waits.
    Checkout,
    /// Capture, refund, cancel, close.
    Operations,
    /// Amazon's hints.
    Notifications,
    /// Thousands at midnight: leaves a part of each bucket to the others.
    Recurring,
}

impl Traffic {
    /// The traffic that payments of a kind are.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Order | Kind::Upsell => Traffic::Checkout,
            Kind::Charge => Traffic::Recurring,
        }
    }
}

/// A call that somebody wants to make.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The seller account in its environment.
    pub account: &'a str,
    /// Whether that is the sandbox, whose quotas are smaller.
    pub sandbox: bool,
    /// By which API: each meters by itself.
    pub api: Api,
    /// The name of the effect.
    pub operation: &'static str,
    /// Who asks: the payment's id. By it a slot that was promised is found again.
    pub who: &'a str,
    /// Whose call it is.
    pub traffic: Traffic,
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// Now.
    Go,
    /// At this time, in milliseconds since the epoch. Within [`HOLD_MS`] the slot is the caller's:
    /// wait, then call without asking again. Later than that it is a promise: let go, come back
    /// then, and ask again.
    WaitUntil(i64),
}

/// The learnt quotas. The lock is held for a computation, never over an await.
#[derive(Debug, Default)]
pub struct Governor {
    learnt: Mutex<Learnt>,
}

#[derive(Debug)]
struct Learnt {
    buckets: BTreeMap<(String, &'static str), Bucket>,
    /// What ungoverned charges have left of the documented buckets, and when that was: with the
    /// first throttle of anybody's, each account goes on from there.
    charged: BTreeMap<(String, &'static str), (f64, i64)>,
    workers: u32,
    /// When somebody was throttled last: live, sandbox.
    warned_at: [Option<i64>; 2],
}

impl Default for Learnt {
    fn default() -> Self {
        Self {
            buckets: BTreeMap::new(),
            charged: BTreeMap::new(),
            workers: 1,
            warned_at: [None; 2],
        }
    }
}

impl Governor {
    /// Asks for a call.
    pub fn admit(&self, ask: &Ask<'_>, now: i64) -> Admit {
        let mut learnt = self.lock();
        let charge = ask.traffic == Traffic::Recurring;
        if learnt.buckets.is_empty() && !charge {
            return Admit::Go;
        }
        let (key, workers) = (key(ask), learnt.workers);
        match learnt.governed(&key, ask, now) {
            Some(bucket) => bucket.admit(who(ask), ask.traffic, workers, now),
            None if charge => {
                learnt.charge(key, ask, now);
                Admit::Go
            }
            None => Admit::Go,
        }
    }

    /// When a call gets its turn, where that is too far to be waited for: the slot is promised, as
    /// by [`Governor::admit`]. Otherwise nothing is taken, and `admit` is still to be asked.
    pub fn put_off(&self, ask: &Ask<'_>, now: i64) -> Option<i64> {
        let mut learnt = self.lock();
        let workers = learnt.workers;
        let bucket = learnt.governed(&key(ask), ask, now)?;
        bucket.put_off(who(ask), ask.traffic, workers, now)
    }

    /// Amazon throttled that call: when its caller may ask again.
    pub fn throttled(&self, ask: &Ask<'_>, retry_after_ms: Option<i64>, now: i64) -> i64 {
        let mut learnt = self.lock();
        let (key, workers) = (key(ask), learnt.workers);
        learnt.warned_at[usize::from(ask.sandbox)] = Some(now);
        let bucket = learnt.govern(&key, ask, 0.0, now);
        bucket.throttled(who(ask), ask.traffic, retry_after_ms, workers, now)
    }

    /// Among how many workers each quota is shared.
    pub fn workers(&self, alive: u32) {
        self.lock().workers = alive.max(1);
    }

    /// How many buckets are governed, for the metrics.
    #[must_use]
    pub fn governed(&self) -> usize {
        self.lock().buckets.len()
    }

    fn lock(&self) -> MutexGuard<'_, Learnt> {
        self.learnt.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Learnt {
    fn is_warned(&self, sandbox: bool, now: i64) -> bool {
        self.warned_at[usize::from(sandbox)].is_some_and(|at| now - at < WARNED_MS)
    }

    /// The bucket that a call has to ask, if one is governed or, for a charge, is to be from now.
    fn governed(
        &mut self,
        key: &(String, &'static str),
        ask: &Ask<'_>,
        now: i64,
    ) -> Option<&mut Bucket> {
        if ask.traffic == Traffic::Recurring && self.is_warned(ask.sandbox, now) {
            let left = self.left(key, ask, now);
            self.govern(key, ask, left, now);
        }
        if self.buckets.get_mut(key)?.has_recovered(now) {
            self.buckets.remove(key);
            return None;
        }
        self.buckets.get_mut(key)
    }

    /// The bucket of that quota, with so much in it where it is new.
    fn govern(
        &mut self,
        key: &(String, &'static str),
        ask: &Ask<'_>,
        tokens: f64,
        now: i64,
    ) -> &mut Bucket {
        if !self.buckets.contains_key(key) {
            self.make_room(now);
            self.charged.remove(key);
        }
        let quota = Quota::documented(ask.api, operation(ask), ask.sandbox);
        let phase = phase(&key.0);
        let bucket = || Bucket::new(quota, tokens, phase, now);
        self.buckets.entry(key.clone()).or_insert_with(bucket)
    }

    /// What is left for charges of a quota that was never found empty, by the documents.
    fn left(&self, key: &(String, &'static str), ask: &Ask<'_>, now: i64) -> f64 {
        let quota = Quota::documented(ask.api, operation(ask), ask.sandbox);
        let full = quota.full(self.workers);
        let known = self.charged.get(key);
        known.map_or(full, |(tokens, at)| quota.refilled(*tokens, now - at).clamp(0.0, full))
    }

    /// Counts an ungoverned charge.
    fn charge(&mut self, key: (String, &'static str), ask: &Ask<'_>, now: i64) {
        if self.charged.len() >= BUCKETS_MAX {
            // Whose bucket is full again needs no counting; if all of them are in use, they begin
            // anew, and the first throttle of each tells.
            let quota = |operation| Quota::documented(ask.api, operation, ask.sandbox);
            self.charged.retain(|(_, operation), (tokens, at)| {
                let quota = quota(operation);
                quota.refilled(*tokens, now - *at) < quota.full(1)
            });
            if self.charged.len() >= BUCKETS_MAX {
                self.charged.clear();
            }
        }
        let left = self.left(&key, ask, now);
        self.charged.insert(key, (left - 1.0, now));
    }

    /// Forgets what has recovered, and if that is not enough, who asked the longest ago.
    fn make_room(&mut self, now: i64) {
        self.buckets.retain(|_, bucket| !bucket.has_recovered(now));
        while self.buckets.len() >= BUCKETS_MAX {
            let quietest = self.buckets.iter().min_by_key(|(_, bucket)| bucket.used_at());
            let Some(key) = quietest.map(|(key, _)| key.clone()) else { return };
            self.buckets.remove(&key);
        }
    }
}

fn key(ask: &Ask<'_>) -> (String, &'static str) {
    (format!("{}/{}", ask.api.as_str(), ask.account), operation(ask))
}

/// A search reads authorizations: at Amazon that is the same operation. In v2 an authorization and
/// its capture are one charge, and whether it is chargeable is read off a permission.
fn operation(ask: &Ask<'_>) -> &'static str {
    match (ask.api, ask.operation) {
        (Api::Mws, "find_authorization") => "read_authorization",
        (Api::V2, "find_authorization" | "read_capture" | "find_capture" | "read_refunds") => {
            "read_authorization"
        }
        (Api::V2, "confirm" | "confirm_agreement" | "read_agreement") => "read_reference",
        (Api::V2, "authorize_on_agreement") => "authorize",
        (Api::V2, "set_agreement") => "set_details",
        (Api::V2, "close_agreement") => "close_reference",
        (Api::Mws | Api::V2, other) => other,
    }
}

fn who(ask: &Ask<'_>) -> u64 {
    hash(ask.who)
}

/// Its own for each account, from 0 to 1.
fn phase(account: &str) -> f64 {
    (hash(account) % 1_000) as f64 / 1_000.0
}

fn hash(of: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}
