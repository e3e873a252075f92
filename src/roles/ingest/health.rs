//! Whether the process lives, and whether it can do its work.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use super::Ingest;
use crate::ports::broker::{Broker, BrokerError};
use crate::ports::store::{Store, StoreError};

/// A probe does not wait for what is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// The process is alive.
pub(in crate::roles) async fn alive() -> Response {
    ([(CONTENT_TYPE, "application/json")], json!({"status": "alive"}).to_string()).into_response()
}

/// Broker and database can be reached; otherwise 503 with words which cannot.
pub(super) async fn ready(State(ingest): State<Arc<Ingest>>) -> Response {
    readiness(&*ingest.ports.broker, &*ingest.ports.store).await
}

/// The same for whichever role.
pub(in crate::roles) async fn readiness(broker: &dyn Broker, store: &dyn Store) -> Response {
    let (broker, database) = tokio::join!(
        tokio::time::timeout(PATIENCE, broker.check()),
        tokio::time::timeout(PATIENCE, store.check()),
    );
    // Texts of drivers may name hosts and users: they are for the log, not for whoever asks.
    let broker = match broker {
        Ok(Ok(())) => None,
        Ok(Err(BrokerError::Topology(_))) => Some("the broker's topology differs"),
        Ok(Err(BrokerError::Away(_))) | Err(_) => Some("the broker is away"),
    };
    let database = match database {
        Ok(Ok(())) => None,
        Ok(Err(StoreError::Corrupt(_) | StoreError::Refused(_))) => {
            Some("the database's schema is not up to date")
        }
        Ok(Err(StoreError::Away(_) | StoreError::Conflict)) | Err(_) => {
            Some("the database is away")
        }
    };
    let missing: Vec<&str> = [broker, database].into_iter().flatten().collect();
    if missing.is_empty() {
        let body = json!({"status": "ready"}).to_string();
        return ([(CONTENT_TYPE, "application/json")], body).into_response();
    }
    let body = json!({
        "type": "urn:amazon-pay-worker:problem:not-ready",
        "title": "Not ready",
        "status": StatusCode::SERVICE_UNAVAILABLE.as_u16(),
        "detail": missing.join("; "),
        "errors": [],
    });
    let media = [(CONTENT_TYPE, "application/problem+json")];
    (StatusCode::SERVICE_UNAVAILABLE, media, body.to_string()).into_response()
}
