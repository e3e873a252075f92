//! Milliseconds since the epoch, and RFC 3339 in UTC as people and JSON read it.

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// As `2026-01-31T06:00:00.000Z`. What lies outside the years 0 to 9999 is moved to their edge.
#[must_use]
pub fn rfc3339(ms: i64) -> String {
    const FIRST: i64 = -62_167_219_200_000;
    const LAST: i64 = 253_402_300_799_999;
    let ms = ms.clamp(FIRST, LAST);
    let at = OffsetDateTime::from_unix_timestamp(ms.div_euclid(1000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
        ms.rem_euclid(1000)
    )
}

/// Reads any RFC 3339 time, with whatever offset; finer than milliseconds is cut off.
#[must_use]
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_with_milliseconds() {
        assert_eq!(rfc3339(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(rfc3339(1_769_839_200_007), "2026-01-31T06:00:00.007Z");
        assert_eq!(rfc3339(-1), "1969-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MAX), "9999-12-31T23:59:59.999Z");
        assert_eq!(rfc3339(i64::MIN), "0000-01-01T00:00:00.000Z");
    }

    #[test]
    fn times_are_read_with_any_offset_and_nothing_else_is_a_time() {
        assert_eq!(parse_rfc3339("2026-01-31T07:00:00+01:00"), Some(1_769_839_200_000));
        assert_eq!(parse_rfc3339("2026-01-31T06:00:00.0079Z"), Some(1_769_839_200_007));
        for text in ["", "2026-01-31", "2026-01-31T06:00:00", "1769839200", "2026-02-30T06:00:00Z"]
        {
            assert_eq!(parse_rfc3339(text), None, "{text:?}");
        }
    }

    #[test]
    fn what_is_written_is_read_back() {
        for ms in [0, 1, 999, 1_769_839_200_007, 253_402_300_799_999] {
            assert_eq!(parse_rfc3339(&rfc3339(ms)), Some(ms));
        }
    }
}
