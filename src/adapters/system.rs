//! Time and chance of this machine. The only file that may ask for either.

use std::time::{SystemTime, UNIX_EPOCH};

use ring::rand::{SecureRandom, SystemRandom};

use crate::ports::clock::Clock;

/// The machine's clock and its source of randomness.
pub struct System {
    random: SystemRandom,
}

impl System {
    /// The machine that the program runs on.
    #[must_use]
    #[expect(clippy::disallowed_methods, reason = "the one source of chance behind the port")]
    pub fn new() -> Self {
        Self { random: SystemRandom::new() }
    }
}

impl Default for System {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for System {
    #[expect(clippy::disallowed_methods, reason = "the one source of time behind the port")]
    fn now_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn random_hex(&self, bytes: usize) -> String {
        let mut filled = vec![0; bytes];
        // A key or nonce that anybody can guess is worse than the end of the process.
        assert!(self.random.fill(&mut filled).is_ok(), "this machine gives no random bytes");
        let digits = filled.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let mut text = String::with_capacity(2 * bytes);
        text.extend(digits.map(|digit| char::from_digit(digit.into(), 16).unwrap_or('0')));
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_texts_have_their_length_and_differ() {
        let system = System::new();
        let (one, other) = (system.random_hex(16), system.random_hex(16));
        assert_eq!(one.len(), 32);
        assert!(one.bytes().all(|byte| b"0123456789abcdef".contains(&byte)));
        assert_ne!(one, other);
    }

    #[test]
    fn the_clock_counts_milliseconds_of_this_century() {
        let year_2020 = 1_577_836_800_000;
        assert!(System::new().now_ms() > year_2020);
    }
}
