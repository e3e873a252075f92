//! kill -9 of the worker at random moments during thousands of orders, with lost answers at Amazon
//! and a restart of RabbitMQ and PostgreSQL in the middle: every accepted order ends once, and the
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
use support::app::{MID, merchant_id, order};
use support::sim::Reference;
use support::{App, Broker, Combination, Store};

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
    app.sim.faults(trouble()).await;

    let mut references = HashMap::new();
    for number in 0..orders {
        let reference = app.reference(plan(&mut chance)).await;
        references.insert(format!("C{number}"), reference);
    }
    let kills = storm(&mut app, &references, &mut chance).await;
    app.sim.no_faults().await;
    let events = calm(&app, &references).await;
    judge(&app, &references, &events, kills).await;
}

/// Answers that never come, in every way, now and then.
fn trouble() -> Value {
    let one = |fault: &str, probability: f64| {
        let api = json!({"api": "mws"});
        json!({"match": api, "fault": fault, "probability": probability})
    };
    json!([
        one("reset_after", 0.01),
        one("reset_before", 0.01),
        one("truncate", 0.01),
        {
            "match": {"api": "mws"}, "fault": "status", "status": 503, "probability": 0.01,
        },
        {"match": {"api": "mws"}, "fault": "delay", "delayMs": 300, "probability": 0.05},
    ])
}

/// Sends the orders while the worker is killed again and again; how often it was.
async fn storm(app: &mut App, references: &HashMap<String, Reference>, chance: &mut Chance) -> u32 {
    let api = app.api.clone();
    let bodies: Vec<Value> = references
        .iter()
        .map(|(id, reference)| {
            let mut body = order(id, reference);
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
    }
    sending.await.unwrap();
    kills
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
async fn calm(app: &App, references: &HashMap<String, Reference>) -> Vec<Value> {
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

async fn judge(app: &App, references: &HashMap<String, Reference>, events: &[Value], kills: u32) {
    let mut ends: HashMap<&str, Vec<&Value>> = HashMap::new();
    let mut ids: HashMap<&str, &Value> = HashMap::new();
    for event in events {
        let id = event["id"].as_str().unwrap();
        assert!(ids.insert(id, event).is_none(), "event {id} stands twice in the feed");
        if event["data"]["status"] != "pending" {
            ends.entry(event["data"]["orderId"].as_str().unwrap()).or_default().push(event);
        }
    }
    let ledger = app.sim.ledger(&format!("merchantId={}", merchant_id(MID))).await;
    let mut captures: HashMap<&str, Vec<&Value>> = HashMap::new();
    for entry in ledger.iter().filter(|entry| entry["kind"] == "capture") {
        captures.entry(entry["objectId"].as_str().unwrap()).or_default().push(entry);
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for (id, reference) in references {
        let ended = &ends[id.as_str()];
        assert_eq!(ended.len(), 1, "order {id} ended {} times: {ended:?}", ended.len());
        let status = ended[0]["data"]["status"].as_str().unwrap();
        *counts.entry(status).or_default() += 1;
        let captured = captures.remove(reference.id.as_str()).unwrap_or_default();
        match status {
            "paid" => {
                assert_eq!(captured.len(), 1, "order {id} is paid: {captured:?}");
                assert_eq!(captured[0]["amount"], "29.95");
                assert_eq!(captured[0]["id"], ended[0]["data"]["amazonCaptureId"]);
            }
            "declined" => assert!(captured.is_empty(), "order {id} is declined: {captured:?}"),
            other => panic!("order {id} ended as {other}"),
        }
    }
    assert!(captures.is_empty(), "captures of nobody's order: {captures:?}");
    let letters = app.cli_json(&["dead-letter", "list", "--status", "open", "--json"]);
    assert_eq!(letters, json!([]), "dead letters");
    println!("chaos: {kills} kills, {counts:?}, every order ended once, nothing captured twice");
}
