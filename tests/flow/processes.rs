//! Processes that die, are told to leave, or start without what they need: the work goes on, and
//! each order is paid once.

use serde_json::{Value, json};

use crate::support::app::order;
use crate::support::{App, Combination, eventually, on_every_api, on_every_queue};
use crate::world::{
    accepted, captured, chargeable, money_call, moved, news, of_order, story, told, verdict,
};

on_every_api!(a_killed_worker_is_found_out, who_is_told_to_leave_drains);
on_every_queue!(a_broker_or_a_database_may_be_away);

async fn ready(app: &App, wanted: u16) {
    eventually(&format!("/readyz {wanted}"), async || {
        (app.anonymous.status("/readyz").await == Some(wanted)).then_some(())
    })
    .await;
}

/// Orders whose authorization takes its time.
async fn slow_orders(app: &App, name: &str, count: usize) -> Vec<(String, String)> {
    let (mut orders, mut faults) = (Vec::new(), Vec::new());
    for number in 0..count {
        let reference = chargeable(app, Value::Null).await;
        let operation = money_call(app.combination.api);
        faults.push(json!({
            "match": {"operation": operation, "objectId": reference.id},
            "fault": "delay",
            "delayMs": 1_500,
            "times": 1,
        }));
        orders.push((format!("{name}-{number}"), reference));
    }
    app.sim.faults(Value::from(faults)).await;
    for (order_id, reference) in &orders {
        accepted(app, order_id, &order(order_id, reference)).await;
    }
    orders.into_iter().map(|(order_id, reference)| (order_id, reference.id)).collect()
}

async fn in_the_middle(app: &App) {
    eventually("an authorization under way", async || {
        let calls = app.sim.calls("").await;
        calls["calls"][money_call(app.combination.api)].as_u64().filter(|calls| *calls > 0)
    })
    .await;
}

async fn all_paid_once(app: &App, orders: &[(String, String)]) {
    for (order_id, reference) in orders {
        assert_eq!(app.done(order_id).await["status"], "paid", "{order_id}");
        let moved = moved(app, reference).await;
        assert_eq!(moved["capture"], ["29.95"], "{order_id}");
        assert_eq!(moved["authorize"], ["29.95"], "{order_id}");
        news(app, &of_order(order_id), "paid", 1).await;
        assert_eq!(story(&told(app, &of_order(order_id)).await), [("paid".to_owned(), 1)]);
    }
}

async fn a_killed_worker_is_found_out(combination: Combination) {
    let app = App::builder(combination);
    // The embedded broker is one machine's, and one process may be all there is.
    let app = app.processes(&["ingest,relay", "worker"]);
    let mut app = app.start().await;
    let orders = slow_orders(&app, "worker", 6).await;
    in_the_middle(&app).await;
    app.crash("worker").await;
    all_paid_once(&app, &orders).await;
    assert_eq!(app.cli_json(&["dead-letter", "list", "--json"]), json!([]));
    // So is a relay, and ingest with whoever waits.
    let orders = slow_orders(&app, "relay", 3).await;
    app.crash("relay").await;
    all_paid_once(&app, &orders).await;
}

async fn who_is_told_to_leave_drains(combination: Combination) {
    let mut app = App::start(combination).await;
    let orders = slow_orders(&app, "leave", 4).await;
    in_the_middle(&app).await;
    let process = app.process("worker");
    let status = process.terminate().await;
    assert_eq!(status.code(), Some(0), "{}", process.log());
    // What was in hand is finished or given back, never forgotten.
    app.process("worker").start_again();
    app.ready().await;
    all_paid_once(&app, &orders).await;
    app.process("worker").signal("INT");
    assert_eq!(app.process("worker").ended().await.code(), Some(0));
}

async fn a_broker_or_a_database_may_be_away(combination: Combination) {
    let mut app = App::start(combination).await;
    let reference = app.reference(Value::Null).await;
    assert_eq!(verdict(&app, "1", &order("o-1", &reference)).await["data"]["status"], "paid");
    // The broker loses every connection, and is back at once.
    app.amqp.as_ref().unwrap().close_connections();
    let reference = app.reference(Value::Null).await;
    let body = order("o-2", &reference);
    eventually("a confirmed order", async || {
        let reply = app.api.post_with("/v1/orders", &[("idempotency-key", "2")], &body).await;
        assert!([202, 503].contains(&reply.status), "{}", reply.text);
        (reply.status == 202).then_some(())
    })
    .await;
    assert_eq!(app.done("o-2").await["status"], "paid");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    // The virtual host is closed to us: as if the broker were away, for this program alone.
    let amqp = app.amqp.as_ref().unwrap();
    amqp.shut();
    amqp.close_connections();
    ready(&app, 503).await;
    assert_eq!(app.anonymous.status("/livez").await, Some(200));
    let reference = app.reference(Value::Null).await;
    let body = order("o-3", &reference);
    let refused = app.api.post_with("/v1/orders", &[("idempotency-key", "3")], &body).await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    app.amqp.as_ref().unwrap().open();
    ready(&app, 200).await;
    accepted(&app, "3", &body).await;
    assert_eq!(app.done("o-3").await["status"], "paid");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    starting_without(&mut app).await;
}

/// Starts with a broker that is away, and is ready once it is back.
async fn starting_without(app: &mut App) {
    app.process("worker").terminate().await;
    app.amqp.as_ref().unwrap().shut();
    app.process("worker").start_again();
    ready(app, 503).await;
    assert!(app.process("worker").is_running());
    app.amqp.as_ref().unwrap().open();
    app.ready().await;
    let reference = app.reference(Value::Null).await;
    accepted(app, "4", &order("o-4", &reference)).await;
    assert_eq!(app.done("o-4").await["status"], "paid");
}

mod a_database_may_be_away {
    crate::support::matrix::cells!(
        Mws,
        super::a_database_that_is_away_and_back,
        embedded_postgres: Embedded Postgres,
        rabbitmq_postgres: RabbitMq Postgres,
    );
}

mod a_database_may_be_away_by_v2 {
    crate::support::matrix::cells!(
        V2,
        super::a_database_that_is_away_and_back,
        embedded_postgres: Embedded Postgres,
        rabbitmq_postgres: RabbitMq Postgres,
    );
}

async fn a_database_that_is_away_and_back(combination: Combination) {
    let mut app = App::start(combination).await;
    let before = app.reference(Value::Null).await;
    assert_eq!(verdict(&app, "1", &order("o-1", &before)).await["data"]["status"], "paid");
    let orders = slow_orders(&app, "held", 2).await;
    in_the_middle(&app).await;
    app.postgres.as_ref().unwrap().close().await;
    ready(&app, 503).await;
    assert_eq!(app.anonymous.status("/livez").await, Some(200));
    // Ingest keeps clients and MIDs in memory: it still accepts from those that it knows.
    let reference = app.reference(Value::Null).await;
    let body = order("o-2", &reference);
    let headers = [("idempotency-key", "2"), ("prefer", "wait=1")];
    let reply = app.api.post_with("/v1/orders", &headers, &body).await;
    assert_eq!(reply.status, 202, "{}", reply.text);
    let events = app.api.get("/v1/events").await;
    assert_eq!(events.status, 503, "{}", events.text);
    assert!(app.process("worker").is_running());
    app.postgres.as_ref().unwrap().open().await;
    ready(&app, 200).await;
    let more = [orders, vec![("o-2".to_owned(), reference.id)]].concat();
    all_paid_once(&app, &more).await;

    // Away at the start: no role ends, and the work goes on once it is there.
    app.process("worker").terminate().await;
    app.postgres.as_ref().unwrap().close().await;
    app.process("worker").start_again();
    ready(&app, 503).await;
    assert!(app.process("worker").is_running());
    app.postgres.as_ref().unwrap().open().await;
    app.ready().await;
    let reference = app.reference(Value::Null).await;
    assert_eq!(verdict(&app, "3", &order("o-3", &reference)).await["data"]["status"], "paid");
    assert_eq!(app.cli_json(&["dead-letter", "list", "--json"]), json!([]));
}
