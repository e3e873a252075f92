//! Amazon's own time: it begins at the machine's and can be moved on, and whatever ages here ages
//! by it. Signatures are judged by the machine's clock. The only place of the simulator that asks
//! what time it is.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use time::format_description::well_known::Rfc3339;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Milliseconds since 1970, UTC.
pub(crate) type Millis = i64;

pub(crate) const SECOND: Millis = 1_000;
pub(crate) const MINUTE: Millis = 60 * SECOND;
pub(crate) const HOUR: Millis = 60 * MINUTE;
pub(crate) const DAY: Millis = 24 * HOUR;

/// Further than this nobody may move the clock: ten thousand days.
const AHEAD_MAX: Millis = 10_000 * DAY;

/// What tells the machine's time, so that a test can be its own machine.
pub(crate) type Machine = Arc<dyn Fn() -> Millis + Send + Sync>;

/// The machine's time.
#[expect(clippy::disallowed_methods, reason = "shares nothing with the ports: this is its own")]
pub(crate) fn machine_now() -> Millis {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Millis::try_from(since.as_millis()).unwrap_or(Millis::MAX)
}

/// The simulator's two times.
#[derive(Clone)]
pub(crate) struct Clock {
    machine: Machine,
    ahead: Millis,
}

impl Clock {
    /// A clock over `machine` that shows `start` now, or the machine's time.
    pub(crate) fn new(machine: Machine, start: Option<Millis>) -> Self {
        let ahead = start.map_or(0, |start| start - machine());
        Self { machine, ahead }
    }

    /// Amazon's time.
    pub(crate) fn now(&self) -> Millis {
        (self.machine)() + self.ahead
    }

    /// The machine's time, by which signatures are judged.
    pub(crate) fn machine(&self) -> Millis {
        (self.machine)()
    }

    /// Moves Amazon's time on; `false` where that is further than anybody could mean.
    pub(crate) fn advance(&mut self, seconds: u64) -> bool {
        let by = Millis::try_from(seconds).ok().and_then(|s| s.checked_mul(SECOND));
        match by.and_then(|by| self.ahead.checked_add(by)) {
            Some(ahead) if ahead <= AHEAD_MAX => {
                self.ahead = ahead;
                true
            }
            _ => false,
        }
    }
}

fn civil(at: Millis) -> OffsetDateTime {
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(at) * 1_000_000)
        .unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

/// `2026-11-23T08:00:00.123Z`, always with three digits of milliseconds, as Amazon writes it.
pub(crate) fn rfc3339(at: Millis) -> String {
    let t = civil(at);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        t.year(),
        u8::from(t.month()),
        t.day(),
        t.hour(),
        t.minute(),
        t.second(),
        t.millisecond()
    )
}

/// `20261123T080000Z`, as API v2 writes it.
pub(crate) fn compact(at: Millis) -> String {
    let t = civil(at);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        t.year(),
        u8::from(t.month()),
        t.day(),
        t.hour(),
        t.minute(),
        t.second()
    )
}

/// The first moment of the month of `at`, and of the next, UTC.
pub(crate) fn month(at: Millis) -> (Millis, Millis) {
    let first = civil(at).date().replace_day(1).unwrap_or(time::Date::MIN);
    let next = first.month().next();
    let year = first.year() + i32::from(next == time::Month::January);
    let next = time::Date::from_calendar_date(year, next, 1).unwrap_or(time::Date::MAX);
    let millis = |date: time::Date| date.midnight().assume_utc().unix_timestamp() * SECOND;
    (millis(first), millis(next))
}

/// Reads a timestamp as callers write it: RFC 3339, or without an offset, or the date alone, or
/// without what separates its digits.
pub(crate) fn parse(text: &str) -> Option<Millis> {
    let whole = match text.len() {
        16 if text.is_ascii() && !text.contains('-') => {
            let digits = |from: usize, to: usize| &text[from..to];
            let date = [digits(0, 4), digits(4, 6), digits(6, 8)].join("-");
            let time = [digits(9, 11), digits(11, 13), digits(13, 16)].join(":");
            format!("{date}{}{time}", digits(8, 9))
        }
        10 => format!("{text}T00:00:00Z"),
        16 => format!("{text}:00Z"),
        _ => text.to_owned(),
    };
    let time = OffsetDateTime::parse(&whole, &Rfc3339)
        .or_else(|_| PrimitiveDateTime::parse(&whole, &Rfc3339).map(PrimitiveDateTime::assume_utc))
        .ok()?;
    Millis::try_from(time.unix_timestamp_nanos() / 1_000_000).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_have_three_digits_and_are_read_back() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        let text = "2026-11-23T08:00:00.120Z";
        assert_eq!(rfc3339(parse(text).unwrap()), text);
        assert_eq!(parse("2026-11-23T08:00:00Z"), parse("2026-11-23T08:00"));
        assert_eq!(parse("2026-11-23"), parse("2026-11-23T00:00:00+00:00"));
        assert_eq!(compact(parse(text).unwrap()), "20261123T080000Z");
        assert_eq!(parse("20261123T080000Z"), parse("2026-11-23").map(|at| at + 8 * HOUR));
        assert_eq!(parse("20261123 080000Z"), parse("2026-11-23 08:00:00Z"));
        assert_eq!(parse("yesterday"), None);
    }

    #[test]
    fn a_month_ends_where_the_next_begins() {
        let at = |text: &str| parse(text).unwrap();
        let november = (at("2026-11-01"), at("2026-12-01"));
        assert_eq!(month(at("2026-11-01")), november);
        assert_eq!(month(at("2026-12-01") - 1), november);
        assert_eq!(month(at("2026-12-31")).1, at("2027-01-01"));
    }

    #[test]
    fn the_clock_runs_with_the_machine_and_is_moved_on_only_within_reason() {
        let mut clock = Clock::new(Arc::new(|| 5_000), Some(1_000));
        assert_eq!((clock.now(), clock.machine()), (1_000, 5_000));
        assert!(clock.advance(3));
        assert_eq!((clock.now(), clock.machine()), (4_000, 5_000));
        assert!(!clock.advance(u64::MAX));
        assert_eq!(clock.now(), 4_000);
    }
}
