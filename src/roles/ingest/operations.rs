//! Captures, refunds and cancels under a payment's address: the address says which payment, the
//! body how much of it and under which id it happens once.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, RawQuery, State};
use axum::http::HeaderMap;
use axum::routing::{MethodRouter, post};

use super::Ingest;
use super::access::Caller;
use super::refusal::Refusal;
use crate::domain::operation::OperationKind;

const UNKNOWN: Refusal = Refusal::NotFound("there is no such payment");

type At<T> = Result<Path<T>, PathRejection>;

/// `POST /v1/orders/{mid}/{orderId}/…`.
pub(super) fn on_order(operation: OperationKind) -> MethodRouter<Arc<Ingest>> {
    post(
        move |State(ingest): State<Arc<Ingest>>,
              Extension(caller): Extension<Caller>,
              path: At<(String, String)>,
              RawQuery(query): RawQuery,
              headers: HeaderMap,
              body: Bytes| async move {
            let Path((mid, order)) = path.map_err(|_| UNKNOWN)?;
            let address = [("amazonBillerId", mid.as_str()), ("orderId", order.as_str())];
            let (key, sent) = (operation.routing_key(), (&headers, &*body));
            ingest.command(key, &address, &caller, query.as_deref(), sent).await
        },
    )
}

/// `POST /v1/upsells/{mid}/{orderId}/{upsellId}/…`.
pub(super) fn on_upsell(operation: OperationKind) -> MethodRouter<Arc<Ingest>> {
    post(
        move |State(ingest): State<Arc<Ingest>>,
              Extension(caller): Extension<Caller>,
              path: At<(String, String, String)>,
              RawQuery(query): RawQuery,
              headers: HeaderMap,
              body: Bytes| async move {
            let Path((mid, order, upsell)) = path.map_err(|_| UNKNOWN)?;
            let address = [
                ("amazonBillerId", mid.as_str()),
                ("orderId", order.as_str()),
                ("upsellId", upsell.as_str()),
            ];
            let (key, sent) = (operation.routing_key(), (&headers, &*body));
            ingest.command(key, &address, &caller, query.as_deref(), sent).await
        },
    )
}

/// `POST /v1/charges/{mid}/{chargeId}/…`.
pub(super) fn on_charge(operation: OperationKind) -> MethodRouter<Arc<Ingest>> {
    post(
        move |State(ingest): State<Arc<Ingest>>,
              Extension(caller): Extension<Caller>,
              path: At<(String, String)>,
              RawQuery(query): RawQuery,
              headers: HeaderMap,
              body: Bytes| async move {
            let Path((mid, charge)) = path.map_err(|_| UNKNOWN)?;
            let address = [("amazonBillerId", mid.as_str()), ("chargeId", charge.as_str())];
            let (key, sent) = (operation.routing_key(), (&headers, &*body));
            ingest.command(key, &address, &caller, query.as_deref(), sent).await
        },
    )
}
