//! How much and how often Amazon allows.

use amazon_pay_money::{Currency, Money};

/// How many authorizations an order reference has.
pub(super) const AUTHORIZATIONS_MAX: usize = 10;
/// How many charges of a permission may be open at once.
pub(super) const CHARGES_OPEN_MAX: usize = 25;
/// How many refunds a capture has.
pub(super) const REFUNDS_MAX: usize = 10;

/// What may be taken for, or given back of, `amount`: 15 % more, but at most 75.00 (8,400 yen).
pub(crate) fn allowance(amount: Money) -> Money {
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
        assert_eq!(of(2_185, Currency::USD), 2_513);
        assert_eq!(of(50_000, Currency::EUR), 57_500);
        assert_eq!(of(50_001, Currency::EUR), 57_501);
        assert_eq!(of(1_000, Currency::JPY), 1_150);
        assert_eq!(of(100_000, Currency::JPY), 108_400);
    }
}
