//! API v2: JSON in and out, signed with the seller's RSA key. It words what the books answer and
//! decides nothing about money: a charge permission is an order reference or an agreement of the
//! books, a charge an authorization with what was captured of it, so that both APIs see one money.
//! The checkout session, which has no money in it, is known here alone.

mod body;
mod charges;
mod complete;
mod door;
mod errors;
mod idempotency;
mod key;
mod objects;
mod operations;
mod others;
mod permissions;
mod quotas;
mod refunds;
mod render;
mod sessions;
mod signature;
mod simulate;
mod state;
mod upgrade;

use std::collections::HashMap;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;
use serde_json::{Map, Value};

use super::books::{Environment, SellerAt};
use super::calls::Answered;
use super::deliver::{Answer, CallerLine, deliver};
use super::faults::{Api, Ruling, Target};
use super::{Simulator, World};
use errors::Error;
use operations::{Keyed, Operation, find};

pub(crate) use door::Doors;
pub(crate) use key::PublicKey;
pub(crate) use objects::anything;
pub(crate) use sessions::approve;

/// What API v2 knows beside the books.
#[derive(Debug, Default)]
pub(crate) struct Memory {
    pub(crate) doors: Doors,
    sessions: sessions::Sessions,
    keys: idempotency::Keys,
    /// What the merchant said of a permission or a charge and nobody else looks at, by its id.
    said: HashMap<String, Map<String, Value>>,
}

impl Memory {
    /// The permission that came of a checkout session, by the session's id.
    pub(crate) fn permission_of(&self, session: &str) -> Option<super::books::Object> {
        self.sessions.permission_of(session)
    }
}

/// A call that may be carried out.
struct Call<'a> {
    seller: SellerAt,
    environment: Environment,
    /// The id in the path, where there is one.
    id: &'a str,
    query: &'a str,
    body: &'a Value,
    /// The idempotency key, or nothing.
    key: &'a str,
    simulation: Option<&'a str>,
}

/// What came in.
struct Heard<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: &'a HeaderMap,
    bytes: &'a [u8],
    /// The environment that the path names, if it does, and what is behind it.
    section: Option<Environment>,
    place: &'a str,
    claim: Option<signature::Claim>,
}

impl<'a> Heard<'a> {
    fn header(&self, name: &str) -> &'a str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or("").trim()
    }

    /// Where this was sent and by whom: each is the caller's word until it is checked.
    fn new(method: &'a Method, uri: &'a Uri, headers: &'a HeaderMap, bytes: &'a [u8]) -> Self {
        let path = uri.path();
        let (section, rest) = match (path.strip_prefix("/sandbox"), path.strip_prefix("/live")) {
            (Some(rest), _) => (Some(Environment::Sandbox), rest),
            (_, Some(rest)) => (Some(Environment::Live), rest),
            (None, None) => (None, path),
        };
        let place = rest.trim_start_matches("/v2").trim_matches('/');
        let query = uri.query().unwrap_or("");
        let mut heard = Self {
            method: method.as_str(),
            path,
            query,
            headers,
            bytes,
            section,
            place,
            claim: None,
        };
        heard.claim = signature::Claim::parse(heard.header("authorization"));
        heard
    }

    fn key_id(&self) -> &str {
        self.claim.as_ref().map_or("", |claim| &claim.key_id)
    }

    /// The object that the call is about, in its path or its body.
    fn object_id(&self, id: &'a str, body: &'a Value) -> &'a str {
        let named = ["chargePermissionId", "chargeId", "amazonOrderReferenceId"];
        let in_body = || named.iter().find_map(|name| body[*name].as_str()).unwrap_or("");
        if id.is_empty() { in_body() } else { id }
    }
}

/// One call, from its bytes to its answer.
pub(super) async fn call(
    State(simulator): State<Simulator>,
    CallerLine(line): CallerLine,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let heard = Heard::new(&method, &uri, &headers, &bytes);
    let found = find(heard.method, heard.place);
    let upgrades = upgrade::is_meant(&heard);
    let (name, id) = match found {
        Some((operation, id)) => (operation.name, id),
        None if upgrades => (upgrade::NAME, ""),
        None => ("", ""),
    };
    let body = serde_json::from_slice(&bytes);
    let none = Value::Null;
    let object_id = heard.object_id(id, body.as_ref().unwrap_or(&none));
    let merchant_id = match upgrades {
        true => upgrade::merchant(&heard),
        false => door::merchant(&simulator, &heard),
    };
    let target = Target { api: Api::V2, operation: name, merchant_id: &merchant_id, object_id };
    let (ruling, request_id) = simulator.hear(&target);
    let answer = match found {
        None if upgrades && ruling.has_effect() => {
            let upgraded = upgrade::run(&simulator, &heard);
            upgraded.map(|value| (200, value))
        }
        None if ruling.has_effect() => {
            Err(Error::new(405, "UnsupportedOperation", "There is no such operation."))
        }
        None => Err(Error::injected(ruling.status, ruling.code.as_deref())),
        Some((operation, id)) => {
            let body = match (heard.bytes.trim_ascii().is_empty(), body) {
                (true, _) => Ok(Value::Object(Map::new())),
                (false, body) => body.map_err(|_| {
                    Error::new(400, "InvalidRequestFormat", "The request body is no JSON.")
                }),
            };
            perform(&simulator, &heard, (operation, id), body, &ruling)
        }
    };
    let answer = match answer {
        Ok(_) if ruling.answers() => Err(Error::injected(ruling.status, ruling.code.as_deref())),
        answer => answer,
    };
    let (answer, how) = match answer {
        Ok((status, value)) => (Answer::json(status, value.to_string()), Answered::Otherwise),
        Err(error) => {
            let how = if error.is_throttle() { Answered::Throttled } else { Answered::Refused };
            (Answer::json(error.status, error.body().to_string()), how)
        }
    };
    simulator.world().calls.answered(&merchant_id, how);
    let answer = answer.with_v2_request_id(&request_id);
    deliver(answer, &ruling, simulator.latency_ms(), line).await
}

/// Lets a call in, answers what was answered before, carries out what was not.
fn perform(
    simulator: &Simulator,
    heard: &Heard<'_>,
    (operation, id): (&'static Operation, &str),
    body: Result<Value, Error>,
    ruling: &Ruling,
) -> Result<(u16, Value), Error> {
    let injected = || Error::injected(ruling.status, ruling.code.as_deref());
    let key =
        if operation.keyed == Keyed::No { "" } else { heard.header("x-amz-pay-idempotency-key") };
    if !ruling.has_effect() {
        // Where Amazon keeps what went wrong under a key, this is what it repeats (reading 12).
        let mut world = simulator.world();
        if let (true, Some(at), Ok(body)) = (ruling.answers(), door::named(&world, heard), body) {
            keep(&mut world, at, (operation, key, id), body, Err(&injected()));
        }
        return Err(injected());
    }
    let (seller, environment) = door::admit(simulator, heard, operation)?;
    idempotency::check(key)?;
    if operation.keyed == Keyed::Needed && key.is_empty() {
        let message = "The header x-amz-pay-idempotency-key is missing.";
        return Err(Error::new(400, "MissingHeaderValue", message));
    }
    let body = body?;
    let mut world = simulator.world();
    if !key.is_empty() {
        let known = (seller, environment, key.to_owned());
        let place = format!("{} {id}", operation.name);
        if let Some((status, value)) = world.v2.keys.answered(&known, &place, &body)? {
            return Ok((status, value));
        }
    }
    let simulation = Some(heard.header("x-amz-pay-simulation-code")).filter(|s| !s.is_empty());
    let query = heard.query;
    let call = Call { seller, environment, id, query, body: &body, key, simulation };
    let answer = (operation.run)(&mut world, &call);
    let told = match &answer {
        Ok(_) if ruling.answers() && world.books.readings.second(12) => Err(&injected()),
        Ok(answer) => Ok(answer.clone()),
        Err(error) => Err(error),
    };
    keep(&mut world, (seller, environment), (operation, key, id), body.clone(), told);
    answer
}

/// Keeps an answer under its key: what was done and what was declined. Whether trouble of Amazon's
/// own is kept as well is reading 12; what was refused before anything was looked at never is.
fn keep(
    world: &mut World,
    (seller, environment): (SellerAt, Environment),
    (operation, key, id): (&Operation, &str, &str),
    body: Value,
    told: Result<(u16, Value), &Error>,
) {
    let (status, value) = match told {
        Ok(answer) => answer,
        Err(error) => (error.status, error.body()),
    };
    let kept = match status {
        200..300 | 409 | 422 => true,
        500.. => world.books.readings.second(12),
        _ => false,
    };
    if kept && !key.is_empty() {
        let key = (seller, environment, key.to_owned());
        world.v2.keys.keep(key, (format!("{} {id}", operation.name), body), (status, value));
    }
}
