//! `Prefer: wait=N` (RFC 7240): how long the caller would wait. What cannot be read is ignored.

use std::time::Duration;

use axum::http::HeaderMap;

/// More than this counts as this.
const WAIT_MAX: u64 = 30;

/// How long to wait for the verdict; nothing where nobody asked.
pub(super) fn wait(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
    let seconds = values.flat_map(|value| value.split([',', ';'])).find_map(seconds)?;
    (seconds > 0).then(|| Duration::from_secs(seconds.min(WAIT_MAX)))
}

fn seconds(preference: &str) -> Option<u64> {
    let (name, value) = preference.split_once('=')?;
    if !name.trim().eq_ignore_ascii_case("wait") {
        return None;
    }
    let value = value.trim().trim_matches('"');
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    // Whatever is too large for a number is above the largest wait all the same.
    digits.then(|| value.parse().unwrap_or(u64::MAX))
}
