//! The feed of published events, for a CRM that was away. A cursor is the place of the last event
//! that was given out; nothing ever appears at or before it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use super::Ingest;
use super::access::Caller;
use super::api::query_of;
use super::query::away;
use super::refusal::Refusal;
use crate::domain::decline::FieldError;

const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 1000;

/// `GET /v1/events`.
pub(super) async fn feed(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let (after, limit) = page(query.as_deref()).map_err(Refusal::Fields)?;
    let mids: Vec<String> = caller.mids().iter().map(ToString::to_string).collect();
    let mids = (!mids.is_empty()).then_some(&mids[..]);
    let rows = ingest.ports.outbox.feed(after, limit, mids).await.map_err(away)?;
    let next = rows.last().map_or(after, |row| row.position);
    let mut documents = Vec::with_capacity(rows.len());
    for row in rows {
        documents.push(ingest.open_event(&row.event_id, &row.body)?);
    }
    // The documents stay byte for byte what was published.
    let body = format!("{{\"events\":[{}],\"next\":\"{}\"}}", documents.join(","), cursor(next));
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}

fn page(query: Option<&str>) -> Result<(i64, u32), Vec<FieldError>> {
    let asked = query_of(query, &["after", "limit"])?;
    let text = |name: &str| asked.get(name).and_then(Value::as_str).unwrap_or_default();
    let mut errors = Vec::new();
    let after = place(text("after")).unwrap_or_else(|| {
        errors.push(FieldError::new("after", "is no cursor that was given out"));
        0
    });
    let limit = match text("limit") {
        "" => LIMIT,
        text => match text.parse() {
            Ok(limit) if (1..=LIMIT_MAX).contains(&limit) => limit,
            _ => {
                errors.push(FieldError::new("limit", "must be a whole number from 1 to 1000"));
                LIMIT
            }
        },
    };
    if errors.is_empty() { Ok((after, limit)) } else { Err(errors) }
}

fn cursor(place: i64) -> String {
    format!("c{place}")
}

/// Reads [`cursor`] back; nothing means the beginning.
fn place(cursor: &str) -> Option<i64> {
    if cursor.is_empty() {
        return Some(0);
    }
    let digits = cursor.strip_prefix('c')?;
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok()).flatten()
}
