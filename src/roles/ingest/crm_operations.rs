//! `/order/refund/` and `/order/cancel/`: the CRM names an order, perhaps an amount and an id of
//! its own; the answer is the order object as it then is.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value};

use super::Ingest;
use super::access::Caller;
use super::crm::{reason, upsell_id};
use super::order_object::{self, OrderObject};
use super::params::Params;
use super::query::away;
use super::refusal::{Away, Refusal, envelope};
use super::submit::{self, ASIDE, Submission};
use super::verdict::Verdict;
use crate::contract::{Unknown, Validated, validate};
use crate::domain::decline::FieldError;
use crate::domain::ids::{MerchantAccountId, OrderId};
use crate::domain::operation::OperationKind;
use crate::domain::payment::Payment;

/// How long an order is looked for that no worker may have taken yet, and how often.
const TAKEN: Duration = Duration::from_secs(5);
const LOOK_AGAIN: Duration = Duration::from_millis(250);
/// The request ids of what the CRM asks for without one: of an order, once.
const REFUND_OF_ALL: &str = "order-refund";
const CANCEL_OF_ALL: &str = "order-cancel";

/// `/order/refund/`.
pub(super) async fn refund(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    Extension(params): Extension<Arc<Params>>,
    headers: HeaderMap,
) -> Response {
    let answer = ingest.operate(OperationKind::Refund, &caller, &params, &headers).await;
    answer.unwrap_or_else(|refusal| refusal.envelope())
}

/// `/order/cancel/`.
pub(super) async fn cancel(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    Extension(params): Extension<Arc<Params>>,
    headers: HeaderMap,
) -> Response {
    let answer = ingest.operate(OperationKind::Cancel, &caller, &params, &headers).await;
    answer.unwrap_or_else(|refusal| refusal.envelope())
}

impl Ingest {
    async fn operate(
        &self,
        operation: OperationKind,
        caller: &Caller,
        params: &Params,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let mut errors = params.contradictions();
        let mut fields = fields(operation, params, &mut errors);
        let waits = !params.flag("async");
        let mut patience = if waits { self.crm_wait } else { Duration::ZERO };
        let mid = self.mid_of(caller, params, &mut errors, &mut patience).await?;
        if let Some(mid) = &mid {
            fields.insert("amazonBillerId".to_owned(), mid.as_str().into());
        }
        let command = judged(operation, &fields, errors)?;
        let key = submit::key(headers, None).map_err(|error| Refusal::Fields(vec![error]))?;
        let payment_id = submit::payment_id(&command);
        let wait = Some(patience).filter(|patience| !patience.is_zero());
        let submitted = self.submit(Submission { caller, command, key, wait, headers }).await?;
        if let Some(verdict) = &submitted.verdict
            && !matches!(verdict.result.as_str(), "refunded" | "canceled")
        {
            return Ok(envelope("ERROR", reason(verdict)));
        }
        let order = match self.as_it_is(&payment_id).await {
            Some(order) => order,
            None => self.as_far_as_known(&fields, params, submitted.verdict.as_ref()),
        };
        Ok(envelope("SUCCESS", order))
    }

    /// The merchant account that is named, the client's only one, or that of the order.
    async fn mid_of(
        &self,
        caller: &Caller,
        params: &Params,
        errors: &mut Vec<FieldError>,
        patience: &mut Duration,
    ) -> Result<Option<MerchantAccountId>, Refusal> {
        match params.get("amazonBillerId").map(MerchantAccountId::new) {
            Some(Ok(mid)) if !caller.may_use(&mid) => return Err(Refusal::NotAllowed),
            Some(Ok(mid)) => {
                if self.access.merchant(&mid).await?.is_none() {
                    errors.push(FieldError::new("amazonBillerId", "is not known"));
                }
                return Ok(Some(mid));
            }
            Some(Err(error)) => {
                errors.push(FieldError::new("amazonBillerId", error.to_string()));
                return Ok(None);
            }
            None => {}
        }
        if let [only] = &self.access.merchants_of(caller)[..] {
            return Ok(Some(only.id.clone()));
        }
        let Some(Ok(order)) = order_id(params).map(OrderId::new) else { return Ok(None) };
        if !errors.is_empty() {
            return Ok(None);
        }
        let found = self.orders_of(caller, &order, patience).await?;
        let message = match &found[..] {
            [order] => return Ok(Some(order.key.mid.clone())),
            [] => {
                errors.push(FieldError::new("orderId", "no such order is known"));
                return Ok(None);
            }
            _ => "is required: several of your MIDs have this order",
        };
        errors.push(FieldError::new("amazonBillerId", message));
        Ok(None)
    }

    /// The payments of an order in the client's accounts. An order that no worker has taken yet
    /// is no unknown one: it is looked for some seconds more, which are taken off the patience.
    async fn orders_of(
        &self,
        caller: &Caller,
        order: &OrderId,
        patience: &mut Duration,
    ) -> Result<Vec<Payment>, Refusal> {
        let late = |_| Refusal::Unavailable(Away::Database);
        let mut left = TAKEN.min(*patience);
        loop {
            let look = self.ports.store.orders(order, caller.mids());
            let found = tokio::time::timeout_at(caller.due, look).await.map_err(late)?;
            let found = found.map_err(away)?;
            if !found.is_empty() || left.is_zero() {
                return Ok(found);
            }
            let wait = LOOK_AGAIN.min(left);
            tokio::time::sleep(wait).await;
            left = left.saturating_sub(wait);
            *patience = patience.saturating_sub(wait);
        }
    }

    /// The order object as it is; none where no worker has taken the payment, or the database is
    /// away.
    async fn as_it_is(&self, payment_id: &str) -> Option<Value> {
        let read = async {
            let payment: Payment = self.ports.store.payment(payment_id).await.ok().flatten()?;
            let view = self.view(&payment).await.ok()?;
            let mut order = OrderObject::of_payment(&payment);
            order.told(&view["data"]);
            Some(order.with_status(order_object::status(&payment)))
        };
        tokio::time::timeout(ASIDE, read).await.ok().flatten()
    }

    /// The order object by what was asked and, where there is a verdict, by what it tells.
    fn as_far_as_known(
        &self,
        fields: &Map<String, Value>,
        params: &Params,
        verdict: Option<&Verdict>,
    ) -> Value {
        let mut order = OrderObject::accepted(fields, self.ports.clock.now_ms());
        order.echo(params);
        let Some(verdict) = verdict else { return order.with_status("PENDING") };
        order.told(&verdict.data);
        let data = &verdict.data;
        order.with_status(match verdict.result.as_str() {
            "canceled" => "CANCELLED",
            _ if data["refundedAmount"] == data["capturedAmount"] => "REFUNDED",
            _ => "COMPLETE",
        })
    }
}

fn order_id(params: &Params) -> Option<&str> {
    params.get("orderId").or_else(|| params.get("amazonOrderId"))
}

/// The fields of the command, but for the merchant account.
fn fields(
    operation: OperationKind,
    params: &Params,
    errors: &mut Vec<FieldError>,
) -> Map<String, Value> {
    let mut fields = Map::new();
    let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), value.into());
    order_id(params).and_then(|id| put("orderId", id));
    upsell_id(params).and_then(|id| put("upsellId", &id));
    params.get("reason").and_then(|reason| put("reason", reason));
    // A cancel is of the whole order and happens once, whatever else is sent.
    let (request, all) = match operation {
        OperationKind::Cancel => (None, CANCEL_OF_ALL),
        OperationKind::Capture | OperationKind::Refund => {
            for name in ["amount", "currency"] {
                params.get(name).and_then(|value| put(name, value));
            }
            (params.get("requestId"), REFUND_OF_ALL)
        }
    };
    if fields.contains_key("amount") && request.is_none() {
        // A repeat could not be told from a second refund.
        errors.push(FieldError::new("requestId", "is required where an amount is sent"));
    }
    fields.insert("requestId".to_owned(), request.unwrap_or(all).into());
    fields
}

fn judged(
    operation: OperationKind,
    fields: &Map<String, Value>,
    mut errors: Vec<FieldError>,
) -> Result<Validated, Refusal> {
    match validate(operation.routing_key(), fields, Unknown::Ignored, None) {
        Ok(command) if errors.is_empty() => Ok(command),
        Ok(_) => Err(Refusal::Fields(errors)),
        Err(wrong) => {
            // Why there is no merchant account was said already.
            let named = fields.contains_key("amazonBillerId") || errors.is_empty();
            let new = |error: &FieldError| named || error.field != "amazonBillerId";
            errors.extend(wrong.into_iter().filter(new));
            Err(Refusal::Fields(errors))
        }
    }
}
