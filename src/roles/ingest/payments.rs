//! The project's own API, reading half: a payment as it is, and on demand every step of it.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::Ingest;
use super::access::Caller;
use super::api::query_of;
use super::query::away;
use super::refusal::Refusal;
use crate::app::trail::{self, Step};
use crate::contract::payment_view;
use crate::contract::time::rfc3339;
use crate::domain::command::{PaymentKey, Subject};
use crate::domain::ids::{ChargeId, MerchantAccountId, OrderId, UpsellId};
use crate::domain::payment::Payment;
use crate::ports::vault::Sealed;
use crate::telemetry::fields;

const UNKNOWN: Refusal = Refusal::NotFound("no worker has taken such a payment");

/// `GET /v1/orders/{mid}/{orderId}`.
pub(super) async fn order(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let Path((mid, order)) = path.map_err(|_| UNKNOWN)?;
    let subject = Subject::Order(OrderId::new(order).map_err(|_| UNKNOWN)?);
    ingest.payment(&caller, mid, subject, query.as_deref()).await
}

/// `GET /v1/upsells/{mid}/{orderId}/{upsellId}`.
pub(super) async fn upsell(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let Path((mid, order, upsell)) = path.map_err(|_| UNKNOWN)?;
    let order = OrderId::new(order).map_err(|_| UNKNOWN)?;
    let subject = Subject::Upsell(order, UpsellId::new(upsell).map_err(|_| UNKNOWN)?);
    ingest.payment(&caller, mid, subject, query.as_deref()).await
}

/// `GET /v1/charges/{mid}/{chargeId}`.
pub(super) async fn charge(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    path: Result<Path<(String, String)>, PathRejection>,
    RawQuery(query): RawQuery,
) -> Result<Response, Refusal> {
    let Path((mid, charge)) = path.map_err(|_| UNKNOWN)?;
    let subject = Subject::Charge(ChargeId::new(charge).map_err(|_| UNKNOWN)?);
    ingest.payment(&caller, mid, subject, query.as_deref()).await
}

impl Ingest {
    async fn payment(
        &self,
        caller: &Caller,
        mid: String,
        subject: Subject,
        query: Option<&str>,
    ) -> Result<Response, Refusal> {
        let asked = query_of(query, &["timeline"]).map_err(Refusal::Fields)?;
        let timeline = match asked.get("timeline").and_then(Value::as_str) {
            None | Some("" | "0" | "false") => false,
            Some("1" | "true") => true,
            Some(_) => return Err(Refusal::field("timeline", "must be 1 or 0")),
        };
        let mid = MerchantAccountId::new(mid).map_err(|_| UNKNOWN)?;
        if !caller.may_use(&mid) {
            return Err(Refusal::NotAllowed);
        }
        let id = PaymentKey { mid, subject }.event_subject();
        let found = self.ports.store.payment(&id).await.map_err(away)?;
        let mut view = self.view(&found.ok_or(UNKNOWN)?).await?;
        if timeline {
            let rows = self.ports.desk.timeline(&id).await.map_err(away)?;
            let steps = trail::steps(&rows).into_iter().map(step).collect();
            view.insert("timeline".to_owned(), steps);
        }
        let body = Value::Object(view).to_string();
        Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
    }

    /// The payment as it is, with what its latest event told.
    pub(super) async fn view(&self, payment: &Payment) -> Result<Map<String, Value>, Refusal> {
        let Some(event_id) = &payment.latest_event else { return Ok(payment_view(payment, None)) };
        let event = self.ports.store.event(event_id).await.map_err(away)?;
        let Some(event) = event else { return Ok(payment_view(payment, None)) };
        let document = self.open_event(event_id, &event.body)?;
        Ok(payment_view(payment, Some(document.as_bytes())))
    }

    /// The document of a stored event.
    pub(super) fn open_event(&self, event_id: &str, sealed: &Sealed) -> Result<String, Refusal> {
        let opened = self.ports.vault.open(&format!("event/{event_id}"), sealed);
        opened.ok().and_then(|document| String::from_utf8(document).ok()).ok_or_else(|| {
            tracing::error!({ fields::EVENT } = event_id, "a stored event cannot be opened");
            Refusal::Broken
        })
    }
}

fn step(step: Step) -> Value {
    json!({"at": rfc3339(step.at), "kind": step.kind, "name": step.name, "detail": step.detail})
}
