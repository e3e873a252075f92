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
    /// How the mandate stood before that, where it was known.
    pub before: Option<&'a Before>,
    /// Milliseconds since the epoch.
    pub now: i64,
}

/// How a mandate stood before Amazon was asked for its number: what was settled by then is in the
/// number; what has moved since may be in it or not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Before {
    version: i64,
    settled: Vec<bool>,
}

impl Before {
    /// As it stands now, about to be asked for.
    #[must_use]
    pub fn of(known: Option<&Mandate>, fates: &[Fate]) -> Self {
        let settled = |fate: &Fate| match fate {
            Fate::InFlight => false,
            Fate::Moved | Fate::Nothing => true,
        };
        Self { version: version(known), settled: fates.iter().map(settled).collect() }
    }
}

fn version(known: Option<&Mandate>) -> i64 {
    known.map_or(0, |mandate| mandate.version)
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
    let Asked { payment, seen, before, now } = asked;
    let Some(reference) = payment.charged() else { return Verdict::Read };
    let fresh = || Mandate::new(&payment.seller_account, reference, &payment.key.mid, now);
    let mut mandate = known.cloned().unwrap_or_else(fresh);
    let (id, amount) = (payment.id(), payment.amount);
    if mandate.held.iter().any(|held| held.payment == id && held.epoch == payment.epoch) {
        // It was taken before: never judged again.
        return Verdict::Take(Box::new(mandate));
    }
    // Whoever has written it since may have reckoned in what Amazon's number lacks.
    let since = before.map_or(0, |before| before.version);
    let seen = seen.filter(|_| version(known) == since);
    let mut open = fold(&mut mandate, fates);
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
    let told = seen.and_then(|view| view.month);
    let month = match (told.or(stored), seen) {
        (Some(month), _) => month,
        (None, Some(_)) => month_of(now, amount.currency()),
        (None, None) => return Verdict::Read,
    };
    let since = if told.is_some() { moved_since(known, before, fates) } else { Vec::new() };
    mandate.month = Some(month);
    mandate.mid = payment.key.mid.clone();
    if month.left.currency() == amount.currency() {
        let (waited_for, in_doubt) = (of_month(&open, month), of_month(&since, month));
        let left = month.left.minor();
        if amount.minor() > left - waited_for - in_doubt {
            let would_fit = amount.minor() <= left;
            return match seen {
                _ if would_fit && waited_for > 0 => Verdict::Wait,
                Some(_) if !would_fit => Verdict::Over(month.ends),
                // What was in doubt is settled by now: Amazon's next number holds it.
                Some(_) | None => Verdict::Read,
            };
        }
    }
    open.extend(since);
    let begins = month.begins;
    open.push(Held { payment: id, epoch: payment.epoch, amount, begins });
    mandate.held = open;
    Verdict::Take(Box::new(mandate))
}

/// Reckons in a charge that nobody judged: a checkout session charges by its own intent, and its
/// agreement is not there before. None where it counts already.
#[must_use]
pub fn reckon_in(
    payment: &Payment,
    known: Option<&Mandate>,
    fates: &[Fate],
    now: i64,
) -> Option<Mandate> {
    let reference = payment.charged()?;
    let fresh = || Mandate::new(&payment.seller_account, reference, &payment.key.mid, now);
    let mut mandate = known.cloned().unwrap_or_else(fresh);
    let (id, amount) = (payment.id(), payment.amount);
    if mandate.held.iter().any(|held| held.payment == id && held.epoch == payment.epoch) {
        return None;
    }
    mandate.held = fold(&mut mandate, fates);
    let stored = mandate.month.filter(|month| month.begins <= now && now < month.ends);
    if stored.is_none() && mandate.state == MandateState::Open {
        // The allowance is a guess until Amazon has been asked for it.
        mandate.state = MandateState::Unknown;
    }
    let month = stored.unwrap_or_else(|| month_of(now, amount.currency()));
    mandate.month = Some(month);
    mandate.mid = payment.key.mid.clone();
    let begins = month.begins;
    mandate.held.push(Held { payment: id, epoch: payment.epoch, amount, begins });
    Some(mandate)
}

/// What these take of the month, in minor units.
fn of_month(held: &[Held], month: Month) -> i64 {
    let of = |held: &&Held| {
        held.begins == month.begins && held.amount.currency() == month.left.currency()
    };
    held.iter().filter(of).map(|held| held.amount.minor()).sum()
}

/// What was in flight when Amazon was asked for its number and has moved by now.
fn moved_since(known: Option<&Mandate>, before: Option<&Before>, fates: &[Fate]) -> Vec<Held> {
    let settled = before.map_or(&[][..], |before| &before.settled);
    let held = known.map_or(&[][..], |mandate| &mandate.held);
    let moved = |at: usize| {
        fates.get(at) == Some(&Fate::Moved) && !settled.get(at).copied().unwrap_or(false)
    };
    let held = held.iter().enumerate().filter(|(at, _)| moved(*at));
    held.map(|(_, held)| held.clone()).collect()
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
