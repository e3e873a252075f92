//! The project's own API, writing half: a JSON command in, 202 with its message id out, or its
//! verdict where the caller prefers to wait. Unknown fields are refused.

use std::sync::Arc;

use axum::Extension;
use axum::body::Bytes;
use axum::extract::{RawQuery, State};
use axum::http::header::{CONTENT_TYPE, LOCATION};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::access::Caller;
use super::gate::header;
use super::refusal::Refusal;
use super::submit::{self, Submission, Submitted};
use super::verdict::Verdict;
use super::{Ingest, prefer};
use crate::contract::command::Command;
use crate::contract::command::{check_agreement, check_region};
use crate::contract::json::{Numbers, read};
use crate::contract::{Unknown, Validated, validate};
use crate::domain::command::Subject;
use crate::domain::decline::FieldError;
use crate::domain::ids::MerchantAccountId;

/// Who calls may be named in query or body; nothing else is a field everywhere.
const LOGIN: [&str; 2] = ["loginId", "password"];
/// What the address of a payment says.
const OF_THE_ADDRESS: [&str; 4] = ["amazonBillerId", "orderId", "upsellId", "chargeId"];

/// `POST /v1/orders`.
pub(super) async fn order(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    ingest.command("order.import", &[], &caller, query.as_deref(), (&headers, &body)).await
}

/// `POST /v1/upsells`.
pub(super) async fn upsell(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    ingest.command("upsell.import", &[], &caller, query.as_deref(), (&headers, &body)).await
}

/// `POST /v1/charges`.
pub(super) async fn charge(
    State(ingest): State<Arc<Ingest>>,
    Extension(caller): Extension<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    body: Bytes,
) -> Result<Response, Refusal> {
    ingest.command("charge.recurring", &[], &caller, query.as_deref(), (&headers, &body)).await
}

/// The parameters of a query that the call knows.
///
/// # Errors
/// Every other one, and those that are sent twice.
pub(super) fn query_of(
    query: Option<&str>,
    known: &[&str],
) -> Result<Map<String, Value>, Vec<FieldError>> {
    let (mut found, mut errors) = (Map::new(), Vec::new());
    for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        if LOGIN.contains(&&*name) {
            continue;
        }
        if !known.contains(&&*name) {
            errors.push(FieldError::new(name, "is not a parameter of this call"));
        } else if found.insert(name.to_string(), Value::from(&*value)).is_some() {
            errors.push(FieldError::new(name, "is sent twice"));
        }
    }
    if errors.is_empty() { Ok(found) } else { Err(errors) }
}

impl Ingest {
    /// Takes a command; `path` is what the call's address says already.
    pub(super) async fn command(
        &self,
        routing_key: &str,
        path: &[(&str, &str)],
        caller: &Caller,
        query: Option<&str>,
        (headers, body): (&HeaderMap, &[u8]),
    ) -> Result<Response, Refusal> {
        let media = header(headers, CONTENT_TYPE.as_str()).split(';').next().unwrap_or_default();
        if !media.trim().eq_ignore_ascii_case("application/json") {
            return Err(Refusal::MediaType);
        }
        let mut object = read(body, Numbers::Kept)
            .map_err(|why| Refusal::Unreadable(format!("the body {why}")))?;
        let mut errors = std::mem::take(&mut object.faults);
        errors.extend(query_of(query, &[]).err().unwrap_or_default());
        let mut fields = object.values;
        for name in LOGIN {
            fields.remove(name);
        }
        let key = take_key(headers, &mut fields, &mut errors);
        if !path.is_empty() {
            for name in OF_THE_ADDRESS {
                if fields.remove(name).is_some() {
                    errors.push(FieldError::new(name, "is named by the address"));
                }
            }
        }
        fields.extend(path.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())));
        let command = self.judge(routing_key, caller, &fields, &mut errors).await?;
        let Some(command) = command.filter(|_| errors.is_empty()) else {
            return Err(Refusal::Fields(errors));
        };
        let target = Target::of(&command)?;
        let wait = prefer::wait(headers);
        let asked = Submission { caller, command, key, wait, headers };
        let submitted = self.submit(asked).await?;
        target.answer(submitted, wait.map(|wait| wait.as_secs()))
    }

    /// The command, or what is wrong with it; a merchant account that the client may not use ends
    /// the matter at once.
    async fn judge(
        &self,
        routing_key: &str,
        caller: &Caller,
        fields: &Map<String, Value>,
        errors: &mut Vec<FieldError>,
    ) -> Result<Option<Validated>, Refusal> {
        let named = fields.get("amazonBillerId").and_then(Value::as_str);
        let mut merchant = None;
        if let Some(mid) = named.and_then(|text| MerchantAccountId::new(text).ok()) {
            if !caller.may_use(&mid) {
                return Err(Refusal::NotAllowed);
            }
            merchant = self.access.merchant(&mid).await?;
            if merchant.is_none() {
                errors.push(FieldError::new("amazonBillerId", "is not known"));
            }
        }
        let command = match validate(routing_key, fields, Unknown::Refused, None) {
            Ok(command) => command,
            Err(wrong) => {
                errors.extend(wrong);
                return Ok(None);
            }
        };
        if let Command::Charge(charge) = command.command() {
            errors.extend(check_agreement(&charge.agreement).err());
        }
        if let (Some(merchant), Some(currency)) = (merchant, command.command().currency()) {
            errors.extend(check_region(currency, merchant.region).err());
        }
        Ok(Some(command))
    }
}

fn take_key(
    headers: &HeaderMap,
    fields: &mut Map<String, Value>,
    errors: &mut Vec<FieldError>,
) -> Option<String> {
    let body = match fields.remove("messageId") {
        None | Some(Value::Null) => None,
        Some(Value::String(text)) => Some(text),
        Some(_) => {
            errors.push(FieldError::new("messageId", "must be text"));
            return None;
        }
    };
    match submit::key(headers, body.as_deref()) {
        Ok(key) => key,
        Err(error) => {
            // Named as it was sent.
            let of_body = body.is_some() && !headers.contains_key(submit::KEY);
            let field = if of_body { "messageId" } else { submit::KEY };
            errors.push(FieldError::new(field, error.message));
            None
        }
    }
}

/// The payment that a command is for, as the answers name it.
struct Target {
    ids: Map<String, Value>,
    path: String,
}

impl Target {
    fn of(command: &Validated) -> Result<Self, Refusal> {
        let command = command.command();
        let (Some(mid), Some(subject)) = (command.mid(), command.subject()) else {
            return Err(Refusal::field("amazonBillerId", "is required"));
        };
        let mut ids = Map::new();
        let path = match subject {
            Subject::Order(order) => {
                ids.insert("orderId".to_owned(), order.as_str().into());
                format!("/v1/orders/{mid}/{order}")
            }
            Subject::Upsell(order, upsell) => {
                ids.insert("orderId".to_owned(), order.as_str().into());
                ids.insert("upsellId".to_owned(), upsell.as_str().into());
                format!("/v1/upsells/{mid}/{order}/{upsell}")
            }
            Subject::Charge(charge) => {
                ids.insert("chargeId".to_owned(), charge.as_str().into());
                format!("/v1/charges/{mid}/{charge}")
            }
        };
        Ok(Self { ids, path })
    }

    fn answer(self, submitted: Submitted, waited: Option<u64>) -> Result<Response, Refusal> {
        let Self { mut ids, path } = self;
        ids.insert("messageId".to_owned(), submitted.message_id.as_str().into());
        let links = json!({"self": path, "timeline": format!("{path}?timeline=1")});
        ids.insert("links".to_owned(), links);
        let mut response = match submitted.verdict {
            None => {
                ids.insert("status".to_owned(), "accepted".into());
                let body = Value::Object(ids).to_string();
                (StatusCode::ACCEPTED, [(CONTENT_TYPE, "application/json")], body).into_response()
            }
            Some(verdict) => done(ids, verdict)?,
        };
        let headers = response.headers_mut();
        if let Ok(location) = path.parse() {
            headers.insert(LOCATION, location);
        }
        if let Some(Ok(applied)) = waited.map(|seconds| format!("wait={seconds}").parse()) {
            headers.insert("preference-applied", applied);
        }
        Ok(response)
    }
}

fn done(mut ids: Map<String, Value>, verdict: Verdict) -> Result<Response, Refusal> {
    let status = verdict.data["status"].as_str().unwrap_or(&verdict.result);
    ids.insert("status".to_owned(), status.into());
    if verdict.code() == "conflict" {
        ids.remove("status");
        return Err(Refusal::Conflict { errors: verdict.errors(), more: ids });
    }
    // The event stays byte for byte what was published.
    let mut body = Value::Object(ids).to_string();
    body.truncate(body.len() - 1);
    let body = format!("{body},\"event\":{}}}", verdict.event.get());
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
}
