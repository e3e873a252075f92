//! Times as people type them: RFC 3339, a date, or an age.

use crate::contract::time::parse_rfc3339;

/// Milliseconds since the epoch.
pub(super) fn read(text: &str, now: i64) -> Option<i64> {
    if let Some(at) = parse_rfc3339(text) {
        return Some(at);
    }
    if text.len() == 10
        && let Some(at) = parse_rfc3339(&format!("{text}T00:00:00Z"))
    {
        return Some(at);
    }
    let unit = text.chars().last()?;
    let second: i64 = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return None,
    };
    let count: i64 = text[..text.len() - 1].parse().ok().filter(|count| *count >= 0)?;
    Some(now - count.checked_mul(second * 1000)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_dates_and_ages_are_read() {
        assert_eq!(read("1970-01-01T00:00:01Z", 0), Some(1_000));
        assert_eq!(read("1970-01-02", 0), Some(86_400_000));
        assert_eq!(read("2h", 7_200_000), Some(0));
        assert_eq!(read("90m", 5_400_001), Some(1));
        for text in ["", "h", "-1h", "2w", "yesterday", "1970-13-01", "ä"] {
            assert_eq!(read(text, 0), None, "{text}");
        }
    }
}
