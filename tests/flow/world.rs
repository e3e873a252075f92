//! What the flow tests share: commands sent with their verdict awaited, events held against their
//! schema, and the ledger asked what was charged.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use jsonschema::{Registry, Validator};
use serde_json::{Value, json};

use crate::support::app::MID;
use crate::support::http::Reply;
use crate::support::sim::Reference;
use crate::support::{Api, App, eventually};

const PREFER: (&str, &str) = ("prefer", "wait=30");

/// The call that moves the money of what a buyer left, where no session is completed with it.
pub(crate) const fn money_call(api: Api) -> &'static str {
    match api {
        Api::Mws => "Authorize",
        Api::V2 => "CreateCharge",
    }
}

/// What that call names: of a session it would be a permission that nobody knows yet.
pub(crate) async fn chargeable(app: &App, plan: Value) -> Reference {
    match app.combination.api {
        Api::Mws => app.reference(plan).await,
        Api::V2 => app.permission(plan).await,
    }
}

/// Sends an order or an upsell and waits for its verdict; the whole answer, whatever it is.
pub(crate) async fn ask(app: &App, key: &str, body: &Value) -> Reply {
    let path = path_of(body);
    app.api.post_with(path, &[PREFER, ("idempotency-key", key)], body).await
}

fn path_of(body: &Value) -> &'static str {
    if body.get("chargeId").is_some() {
        "/v1/charges"
    } else if body.get("upsellId").is_some() {
        "/v1/upsells"
    } else {
        "/v1/orders"
    }
}

/// Sends it and gives the event that it is done with; its shape is checked.
pub(crate) async fn verdict(app: &App, key: &str, body: &Value) -> Value {
    let answer = ask(app, key, body).await.expect(200);
    let event = answer["event"].clone();
    assert_event(&event);
    assert_eq!(answer["status"], event["data"]["status"], "{answer}");
    event
}

/// Sends it without waiting; the message id that it was given.
pub(crate) async fn accepted(app: &App, key: &str, body: &Value) -> String {
    let path = path_of(body);
    let answer = app.api.post_with(path, &[("idempotency-key", key)], body).await.expect(202);
    assert_eq!(answer["status"], "accepted", "{answer}");
    answer["messageId"].as_str().unwrap().to_owned()
}

/// Sends what conflicts: 409, with these fields named.
pub(crate) async fn conflict(app: &App, key: &str, body: &Value, field: &str) {
    let reply = ask(app, key, body).await;
    let problem = reply.expect(409);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{problem}");
    assert_eq!(problem["status"], 409, "{problem}");
    assert_names(&problem["errors"], field);
}

/// The list of `{field, message}` names this field, with words.
#[track_caller]
pub(crate) fn assert_names(errors: &Value, field: &str) {
    let errors = errors.as_array().unwrap_or_else(|| panic!("no list of errors: {errors}"));
    let named = errors.iter().find(|error| error["field"] == field);
    let named = named.unwrap_or_else(|| panic!("{field} is not named in {errors:?}"));
    assert!(named["message"].as_str().is_some_and(|text| !text.is_empty()), "{named}");
}

/// The subject of an order's events.
pub(crate) fn of_order(order_id: &str) -> String {
    format!("{MID}/order/{order_id}")
}

/// Every event of one subject in the feed, oldest first.
pub(crate) async fn told(app: &App, subject: &str) -> Vec<Value> {
    let mut events = app.feed().await;
    events.retain(|event| event["subject"] == subject);
    events
}

/// The first event of a subject with this status in this epoch, once it is there.
pub(crate) async fn news(app: &App, subject: &str, status: &str, epoch: u32) -> Value {
    let what = format!("{status} of {subject} in epoch {epoch}");
    let event = app
        .event_where(&what, |event| {
            event["subject"] == subject
                && event["data"]["status"] == status
                && event["data"]["epoch"] == epoch
        })
        .await;
    assert_event(&event);
    event
}

/// Status and epoch of each event, in the order of the feed; sequences grow by one.
pub(crate) fn story(events: &[Value]) -> Vec<(String, u64)> {
    for (number, event) in (1..).zip(events) {
        assert_event(event);
        assert_eq!(event["data"]["sequence"], number, "{events:#?}");
    }
    let told = |event: &Value| {
        let status = event["data"]["status"].as_str().unwrap().to_owned();
        (status, event["data"]["epoch"].as_u64().unwrap())
    };
    events.iter().map(told).collect()
}

/// The amounts that moved on an object, by kind: `[("authorize", ["29.95"]), …]`.
pub(crate) async fn moved(app: &App, object: &str) -> BTreeMap<String, Vec<String>> {
    let mut moved: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for entry in app.sim.ledger(&format!("objectId={object}")).await {
        let text = |name: &str| entry[name].as_str().unwrap().to_owned();
        moved.entry(text("kind")).or_default().push(text("amount"));
    }
    moved
}

/// What was captured on an object, in order.
pub(crate) async fn captured(app: &App, object: &str) -> Vec<String> {
    moved(app, object).await.remove("capture").unwrap_or_default()
}

/// Holds an event against its schema and against what its parts say of each other.
#[track_caller]
pub(crate) fn assert_event(event: &Value) {
    let faults: Vec<String> = schema()
        .iter_errors(event)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(faults.is_empty(), "{faults:?} in {event:#}");
    let data = &event["data"];
    let text = |name: &str| data[name].as_str().unwrap_or_default();
    let (kind, status) = (text("kind"), text("status"));
    assert_eq!(event["specversion"], "1.0");
    assert_eq!(event["source"], "/amazon-pay-worker");
    assert_eq!(event["datacontenttype"], "application/json");
    assert_eq!(event["type"], format!("payments.{kind}.{status}"), "{event:#}");
    let subject = event["subject"].as_str().unwrap();
    if !status.ends_with("rejected") {
        let key = if kind == "charge" { text("chargeId") } else { text("orderId") };
        let begins = format!("{}/{kind}/{key}", text("amazonBillerId"));
        assert!(subject.starts_with(&begins), "{event:#}");
    }
    let without = ["paid", "authorized", "canceled", "pending", "refunded", "operation_pending"];
    let declined = !without.contains(&status);
    assert_eq!(data.get("decline").is_some(), declined, "{event:#}");
    assert_eq!(data.get("pending").is_some(), status.ends_with("pending"), "{event:#}");
}

fn schema() -> &'static Validator {
    static SCHEMA: OnceLock<Validator> = OnceLock::new();
    SCHEMA.get_or_init(|| {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas"));
        let read = |name: &str| -> Value {
            serde_json::from_slice(&fs::read(folder.join(name)).unwrap()).unwrap()
        };
        let (common, event) = (read("common.json"), read("event.json"));
        let named = [&common, &event].map(|schema| (schema["$id"].as_str().unwrap(), schema));
        let registry = Registry::new().extend(named).unwrap().prepare().unwrap();
        let options = jsonschema::options().with_registry(&registry).should_validate_formats(true);
        options.build(&event).unwrap()
    })
}

/// What a decline says, without its words.
#[track_caller]
pub(crate) fn assert_decline(event: &Value, code: &str, kind: &str, action: &str, again: bool) {
    assert_eq!(event["data"]["status"], "declined", "{event:#}");
    let decline = &event["data"]["decline"];
    let told =
        json!([decline["code"], decline["type"], decline["buyerAction"], decline["retryable"]]);
    assert_eq!(told, json!([code, kind, action, again]), "{event:#}");
    for words in ["message", "fix"] {
        assert!(decline[words].as_str().is_some_and(|text| !text.is_empty()), "{event:#}");
    }
}

/// The dead letters in force, once there is one for this order.
pub(crate) async fn dead_letter(app: &App, wanted: impl Fn(&Value) -> bool) -> Value {
    eventually("a dead letter", async || {
        let letters = app.cli_json(&["dead-letter", "list", "--json"]);
        letters.as_array().expect("an array").iter().find(|letter| wanted(letter)).cloned()
    })
    .await
}
