//! Amazon's own time, from the `Date` of any answer: signatures depend on this machine's clock
//! being near it. Asks once, sends nothing about anybody, and needs no keys.

use std::time::Duration;

use reqwest::header::DATE;
use reqwest::{Client, redirect};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc2822;

const HOST: &str = "https://mws.amazonservices.com";
const PATIENCE: Duration = Duration::from_secs(5);

/// Milliseconds since the epoch at Amazon, or at what stands in for it; none where it is away.
pub async fn ask(instead: Option<&str>) -> Option<i64> {
    let address = instead.unwrap_or(HOST);
    let builder = Client::builder().redirect(redirect::Policy::none()).timeout(PATIENCE);
    let plain = address.starts_with("http://");
    let builder = if plain { builder.tls_certs_only([]) } else { builder };
    let answer = builder.build().ok()?.get(address).send().await.ok()?;
    read(answer.headers().get(DATE)?.to_str().ok()?)
}

fn read(date: &str) -> Option<i64> {
    // HTTP says GMT where RFC 2822 wants an offset.
    let date = date.strip_suffix("GMT").map(|date| format!("{date}+0000"))?;
    let at = OffsetDateTime::parse(&date, &Rfc2822).ok()?;
    at.unix_timestamp().checked_mul(1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_date_is_a_time() {
        assert_eq!(read("Sun, 06 Nov 1994 08:49:37 GMT"), Some(784_111_777_000));
        assert_eq!(read("yesterday"), None);
    }
}
