//! How an answer leaves: after its delay, whole or cut. The effect is in the books by then, and
//! no lock is held while it waits.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::Body;
use axum::extract::FromRequestParts;
use axum::http::header::CONTENT_TYPE;
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::Response;

use super::faults::{Ruling, Trouble};
use super::line::Line;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-mws-request-id");
const V2_REQUEST_ID: HeaderName = HeaderName::from_static("x-amz-pay-request-id");

/// An answer before it goes out.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    status: u16,
    content_type: &'static str,
    body: String,
    request_id: Option<(HeaderName, String)>,
}

impl Answer {
    pub(crate) fn xml(status: u16, body: String) -> Self {
        Self { status, content_type: "text/xml", body, request_id: None }
    }

    pub(crate) fn json(status: u16, body: String) -> Self {
        Self { status, content_type: "application/json", body, request_id: None }
    }

    pub(crate) fn with_request_id(mut self, id: &str) -> Self {
        self.request_id = Some((REQUEST_ID, id.to_owned()));
        self
    }

    /// As [`Answer::with_request_id`], where API v2 writes it.
    pub(crate) fn with_v2_request_id(mut self, id: &str) -> Self {
        self.request_id = Some((V2_REQUEST_ID, id.to_owned()));
        self
    }

    fn into_response(self) -> Response {
        let mut response = Response::new(Body::from(self.body));
        *response.status_mut() =
            StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(self.content_type));
        if let Some((name, id)) = self.request_id
            && let Ok(id) = HeaderValue::try_from(id)
        {
            headers.insert(name, id);
        }
        response
    }
}

/// The connection that a request came on, where the simulator's own server took it.
pub(crate) struct CallerLine(pub(crate) Option<Line>);

impl<S: Send + Sync> FromRequestParts<S> for CallerLine {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(parts.extensions.get::<Line>().cloned()))
    }
}

/// Sends an answer as the faults rule.
pub(crate) async fn deliver(
    answer: Answer,
    ruling: &Ruling,
    latency_ms: u64,
    line: Option<Line>,
) -> Response {
    let delay_ms = latency_ms.saturating_add(ruling.delay_ms);
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
    let cut: fn(&Line, usize) = match ruling.trouble {
        Some(Trouble::Refuse) => |line, _| line.close(),
        Some(Trouble::ResetBefore | Trouble::ResetAfter) => |line, _| line.reset(),
        Some(Trouble::Truncate) => |line, length| line.cut_after(length / 2),
        Some(Trouble::Delay | Trouble::Status | Trouble::StatusAfter) | None => {
            return answer.into_response();
        }
    };
    match line {
        Some(line) => {
            cut(&line, answer.body.len());
            answer.into_response()
        }
        None => broken(),
    }
}

/// On somebody else's server the most that can be done: a body that breaks off at once.
fn broken() -> Response {
    let breaks = async { Err::<String, _>(io::Error::from(io::ErrorKind::ConnectionReset)) };
    Response::new(Body::from_stream(futures_util::stream::once(breaks)))
}
