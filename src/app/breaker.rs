//! Merchant accounts whose credentials Amazon refuses: they are tripped, their payments wait in
//! the store, and one probe at a time tests whether they work again.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::domain::ids::MerchantAccountId;
use crate::domain::merchant::{Api, MerchantAccount};

/// How long a tripped account rests between two probes.
const PROBE_EVERY_MS: i64 = 15_000;

#[derive(Debug, Clone, Copy)]
struct Tripped {
    revision: i64,
    probe_at: i64,
}

/// The tripped accounts, by the API whose keys are refused: an account that changes over has keys
/// of both, and those of one say nothing about the other's.
#[derive(Debug, Default)]
pub struct Breaker {
    tripped: Mutex<HashMap<(MerchantAccountId, Api), Tripped>>,
}

/// Whether a payment of an account may call Amazon now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passage {
    /// It may.
    Free,
    /// Not before this time, in milliseconds since the epoch.
    WaitUntil(i64),
}

impl Breaker {
    /// Whether a payment of this account may go; of a tripped one, the first that asks after its
    /// rest is the probe. A changed account (rotated, tested) begins anew.
    pub fn pass(&self, merchant: &MerchantAccount, now: i64) -> Passage {
        let (key, revision) = (key(merchant), merchant.revision);
        let mut tripped = self.tripped.lock().unwrap_or_else(|broken| broken.into_inner());
        let Some(one) = tripped.get_mut(&key) else { return Passage::Free };
        if one.revision != revision {
            tripped.remove(&key);
            return Passage::Free;
        }
        if now < one.probe_at {
            return Passage::WaitUntil(one.probe_at);
        }
        one.probe_at = now + PROBE_EVERY_MS;
        Passage::Free
    }

    /// Amazon refused the account's credentials; when the next probe may go.
    pub fn trip(&self, merchant: &MerchantAccount, now: i64) -> i64 {
        let (mid, revision) = (&merchant.id, merchant.revision);
        let probe_at = now + PROBE_EVERY_MS;
        let mut tripped = self.tripped.lock().unwrap_or_else(|broken| broken.into_inner());
        let first = tripped.insert(key(merchant), Tripped { revision, probe_at }).is_none();
        if first {
            tracing::error!(mid = %mid, "amazon refuses the credentials of mid {mid}: tripped");
        }
        probe_at
    }

    /// Amazon accepted the account's credentials; true if it was tripped.
    pub fn heal(&self, merchant: &MerchantAccount) -> bool {
        let mid = &merchant.id;
        let mut tripped = self.tripped.lock().unwrap_or_else(|broken| broken.into_inner());
        let healed = tripped.remove(&key(merchant)).is_some();
        if healed {
            tracing::info!(mid = %mid, "amazon accepts the credentials of mid {mid} again");
        }
        healed
    }

    /// How many are tripped.
    pub fn len(&self) -> usize {
        self.tripped.lock().unwrap_or_else(|broken| broken.into_inner()).len()
    }

    /// Whether none is tripped.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

fn key(merchant: &MerchantAccount) -> (MerchantAccountId, Api) {
    (merchant.id.clone(), merchant.api)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::merchant::{Reauthorize, Region};

    fn merchant(revision: i64) -> MerchantAccount {
        MerchantAccount {
            id: MerchantAccountId::new("7").unwrap(),
            title: String::new(),
            soft_descriptor: None,
            mid_number: None,
            region: Region::Na,
            sandbox: true,
            api: Api::Mws,
            seller_id: "A1".to_owned(),
            enabled: true,
            reauthorize: Reauthorize { enabled: false, window_s: 0, max: 0 },
            revision,
        }
    }

    #[test]
    fn a_tripped_account_lets_one_probe_through_at_a_time() {
        let (breaker, mid) = (Breaker::default(), merchant(1));
        assert_eq!(breaker.pass(&mid, 0), Passage::Free);
        let probe_at = breaker.trip(&mid, 0);
        assert_eq!(breaker.pass(&mid, 1), Passage::WaitUntil(probe_at));
        assert_eq!(breaker.pass(&mid, probe_at), Passage::Free);
        assert!(matches!(breaker.pass(&mid, probe_at), Passage::WaitUntil(_)));
        assert!(breaker.heal(&mid));
        assert_eq!(breaker.pass(&mid, probe_at), Passage::Free);
    }

    #[test]
    fn a_changed_account_begins_anew() {
        let breaker = Breaker::default();
        breaker.trip(&merchant(1), 0);
        assert_eq!(breaker.pass(&merchant(2), 1), Passage::Free);
        assert!(breaker.is_empty());
    }

    #[test]
    fn the_keys_of_one_api_say_nothing_about_the_other_s() {
        let breaker = Breaker::default();
        breaker.trip(&merchant(1), 0);
        let changed_over = MerchantAccount { api: Api::V2, ..merchant(1) };
        assert_eq!(breaker.pass(&changed_over, 1), Passage::Free);
        assert!(!breaker.heal(&changed_over) && breaker.heal(&merchant(1)));
    }
}
