//! kill -9 of the worker at random moments during thousands of orders, half of them by MWS and half
//! by API v2, with lost answers at Amazon, and in the middle a restart of RabbitMQ and PostgreSQL
//! and a MID that goes over from MWS to v2: every accepted order ends once, and the
//! simulator's ledger shows nothing captured twice and nothing wrong. Run it by `./chaos`, which
//! gives it services of its own; the seed is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]
#![allow(clippy::print_stdout, reason = "what it did is its result")]
#![allow(clippy::disallowed_methods, reason = "its settings are the runner's choice")]
#![allow(dead_code, reason = "the support of the tests is used in part")]
#![allow(missing_docs, reason = "nobody links against a test")]

#[path = "../support/mod.rs"]
mod support;

use std::collections::HashMap;
use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use support::app::{MID, merchant, merchant_by_v2, merchant_id, order};
use support::sim::Reference;
use support::{App, Broker, Combination, Store};

/// The MID that speaks v2, and the one that goes over to it in the middle.
const BY_V2: &str = "mid-2";
const GOES_OVER: &str = "mid-3";

/// An order's MID, and what its buyer left.
type Asked = (&'static str, Reference);

/// Chance that a seed reproduces.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect(name))
}

/// How the authorizations of an order end.
fn plan(chance: &mut Chance) -> Value {
    match chance.below(100) {
        0..6 => json!(["InvalidPaymentMethod"]),
        6..10 => json!(["AmazonRejected"]),
        10..13 => json!(["ProcessingFailure", "approve"]),
        13..16 => json!(["TransactionTimedOut", {"outcome": "approve", "afterSeconds": 5}]),
        16..18 => json!(["TransactionTimedOut", {"outcome": "AmazonRejected", "afterSeconds": 5}]),
        _ => json!([]),
    }
}

/// Every other order is by v2, in turn with a session that only confirms and one that captures.
async fn asked(app: &App, number: u64, plan: Value) -> Asked {
    match number % 4 {
        0 => (MID, app.sim.order_reference(&merchant_id(MID), plan).await),
        1 => (BY_V2, app.session_of(BY_V2, ("Confirm", "29.95"), plan).await),
        2 => (GOES_OVER, app.sim.order_reference(&merchant_id(GOES_OVER), plan).await),
        _ => (BY_V2, app.session_of(BY_V2, ("AuthorizeWithCapture", "29.95"), plan).await),
    }
}

#[tokio::main]
async fn main() {
    let orders = setting("CHAOS_ORDERS", 2_000);
    let seed = setting("CHAOS_SEED", u64::from(std::process::id()));
    println!("chaos: seed {seed}, {orders} orders");
    let mut chance = Chance(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);

    let combination = Combination::of(Broker::RabbitMq, Store::Postgres);
    let mut app = App::builder(combination)
        .env("PROCESSING_FAILURE_WAIT", 2)
        .env("PENDING_POLL_FIRST", 1)
        .processes(&["ingest,relay", "worker"])
        .start()
        .await;
    app.add_mid(&merchant_by_v2(BY_V2)).await;
    app.add_mid(&merchant(GOES_OVER)).await;
    let upgrade = json!({ "merchantId": merchant_id(GOES_OVER), "upgradeKeys": ["AKEYOFMID3"] });
    app.sim.play("/sellers", &upgrade).await;
    let mut references = HashMap::new();
    for number in 0..orders {
        let asked = asked(&app, number, plan(&mut chance)).await;
        references.insert(format!("C{number}"), asked);
    }
    app.sim.faults(trouble()).await;
    let kills = storm(&mut app, &references, &mut chance).await;
    app.sim.no_faults().await;
    let events = calm(&app, &references).await;
    judge(&app, &references, &events, kills).await;
}

/// Answers that never come, in every way, now and then.
fn trouble() -> Value {
    let mut all = Vec::new();
    for api in ["mws", "v2"] {
        let of = json!({ "api": api });
        for fault in ["reset_after", "reset_before", "truncate"] {
            all.push(json!({"match": of, "fault": fault, "probability": 0.01}));
        }
        all.push(json!({"match": of, "fault": "status", "status": 503, "probability": 0.01}));
        all.push(json!({"match": of, "fault": "delay", "delayMs": 300, "probability": 0.05}));
    }
    Value::Array(all)
}

/// Sends the orders while the worker is killed again and again; how often it was.
async fn storm(app: &mut App, references: &HashMap<String, Asked>, chance: &mut Chance) -> u32 {
    let api = app.api.clone();
    let bodies: Vec<Value> = references
        .iter()
        .map(|(id, (mid, reference))| {
            let mut body = order(id, reference);
            body["amazonBillerId"] = json!(mid);
            body["messageId"] = json!(format!("chaos-{id}"));
            body
        })
        .collect();
    let half = bodies.len() / 2;
    let sending = tokio::spawn(async move {
        for (number, body) in bodies.into_iter().enumerate() {
            loop {
                let headers = [("content-type", "application/json")];
                let sent = api.try_send(Method::POST, "/v1/orders", &headers, body.to_string());
                match sent.await {
                    Ok(reply) if reply.status == 202 => break,
                    Ok(reply) => assert!(reply.status == 503, "{} {}", reply.status, reply.text),
                    Err(_) => {}
                }
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
            if number == half {
                println!("chaos: half of the orders are accepted");
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let mut kills = 0;
    let mut restarted = false;
    while !sending.is_finished() {
        tokio::time::sleep(Duration::from_millis(300 + chance.below(3_000))).await;
        app.sim.advance(2).await;
        let worker = app.process("worker");
        worker.kill();
        worker.start_again();
        kills += 1;
        if kills == 4 && !restarted {
            restarted = true;
            restart_services();
        }
        if kills == 6 {
            go_over(app).await;
        }
    }
    sending.await.unwrap();
    kills
}

/// The keys are exchanged while orders of that MID are on their way; Amazon may not answer at once.
async fn go_over(app: &App) {
    for _ in 0..20 {
        let output = app.cli(&["mid", "upgrade-key", GOES_OVER], "");
        if output.status.success() {
            println!("chaos: {GOES_OVER} speaks v2 from now on");
            return;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    panic!("{GOES_OVER} could not go over to v2");
}

/// Kills RabbitMQ and restarts PostgreSQL, both on their old ports with their old data.
fn restart_services() {
    let folder = std::env::var("CHAOS_SERVICES").expect("./chaos sets CHAOS_SERVICES");
    println!("chaos: RabbitMQ is killed, PostgreSQL is stopped");
    for arguments in [vec!["kill", &folder, "amqp"], vec!["stop", &folder], vec!["start", &folder]]
    {
        let done = Command::new("scripts/services.sh").args(&arguments).status().unwrap();
        assert!(done.success(), "services.sh {arguments:?}");
    }
    println!("chaos: both are back");
}

/// Waits until every order is done; the feed's events.
async fn calm(app: &App, references: &HashMap<String, Asked>) -> Vec<Value> {
    let mut before = usize::MAX;
    for _ in 0..600 {
        app.sim.advance(5).await;
        let events = app.feed().await;
        let done: std::collections::HashSet<&str> = events
            .iter()
            .filter(|event| event["data"]["status"] != "pending")
            .filter_map(|event| event["data"]["orderId"].as_str())
            .collect();
        let left = references.len() - done.len();
        if left == 0 {
            return events;
        }
        if left != before {
            println!("chaos: {left} orders are still on their way");
            before = left;
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    panic!("some orders never ended: see the logs in {}", app.folder().display());
}

async fn judge(app: &App, references: &HashMap<String, Asked>, events: &[Value], kills: u32) {
    let mut ends: HashMap<&str, Vec<&Value>> = HashMap::new();
    let mut ids: HashMap<&str, &Value> = HashMap::new();
    for event in events {
        let id = event["id"].as_str().unwrap();
        assert!(ids.insert(id, event).is_none(), "event {id} stands twice in the feed");
        if event["data"]["status"] != "pending" {
            ends.entry(event["data"]["orderId"].as_str().unwrap()).or_default().push(event);
        }
    }
    let ledger = app.sim.ledger("").await;
    // By the capture's id: what one order has that was paid, no other may have, and nobody else.
    let mut captures: HashMap<&str, &Value> = HashMap::new();
    for entry in ledger.iter().filter(|entry| entry["kind"] == "capture") {
        assert!(captures.insert(entry["id"].as_str().unwrap(), entry).is_none(), "{entry}");
    }
    let mut counts: HashMap<(&str, &str), usize> = HashMap::new();
    for (id, (mid, _)) in references {
        let ended = &ends[id.as_str()];
        assert_eq!(ended.len(), 1, "order {id} ended {} times: {ended:?}", ended.len());
        let status = ended[0]["data"]["status"].as_str().unwrap();
        *counts.entry((mid, status)).or_default() += 1;
        match status {
            "paid" => {
                let capture = ended[0]["data"]["amazonCaptureId"].as_str().unwrap();
                let captured = captures.remove(capture);
                let captured = captured.unwrap_or_else(|| panic!("order {id}: no {capture}"));
                assert_eq!(captured["amount"], "29.95", "order {id}");
                assert_eq!(captured["sellerOrderId"], id.as_str());
            }
            "declined" => {}
            other => panic!("order {id} ended as {other}"),
        }
    }
    assert!(captures.is_empty(), "captures of nobody's order: {captures:?}");
    let letters = app.cli_json(&["dead-letter", "list", "--status", "open", "--json"]);
    assert_eq!(letters, json!([]), "dead letters");
    println!("chaos: {kills} kills, {counts:?}, every order ended once, nothing captured twice");
}
