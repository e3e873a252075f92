//! One governed quota: tokens that come back with time, and promises of those to come. Learns from
//! throttles that its rate is too high, and from quiet that it is too low.

use super::{Admit, Traffic};
use crate::domain::merchant::Api;

/// A slot this near is the caller's; a later one is a promise to somebody who will ask again.
pub const HOLD_MS: i64 = 2_000;

/// A promise is kept for so long after its time; who does not come by then went elsewhere.
const GRACE_MS: i64 = 5_000;

/// Promises at once. Beyond them times are still given out, but nothing is kept for them.
const PROMISES_MAX: usize = 1024;

/// Throttles this close together are one: calls that were under way when the first was answered.
const ONE_THROTTLE_MS: i64 = 2_000;

/// The rate is a multiple of the documented one, and grows while nothing is throttled until there
/// is no sense in governing any more.
const FACTOR_MIN: f64 = 1.0 / 16.0;
const FACTOR_MAX: f64 = 4.0;
const GROWTH: f64 = 1.05;
const GROWS_EVERY_MS: i64 = 30_000;

/// Above the documented rate it grows more slowly: Amazon has just shown that it keeps to that, and
/// to find out again costs a throttle every time.
const TRIES_MORE_EVERY_MS: i64 = 120_000;

/// The part of a bucket that recurring charges leave to buyers who wait; where none came lately, a
/// token for the first of them.
const RESERVE: f64 = 0.3;
const RESERVE_FOR_NOBODY: f64 = 1.0;

/// For so long others than charges count as being there.
const OTHERS_MS: i64 = 3_600_000;

/// Amazon's hint is believed up to an hour: it would stop a whole account.
const HINT_MAX_MS: i64 = 3_600_000;

/// Sums of parts of tokens are not exact.
const CLOSE: f64 = 1e-6;

/// What Amazon documents for an operation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Quota {
    burst: f64,
    restore_ms: f64,
}

impl Quota {
    /// What is in a bucket, from what was in it.
    pub(super) fn refilled(self, tokens: f64, passed_ms: i64) -> f64 {
        (tokens + millis(passed_ms.max(0)) / self.restore_ms).min(self.burst)
    }

    /// What a full bucket holds for one of so many workers.
    pub(super) fn full(self, workers: u32) -> f64 {
        (self.burst / f64::from(workers)).max(1.0)
    }

    /// By the name of the effect.
    pub(super) fn documented(api: Api, operation: &str, sandbox: bool) -> Self {
        let (burst, restore_ms) = match api {
            Api::Mws => Self::of_mws(operation, sandbox),
            Api::V2 => Self::of_v2(operation, sandbox),
        };
        Self { burst, restore_ms }
    }

    /// Reads have twice as much as writes.
    fn of_mws(operation: &str, sandbox: bool) -> (f64, f64) {
        let reads = operation.starts_with("read_") || operation.starts_with("find_");
        match (reads, sandbox) {
            (false, false) => (10.0, 1_000.0),
            (false, true) => (2.0, 2_000.0),
            (true, false) => (20.0, 500.0),
            (true, true) => (5.0, 1_000.0),
        }
    }

    /// Each operation has its own; where Amazon's pages differ, the newer one.
    fn of_v2(operation: &str, sandbox: bool) -> (f64, f64) {
        match (operation, sandbox) {
            ("read_reference", true) => (10.0, 1_000.0),
            ("read_authorization" | "read_refund" | "set_details", true) => (5.0, 1_000.0),
            (_, true) => (2.0, 1_000.0),
            ("authorize" | "refund", false) => (10.0, 250.0),
            ("close_authorization" | "close_reference" | "set_details", false) => (10.0, 500.0),
            (_, false) => (20.0, 250.0),
        }
    }
}

#[derive(Debug)]
struct Promise {
    who: u64,
    /// Who was promised earlier goes earlier, even after having been put off.
    order: u64,
    at: i64,
    traffic: Traffic,
    /// Its owner waits and will not ask again: it takes its token when the time comes.
    holds: bool,
}

/// A governed quota.
#[derive(Debug)]
pub(super) struct Bucket {
    quota: Quota,
    factor: f64,
    tokens: f64,
    /// Up to when tokens were counted; in the future where Amazon gave a hint.
    filled_at: i64,
    throttled_at: Option<i64>,
    grown_at: i64,
    used_at: i64,
    /// When others than charges asked last.
    others_at: Option<i64>,
    promises: Vec<Promise>,
    next_order: u64,
    /// The last time that was given out without a promise.
    unkept_at: i64,
    /// By which part of the time between two tokens its charges are late.
    phase: f64,
}

impl Bucket {
    /// A bucket of the documented size with so much in it. Of accounts whose charges come together
    /// the tokens come together, too, and a buyer would wait behind all of them: by `phase`, from
    /// 0 to 1, the charges of this one are made so much later than its tokens come.
    pub(super) fn new(quota: Quota, tokens: f64, phase: f64, now: i64) -> Self {
        Self {
            quota,
            factor: 1.0,
            tokens,
            filled_at: now,
            throttled_at: None,
            grown_at: now,
            used_at: now,
            others_at: None,
            promises: Vec::new(),
            next_order: 0,
            unkept_at: now,
            phase,
        }
    }

    /// When it was last used.
    pub(super) fn used_at(&self) -> i64 {
        self.used_at
    }

    /// Whether it has been quiet for so long that it need not be governed any more.
    pub(super) fn has_recovered(&mut self, now: i64) -> bool {
        while self.factor <= FACTOR_MAX {
            let below = self.factor < 1.0 - CLOSE;
            let every = if below { GROWS_EVERY_MS } else { TRIES_MORE_EVERY_MS };
            if now - self.grown_at < every {
                break;
            }
            self.grown_at += every;
            let grown = self.factor * GROWTH;
            self.factor = if below { grown.min(1.0) } else { grown };
        }
        self.factor > FACTOR_MAX
    }

    /// Gives a token, a slot that is near, or a promise.
    pub(super) fn admit(&mut self, who: u64, traffic: Traffic, workers: u32, now: i64) -> Admit {
        self.refill(workers, now);
        self.note(traffic, now);
        let order = self.take_back(who, now).unwrap_or(u64::MAX);
        let slot = self.slot(order, traffic, workers, now);
        if slot <= now {
            self.tokens -= 1.0;
            return Admit::Go;
        }
        let at = self.after(slot, traffic, workers, now);
        let holds = at <= now + HOLD_MS;
        Admit::WaitUntil(self.promise(Promise { who, order, at, traffic, holds }, workers))
    }

    /// Promises a slot that is too far to be waited for; takes nothing where one is near.
    pub(super) fn put_off(
        &mut self,
        who: u64,
        traffic: Traffic,
        workers: u32,
        now: i64,
    ) -> Option<i64> {
        self.refill(workers, now);
        self.note(traffic, now);
        self.forget_late(now);
        let known = self.promises.iter().find(|promise| promise.who == who && !promise.holds);
        let order = known.map_or(u64::MAX, |promise| promise.order);
        let slot = self.slot(order, traffic, workers, now);
        let at = self.after(slot, traffic, workers, now);
        if at <= now + HOLD_MS {
            return None;
        }
        let order = self.take_back(who, now).unwrap_or(u64::MAX);
        Some(self.promise(Promise { who, order, at, traffic, holds: false }, workers))
    }

    /// Learns from a throttle, and promises its caller another slot.
    pub(super) fn throttled(
        &mut self,
        who: u64,
        traffic: Traffic,
        retry_after_ms: Option<i64>,
        workers: u32,
        now: i64,
    ) -> i64 {
        self.refill(workers, now);
        self.note(traffic, now);
        match self.throttled_at {
            Some(at) if now - at < ONE_THROTTLE_MS => {}
            Some(_) => {
                // What grew above the documented rate goes back to it; only below that somebody
                // else must be drawing on the same quota.
                let least = if self.factor > 1.0 { 1.0 } else { FACTOR_MIN };
                self.factor = (self.factor / 2.0).max(least);
                self.throttled_at = Some(now);
            }
            None => self.throttled_at = Some(now),
        }
        let hint = retry_after_ms.unwrap_or(0).clamp(0, HINT_MAX_MS);
        self.tokens = self.tokens.min(0.0);
        // While Amazon lets nothing through, nothing comes back and nothing is learnt from quiet.
        self.filled_at = self.filled_at.max(now + hint);
        self.grown_at = self.grown_at.max(now + hint);
        let order = self.take_back(who, now).unwrap_or(u64::MAX);
        let slot = self.slot(order, traffic, workers, now);
        self.promise(Promise { who, order, at: slot, traffic, holds: false }, workers)
    }

    fn rate(&self, workers: u32) -> f64 {
        self.factor / (self.quota.restore_ms * f64::from(workers))
    }

    /// When a call is made whose token comes at `slot`: a charge so much later, unless it is there.
    fn after(&self, slot: i64, traffic: Traffic, workers: u32, now: i64) -> i64 {
        match traffic {
            Traffic::Recurring if slot > now => slot + (self.phase / self.rate(workers)) as i64,
            Traffic::Recurring
            | Traffic::Checkout
            | Traffic::Operations
            | Traffic::Notifications => slot,
        }
    }

    fn burst(&self, workers: u32) -> f64 {
        self.quota.full(workers)
    }

    fn note(&mut self, traffic: Traffic, now: i64) {
        match traffic {
            Traffic::Checkout | Traffic::Operations | Traffic::Notifications => {
                self.others_at = self.others_at.max(Some(now));
            }
            Traffic::Recurring => {}
        }
    }

    fn refill(&mut self, workers: u32, now: i64) {
        self.used_at = self.used_at.max(now);
        let is_due = |promise: &mut Promise| promise.holds && promise.at <= now;
        let mut due: Vec<i64> =
            self.promises.extract_if(.., is_due).map(|promise| promise.at).collect();
        due.sort_unstable();
        for at in due {
            self.fill(workers, at);
            self.tokens -= 1.0;
        }
        self.fill(workers, now);
    }

    fn fill(&mut self, workers: u32, now: i64) {
        // A clock that was set back gives nothing, and takes nothing.
        let passed = now - self.filled_at;
        if passed > 0 {
            let full = self.tokens + millis(passed) * self.rate(workers);
            self.tokens = full.min(self.burst(workers));
            self.filled_at = now;
        }
    }

    /// Ends the promises that nobody came for.
    fn forget_late(&mut self, now: i64) {
        self.promises.retain(|promise| promise.holds || promise.at + GRACE_MS >= now);
    }

    /// Ends the promises that nobody came for, and that of `who`: its order, if there was one.
    fn take_back(&mut self, who: u64, now: i64) -> Option<u64> {
        self.forget_late(now);
        let at = self.promises.iter().position(|promise| promise.who == who && !promise.holds)?;
        Some(self.promises.remove(at).order)
    }

    /// The earliest time at which one token more can be taken without breaking a promise to
    /// somebody who goes first: who holds a slot already, and traffic of the same urgency or more
    /// that was promised before `order`.
    fn slot(&self, order: u64, traffic: Traffic, workers: u32, now: i64) -> i64 {
        let (rate, burst) = (self.rate(workers), self.burst(workers));
        let reserve = match traffic {
            Traffic::Checkout | Traffic::Operations | Traffic::Notifications => 0.0,
            Traffic::Recurring => {
                let others = self.others_at.is_some_and(|at| now - at < OTHERS_MS);
                let part = if others { (burst * RESERVE).ceil() } else { RESERVE_FOR_NOBODY };
                part.min(burst - 1.0).max(0.0)
            }
        };
        let wanted = 1.0 + reserve;
        let goes_first =
            |other: &&Promise| other.holds || (other.order < order && other.traffic <= traffic);
        let mut ahead: Vec<i64> =
            self.promises.iter().filter(goes_first).map(|promise| promise.at).collect();
        ahead.sort_unstable();
        let begins = now.max(self.filled_at);
        let mut behind = 0.0;
        let mut earlier = 0.0;
        for at in ahead {
            let then = self.tokens + millis((at - begins).max(0)) * rate;
            earlier += 1.0;
            if then + CLOSE < wanted + earlier {
                behind = earlier;
            }
        }
        let missing = wanted + behind - self.tokens;
        if missing <= CLOSE { begins } else { begins + ceil(missing / rate - CLOSE) }
    }

    fn promise(&mut self, mut promise: Promise, workers: u32) -> i64 {
        if self.promises.len() >= PROMISES_MAX {
            let next = self.unkept_at + ceil(1.0 / self.rate(workers));
            self.unkept_at = promise.at.max(next);
            return self.unkept_at;
        }
        if promise.order == u64::MAX {
            promise.order = self.next_order;
            self.next_order += 1;
        }
        let at = promise.at;
        self.promises.push(promise);
        at
    }
}

/// Milliseconds as a number that tokens are reckoned with; exact for 285,000 years.
fn millis(ms: i64) -> f64 {
    ms as f64
}

fn ceil(ms: f64) -> i64 {
    ms.ceil() as i64
}
