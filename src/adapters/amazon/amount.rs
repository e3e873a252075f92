//! Amounts as Amazon writes them.

use crate::domain::money::{Currency, Money};

/// Reads `0`, `5.0`, `106.00`, and `134.00` yen: zeros behind the currency's digits are nothing.
pub(super) fn decimal(text: &str, currency: Currency) -> Option<Money> {
    let digits = usize::try_from(currency.digits()).unwrap_or(0);
    let text = match text.split_once('.') {
        Some((whole, fraction)) if fraction.len() > digits => {
            let (kept, dropped) = fraction.split_at_checked(digits)?;
            if !dropped.bytes().all(|byte| byte == b'0') {
                return None;
            }
            if kept.is_empty() { whole } else { &text[..=whole.len() + digits] }
        }
        _ => text,
    };
    Money::parse_or_zero(text, currency).ok()
}
