//! The CRM's own paths: parameters in whichever encoding, the CRM's envelope back, and the verdict
//! waited for because a buyer sits in front of it. Unknown parameters are ignored.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Map, Value};

use super::access::Caller;
use super::order_object::OrderObject;
use super::params::Params;
use super::refusal::{Refusal, by_field, envelope};
use super::submit::{self, Submission, Submitted};
use super::verdict::Verdict;
use super::{Ingest, amount};
use crate::contract::command::{Command, check_region};
use crate::contract::{Unknown, Validated, validate};
use crate::domain::command::Kind;
use crate::domain::decline::FieldError;
use crate::domain::ids::MerchantAccountId;
use crate::domain::merchant::MerchantAccount;
use crate::domain::money::Currency;

/// What goes into the command as it was sent.
const CARRIED: [&str; 14] = [
    "orderId",
    "amazonBillerId",
    "amazonOrderId",
    "paySource",
    "amazonAddressConsent",
    "firstName",
    "lastName",
    "emailAddress",
    "capture",
    "authorization",
    "softDescriptor",
    "note",
    "customInformation",
    "storeName",
];

/// `/order/import/`.
pub(super) async fn import_order(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    Extension(params): Extension<Arc<Params>>,
    headers: HeaderMap,
) -> Response {
    let answer = ingest.import(Kind::Order, &caller, &params, &headers).await;
    answer.unwrap_or_else(|refusal| refusal.envelope())
}

/// `/upsale/import/`.
pub(super) async fn import_upsale(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    Extension(params): Extension<Arc<Params>>,
    headers: HeaderMap,
) -> Response {
    let answer = ingest.import(Kind::Upsell, &caller, &params, &headers).await;
    answer.unwrap_or_else(|refusal| refusal.envelope())
}

impl Ingest {
    async fn import(
        &self,
        kind: Kind,
        caller: &Caller,
        params: &Params,
        headers: &HeaderMap,
    ) -> Result<Response, Refusal> {
        let contradictions = params.contradictions();
        if !contradictions.is_empty() {
            return Err(Refusal::Fields(contradictions));
        }
        let (command, fields) = self.read(kind, caller, params).await?;
        let key = submit::key(headers, None).map_err(|error| Refusal::Fields(vec![error]))?;
        let waits = !params.flag("async") && !self.crm_wait.is_zero();
        let wait = waits.then_some(self.crm_wait);
        let submitted = self.submit(Submission { caller, command, key, wait, headers }).await?;
        let mut order = OrderObject::accepted(&fields, self.ports.clock.now_ms());
        order.echo(params);
        Ok(answer(order, submitted))
    }

    /// The command that the parameters ask for, and its fields.
    async fn read(
        &self,
        kind: Kind,
        caller: &Caller,
        params: &Params,
    ) -> Result<(Validated, Map<String, Value>), Refusal> {
        let mut fields = Map::new();
        let mut put = |name: &str, value: &str| fields.insert(name.to_owned(), value.into());
        for name in CARRIED {
            params.get(name).and_then(|value| put(name, value));
        }
        if kind == Kind::Upsell {
            upsell_id(params).and_then(|id| put("upsellId", &id));
        } else if let (None, Some(id)) = (params.get("orderId"), params.get("amazonOrderId")) {
            put("orderId", id);
        }
        let mut errors = Vec::new();
        let merchant = self.merchant_of(kind, caller, params, &mut errors).await?;
        if let Some(merchant) = &merchant {
            put("amazonBillerId", merchant.id.as_str());
        }
        let currency = self.currency(caller, params, merchant.as_deref());
        // Where the currency is wrong the number is judged all the same.
        let judged = currency.unwrap_or(Currency::USD);
        if let Some(currency) = currency {
            put("currency", currency.code());
        } else if let Some(sent) = params.get("currency") {
            put("currency", sent);
        } else if kind == Kind::Order || params.get("amazonBillerId").is_some() {
            // The merchant account is at fault, and that is told; nothing is published.
            put("currency", judged.code());
        } else {
            let message = "is required where no order with this orderId is known and currency is \
                           not sent";
            errors.push(FieldError::new("amazonBillerId", message));
            put("currency", judged.code());
        }
        let amount = match kind {
            Kind::Upsell => amount::of_upsale(params, judged),
            Kind::Order | Kind::Charge => amount::of_order(params, judged),
        };
        match amount {
            Ok(amount) => {
                put("amount", &amount.amount());
            }
            Err(wrong) => errors.extend(wrong),
        }
        self.validated(kind, caller, merchant.as_deref(), fields, errors)
    }

    fn validated(
        &self,
        kind: Kind,
        caller: &Caller,
        merchant: Option<&MerchantAccount>,
        fields: Map<String, Value>,
        mut errors: Vec<FieldError>,
    ) -> Result<(Validated, Map<String, Value>), Refusal> {
        let routing_key = format!("{}.import", kind.as_str());
        // What ingest publishes may leave the merchant account of an upsell to its order.
        let client = (kind == Kind::Upsell).then(|| caller.login());
        let command = match validate(&routing_key, &fields, Unknown::Ignored, client) {
            Ok(command) if errors.is_empty() => command,
            Ok(_) => return Err(Refusal::Fields(errors)),
            Err(wrong) => {
                // Why there is no amount was said already, by who knows the CRM's prices.
                let new =
                    |error: &FieldError| error.field != "amount" || fields.contains_key("amount");
                errors.extend(wrong.into_iter().filter(new));
                return Err(Refusal::Fields(errors));
            }
        };
        if let (Some(merchant), Command::Sale(sale)) = (merchant, command.command()) {
            check_region(sale.draft.amount.currency(), merchant.region)
                .map_err(|error| Refusal::Fields(vec![error]))?;
        }
        Ok((command, fields))
    }

    /// The merchant account that is named, or that the order of an upsell must be of. None where
    /// the worker will have to find it.
    async fn merchant_of(
        &self,
        kind: Kind,
        caller: &Caller,
        params: &Params,
        errors: &mut Vec<FieldError>,
    ) -> Result<Option<Arc<MerchantAccount>>, Refusal> {
        match params.get("amazonBillerId").map(MerchantAccountId::new) {
            Some(Ok(mid)) if !caller.may_use(&mid) => Err(Refusal::NotAllowed),
            Some(Ok(mid)) => {
                let merchant = self.access.merchant(&mid).await?;
                if merchant.is_none() {
                    errors.push(FieldError::new("amazonBillerId", "is not known"));
                }
                Ok(merchant)
            }
            // Its rule is told by whoever judges the fields.
            Some(Err(_)) => Ok(None),
            None if kind == Kind::Upsell => self.merchant_of_order(caller, params).await,
            None => Ok(None),
        }
    }

    /// The region's currency where none is sent, if it can be only one.
    fn currency(
        &self,
        caller: &Caller,
        params: &Params,
        merchant: Option<&MerchantAccount>,
    ) -> Option<Currency> {
        if let Some(sent) = params.get("currency") {
            return Currency::parse(sent);
        }
        if let Some(merchant) = merchant {
            return Some(merchant.region.currency());
        }
        if params.get("amazonBillerId").is_some() {
            return None;
        }
        let merchants = self.access.merchants_of(caller);
        let first = merchants.first()?.region.currency();
        merchants.iter().all(|one| one.region.currency() == first).then_some(first)
    }
}

/// `upsellId`, or what the CRM means by a product of an upsell page.
pub(super) fn upsell_id(params: &Params) -> Option<String> {
    if let Some(id) = params.get("upsellId") {
        return Some(id.to_owned());
    }
    let product = params.get("productId")?;
    Some(match params.get("replaceProductId") {
        Some(replaced) => format!("{product}-r{replaced}"),
        None => product.to_owned(),
    })
}

fn answer(mut order: OrderObject, submitted: Submitted) -> Response {
    order.set("clientOrderId", submitted.message_id.as_str());
    let Some(verdict) = submitted.verdict else {
        return envelope("SUCCESS", order.with_status("PENDING"));
    };
    match verdict.result.as_str() {
        "paid" | "authorized" => {
            order.told(&verdict.data);
            envelope("SUCCESS", order.with_status("COMPLETE"))
        }
        _ => envelope("ERROR", reason(&verdict)),
    }
}

/// The customer's text of a decline; of everything else the fields at fault, if there are any.
pub(super) fn reason(verdict: &Verdict) -> Value {
    let errors = verdict.errors();
    let text = match verdict.message() {
        "" if verdict.result == "canceled" => "The order was canceled.",
        "" => "The order could not be completed.",
        text => text,
    };
    if verdict.result != "declined" && !errors.is_empty() {
        return by_field(&errors);
    }
    text.into()
}
