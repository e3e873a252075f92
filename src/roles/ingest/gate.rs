//! What every request passes: sizes, the client, its rate. Behind it a handler finds the body read
//! and bounded, the caller known and, on the CRM paths, the parameters of whichever encoding.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::header::{ALLOW, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, EXPECT};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;
use futures_util::StreamExt as _;
use tracing::Instrument as _;

use super::access::{Caller, Credentials};
use super::params::Params;
use super::refusal::Refusal;
use super::{Ingest, json, paths};
use crate::telemetry::fields;
use crate::telemetry::trace::continue_from;

/// The largest query and the largest body, in bytes.
const SIZE_MAX: usize = 64 * 1024;
/// How much of a body that is too large is read on, so that the caller comes to read the answer.
const DRAIN_MAX: usize = 8 * 1024 * 1024;
/// For a whole body.
const BODY_TIME: Duration = Duration::from_secs(30);

/// Lets a request through to its handler, or answers it.
pub(super) async fn enter(
    State(ingest): State<Arc<Ingest>>,
    request: Request,
    next: Next,
) -> Response {
    let begun = ingest.ports.clock.now_ms();
    let matched = request.extensions().get::<MatchedPath>();
    let route = paths::name(matched.map(MatchedPath::as_str));
    let span = tracing::info_span!("http.request", { fields::PATH } = route);
    let headers = request.headers();
    let [parent, state] = ["traceparent", "tracestate"].map(|name| header(headers, name));
    continue_from(&span, Some(parent), Some(state));
    let response = answer(&ingest, request, next).instrument(span.clone()).await;
    let (status, took) = (response.status().as_u16(), ingest.ports.clock.now_ms() - begun);
    ingest.ports.metrics.request(route, status, took);
    let _inside = span.enter();
    tracing::debug!({ fields::STATUS } = status, { fields::DURATION_MS } = took, "answered");
    response
}

async fn answer(ingest: &Ingest, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if paths::is_open(path) {
        return next.run(request).await;
    }
    let crm = paths::is_crm(path);
    let mut response = answer_of(ingest, crm, request, next).await;
    if crm && response.status() == StatusCode::METHOD_NOT_ALLOWED {
        // The router's own list has HEAD, where it has GET.
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET,POST"));
    }
    response
}

async fn answer_of(ingest: &Ingest, crm: bool, request: Request, next: Next) -> Response {
    match pass(ingest, crm, request).await {
        Ok(request) => next.run(request).await,
        Err(refusal) if crm => refusal.envelope(),
        Err(refusal) => refusal.problem(),
    }
}

/// No such path.
pub(super) async fn nothing_here(request: Request) -> Response {
    let refusal = Refusal::NotFound("there is nothing at this path");
    if paths::is_crm(request.uri().path()) { refusal.envelope() } else { refusal.problem() }
}

/// The path is there, the method is not.
pub(super) async fn not_by_this_method(request: Request) -> Response {
    let refusal = Refusal::Method;
    if paths::is_crm(request.uri().path()) { refusal.envelope() } else { refusal.problem() }
}

async fn pass(ingest: &Ingest, crm: bool, request: Request) -> Result<Request, Refusal> {
    let (mut parts, body) = request.into_parts();
    if parts.uri.query().is_some_and(|query| query.len() > SIZE_MAX) {
        return Err(Refusal::TooLarge("query"));
    }
    if crm && parts.method == Method::HEAD {
        // It would be served as a GET, and a GET here buys something.
        return Err(Refusal::Method);
    }
    let body = read(&parts.headers, body).await?;
    let caller = if crm {
        let media = header(&parts.headers, CONTENT_TYPE.as_str());
        let params = Params::of_crm(parts.uri.query(), media, &body).await?;
        let caller = known(ingest, &parts.headers, &params).await?;
        parts.extensions.insert(Arc::new(params));
        caller
    } else {
        let params = Params::of_api(parts.uri.query(), &body);
        known(ingest, &parts.headers, &params).await?
    };
    ingest.rates.take(caller.login(), ingest.ports.clock.now_ms())?;
    parts.extensions.insert(caller);
    Ok(Request::from_parts(parts, Body::from(body)))
}

/// A header as text; empty where it is absent or no text.
pub(super) fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

async fn known(ingest: &Ingest, headers: &HeaderMap, params: &Params) -> Result<Caller, Refusal> {
    let (scheme, key) = header(headers, AUTHORIZATION.as_str()).split_once(' ').unwrap_or_default();
    let credentials = if scheme.eq_ignore_ascii_case("Bearer") {
        Credentials::Key(key.trim().to_owned())
    } else {
        match (params.get("loginId"), params.get("password")) {
            (Some(login), Some(password)) => {
                Credentials::Login(login.to_owned(), password.to_owned())
            }
            _ => return Err(Refusal::Unauthorized),
        }
    };
    ingest.access.caller(&credentials).await
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Refusal> {
    let announced = header(headers, CONTENT_LENGTH.as_str()).parse::<u64>().unwrap_or(0);
    if announced > SIZE_MAX as u64 && headers.contains_key(EXPECT) {
        // Who asks first has sent nothing yet.
        return Err(Refusal::TooLarge("body"));
    }
    let cut = || Refusal::Unreadable("the body ended before it was complete".to_owned());
    tokio::time::timeout(BODY_TIME, collect(body)).await.map_err(|_| cut())?.map_err(|_| cut())?
}

async fn collect(body: Body) -> Result<Result<Bytes, Refusal>, axum::Error> {
    let mut chunks = body.into_data_stream();
    let (mut all, mut seen) = (Vec::new(), 0);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk?;
        seen += chunk.len();
        if seen > DRAIN_MAX {
            break;
        }
        if seen <= SIZE_MAX {
            all.extend_from_slice(&chunk);
        }
    }
    Ok(if seen > SIZE_MAX { Err(Refusal::TooLarge("body")) } else { Ok(all.into()) })
}

impl Params {
    /// The query and, of a JSON body, what tells who calls.
    fn of_api(query: Option<&str>, body: &[u8]) -> Self {
        let mut params = Self::of_query(query);
        for (name, value) in json::entries(body).unwrap_or_default() {
            if name == "loginId" || name == "password" {
                params.add_literal(&name, &value);
            }
        }
        params
    }
}
