//! Amazon's ids, drawn from a seed: the same seed and the same calls give the same ids. Never a
//! source of secrets: everything drawn here can be foreseen.

use std::fmt::Write as _;

/// A small generator (SplitMix64) and the shapes of the ids that are drawn from it.
#[derive(Debug, Clone)]
pub(crate) struct Ids {
    state: u64,
}

impl Ids {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Whether something of this probability happens now.
    pub(crate) fn happens(&mut self, probability: f64) -> bool {
        // 53 bits are what a double can hold.
        #[expect(clippy::cast_precision_loss, reason = "the value has 53 bits")]
        let drawn = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
        drawn < probability
    }

    /// `S01-1234567-7654321`: an order reference (`S`, `P`) or an agreement (`C`, `B`).
    pub(crate) fn reference(&mut self, letter: char, region: &str) -> String {
        let (left, right) = (self.below(10_000_000), self.below(10_000_000));
        format!("{letter}{region}-{left:07}-{right:07}")
    }

    /// The six digits behind `-A`, `-C` or `-R`.
    pub(crate) fn serial(&mut self) -> String {
        format!("{:06}", self.below(1_000_000))
    }

    /// A random (version 4) UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        format!(
            "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xfff,
            0x8000 | ((low >> 48) & 0x3fff),
            low & 0xffff_ffff_ffff
        )
    }

    /// `digits` hexadecimal digits.
    pub(crate) fn hex(&mut self, digits: usize) -> String {
        let mut text = String::with_capacity(digits + 16);
        while text.len() < digits {
            // Writing to a string cannot fail.
            let _infallible = write!(text, "{:016x}", self.next());
        }
        text.truncate(digits);
        text
    }

    /// `length` capital letters and digits.
    pub(crate) fn capitals(&mut self, length: usize) -> String {
        const ALPHABET: &[u8; 36] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
        (0..length)
            .map(|_| char::from(ALPHABET[usize::try_from(self.below(36)).unwrap_or(0)]))
            .collect()
    }

    /// A Login with Amazon access token.
    pub(crate) fn access_token(&mut self) -> String {
        format!("Atza|IwEB{}", self.hex(40))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_seed_gives_one_sequence_in_amazon_s_shapes() {
        let (mut one, mut two) = (Ids::new(7), Ids::new(7));
        let id = one.reference('S', "01");
        assert_eq!(id, two.reference('S', "01"));
        assert!(id.starts_with("S01-") && id.len() == 19, "{id}");
        let uuid = one.uuid();
        assert_eq!((uuid.len(), &uuid[14..15]), (36, "4"), "{uuid}");
        assert_eq!(one.serial().len(), 6);
        assert_ne!(Ids::new(8).reference('S', "01"), id);
    }

    #[test]
    fn what_is_certain_happens_and_what_is_impossible_does_not() {
        let mut ids = Ids::new(1);
        assert!((0..100).all(|_| ids.happens(1.0)));
        assert!(!(0..100).any(|_| ids.happens(0.0)));
        let often = (0..1000).filter(|_| ids.happens(0.5)).count();
        assert!((400..600).contains(&often), "{often}");
    }
}
