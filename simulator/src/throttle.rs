//! Amazon's quotas: one token bucket for each (seller account, access key, environment, operation).
//! Only counts; whether the quotas are on is a setting.

use std::collections::HashMap;

use super::books::Environment;
use super::clock::Millis;

/// The size of a bucket and the time that one token takes to come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Quota {
    max: Millis,
    restore_ms: Millis,
}

impl Quota {
    /// A bucket of `max` into which so many tokens fall every second.
    pub(crate) const fn per_second(max: i64, rate: i64) -> Self {
        Self { max, restore_ms: 1_000 / rate }
    }
}

/// How MWS meters an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Class {
    Write,
    Get,
    Status,
}

impl Class {
    pub(crate) fn quota(self, environment: Environment) -> Quota {
        let (max, restore_ms) = match (self, environment) {
            (Class::Write, Environment::Live) => (10, 1_000),
            (Class::Write, Environment::Sandbox) => (2, 2_000),
            (Class::Get, Environment::Live) => (20, 500),
            (Class::Get, Environment::Sandbox) => (5, 1_000),
            (Class::Status, _) => (2, 300_000),
        };
        Quota { max, restore_ms }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Key {
    seller: String,
    access_key: String,
    environment: Environment,
    operation: String,
}

/// All buckets. A bucket is the moment at which it will be full again; a missing one is full.
#[derive(Debug, Default)]
pub(crate) struct Buckets {
    full_at: HashMap<Key, Millis>,
}

impl Buckets {
    /// Takes one token; `false` where there is none.
    pub(crate) fn take(
        &mut self,
        (seller, access_key): (&str, &str),
        environment: Environment,
        operation: &str,
        quota: Quota,
        now: Millis,
    ) -> bool {
        let key = Key {
            seller: seller.to_owned(),
            access_key: access_key.to_owned(),
            environment,
            operation: operation.to_owned(),
        };
        let full_at = self.full_at.entry(key).or_insert(now);
        let missing_ms = (*full_at - now).max(0);
        if missing_ms > (quota.max - 1) * quota.restore_ms {
            return false;
        }
        *full_at = now + missing_ms + quota.restore_ms;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(
        buckets: &mut Buckets,
        operation: &str,
        class: Class,
        now: Millis,
        of: usize,
    ) -> usize {
        let quota = class.quota(Environment::Live);
        let mut take =
            |_: &usize| buckets.take(("A", "K"), Environment::Live, operation, quota, now);
        (0..of).filter(|n| take(n)).count()
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let mut buckets = Buckets::default();
        assert_eq!(taken(&mut buckets, "Authorize", Class::Write, 0, 15), 10);
        assert_eq!(taken(&mut buckets, "Authorize", Class::Write, 999, 5), 0);
        assert_eq!(taken(&mut buckets, "Authorize", Class::Write, 3_000, 5), 3);
        assert_eq!(taken(&mut buckets, "Authorize", Class::Write, 1_000_000, 15), 10);
    }

    #[test]
    fn operations_sellers_and_environments_have_buckets_of_their_own() {
        let mut buckets = Buckets::default();
        assert_eq!(taken(&mut buckets, "Authorize", Class::Write, 0, 15), 10);
        assert_eq!(taken(&mut buckets, "Capture", Class::Write, 0, 15), 10);
        assert_eq!(taken(&mut buckets, "GetServiceStatus", Class::Status, 0, 9), 2);
        let quota = Class::Write.quota(Environment::Sandbox);
        let mut take =
            |seller| buckets.take((seller, "K"), Environment::Sandbox, "Authorize", quota, 0);
        assert_eq!([take("A"), take("A"), take("A"), take("B")], [true, true, false, true]);
    }
}
