//! Amounts of money in minor units (cents, yen). Never a float, never without its currency.

use std::fmt;

macro_rules! currencies {
    ($($code:ident),+ $(,)?) => {
        /// A currency that Amazon Pay knows (ISO 4217).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(clippy::upper_case_acronyms, reason = "ISO 4217 codes are written this way")]
        #[allow(missing_docs, reason = "a code explains itself")]
        pub enum Currency { $($code),+ }

        impl Currency {
            /// Every currency, for tables and tests.
            pub const ALL: &'static [Currency] = &[$(Currency::$code),+];

            /// The ISO 4217 code, three capital letters.
            #[must_use]
            pub const fn code(self) -> &'static str {
                match self { $(Currency::$code => stringify!($code)),+ }
            }
        }
    };
}

currencies!(AUD, CHF, DKK, EUR, GBP, HKD, JPY, NOK, NZD, SEK, USD, ZAR);

impl Currency {
    /// Reads an ISO 4217 code; `None` for anything that Amazon Pay does not know.
    #[must_use]
    pub fn parse(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|currency| currency.code() == code)
    }

    /// How many digits stand behind the point: 0 for yen, else 2.
    #[must_use]
    pub const fn digits(self) -> u32 {
        match self {
            Currency::JPY => 0,
            Currency::AUD
            | Currency::CHF
            | Currency::DKK
            | Currency::EUR
            | Currency::GBP
            | Currency::HKD
            | Currency::NOK
            | Currency::NZD
            | Currency::SEK
            | Currency::USD
            | Currency::ZAR => 2,
        }
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

/// Why a text is not an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AmountError {
    /// Not digits with at most one point, or a leading zero, sign, exponent or separator.
    Malformed,
    /// More digits behind the point than the currency has.
    TooManyDigits,
    /// More than ten digits before the point.
    TooLarge,
    /// Zero where something must be paid.
    Zero,
}

impl fmt::Display for AmountError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            AmountError::Malformed => "must be digits with at most two decimals, like 19.95",
            AmountError::TooManyDigits => "has more decimals than its currency",
            AmountError::TooLarge => "has more than ten digits before the point",
            AmountError::Zero => "must be above 0",
        })
    }
}

/// An amount of a currency, zero or more, in minor units.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Money {
    minor: i64,
    currency: Currency,
}

impl Money {
    /// `minor` units of `currency`; negative counts as zero, which no caller should rely on.
    #[must_use]
    pub const fn from_minor(minor: i64, currency: Currency) -> Self {
        Self { minor: if minor < 0 { 0 } else { minor }, currency }
    }

    /// Nothing, in `currency`.
    #[must_use]
    pub const fn zero(currency: Currency) -> Self {
        Self { minor: 0, currency }
    }

    /// Reads `19.95`, `19.9`, `19`: at most ten digits, a point, at most the currency's decimals.
    ///
    /// # Errors
    /// Anything else, and zero: [`AmountError`] says what is wrong.
    pub fn parse(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let money = Self::parse_or_zero(text, currency)?;
        if money.minor == 0 { Err(AmountError::Zero) } else { Ok(money) }
    }

    /// As [`Money::parse`], zero allowed.
    ///
    /// # Errors
    /// As [`Money::parse`], but for zero.
    pub fn parse_or_zero(text: &str, currency: Currency) -> Result<Self, AmountError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(AmountError::Malformed),
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(AmountError::Malformed);
        }
        if whole.len() > 1 && whole.starts_with('0') {
            return Err(AmountError::Malformed);
        }
        if whole.len() > 10 {
            return Err(AmountError::TooLarge);
        }
        if fraction.len() > 2 || (currency.digits() == 0 && !fraction.is_empty()) {
            return Err(AmountError::TooManyDigits);
        }
        let number = |part: &str| part.bytes().fold(0i64, |n, b| n * 10 + i64::from(b - b'0'));
        let scale = 10i64.pow(currency.digits());
        let cents = match fraction.len() {
            1 => number(fraction) * 10,
            _ => number(fraction),
        };
        Ok(Self { minor: number(whole) * scale + cents, currency })
    }

    /// The most that Amazon authorizes on a total, where the buyer agreed to that: 15 % more, and
    /// at most 75.00 (8,400 yen).
    #[must_use]
    pub fn with_allowance(self) -> Self {
        let most = match self.currency.digits() {
            0 => 8_400,
            _ => 7_500,
        };
        let more = self.minor.saturating_mul(15).saturating_add(50) / 100;
        Self { minor: self.minor.saturating_add(more.min(most)), currency: self.currency }
    }

    /// The amount in minor units.
    #[must_use]
    pub const fn minor(self) -> i64 {
        self.minor
    }

    /// Its currency.
    #[must_use]
    pub const fn currency(self) -> Currency {
        self.currency
    }

    /// Whether it is nothing.
    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.minor == 0
    }

    /// The sum, if both are of one currency and it fits.
    #[must_use]
    pub fn checked_add(self, other: Self) -> Option<Self> {
        if self.currency != other.currency {
            return None;
        }
        let minor = self.minor.checked_add(other.minor)?;
        Some(Self { minor, currency: self.currency })
    }

    /// What is left, if both are of one currency and `other` is not more.
    #[must_use]
    pub fn checked_sub(self, other: Self) -> Option<Self> {
        if self.currency != other.currency || other.minor > self.minor {
            return None;
        }
        Some(Self { minor: self.minor - other.minor, currency: self.currency })
    }

    /// The amount as text with the currency's digits: `19.95`, `1200` (yen).
    #[must_use]
    pub fn amount(self) -> String {
        match self.currency.digits() {
            0 => self.minor.to_string(),
            _ => format!("{}.{:02}", self.minor / 100, self.minor % 100),
        }
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.amount(), self.currency)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_compared_as_numbers_and_shown_with_the_currency_s_digits() {
        for text in ["19.9", "19.90"] {
            assert_eq!(Money::parse(text, Currency::USD).unwrap().amount(), "19.90");
        }
        assert_eq!(Money::parse("1200", Currency::JPY).unwrap().amount(), "1200");
        assert_eq!(Money::parse("0.05", Currency::EUR).unwrap().minor(), 5);
        assert_eq!(Money::parse("9999999999.99", Currency::USD).unwrap().minor(), 999_999_999_999);
    }

    #[test]
    fn what_is_no_amount_is_refused_with_a_reason() {
        let cases = [
            ("", AmountError::Malformed),
            ("1.", AmountError::Malformed),
            (".5", AmountError::Malformed),
            ("01", AmountError::Malformed),
            ("-1", AmountError::Malformed),
            ("+1", AmountError::Malformed),
            ("1e3", AmountError::Malformed),
            ("1,000", AmountError::Malformed),
            (" 1", AmountError::Malformed),
            ("1.234", AmountError::TooManyDigits),
            ("12345678901", AmountError::TooLarge),
            ("0", AmountError::Zero),
            ("0.00", AmountError::Zero),
        ];
        for (text, error) in cases {
            assert_eq!(Money::parse(text, Currency::USD), Err(error), "{text:?}");
        }
        assert_eq!(Money::parse("1.0", Currency::JPY), Err(AmountError::TooManyDigits));
    }

    #[test]
    fn every_currency_is_read_back_from_its_code() {
        for currency in Currency::ALL {
            assert_eq!(Currency::parse(currency.code()), Some(*currency));
        }
        assert_eq!(Currency::parse("usd"), None);
    }
}
