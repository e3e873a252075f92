//! The calls of a checkout session by API v2: read, told whose it is, completed, and what it
//! charged read from the charge and the permission.

use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::{Request, Stats, Stub};
use crate::orders::{Session, total};
use crate::pss;

/// What the paths of the benchmark's keys begin with: their name tells the environment.
const PATHS: &str = "/v2/";

pub(super) async fn answer(stub: &Stub, request: &Request<'_>) -> Response {
    stub.take_time().await;
    let (method, path) = (request.method.as_str(), request.path);
    let header = |name: &str| request.header(name);
    let good = pss::is_signed(&stub.key, method, path, header, request.body);
    let mut stats = stub.stats.lock().expect("whole");
    if !good {
        stats.bad_signature += 1;
        return refused(StatusCode::FORBIDDEN, "InvalidRequestSignature");
    }
    let path = request.path.strip_prefix(PATHS).unwrap_or_default();
    let parts: Vec<&str> = path.split('/').collect();
    operation(&mut stats, request, &parts)
}

fn operation(stats: &mut Stats, request: &Request<'_>, parts: &[&str]) -> Response {
    let is = |method: Method| *request.method == method;
    let mut count = |name: &str| *stats.calls.entry(name.to_owned()).or_default() += 1;
    let unknown = || refused(StatusCode::NOT_FOUND, "ResourceNotFound");
    match *parts {
        ["checkoutSessions", id] => {
            let Some(session) = Session::of_id(id) else { return unknown() };
            let (get, patch) = (is(Method::GET), is(Method::PATCH));
            count(if get { "GetCheckoutSession" } else { "UpdateCheckoutSession" });
            let told: Value = serde_json::from_slice(request.body).unwrap_or_default();
            match get || patch {
                true => found(&shown(session, told.get("merchantMetadata"))),
                false => unknown(),
            }
        }
        ["checkoutSessions", id, "complete"] if is(Method::POST) => {
            count("CompleteCheckoutSession");
            let told: Value = serde_json::from_slice(request.body).unwrap_or_default();
            match Session::of_id(id) {
                Some(session) => complete(stats, session, &told),
                None => unknown(),
            }
        }
        ["chargePermissions", id] if is(Method::GET) => {
            count("GetChargePermission");
            Session::of_permission(id).map_or_else(unknown, |session| found(&permission(session)))
        }
        ["charges", id] if is(Method::GET) => {
            count("GetCharge");
            let session = id.get(..19).and_then(Session::of_permission);
            session.map_or_else(unknown, |session| found(&charge(session)))
        }
        _ => {
            stats.bad_sequence += 1;
            unknown()
        }
    }
}

fn complete(stats: &mut Stats, session: Session, told: &Value) -> Response {
    if told["chargeAmount"]["amount"] != total(session.number) {
        stats.bad_sequence += 1;
        return refused(StatusCode::CONFLICT, "AmountMismatch");
    }
    let times = stats.authorized.entry(session.id()).or_default();
    let time = times.len().to_string();
    times.insert(time);
    if times.len() > 1 {
        return refused(StatusCode::CONFLICT, "InvalidCheckoutSessionStatus");
    }
    let mut done = shown(session, None);
    done["statusDetails"]["state"] = "Completed".into();
    done["chargePermissionId"] = session.permission().into();
    done["chargeId"] = session.charge().into();
    found(&done)
}

fn found(body: &Value) -> Response {
    let id = "7c0e4a5e-1111-4000-8000-abcdefabcdef";
    let headers = [("content-type", "application/json"), ("x-amz-pay-request-id", id)];
    (headers, body.to_string()).into_response()
}

fn refused(status: StatusCode, code: &str) -> Response {
    let body = json!({ "reasonCode": code, "message": code }).to_string();
    (status, [("content-type", "application/json")], body).into_response()
}

fn price(session: Session) -> Value {
    json!({ "amount": total(session.number), "currencyCode": "USD" })
}

fn state(state: &str) -> Value {
    json!({
        "state": state, "reasonCode": null, "reasonDescription": null,
        "lastUpdatedTimestamp": "20261120T200000Z",
    })
}

fn buyer() -> Value {
    json!({ "buyerId": "amzn1.account.A", "name": "Ada Lovelace", "email": "ada@example.com" })
}

fn address() -> Value {
    json!({
        "name": "Ada Lovelace", "addressLine1": "1 Main St", "city": "Reno",
        "stateOrRegion": "NV", "postalCode": "89501", "countryCode": "US",
    })
}

/// As the lander made it, for a charge and its capture at once.
fn shown(session: Session, metadata: Option<&Value>) -> Value {
    json!({
        "checkoutSessionId": session.id(),
        "productType": "PayAndShip",
        "paymentDetails": {
            "paymentIntent": "AuthorizeWithCapture",
            "canHandlePendingAuthorization": false,
            "chargeAmount": price(session),
        },
        "chargePermissionType": "OneTime",
        "merchantMetadata": metadata,
        "buyer": buyer(),
        "shippingAddress": address(),
        "constraints": [],
        "statusDetails": state("Open"),
        "chargePermissionId": null,
        "chargeId": null,
        "releaseEnvironment": "Sandbox",
        "creationTimestamp": "20261120T200000Z",
        "expirationTimestamp": "20261121T200000Z",
    })
}

fn permission(session: Session) -> Value {
    json!({
        "chargePermissionId": session.permission(),
        "chargePermissionType": "OneTime",
        "limits": {
            "amountLimit": price(session),
            "amountBalance": { "amount": "0.00", "currencyCode": "USD" },
        },
        "buyer": buyer(),
        "shippingAddress": address(),
        "statusDetails": { "state": "Closed", "reasons": [] },
        "creationTimestamp": "20261120T200000Z",
        "expirationTimestamp": "20270519T200000Z",
        "releaseEnvironment": "Sandbox",
    })
}

fn charge(session: Session) -> Value {
    json!({
        "chargeId": session.charge(),
        "chargePermissionId": session.permission(),
        "chargeAmount": price(session),
        "captureAmount": price(session),
        "refundedAmount": { "amount": "0.00", "currencyCode": "USD" },
        "statusDetails": state("Captured"),
        "creationTimestamp": "20261120T200000Z",
        "releaseEnvironment": "Sandbox",
    })
}
