//! `/_sim`: what Amazon's own pages and a buyer's browser do, the clock, the faults, the settings
//! and the books. JSON in and out, nobody is asked who he is, and no fault ever meets it.

mod buyers;
mod knobs;
mod objects;
mod plans;
mod reports;
mod sellers;

use axum::Router;
use axum::body::Body;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post, put};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Simulator;

/// Why a call is not carried out.
enum Refused {
    /// 404
    Missing(String),
    /// 400, with a text.
    Nonsense(String),
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let (status, text) = match self {
            Refused::Missing(text) => (StatusCode::NOT_FOUND, text),
            Refused::Nonsense(text) => (StatusCode::BAD_REQUEST, text),
        };
        write(status, &json!({"error": text}))
    }
}

type Reply = Result<Response, Refused>;

fn write(status: StatusCode, value: &impl Serialize) -> Response {
    let body = serde_json::to_string(value).unwrap_or_default();
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let json = axum::http::HeaderValue::from_static("application/json");
    response.headers_mut().insert(CONTENT_TYPE, json);
    response
}

fn ok(value: &impl Serialize) -> Reply {
    Ok(write(StatusCode::OK, value))
}

fn created(value: &impl Serialize) -> Reply {
    Ok(write(StatusCode::CREATED, value))
}

/// Reads a body; an empty one says nothing.
fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refused> {
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Refused::Nonsense(error.to_string()))
}

/// The routes, to be nested under `/_sim`.
pub(super) fn routes() -> Router<Simulator> {
    Router::new()
        .route("/sellers", post(sellers::register))
        .route("/order-references", post(buyers::order_reference))
        .route("/billing-agreements", post(buyers::billing_agreement))
        .route("/checkout-sessions/{id}/approve", post(buyers::approve))
        .route("/objects/{id}/payment-method", post(objects::payment_method))
        .route("/objects/{id}/close", post(objects::close))
        .route("/objects/{id}/capture", post(objects::capture))
        .route("/objects/{id}/dispute", post(objects::dispute))
        .route("/clock", get(knobs::clock).post(knobs::advance))
        .route("/faults", get(knobs::faults).put(knobs::set_faults).delete(knobs::clear_faults))
        .route("/settings", put(knobs::settings))
        .route("/ledger", get(reports::ledger))
        .route("/calls", get(reports::calls))
        .fallback(|| async { Refused::Missing("there is no such call".to_owned()) })
}
