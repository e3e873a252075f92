//! Whether one more charge fits into the month. It is judged before the intent is written and never
//! after: a charge that was made and not yet answered has used up the balance itself.

use super::{Fate, Held, Mandate, MandateState};
use crate::domain::gateway::{Month, ReferenceView};
use crate::domain::money::{Currency, Money};
use crate::domain::payment::Payment;

/// What an agreement may be charged in a calendar month (UTC) where Amazon does not say: 500.00.
const MONTH_MINOR: i64 = 50_000;

/// One more charge.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The payment; its epoch and amount are what is asked.
    pub payment: &'a Payment,
    /// The agreement as it was read in this run.
    pub seen: Option<&'a ReferenceView>,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// Whether it fits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It does: this is to be committed with the intent.
    Take(Box<Mandate>),
    /// What is known is not enough: Amazon is to be asked.
    Read,
    /// It depends on charges whose outcome is not known yet.
    Wait,
    /// It does not until the next month begins, in milliseconds since the epoch.
    Over(i64),
}

/// Judges one more charge. `fates` says what has become of each held charge, in order.
#[must_use]
pub fn judge(asked: Asked<'_>, known: Option<&Mandate>, fates: &[Fate]) -> Verdict {
    let Asked { payment, seen, now } = asked;
    let Some(reference) = payment.charged() else { return Verdict::Read };
    let fresh = || Mandate::new(&payment.seller_account, reference, &payment.key.mid, now);
    let mut mandate = known.cloned().unwrap_or_else(fresh);
    let (id, amount) = (payment.id(), payment.amount);
    if mandate.held.iter().any(|held| held.payment == id && held.epoch == payment.epoch) {
        // It was taken before: never judged again.
        return Verdict::Take(Box::new(mandate));
    }
    let in_flight = fold(&mut mandate, fates);
    if let Some(view) = seen {
        if mandate.state == MandateState::Suspended {
            // That it is open again is told by whoever watches it.
            mandate.due_at = Some(now);
        } else {
            mandate.see(view);
        }
    } else if mandate.state != MandateState::Open {
        return Verdict::Read;
    }
    let stored = mandate.month.filter(|month| month.begins <= now && now < month.ends);
    let month = match seen {
        Some(view) => view.month.or(stored).unwrap_or_else(|| month_of(now, amount.currency())),
        None => match stored {
            Some(month) => month,
            None => return Verdict::Read,
        },
    };
    mandate.month = Some(month);
    mandate.mid = payment.key.mid.clone();
    if month.left.currency() == amount.currency() {
        let mine = in_flight.iter().filter(|held| {
            held.begins == month.begins && held.amount.currency() == amount.currency()
        });
        let open: i64 = mine.map(|held| held.amount.minor()).sum();
        let left = month.left.minor();
        if amount.minor() > left - open {
            return match (open > 0 && amount.minor() <= left, seen) {
                (true, _) => Verdict::Wait,
                (false, Some(_)) => Verdict::Over(month.ends),
                (false, None) => Verdict::Read,
            };
        }
    }
    mandate.held = in_flight;
    let begins = month.begins;
    mandate.held.push(Held { payment: id, epoch: payment.epoch, amount, begins });
    Verdict::Take(Box::new(mandate))
}

/// Reckons in what is known of the held charges; those that are still in flight come back.
fn fold(mandate: &mut Mandate, fates: &[Fate]) -> Vec<Held> {
    let mut in_flight = Vec::new();
    for (at, held) in mandate.held.iter().enumerate() {
        match fates.get(at).copied().unwrap_or(Fate::InFlight) {
            Fate::InFlight => in_flight.push(held.clone()),
            Fate::Nothing => {}
            Fate::Moved => {
                let same = |month: &&mut Month| {
                    month.begins == held.begins && month.left.currency() == held.amount.currency()
                };
                if let Some(month) = mandate.month.as_mut().filter(same) {
                    let left = month.left.minor() - held.amount.minor();
                    month.left = Money::from_minor(left, month.left.currency());
                }
            }
        }
    }
    in_flight
}

/// The calendar month (UTC) with its whole allowance, where Amazon tells nothing of it.
#[must_use]
pub fn month_of(now: i64, currency: Currency) -> Month {
    let (begins, ends) = calendar_month(now);
    Month { left: Money::from_minor(MONTH_MINOR, currency), begins, ends }
}

/// When the calendar month (UTC) began and the next one begins, in milliseconds since the epoch.
fn calendar_month(now: i64) -> (i64, i64) {
    const DAY: i64 = 86_400_000;
    let (year, month) = year_and_month(now.div_euclid(DAY));
    let next = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
    (day_number(year, month) * DAY, day_number(next.0, next.1) * DAY)
}

/// Year and month of a day, counted from 1970-01-01 (the civil calendar in eras of 400 years).
const fn year_and_month(day: i64) -> (i64, i64) {
    let shifted = day + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    let year = year_of_era + era * 400;
    (if month <= 2 { year + 1 } else { year }, month)
}

/// The number of the first day of a month, counted from 1970-01-01.
const fn day_number(year: i64, month: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5;
    era * 146_097 + (of_era * 365 + of_era / 4 - of_era / 100 + of_year) - 719_468
}
