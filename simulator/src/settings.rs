//! What can be set, and which of the possible readings of Amazon's documents is played.

/// One of the readings of a point, in the order of the documents; the first is the default.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(crate) enum Reading {
    #[default]
    A,
    B,
    C,
}

impl Reading {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Reading::A, Reading::B, Reading::C].into_iter().find(|reading| reading.text() == text)
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Reading::A => "a",
            Reading::B => "b",
            Reading::C => "c",
        }
    }
}

/// How many points there are.
pub(crate) const POINTS: usize = 12;

/// The reading chosen for each point on which Amazon's documents allow several.
///
/// | point | a | b |
/// | --- | --- | --- |
/// | 1 same reference id again | the object as it is now | the first answer |
/// | 2 second capture | `TransactionCountExceeded` | `InvalidAuthorizationStatus` |
/// | 3 authorization while its capture is pending | Open | Closed/MaxCapturesProcessed |
/// | 4 asynchronous `TransactionTimedOut` | after TransactionTimeout | after 30 s |
/// | 5 reference after `AmazonRejected` | Closed/AmazonClosed | Open |
/// | 6 reference of a declined agreement charge | Closed | Canceled; under c: Open |
/// | 7 declined authorizations count towards the ten | no | yes |
/// | 8 id of the other environment | 404 `Invalid…Id` | 500 `InternalServerError` |
/// | 9 confirm when over | `InvalidOrderReferenceStatus` | `OrderReferenceNotModifiable` |
/// | 9 close when Closed | success | `InvalidCloseAttempt` |
/// | 10 quota is looked at | before the signature | after it |
/// | 11 synchronous, planned as pending | `TransactionTimedOut`, entry left | Pending, entry used |
/// | 12 v2: 5xx under an idempotency key | not kept: tried anew | kept and repeated |
///
/// Region is not part of an address here: an id is known to its seller alone, and what is another
/// seller's does not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Readings([Reading; POINTS]);

impl Readings {
    /// The reading of point `number`, from 1.
    pub(crate) fn of(self, number: usize) -> Reading {
        self.0.get(number.wrapping_sub(1)).copied().unwrap_or_default()
    }

    /// Whether point `number` is read the second way.
    pub(crate) fn second(self, number: usize) -> bool {
        self.of(number) == Reading::B
    }

    /// Chooses; `false` where there is no such reading.
    pub(crate) fn choose(&mut self, number: usize, reading: Reading) -> bool {
        let last = if number == 6 { Reading::C } else { Reading::B };
        match self.0.get_mut(number.wrapping_sub(1)) {
            Some(chosen) if reading <= last => {
                *chosen = reading;
                true
            }
            _ => false,
        }
    }
}

/// The settings in force.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Settings {
    pub(crate) quotas: bool,
    pub(crate) latency_ms: u64,
    pub(crate) seed: Option<u64>,
    pub(crate) readings: Readings,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_reading_is_the_default_and_only_one_point_has_three() {
        let mut readings = Readings::default();
        assert!(readings.choose(1, Reading::B) && readings.choose(6, Reading::C));
        assert!(readings.second(1) && !readings.second(2));
        assert_eq!(readings.of(6), Reading::C);
        for (number, reading) in [(0, Reading::A), (13, Reading::A), (1, Reading::C)] {
            assert!(!readings.choose(number, reading), "{number}");
        }
    }

    #[test]
    fn every_reading_is_read_back_from_its_text() {
        for reading in [Reading::A, Reading::B, Reading::C] {
            assert_eq!(Reading::parse(reading.text()), Some(reading));
        }
        assert_eq!(Reading::parse("d"), None);
    }
}
