//! The time of a request as it is signed.

use std::fmt::Write;

use time::OffsetDateTime;

/// `2026-11-23T08:00:00Z`, as Amazon's own SDKs write it for MWS.
pub(super) fn timestamp(now_ms: i64) -> String {
    let at = OffsetDateTime::from_unix_timestamp(now_ms.div_euclid(1000))
        .unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let (date, month) = (at.date(), u8::from(at.month()));
    let mut text = String::with_capacity(20);
    let written = write!(
        text,
        "{:04}-{month:02}-{:02}T{:02}:{:02}:{:02}Z",
        date.year(),
        date.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    debug_assert!(written.is_ok(), "a string takes whatever is written");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_whole_seconds_of_utc() {
        assert_eq!(timestamp(0), "1970-01-01T00:00:00Z");
        assert_eq!(timestamp(1_795_420_799_999), "2026-11-23T07:59:59Z");
        assert_eq!(timestamp(1_709_210_096_000), "2024-02-29T12:34:56Z");
    }
}
