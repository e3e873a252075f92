//! Dead letters on the command line, of a program that runs.

use serde_json::{Value, json};

use crate::support::app::{MID, order};
use crate::support::{App, Broker, Combination, Store, eventually, on_every_store};

on_every_store!(
    what_lies_still_is_redriven_or_given_up,
    nothing_is_given_up_while_money_may_move,
    what_is_canceled_lies_no_longer,
);

/// The contract's promise about a changed MID: there is nothing to look at before it is over.
const KNOWN_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);

async fn start(store: Store, budget: &str) -> App {
    let builder = App::builder(Combination::of(Broker::Embedded, store));
    let builder = builder.env("RETRY_BUDGET_CHECKOUT", budget).env("CRM_WAIT", 1);
    Box::pin(builder.start()).await
}

async fn letters(app: &App, filter: &[&str], count: usize) -> Vec<Value> {
    let args = [&["dead-letter", "list", "--json"], filter].concat();
    eventually(&format!("{count} dead letters"), async || {
        let letters = app.cli_json(&args).as_array().unwrap().clone();
        (letters.len() == count).then_some(letters)
    })
    .await
}

fn refused(app: &App, args: &[&str]) -> String {
    let output = app.cli(args, "");
    assert_eq!(output.status.code(), Some(1), "{args:?}");
    String::from_utf8(output.stdout).unwrap()
}

async fn what_lies_still_is_redriven_or_given_up(store: Store) {
    let app = start(store, "1800").await;
    app.cli_done(&["mid", "disable", MID]);
    // Roles know it within five seconds; until then an order may still be taken.
    let mut reference = app.reference(Value::Null).await;
    for number in 1.. {
        app.submit("order.import", &order(&format!("o-{number}"), &reference)).await;
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        if !app.cli_json(&["dead-letter", "list", "--json"]).as_array().unwrap().is_empty() {
            break;
        }
        reference = app.reference(Value::Null).await;
    }
    let letter = letters(&app, &["--reason", "configuration"], 1).await.remove(0);
    let id = letter["id"].as_str().unwrap();
    let order_id = letter["orderId"].as_str().unwrap();
    assert_eq!(letter["status"], "open");
    assert_eq!((&letter["kind"], &letter["amazonBillerId"]), (&json!("order"), &json!(MID)));
    assert_eq!(
        (&letter["routingKey"], &letter["upsellId"]),
        (&json!("order.import"), &Value::Null)
    );

    // The desk says what it would do, and does nothing.
    let dry = app.cli_done(&["dead-letter", "redrive", "--mid", MID, "--dry-run"]);
    assert!(dry.contains("would be redriven"), "{dry}");
    assert_eq!(letters(&app, &["--status", "open"], 1).await.len(), 1);

    app.cli_done(&["mid", "enable", MID]);
    tokio::time::sleep(KNOWN_WITHIN).await;
    app.cli_done(&["dead-letter", "redrive", id]);
    let paid = app.done(order_id).await;
    assert_eq!(paid["status"], "paid", "{paid}");
    assert_eq!(letters(&app, &["--status", "redriven"], 1).await[0]["id"], letter["id"]);
    assert!(refused(&app, &["dead-letter", "redrive", id]).contains("already"));
    let shown = app.cli_json(&["order", "show", MID, order_id, "--json"]);
    let timeline = shown["timeline"].as_array().unwrap();
    assert!(timeline.iter().any(|step| step["name"] == "dead-letter.redrive"), "{shown}");

    // Given up: the CRM hears that it failed, and why.
    app.cli_done(&["mid", "disable", MID]);
    tokio::time::sleep(KNOWN_WITHIN).await;
    let reference = app.reference(Value::Null).await;
    app.submit("order.import", &order("given-up", &reference)).await.expect(202);
    let letter = letters(&app, &["--status", "open"], 1).await.remove(0);
    let id = letter["id"].as_str().unwrap();
    app.cli_done(&["dead-letter", "discard", id, "--because", "sold out"]);
    let event = app.event_where("the failure", |event| event["type"] == "payments.order.failed");
    let event = event.await;
    assert_eq!(event["data"]["decline"]["code"], "discarded", "{event}");
    assert_eq!(event["data"]["decline"]["fix"], "sold out", "{event}");
    assert!(app.sim.moved(&reference.id, "capture").await.is_empty());
    assert!(refused(&app, &["dead-letter", "redrive", id]).contains("already"));

    // What was rejected is mended and sent again, never redriven; discarding only files it away.
    app.submit("order.import", &order("stray", &reference)).await.expect(202);
    let letter = letters(&app, &["--reason", "rejected"], 1).await.remove(0);
    let id = letter["id"].as_str().unwrap();
    assert!(refused(&app, &["dead-letter", "redrive", id]).contains("mend it"));
    app.cli_done(&["dead-letter", "discard", id]);
    assert_eq!(letters(&app, &["--reason", "rejected"], 1).await[0]["status"], "discarded");
    let failed = |event: &&Value| event["type"] == "payments.order.failed";
    assert_eq!(app.feed().await.iter().filter(failed).count(), 1);
}

async fn what_is_canceled_lies_no_longer(store: Store) {
    let app = start(store, "0").await;
    let reference = app.reference(Value::Null).await;
    let operation = json!({ "operation": "SetOrderReferenceDetails" });
    app.sim.faults(json!([{ "match": operation, "fault": "status", "status": 503 }])).await;
    app.submit("order.import", &order("o-1", &reference)).await.expect(202);
    let letter = letters(&app, &["--status", "open"], 1).await.remove(0);
    let path = format!("/v1/orders/{MID}/o-1/cancel");
    app.api.post(&path, &json!({ "requestId": "x-1" })).await.expect(202);
    assert_eq!(app.done("o-1").await["status"], "canceled");
    assert_eq!(letters(&app, &["--status", "discarded"], 1).await[0]["id"], letter["id"]);
    assert_eq!(letters(&app, &["--status", "open"], 0).await.len(), 0);
}

async fn nothing_is_given_up_while_money_may_move(store: Store) {
    let app = start(store, "0").await;
    let reference = app.reference(Value::Null).await;
    // Amazon does what it is asked and does not say so, whatever it is asked.
    app.sim
        .faults(json!([
            { "match": { "operation": "Authorize" }, "fault": "reset_after" },
            { "match": { "operation": "GetOrderReferenceDetails" }, "fault": "status",
              "status": 503 },
        ]))
        .await;
    app.submit("order.import", &order("o-1", &reference)).await.expect(202);
    let letter = letters(&app, &["--reason", "unknown_outcome"], 1).await.remove(0);
    let id = letter["id"].as_str().unwrap();
    let told = refused(&app, &["dead-letter", "discard", id]);
    assert!(told.contains("money may have moved"), "{told}");
    assert_eq!(letters(&app, &["--status", "open"], 1).await.len(), 1);

    app.sim.no_faults().await;
    app.cli_done(&["dead-letter", "redrive", "--reason", "unknown_outcome"]);
    let paid = app.done("o-1").await;
    assert_eq!(paid["status"], "paid", "{paid}");
    assert_eq!(app.sim.moved(&reference.id, "capture").await.len(), 1);
}
