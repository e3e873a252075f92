//! What the CRM paths look up in the store: the orders that a client asks for, and the merchant
//! account of an upsell's order. Only ever among the client's own accounts.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

use super::Ingest;
use super::access::Caller;
use super::order_object::OrderObject;
use super::params::Params;
use super::refusal::{Away, Refusal, envelope};
use super::submit::ASIDE;
use crate::domain::decline::FieldError;
use crate::domain::ids::{MerchantAccountId, OrderId};
use crate::domain::merchant::MerchantAccount;
use crate::domain::payment::Payment;
use crate::ports::store::StoreError;
use crate::telemetry::fields;

/// The CRM's own figures.
const PER_PAGE: usize = 25;
const PER_PAGE_MAX: usize = 200;
const NONE_FOUND: &str = "No orders matching those parameters could be found";

/// `/order/query/`.
pub(super) async fn query(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    Extension(params): Extension<Arc<Params>>,
) -> Response {
    ingest.query(&caller, &params).await.unwrap_or_else(|refusal| refusal.envelope())
}

impl Ingest {
    async fn query(&self, caller: &Caller, params: &Params) -> Result<Response, Refusal> {
        let mut errors = params.contradictions();
        let per_page = number(params, "resultsPerPage", PER_PAGE, PER_PAGE_MAX, &mut errors);
        let page = number(params, "page", 1, usize::MAX, &mut errors);
        let order = match params.get("orderId").or_else(|| params.get("amazonOrderId")) {
            None => Err(FieldError::new("orderId", "is required")),
            Some(text) => {
                OrderId::new(text).map_err(|error| FieldError::new("orderId", error.to_string()))
            }
        };
        let order = order.map_err(|error| errors.push(error)).ok();
        let (Some(order), true) = (order, errors.is_empty()) else {
            return Err(Refusal::Fields(errors));
        };
        let mids = match params.get("amazonBillerId") {
            None => caller.mids().to_vec(),
            Some(text) => vec![
                MerchantAccountId::new(text)
                    .map_err(|error| Refusal::field("amazonBillerId", error.to_string()))?,
            ],
        };
        if mids.iter().any(|mid| !caller.may_use(mid)) {
            return Err(Refusal::NotAllowed);
        }
        let mut found = self.ports.store.orders(&order, &mids).await.map_err(away)?;
        found.sort_by_key(|payment| std::cmp::Reverse(payment.created_at));
        let mut rows = Vec::new();
        for payment in &found {
            rows.push(self.row(payment).await?);
        }
        if let Some(status) = params.get("orderStatus") {
            rows.retain(|row| row["orderStatus"] == status);
        }
        let total = rows.len();
        let rows: Vec<Value> =
            rows.into_iter().skip(page.saturating_sub(1) * per_page).take(per_page).collect();
        if rows.is_empty() {
            return Ok(envelope("ERROR", NONE_FOUND.into()));
        }
        let page = json!({
            "totalResults": total,
            "resultsPerPage": per_page,
            "page": page,
            "data": rows,
        });
        Ok(envelope("SUCCESS", page))
    }

    async fn row(&self, payment: &Payment) -> Result<Value, Refusal> {
        let view = self.view(payment).await?;
        let mut order = OrderObject::of_payment(payment);
        order.told(&view["data"]);
        Ok(order.with_status(super::order_object::status(payment)))
    }

    /// The merchant account of the order that an upsell belongs to; none where it is not known
    /// (yet), or cannot be asked for.
    pub(super) async fn merchant_of_order(
        &self,
        caller: &Caller,
        params: &Params,
    ) -> Result<Option<Arc<MerchantAccount>>, Refusal> {
        let merchants = self.access.merchants_of(caller);
        if let [only] = &merchants[..] {
            return Ok(Some(Arc::clone(only)));
        }
        let Some(Ok(order)) = params.get("orderId").map(OrderId::new) else { return Ok(None) };
        let look = self.ports.store.orders(&order, caller.mids());
        let Ok(Ok(found)) = tokio::time::timeout(ASIDE, look).await else { return Ok(None) };
        match &found[..] {
            [] => Ok(None),
            [order] => self.access.merchant(&order.key.mid).await,
            _ => {
                let message = "is required: several of your MIDs have this order";
                Err(Refusal::field("amazonBillerId", message))
            }
        }
    }
}

/// A whole number from 1.
fn number(
    params: &Params,
    name: &str,
    default: usize,
    max: usize,
    errors: &mut Vec<FieldError>,
) -> usize {
    match params.get(name).map(str::parse) {
        None => default,
        Some(Ok(number)) if number >= 1 => usize::min(number, max),
        Some(_) => {
            errors.push(FieldError::new(name, "must be a whole number from 1"));
            default
        }
    }
}

/// What the store says, to a caller who must have an answer from it.
pub(super) fn away(error: StoreError) -> Refusal {
    match error {
        StoreError::Away(_) | StoreError::Conflict => Refusal::Unavailable(Away::Database),
        StoreError::Corrupt(why) | StoreError::Refused(why) => {
            tracing::error!({ fields::ERROR } = %why, "a stored row cannot be read");
            Refusal::Broken
        }
    }
}
