//! The retry schedule by the `backoff` crate, and the only module that names it: the crate is
//! unmaintained and must be exchangeable. It says how long to wait and never repeats anything.

use std::time::Duration;

use backoff::ExponentialBackoff;
use backoff::backoff::Backoff;

use crate::ports::clock::Schedule;

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(300);
const FACTOR: i32 = 2;

/// How far a wait may be from the plan, so that what failed together does not return together.
const JITTER: f64 = 0.25;

/// 2 s, 4 s, 8 s … up to 5 min, each a quarter more or less.
#[derive(Debug, Clone, Copy, Default)]
pub struct ExponentialSchedule;

impl Schedule for ExponentialSchedule {
    fn delay(&self, attempt: u32) -> Duration {
        let mut backoff = ExponentialBackoff {
            current_interval: planned(attempt),
            initial_interval: FIRST,
            randomization_factor: JITTER,
            multiplier: f64::from(FACTOR),
            max_interval: LONGEST,
            // The budget is the core's, not the crate's.
            max_elapsed_time: None,
            ..ExponentialBackoff::default()
        };
        backoff.next_backoff().map_or(LONGEST, |wait| wait.min(LONGEST))
    }
}

/// The wait without its jitter.
fn planned(attempt: u32) -> Duration {
    let doublings = attempt.saturating_sub(1).min(16);
    FIRST.saturating_mul(FACTOR.unsigned_abs().saturating_pow(doublings)).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plan_doubles_from_two_seconds_to_five_minutes() {
        let plan: Vec<u64> = (0..=10).map(|attempt| planned(attempt).as_secs()).collect();
        assert_eq!(plan, [2, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]);
        assert_eq!(planned(u32::MAX), LONGEST);
    }

    #[test]
    fn a_wait_is_within_a_quarter_of_the_plan_and_never_above_the_longest() {
        for attempt in (0..12).chain([u32::MAX]) {
            let plan = planned(attempt);
            for _ in 0..200 {
                let wait = ExponentialSchedule.delay(attempt);
                assert!(wait >= plan.mul_f64(1.0 - JITTER), "{attempt}: {wait:?}");
                assert!(wait <= plan.mul_f64(1.0 + JITTER) + Duration::from_nanos(1));
                assert!(wait <= LONGEST);
            }
        }
    }

    #[test]
    fn waits_are_spread() {
        let waits: std::collections::BTreeSet<_> =
            (0..50).map(|_| ExponentialSchedule.delay(5)).collect();
        assert!(waits.len() > 25, "only {} different waits of 50", waits.len());
    }
}
