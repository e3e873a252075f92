//! The certificate that a message names: from a host that is trusted for it and from no other,
//! within bounds of time, size and number, and kept. Nothing is fetched before its address was
//! judged letter by letter, and no redirect is followed.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::{Method, Request, Url};
use tokio::sync::Semaphore;

use super::der::Certificate;
use crate::adapters::amazon::http::Http;
use crate::ports::clock::Clock;
use crate::ports::notifications::Refused;

/// Keys that are kept; Amazon has a handful at a time.
const KEYS_MAX: usize = 16;
/// Addresses that gave none, and for how long they are not asked again.
const FAILED_MAX: usize = 64;
const FAILED_FOR_MS: i64 = 10_000;
/// Fetches at once, and in a minute: whoever forges addresses at a trusted host sends us nowhere
/// more often than this.
const FETCHES_AT_ONCE: usize = 4;
const FETCHES_A_MINUTE: usize = 60;
const MINUTE_MS: i64 = 60_000;
/// A longer address is not Amazon's.
const ADDRESS_MAX: usize = 512;

/// An RSA public key (PKCS #1).
pub(super) type Key = Arc<[u8]>;

/// Certificates by their address.
pub(super) struct Certificates {
    http: Http,
    /// Trusted besides Amazon's, in lower case: `host`, or `host:port`.
    hosts: Vec<String>,
    clock: Arc<dyn Clock>,
    known: Mutex<Known>,
    fetching: Semaphore,
}

#[derive(Default)]
struct Known {
    keys: VecDeque<(String, Key)>,
    failed: VecDeque<(String, i64, Refused)>,
    fetched: VecDeque<i64>,
}

/// Why an address is trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    /// It is Amazon's own.
    Amazon,
    /// The configuration names its host.
    Named,
}

impl Certificates {
    pub(super) fn new(http: Http, hosts: &[String], clock: Arc<dyn Clock>) -> Self {
        let hosts = hosts.iter().map(|host| host.to_ascii_lowercase()).collect();
        let fetching = Semaphore::new(FETCHES_AT_ONCE);
        Self { http, hosts, clock, known: Mutex::default(), fetching }
    }

    /// The key of the certificate at this address.
    pub(super) async fn key(&self, address: &str) -> Result<Key, Refused> {
        let trust = trusted(address, &self.hosts)?;
        if let Some(known) = self.lock().look(address, self.clock.now_ms()) {
            return known;
        }
        let Ok(_turn) = self.fetching.acquire().await else {
            return Err(Refused::Unverifiable("too many certificates are asked for"));
        };
        let now = self.clock.now_ms();
        {
            let mut known = self.lock();
            if let Some(known) = known.look(address, now) {
                return known;
            }
            if !known.may_fetch(now) {
                return Err(Refused::Unverifiable("too many certificates are asked for"));
            }
        }
        let fetched = self.fetch(address, trust).await;
        self.lock().learn(address, &fetched, self.clock.now_ms());
        fetched
    }

    async fn fetch(&self, address: &str, trust: Trust) -> Result<Key, Refused> {
        let url = Url::parse(address).map_err(|_| Refused::Forged("its certificate's address"))?;
        let away = Refused::Unverifiable("its certificate cannot be fetched");
        let received = self.http.send(Request::new(Method::GET, url)).await.map_err(|_| away)?;
        match received.status {
            200 => key_of(&received.body, trust),
            400..=499 => Err(Refused::Forged("there is no certificate at its address")),
            300..=399 => Err(Refused::Forged("its certificate's address leads elsewhere")),
            _ => Err(away),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn look(&mut self, address: &str, now: i64) -> Option<Result<Key, Refused>> {
        if let Some((_, key)) = self.keys.iter().find(|(known, _)| known == address) {
            return Some(Ok(Arc::clone(key)));
        }
        self.failed.retain(|(_, until, _)| *until > now);
        let failed = self.failed.iter().find(|(known, _, _)| known == address);
        failed.map(|(_, _, why)| Err(*why))
    }

    fn may_fetch(&mut self, now: i64) -> bool {
        self.fetched.retain(|at| now - *at < MINUTE_MS);
        let room = self.fetched.len() < FETCHES_A_MINUTE;
        if room {
            self.fetched.push_back(now);
        }
        room
    }

    fn learn(&mut self, address: &str, fetched: &Result<Key, Refused>, now: i64) {
        match fetched {
            Ok(key) => {
                if self.keys.len() >= KEYS_MAX {
                    self.keys.pop_front();
                }
                self.keys.push_back((address.to_owned(), Arc::clone(key)));
            }
            Err(why) => {
                if self.failed.len() >= FAILED_MAX {
                    self.failed.pop_front();
                }
                self.failed.push_back((address.to_owned(), now + FAILED_FOR_MS, *why));
            }
        }
    }
}

/// Whether a certificate may be fetched there. Every letter of the address is accounted for, so
/// that no two readers of it can disagree about its host.
fn trusted(address: &str, hosts: &[String]) -> Result<Trust, Refused> {
    let refused = Refused::Forged("its certificate lies with a stranger");
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._/:[]".contains(&byte);
    if address.len() > ADDRESS_MAX || !address.bytes().all(plain) {
        return Err(refused);
    }
    let (scheme, rest) = address.split_once("://").ok_or(refused)?;
    let (place, path) = rest.split_once('/').ok_or(refused)?;
    let path_is_plain = path.bytes().all(|byte| !b":[]".contains(&byte))
        && path.split('/').all(|part| !part.is_empty() && !part.starts_with('.'))
        && path.ends_with(".pem");
    if !path_is_plain {
        return Err(refused);
    }
    let place = place.to_ascii_lowercase();
    if scheme == "https" && is_amazon(&place) {
        return Ok(Trust::Amazon);
    }
    let named = hosts.iter().any(|host| *host == place || without_port(&place) == Some(host));
    if (scheme == "https" || scheme == "http") && named {
        return Ok(Trust::Named);
    }
    Err(refused)
}

/// `sns.<region>.amazonaws.com`, or the same in China; no port.
fn is_amazon(host: &str) -> bool {
    let region = host.strip_prefix("sns.").and_then(|rest| {
        let rest = rest.strip_suffix(".cn").unwrap_or(rest);
        rest.strip_suffix(".amazonaws.com")
    });
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    region.is_some_and(|region| region.len() >= 3 && region.bytes().all(good))
}

/// The host in front of a port; none where there is no port.
fn without_port(place: &str) -> Option<&str> {
    let (host, port) = place.rsplit_once(':')?;
    let number = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let whole = !host.contains(':') || (host.starts_with('[') && host.ends_with(']'));
    (number && whole).then_some(host)
}

/// The key of the first certificate in a PEM file. A certificate of Amazon's must be SNS's own.
fn key_of(pem: &[u8], trust: Trust) -> Result<Key, Refused> {
    let refused = Refused::Forged("there is no certificate at its address");
    let text = std::str::from_utf8(pem).map_err(|_| refused)?;
    let (_, body) = text.split_once("-----BEGIN CERTIFICATE-----").ok_or(refused)?;
    let (body, _) = body.split_once("-----END CERTIFICATE-----").ok_or(refused)?;
    let body: String = body.split_ascii_whitespace().collect();
    let der = STANDARD.decode(body).map_err(|_| refused)?;
    let certificate = Certificate::read(&der).ok_or(refused)?;
    let name = certificate.common_name.and_then(|name| std::str::from_utf8(name).ok());
    let is_sns = name.is_some_and(|name| name == "sns.amazonaws.com" || is_amazon(name));
    if trust == Trust::Amazon && !is_sns {
        return Err(Refused::Forged("its certificate is not of Amazon SNS"));
    }
    Ok(certificate.key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named() -> Vec<String> {
        ["127.0.0.1:9090", "proxy.local", "[::1]:7"].map(str::to_owned).to_vec()
    }

    #[test]
    fn amazon_s_hosts_and_named_ones_are_trusted() {
        for good in [
            "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-0123abcd.pem",
            "https://sns.cn-north-1.amazonaws.com.cn/SimpleNotificationService-1.pem",
            "https://SNS.eu-west-1.amazonaws.com/a.pem",
        ] {
            assert_eq!(trusted(good, &[]), Ok(Trust::Amazon), "{good}");
        }
        for good in [
            "http://127.0.0.1:9090/SimpleNotificationService-1.pem",
            "https://127.0.0.1:9090/a.pem",
            "http://proxy.local/a.pem",
            "http://proxy.local:81/a/b.pem",
            "http://[::1]:7/a.pem",
        ] {
            assert_eq!(trusted(good, &named()), Ok(Trust::Named), "{good}");
        }
    }

    #[test]
    fn nobody_else_is() {
        for bad in [
            "",
            "https://sns.us-east-1.amazonaws.com",
            "https://sns.us-east-1.amazonaws.com/",
            "https://sns.us-east-1.amazonaws.com/a.txt",
            "https://sns.us-east-1.amazonaws.com/a.pem?x=.pem",
            "https://sns.us-east-1.amazonaws.com/a.pem#.pem",
            "https://sns.us-east-1.amazonaws.com//evil.com/a.pem",
            "https://sns.us-east-1.amazonaws.com/../a.pem",
            "https://sns.us-east-1.amazonaws.com:443/a.pem",
            "https://sns.us-east-1.amazonaws.com.evil.com/a.pem",
            "https://evil.com/sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com@evil.com/a.pem",
            "https://user:x@sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com%2eevil.com/a.pem",
            "https://sns.us-east-1.amazonaws.com\\@evil.com/a.pem",
            "https://sns.us.evil.amazonaws.com/a.pem",
            "https://sns.ab.amazonaws.com/a.pem",
            "https://snsXus-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com.cn.cn/a.pem",
            "https://s3.us-east-1.amazonaws.com/bucket/a.pem",
            "http://sns.us-east-1.amazonaws.com/a.pem",
            "ftp://sns.us-east-1.amazonaws.com/a.pem",
            "file:///etc/ssl/a.pem",
            "http://127.0.0.1:9091/a.pem",
            "http://127.0.0.1/a.pem",
            "http://127.0.0.1:9090.evil.com/a.pem",
            "http://127.0.0.1:9090@evil.com/a.pem",
            "http://xproxy.local/a.pem",
            "http://proxy.local:/a.pem",
            "http://proxy.local:80:81/a.pem",
            "gopher://proxy.local/a.pem",
            " https://sns.us-east-1.amazonaws.com/a.pem",
            "https://sns.us-east-1.amazonaws.com/ä.pem",
            "https://sns.us-east-1.amazonaws.com/a\r\n.pem",
        ] {
            assert!(matches!(trusted(bad, &named()), Err(Refused::Forged(_))), "{bad}");
        }
        let long = format!("https://sns.us-east-1.amazonaws.com/{}.pem", "a".repeat(600));
        assert!(trusted(&long, &[]).is_err());
    }

    #[test]
    fn fetches_and_what_is_known_have_bounds() {
        let mut known = Known::default();
        let key: Key = vec![1].into();
        for at in 0..KEYS_MAX + 3 {
            known.learn(&format!("k{at}"), &Ok(Arc::clone(&key)), 0);
        }
        assert_eq!(known.keys.len(), KEYS_MAX);
        assert!(known.look("k0", 0).is_none());
        assert_eq!(known.look("k5", 0), Some(Ok(key)));
        let why = Refused::Forged("nothing there");
        for at in 0..FAILED_MAX + 3 {
            known.learn(&format!("f{at}"), &Err(why), 0);
        }
        assert_eq!(known.failed.len(), FAILED_MAX);
        assert_eq!(known.look("f9", 1), Some(Err(why)));
        assert_eq!(known.look("f9", FAILED_FOR_MS), None);
        assert!((0..FETCHES_A_MINUTE).all(|_| known.may_fetch(5)));
        assert!(!known.may_fetch(6));
        assert!(known.may_fetch(5 + MINUTE_MS));
    }
}
