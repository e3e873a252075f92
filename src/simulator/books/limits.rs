//! How much and how often Amazon allows.

use crate::domain::money::{Currency, Money};

/// How many authorizations an order reference has.
pub(super) const AUTHORIZATIONS_MAX: usize = 10;
/// How many refunds a capture has.
pub(super) const REFUNDS_MAX: usize = 10;

/// What may be taken for, or given back of, `amount`: 15 % more, but at most 75.00 (8,400 yen).
pub(super) fn allowance(amount: Money) -> Money {
    let more_max = match amount.currency() {
        Currency::JPY => 8_400,
        _ => 7_500,
    };
    let rounded_half_up = (amount.minor() * 15 + 50) / 100;
    Money::from_minor(amount.minor() + rounded_half_up.min(more_max), amount.currency())
}

/// Whether an order may be this large.
pub(crate) fn order_fits(total: Money) -> bool {
    let max = match total.currency() {
        Currency::JPY => 10_000_000,
        _ => 15_000_000,
    };
    total.minor() <= max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fifteen_percent_more_rounded_half_up_but_never_more_than_the_cap() {
        let of = |minor, currency| allowance(Money::from_minor(minor, currency)).minor();
        assert_eq!(of(21_85, Currency::USD), 25_13);
        assert_eq!(of(500_00, Currency::EUR), 575_00);
        assert_eq!(of(500_01, Currency::EUR), 575_01);
        assert_eq!(of(1_000, Currency::JPY), 1_150);
        assert_eq!(of(100_000, Currency::JPY), 108_400);
    }
}
