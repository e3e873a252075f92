//! Bytes to Amazon and back, once. What goes wrong is told apart by the one question that matters:
//! can the request have had an effect? Nothing is ever sent twice in here, nothing is followed to
//! another address, and neither body nor address reaches a log.

use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Client, Request, redirect, retry};
use time::OffsetDateTime;
use time::format_description::well_known::{Rfc2822, Rfc3339};

use crate::domain::gateway::Fault;

/// An answer of Amazon's payment API has a few kilobytes; what is longer is not one.
const BODY_MAX: usize = 1 << 20;

/// Shorter than the time in which Amazon's load balancers drop an idle connection.
const IDLE: Duration = Duration::from_secs(30);

/// Connections that wait for the next call; those above are closed after use.
const IDLE_MAX: usize = 256;

/// To set up a connection, of the time of a call; a host that does not answer by then is away.
const CONNECT_MAX: Duration = Duration::from_secs(10);

/// A hint beyond a day is not believed.
const HINT_MAX_MS: i64 = 86_400_000;

const USER_AGENT: &str = concat!(
    env!("CARGO_PKG_NAME"),
    "/",
    env!("CARGO_PKG_VERSION"),
    " (Language=Rust/",
    env!("CARGO_PKG_RUST_VERSION"),
    ")"
);

/// Why a gateway cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// What was given in place of Amazon's hosts is no address.
    #[error("the address in place of {api} cannot be used: {reason}")]
    Endpoint {
        /// Which of Amazon's services.
        api: &'static str,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// No certificates to trust, as a rule.
    #[error("the http client could not be set up")]
    Client(#[source] reqwest::Error),
}

/// An answer, read to its end.
pub(super) struct Received {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Received {
    /// A header as text.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// How long to wait before the next call, where the answer says so: a number of seconds or a
    /// time. In milliseconds.
    pub(super) fn retry_after_ms(&self, now_ms: i64) -> Option<i64> {
        let text = self.header("retry-after")?.trim();
        let hint = match text.parse::<i64>() {
            Ok(seconds) => seconds.saturating_mul(1000),
            Err(_) => until(text, now_ms)?,
        };
        believed(hint)
    }
}

/// From now to a time as headers write it, in milliseconds.
pub(super) fn until(text: &str, now_ms: i64) -> Option<i64> {
    let parsed =
        OffsetDateTime::parse(text, &Rfc2822).or_else(|_| OffsetDateTime::parse(text, &Rfc3339));
    let at_ms = i64::try_from(parsed.ok()?.unix_timestamp_nanos() / 1_000_000).ok()?;
    Some(at_ms - now_ms)
}

/// A hint within reason, or none.
pub(super) fn believed(hint_ms: i64) -> Option<i64> {
    (hint_ms > 0).then(|| hint_ms.min(HINT_MAX_MS))
}

/// A pool of connections.
#[derive(Debug, Clone)]
pub(super) struct Http {
    client: Client,
}

impl Http {
    /// `timeout` bounds one exchange, from the connection to the last byte. With `plain` no
    /// certificate is trusted, because none will be seen.
    pub(super) fn new(timeout: Duration, plain: bool) -> Result<Self, SetupError> {
        if rustls::crypto::CryptoProvider::get_default().is_none() {
            // Where two threads come here at once, one fails, and the provider is there.
            rustls::crypto::ring::default_provider().install_default().ok();
        }
        let builder = Client::builder()
            .http1_only()
            .no_proxy()
            .referer(false)
            .redirect(redirect::Policy::none())
            .retry(retry::never())
            .tcp_nodelay(true)
            .connect_timeout(timeout.min(CONNECT_MAX))
            .timeout(timeout)
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(IDLE_MAX)
            .user_agent(HeaderValue::from_static(USER_AGENT));
        let builder = if plain { builder.tls_certs_only([]) } else { builder };
        Ok(Self { client: builder.build().map_err(SetupError::Client)? })
    }

    /// Sends `request` once. The pool may take another connection for it where an idle one proves
    /// closed before the first byte was written, and only then.
    pub(super) async fn send(&self, request: Request) -> Result<Received, Fault> {
        let mut response = self.client.execute(request).await.map_err(|error| fault(&error))?;
        let promised = response.content_length().unwrap_or(0);
        let room = usize::try_from(promised).unwrap_or(BODY_MAX).min(BODY_MAX);
        let mut body = Vec::with_capacity(room);
        while let Some(chunk) = response.chunk().await.map_err(|_| Fault::Unknown)? {
            if body.len() + chunk.len() > BODY_MAX {
                let detail = "an answer of more than a megabyte".to_owned();
                return Err(Fault::Unexpected { detail });
            }
            body.extend_from_slice(&chunk);
        }
        let status = response.status().as_u16();
        Ok(Received { status, headers: std::mem::take(response.headers_mut()), body })
    }
}

/// Without a connection nothing can have left. Everything else counts as sent: whether the last
/// byte got through cannot be told from here.
fn fault(error: &reqwest::Error) -> Fault {
    if error.is_connect() || error.is_builder() { Fault::NotSent } else { Fault::Unknown }
}
