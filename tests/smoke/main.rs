//! One order through the whole program on every combination, in one process and in two of which
//! one dies: what the flow tests build on, and the example to begin a new one from.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

#[path = "../support/mod.rs"]
mod support;

use serde_json::{Value, json};
use support::app::{MID, order, upsell};
use support::{App, Broker, Combination, on_every_combination};

on_every_combination!(an_order_and_its_upsell_are_paid, a_killed_worker_s_order_is_paid_once);

async fn an_order_and_its_upsell_are_paid(here: Combination) {
    let mut app = App::start(here).await;
    let reference = app.reference(Value::Null).await;

    let mut events = None;
    if here.broker == Broker::RabbitMq {
        let queues = app.queues().await;
        events = Some(queues.events("#").await);
        queues.command("order.import", "crm-1", &order("o-1", &reference)).await;
    } else {
        app.submit("order.import", &order("o-1", &reference)).await.expect(202);
    }
    let paid = app.done("o-1").await;
    assert_eq!(paid["status"], "paid", "{paid}");
    app.submit("upsell.import", &upsell("o-1", "u-1")).await.expect(202);
    let paid = app.done_at(&format!("/v1/upsells/{MID}/o-1/u-1")).await;
    assert_eq!(paid["status"], "paid", "{paid}");

    let captures = app.sim.moved(&reference.id, "capture").await;
    assert_eq!(captures.len(), 2, "{captures:?}");
    let event =
        app.event_where("payments.order.paid", |event| event["type"] == "payments.order.paid");
    let event = event.await;
    assert_eq!(event["data"]["orderId"], "o-1", "{event}");
    if let Some(events) = &mut events {
        assert_eq!(events.event_where(|other| other["id"] == event["id"]).await, event);
    }

    // An operator's stop is no failure.
    assert_eq!(app.process("worker").terminate().await.code(), Some(0));
}

async fn a_killed_worker_s_order_is_paid_once(here: Combination) {
    let builder = App::builder(here).processes(&["ingest,relay", "worker"]);
    let mut app = builder.start().await;
    let reference = app.reference(Value::Null).await;
    // Amazon does it, but the answer comes late: time to die in between.
    let slow = json!([{
        "match": { "operation": "Authorize" },
        "fault": "delay",
        "delayMs": 3000,
        "times": 1,
    }]);
    app.sim.faults(slow).await;
    app.submit("order.import", &order("o-1", &reference)).await.expect(202);
    support::eventually("the call to Amazon", async || {
        let calls = app.sim.calls(&support::app::merchant_id(MID)).await;
        calls.to_string().contains("Authorize").then_some(())
    })
    .await;
    app.crash("worker").await;
    let paid = app.done("o-1").await;
    assert_eq!(paid["status"], "paid", "{paid}");
    let captures = app.sim.moved(&reference.id, "capture").await;
    assert_eq!(captures.len(), 1, "{captures:?}");
}
