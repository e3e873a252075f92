//! How many calls came, for `GET /_sim/calls`.

use std::collections::BTreeMap;

/// How a call was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answered {
    /// Carried out, or met by trouble on the line.
    Otherwise,
    Throttled,
    /// With an error of Amazon's, other than a throttle.
    Refused,
}

/// The calls of one seller, or of all.
#[derive(Debug, Clone, Default)]
pub(crate) struct Count {
    pub(crate) calls: BTreeMap<String, u64>,
    pub(crate) throttled: u64,
    pub(crate) refused: u64,
}

impl Count {
    fn add(&mut self, other: &Count) {
        for (operation, count) in &other.calls {
            *self.calls.entry(operation.clone()).or_default() += count;
        }
        self.throttled += other.throttled;
        self.refused += other.refused;
    }
}

/// Counts by merchant id, as the callers named themselves.
#[derive(Debug, Default)]
pub(crate) struct Calls {
    by_merchant: BTreeMap<String, Count>,
}

impl Calls {
    pub(crate) fn called(&mut self, merchant_id: &str, operation: &str) {
        let count = self.of(merchant_id);
        match count.calls.get_mut(operation) {
            Some(count) => *count += 1,
            None => {
                count.calls.insert(operation.to_owned(), 1);
            }
        }
    }

    pub(crate) fn answered(&mut self, merchant_id: &str, how: Answered) {
        match how {
            Answered::Otherwise => {}
            Answered::Throttled => self.of(merchant_id).throttled += 1,
            Answered::Refused => self.of(merchant_id).refused += 1,
        }
    }

    fn of(&mut self, merchant_id: &str) -> &mut Count {
        self.by_merchant.entry(merchant_id.to_owned()).or_default()
    }

    /// The calls of one seller, or the sum of all.
    pub(crate) fn count(&self, merchant_id: Option<&str>) -> Count {
        match merchant_id {
            Some(merchant_id) => self.by_merchant.get(merchant_id).cloned().unwrap_or_default(),
            None => self.by_merchant.values().fold(Count::default(), |mut sum, count| {
                sum.add(count);
                sum
            }),
        }
    }
}
