//! Where Amazon's documents allow several readings, the simulator plays each in turn: the main job
//! ends the same under all of them.

use serde_json::{Value, json};

use crate::support::app::{order, upsell};
use crate::support::sim::Reference;
use crate::support::{App, Broker, Combination, Store, on_every_combination};
use crate::world::{accepted, captured, moved, news, of_order, verdict};

on_every_combination!(the_job_ends_the_same_under_every_reading);

const POINTS: usize = 11;

async fn the_job_ends_the_same_under_every_reading(combination: Combination) {
    let app = App::builder(combination)
        .env("PROCESSING_FAILURE_WAIT", 1)
        .env("PENDING_POLL_FIRST", 1)
        .start()
        .await;
    let every: Value = (1..=POINTS).map(|point| (point.to_string(), json!("b"))).collect();
    let alone = (1..=POINTS).map(|point| json!({ point.to_string(): "b" }));
    // Broker and store know nothing of Amazon: each reading alone is played on one of them.
    let rounds: Vec<Value> = match (combination.broker, combination.store) {
        (Broker::Embedded, Store::Sqlite) => alone.chain([every]).collect(),
        _ => vec![every],
    };
    for (round, readings) in rounds.into_iter().enumerate() {
        app.sim.set(json!({ "readings": readings })).await;
        play(&app, &format!("r{round}")).await;
    }
    assert_eq!(app.cli_json(&["dead-letter", "list", "--json"]), json!([]));
}

/// One order of each kind.
async fn play(app: &App, round: &str) {
    let name = |what: &str| format!("{round}-{what}");
    let mut orders: Vec<(String, Reference)> = Vec::new();
    for (what, plan) in [
        ("plain", Value::Null),
        ("soft", json!(["InvalidPaymentMethod"])),
        ("hard", json!(["AmazonRejected"])),
        ("failure", json!(["ProcessingFailure"])),
        ("slow", json!([{"outcome": "approve", "afterSeconds": 600}])),
        ("late", json!(["TransactionTimedOut", "TransactionTimedOut"])),
        ("capture", json!({"capture": ["ProcessingFailure", "approve"]})),
        ("lost", Value::Null),
        ("rest", Value::Null),
    ] {
        orders.push((name(what), app.reference(plan).await));
    }
    let of = |what: &str| {
        let found = orders.iter().find(|(order_id, _)| *order_id == name(what));
        found.map(|(_, reference)| reference).unwrap()
    };
    lose_answers(app, of("lost")).await;
    for (order_id, reference) in &orders {
        let mut body = order(order_id, reference);
        if order_id.ends_with("rest") {
            body["capture"] = json!("manual");
        }
        accepted(app, order_id, &body).await;
    }
    for (what, status) in [
        ("plain", "paid"),
        ("soft", "declined"),
        ("hard", "declined"),
        ("failure", "paid"),
        ("capture", "paid"),
        ("lost", "paid"),
        ("rest", "authorized"),
    ] {
        let done = app.done(&name(what)).await;
        assert_eq!(done["status"], status, "{what}: {done}");
    }
    app.sim.mend_payment_method(&of("soft").id).await;
    let mended = verdict(app, &name("mended"), &order(&name("soft"), of("soft"))).await;
    assert_eq!(mended["data"]["status"], "paid", "{mended}");
    let more = verdict(app, &name("upsell"), &upsell(&name("plain"), "u")).await;
    assert_eq!(more["data"]["status"], "paid", "{more}");
    let again = verdict(app, &name("again"), &order(&name("hard"), of("hard"))).await;
    assert_eq!(again["data"]["decline"]["code"], "AmazonRejected", "{again}");
    for what in ["slow", "late"] {
        app.event_where("pending", |event| {
            event["subject"] == of_order(&name(what)) && event["data"]["status"] == "pending"
        })
        .await;
    }
    app.sim.advance(2 * 86_400).await;
    assert_eq!(app.done(&name("slow")).await["status"], "paid");
    let late = news(app, &of_order(&name("late")), "declined", 2).await;
    assert_eq!(late["data"]["decline"]["code"], "TransactionTimedOut", "{late}");
    for what in ["failure", "capture", "lost", "slow", "soft"] {
        assert_eq!(captured(app, &of(what).id).await, ["29.95"], "{what}");
    }
    assert_eq!(captured(app, &of("plain").id).await, ["29.95", "4.00"]);
    for what in ["hard", "late", "rest"] {
        assert!(!moved(app, &of(what).id).await.contains_key("capture"), "{what}");
    }
}

/// The authorization is made, twice nobody hears of it.
async fn lose_answers(app: &App, reference: &Reference) {
    let matches = json!({"operation": "Authorize", "objectId": reference.id});
    app.sim.faults(json!([{"match": matches, "fault": "reset_after", "times": 2}])).await;
}
