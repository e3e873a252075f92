//! kill -9 of the worker at random moments during thousands of orders, half of them by MWS and half
//! by API v2, with charges on agreements, captures, refunds and cancels after them, with lost
//! answers at Amazon, and in the middle a restart of RabbitMQ and PostgreSQL and a MID that goes
//! over from MWS to v2: every command ends once, and the simulator's ledger shows nothing captured
//! or refunded twice and nothing wrong. Run it by `./chaos`, which gives it services of its own;
//! the seed is printed.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]
#![allow(clippy::print_stdout, reason = "what it did is its result")]
#![allow(clippy::disallowed_methods, reason = "its settings are the runner's choice")]
#![allow(dead_code, reason = "the support of the tests is used in part")]
#![allow(missing_docs, reason = "nobody links against a test")]

#[path = "../support/mod.rs"]
mod support;

mod crm;
mod judge;
mod orders;

use std::process::Command;
use std::time::Duration;

use crm::Crm;
use judge::judge;
use orders::{BY_V2, GOES_OVER, payment};
use serde_json::{Value, json};
use support::app::{merchant, merchant_by_v2, merchant_id};
use support::chance::Chance;
use support::{App, Broker, Combination, Store};

fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect(name))
}

#[tokio::main]
async fn main() {
    let orders = setting("CHAOS_ORDERS", 2_000);
    let seed = setting("CHAOS_SEED", u64::from(std::process::id()));
    println!("chaos: seed {seed}, {orders} orders");
    let mut chance = Chance::new(seed);

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
    let mut payments = Vec::new();
    for number in 0..orders {
        payments.push(payment(&app, number, &mut chance).await);
    }
    app.sim.faults(trouble()).await;
    let crm = Crm::new(app.api.clone(), payments);
    let (mut crm, kills) = storm(&mut app, crm, &mut chance).await;
    app.sim.no_faults().await;
    calm(&app, &mut crm).await;
    judge(&app, &crm, kills).await;
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
    // Where money moves after the sale, more often: there are fewer of these calls.
    for operation in [
        "AuthorizeOnBillingAgreement",
        "Capture",
        "CaptureCharge",
        "CloseAuthorization",
        "CancelCharge",
        "Refund",
        "CreateRefund",
    ] {
        for fault in ["reset_after", "reset_before"] {
            let of = json!({ "operation": operation });
            all.push(json!({"match": of, "fault": fault, "probability": 0.05}));
        }
    }
    Value::Array(all)
}

/// Sends it all while the worker is killed again and again; how often it was.
async fn storm(app: &mut App, crm: Crm, chance: &mut Chance) -> (Crm, u32) {
    let sending = tokio::spawn(crm.work());
    let mut kills = 0;
    while !sending.is_finished() {
        tokio::time::sleep(Duration::from_millis(300 + chance.below(3_000))).await;
        app.sim.advance(10).await;
        let worker = app.process("worker");
        worker.kill();
        worker.start_again();
        kills += 1;
        if kills == 4 {
            restart_services();
        }
        if kills == 6 {
            go_over(app).await;
        }
    }
    (sending.await.unwrap(), kills)
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

/// Waits until everything has its end. The last to have one is a charge whose call was lost with
/// its worker and that Amazon says no to since: ten minutes until that "no" is proof, and the wait
/// between two tries.
async fn calm(app: &App, crm: &mut Crm) {
    let mut before = usize::MAX;
    for _ in 0..1_200 {
        app.sim.advance(20).await;
        crm.listen().await;
        let left = crm.left();
        if left.is_empty() {
            return;
        }
        if left.len() != before {
            println!("chaos: {} commands are still on their way", left.len());
            before = left.len();
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    let left = crm.left();
    panic!("{left:?} never ended: see the logs in {}", app.folder().display());
}
