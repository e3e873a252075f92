//! `stub PORT LATENCY_MS`: answers the four MWS calls of an order, each after the same time, and
//! counts. It keeps no books: a simulator that does would hide the workers that are measured.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::sign;

const NS: &str = "http://mws.amazonservices.com/schema/OffAmazonPayments/2013-01-01";

#[derive(Default)]
struct Stats {
    calls: BTreeMap<String, u64>,
    totals: HashMap<String, String>,
    /// The authorization reference ids of each order.
    authorized: HashMap<String, HashSet<String>>,
    bad_sequence: u64,
    bad_signature: u64,
    in_hand: u64,
    in_hand_max: u64,
}

struct Stub {
    latency: Duration,
    stats: Mutex<Stats>,
}

pub(crate) async fn serve(port: u16, latency_ms: u64) {
    let stub =
        Stub { latency: Duration::from_millis(latency_ms), stats: Mutex::new(Stats::default()) };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("its port");
    let router = Router::new().fallback(answer).with_state(Arc::new(stub));
    axum::serve(listener, router).await.expect("a server");
}

async fn answer(
    State(stub): State<Arc<Stub>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if method == Method::GET {
        return report(&stub.stats.lock().expect("whole")).into_response();
    }
    let params: BTreeMap<String, String> = form_urlencoded::parse(&body).into_owned().collect();
    let get = |name: &str| params.get(name).map_or("", String::as_str);
    let is_first = get("Action") == "SetOrderReferenceDetails";
    if is_first {
        let mut stats = stub.stats.lock().expect("whole");
        stats.in_hand += 1;
        stats.in_hand_max = stats.in_hand_max.max(stats.in_hand);
    }
    if !stub.latency.is_zero() {
        tokio::time::sleep(stub.latency).await;
    }
    let signed = params.iter().filter(|(name, _)| *name != "Signature");
    let canonical = sign::canonical(signed.map(|(name, value)| (name.as_str(), value.as_str())));
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let mut stats = stub.stats.lock().expect("whole");
    if sign::signature(host, uri.path(), &canonical) != get("Signature") {
        stats.bad_signature += 1;
        return refused(StatusCode::FORBIDDEN, "SignatureDoesNotMatch");
    }
    operation(&mut stats, get)
}

fn operation<'a>(stats: &mut Stats, get: impl Fn(&str) -> &'a str) -> Response {
    let (action, order) = (get("Action"), get("AmazonOrderReferenceId"));
    *stats.calls.entry(action.to_owned()).or_default() += 1;
    match action {
        "SetOrderReferenceDetails" => {
            let total = get("OrderReferenceAttributes.OrderTotal.Amount");
            stats.totals.insert(order.to_owned(), total.to_owned());
            document(action, &reference(order, "Draft", total))
        }
        "ConfirmOrderReference" | "GetOrderReferenceDetails" => match stats.totals.get(order) {
            Some(_) if action == "ConfirmOrderReference" => document(action, ""),
            Some(total) => document(action, &reference(order, "Open", total)),
            None => {
                stats.bad_sequence += 1;
                refused(StatusCode::BAD_REQUEST, "InvalidOrderReferenceId")
            }
        },
        "Authorize" => {
            let (key, amount) =
                (get("AuthorizationReferenceId"), get("AuthorizationAmount.Amount"));
            if stats.totals.get(order).is_none_or(|total| total != amount) {
                stats.bad_sequence += 1;
                return refused(StatusCode::BAD_REQUEST, "TransactionAmountExceeded");
            }
            let keys = stats.authorized.entry(order.to_owned()).or_default();
            if !keys.insert(key.to_owned()) {
                return refused(StatusCode::BAD_REQUEST, "DuplicateRequest");
            }
            let number = keys.len();
            stats.in_hand = stats.in_hand.saturating_sub(1);
            document(action, &authorization(order, key, amount, number))
        }
        _ => refused(StatusCode::BAD_REQUEST, "InvalidAction"),
    }
}

/// In the form that the peers' stub has, and two counters more.
fn report(stats: &Stats) -> String {
    let twice = stats.authorized.values().filter(|keys| keys.len() > 1).count();
    let report = json!({
        "ops": stats.calls,
        "orders_captured": stats.authorized.len(),
        "orders_captured_twice": twice,
        "bad_sequence": stats.bad_sequence,
        "bad_signature": stats.bad_signature,
        "in_hand_max": stats.in_hand_max,
    });
    format!("{report}\n")
}

fn document(action: &str, result: &str) -> Response {
    let body = format!(
        "<{action}Response xmlns=\"{NS}\"><{action}Result>{result}</{action}Result>\
         <ResponseMetadata><RequestId>7c0e4a5e-1111-4000-8000-abcdefabcdef</RequestId>\
         </ResponseMetadata></{action}Response>"
    );
    ([("content-type", "text/xml")], body).into_response()
}

fn refused(status: StatusCode, code: &str) -> Response {
    let body = format!(
        "<ErrorResponse xmlns=\"{NS}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{code}</Message></Error><RequestId>0</RequestId></ErrorResponse>"
    );
    (status, [("content-type", "text/xml")], body).into_response()
}

fn price(name: &str, amount: &str) -> String {
    format!("<{name}><Amount>{amount}</Amount><CurrencyCode>USD</CurrencyCode></{name}>")
}

fn reference(order: &str, state: &str, total: &str) -> String {
    let total = price("OrderTotal", total);
    format!(
        "<OrderReferenceDetails><AmazonOrderReferenceId>{order}</AmazonOrderReferenceId>\
         <OrderReferenceStatus><State>{state}</State></OrderReferenceStatus>{total}\
         <Buyer><Name>Ada Lovelace</Name><Email>ada@example.com</Email></Buyer><Destination>\
         <DestinationType>Physical</DestinationType><PhysicalDestination><Name>Ada Lovelace</Name>\
         <AddressLine1>1 Main St</AddressLine1><City>Reno</City><StateOrRegion>NV</StateOrRegion>\
         <PostalCode>89501</PostalCode><CountryCode>US</CountryCode></PhysicalDestination>\
         </Destination><ReleaseEnvironment>Sandbox</ReleaseEnvironment>\
         <CreationTimestamp>2026-11-20T20:00:00.000Z</CreationTimestamp>\
         <ExpirationTimestamp>2027-05-19T20:00:00.000Z</ExpirationTimestamp>\
         </OrderReferenceDetails>"
    )
}

fn authorization(order: &str, key: &str, amount: &str, number: usize) -> String {
    let (authorized, captured) =
        (price("AuthorizationAmount", amount), price("CapturedAmount", amount));
    format!(
        "<AuthorizationDetails><AmazonAuthorizationId>{order}-A{number:06}</AmazonAuthorizationId>\
         <AuthorizationReferenceId>{key}</AuthorizationReferenceId>{authorized}{captured}\
         <AuthorizationStatus><State>Closed</State><ReasonCode>MaxCapturesProcessed</ReasonCode>\
         <LastUpdateTimestamp>2026-11-20T20:00:00.000Z</LastUpdateTimestamp></AuthorizationStatus>\
         <IdList><member>{order}-C{number:06}</member></IdList><CaptureNow>true</CaptureNow>\
         </AuthorizationDetails>"
    )
}
