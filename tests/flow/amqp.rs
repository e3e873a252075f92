//! Orders over RabbitMQ as the CRM sends them: replies where they are asked for, the same bytes
//! everywhere, and what an acceptable message may look like.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable};
use serde_json::{Value, json};

use crate::support::app::{order, upsell};
use crate::support::{App, Combination, on_every_queue};
use crate::world::{assert_event, assert_names, captured, moved, news, of_order, story, told};

on_every_queue!(
    an_order_over_amqp_is_answered_where_it_is_asked,
    a_message_id_stands_for_one_message,
    two_workers_charge_once,
    what_the_broker_threw_out_ends_as_anything_else,
);

async fn an_order_over_amqp_is_answered_where_it_is_asked(combination: Combination) {
    let app = App::start(combination).await;
    let queues = app.queues().await;
    let mut events = queues.events("#").await;
    let mut replies = queues.replies().await;
    let reference = app.reference(Value::Null).await;
    let mut body = order("o-1", &reference);
    body["somethingNew"] = json!({"ignored": true});
    let properties = BasicProperties::default()
        .with_message_id("crm-1".into())
        .with_type("order.import".into())
        .with_reply_to(replies.queue.as_str().into())
        .with_correlation_id("c-1".into());
    let send = async |properties: &BasicProperties| {
        let bytes = body.to_string();
        queues
            .publish("payments.commands", "order.import", bytes.as_bytes(), properties.clone())
            .await;
    };
    send(&properties).await;
    let (event, reply) = (events.delivery().await, replies.delivery().await);
    assert_eq!(event.data, reply.data);
    assert_eq!(event.routing_key.as_str(), "order.paid");
    let document: Value = serde_json::from_slice(&event.data).unwrap();
    assert_event(&document);
    assert_eq!(document["data"]["messageId"], "crm-1");
    for delivery in [&event, &reply] {
        let properties = &delivery.properties;
        let id = properties.message_id().as_ref().map(|id| id.as_str().to_owned());
        assert_eq!(id.as_deref(), document["id"].as_str());
        let media = properties.content_type().as_ref().map(|media| media.as_str().to_owned());
        assert_eq!(media.as_deref(), Some("application/cloudevents+json"));
        assert_eq!(*properties.delivery_mode(), Some(2));
    }
    let correlation = reply.properties.correlation_id().as_ref().map(|id| id.as_str().to_owned());
    assert_eq!(correlation.as_deref(), Some("c-1"));

    // The same message again, from a producer that missed the confirm; then under another id.
    send(&properties).await;
    let (event_again, reply_again) = (events.delivery().await, replies.delivery().await);
    assert_eq!((&event_again.data, &reply_again.data), (&event.data, &event.data));
    let other =
        properties.clone().with_message_id("crm-2".into()).with_correlation_id("c-2".into());
    send(&other).await;
    let (event_again, reply_again) = (events.delivery().await, replies.delivery().await);
    assert_eq!((&event_again.data, &reply_again.data), (&event.data, &event.data));
    let correlation = reply_again.properties.correlation_id().clone();
    assert_eq!(correlation.map(|id| id.to_string()).as_deref(), Some("c-2"));

    // A reply queue that is gone stops nobody.
    let reference = app.reference(Value::Null).await;
    let gone = BasicProperties::default()
        .with_message_id("crm-3".into())
        .with_reply_to("nobody-has-this-queue".into());
    let bytes = order("o-2", &reference).to_string();
    queues.publish("payments.commands", "order.import", bytes.as_bytes(), gone).await;
    let event = events.event().await;
    assert_eq!(event["data"]["orderId"], "o-2");
    assert_eq!(event["data"]["status"], "paid");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
}

async fn a_message_id_stands_for_one_message(combination: Combination) {
    let app = App::start(combination).await;
    let queues = app.queues().await;
    let mut events = queues.events("order.*").await;
    let reference = app.reference(Value::Null).await;
    let good = order("o-1", &reference);
    let mut other = good.clone();
    other["amount"] = json!("1.00");
    queues.command("order.import", "crm-1", &good).await;
    let paid = events.event().await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    let mut rejected = Value::Null;
    for round in 0..2 {
        queues.command("order.import", "crm-1", &other).await;
        let event = events.event().await;
        assert_event(&event);
        assert_eq!(event["data"]["decline"]["code"], "conflict", "{event}");
        assert_eq!(event["data"]["messageId"], "crm-1", "{event}");
        assert!(!event["data"]["decline"]["errors"].as_array().unwrap().is_empty(), "{event}");
        // Its own rejection again, and the payment's result for what it stands for.
        assert!(round == 0 || event == rejected, "{event}");
        rejected = event;
        queues.command("order.import", "crm-1", &good).await;
        assert_eq!(events.event().await, paid);
    }
    // An order of the same id under another message, and the trace that it belongs to.
    let reference = app.reference(Value::Null).await;
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let mut headers = FieldTable::default();
    headers.insert("traceparent".into(), AMQPValue::LongString(trace.into()));
    let properties =
        BasicProperties::default().with_message_id("crm-2".into()).with_headers(headers);
    let bytes = order("o-2", &reference).to_string();
    queues.publish("payments.commands", "order.import", bytes.as_bytes(), properties).await;
    let event = events.event().await;
    let told = event["traceparent"].as_str().unwrap_or_default();
    assert_eq!(told.get(3..35), trace.get(3..35), "{event}");
    // What ingest alone may leave out.
    let mut without = upsell("o-2", "u-1");
    without.as_object_mut().unwrap().remove("amazonBillerId");
    let mut events = queues.events("upsell.*").await;
    queues.command("upsell.import", "crm-3", &without).await;
    let event = events.event().await;
    assert_event(&event);
    assert_eq!(event["type"], "payments.upsell.rejected");
    assert_names(&event["data"]["decline"]["errors"], "amazonBillerId");
}

/// Every order comes twice, under two message ids, and its upsell before it.
async fn two_workers_charge_once(combination: Combination) {
    let builder = App::builder(combination).processes(&["ingest,relay", "worker", "worker"]);
    let mut app = builder.start().await;
    let queues = app.queues().await;
    let mut orders = Vec::new();
    for number in 0..20 {
        let plan = if number % 4 == 1 { json!(["AmazonRejected"]) } else { Value::Null };
        orders.push((format!("o-{number}"), app.reference(plan).await));
    }
    for (order_id, reference) in &orders {
        let body = order(order_id, reference);
        let more = upsell(order_id, "u");
        let id = |name: &str| format!("{order_id}-{name}");
        queues.command("upsell.import", &id("u"), &more).await;
        queues.command("order.import", &id("a"), &body).await;
        queues.command("order.import", &id("b"), &body).await;
        queues.command("order.import", &id("a"), &body).await;
    }
    // One of the two dies in the middle of it.
    app.processes[1].kill();
    for (number, (order_id, reference)) in orders.iter().enumerate() {
        let done = app.done(order_id).await;
        let upsell = format!("/v1/upsells/{}/{order_id}/u", crate::support::app::MID);
        let upsold = app.done_at(&upsell).await;
        if number % 4 == 1 {
            assert_eq!(
                (&done["status"], &upsold["status"]),
                (&json!("declined"), &json!("declined"))
            );
            assert!(captured(&app, &reference.id).await.is_empty());
        } else {
            assert_eq!((&done["status"], &upsold["status"]), (&json!("paid"), &json!("paid")));
            let moved = moved(&app, &reference.id).await;
            assert_eq!(moved["capture"], ["29.95", "4.00"], "{order_id}");
            assert_eq!(moved["authorize"], ["29.95", "4.00"], "{order_id}");
        }
        // The feed follows a moment behind.
        let status = done["status"].as_str().unwrap();
        news(&app, &of_order(order_id), status, 1).await;
        let told = story(&told(&app, &of_order(order_id)).await);
        assert_eq!(told, [(status.to_owned(), 1)], "{order_id}");
    }
    assert_eq!(app.cli_json(&["dead-letter", "list", "--json"]), json!([]));
}

/// It is taken from the lane's dead-letter queue; if it comes again, it is known.
async fn what_the_broker_threw_out_ends_as_anything_else(combination: Combination) {
    let app = App::start(combination).await;
    let queues = app.queues().await;
    let reference = app.reference(Value::Null).await;
    let body = order("o-1", &reference).to_string();
    let mut headers = FieldTable::default();
    headers.insert("routing-key".into(), AMQPValue::LongString("order.import".into()));
    let properties =
        BasicProperties::default().with_message_id("crm-1".into()).with_headers(headers);
    let mut events = queues.events("#").await;
    let mut told = Vec::new();
    for queue in ["lane.checkout.v1.dlq", "lane.checkout.v1", "lane.checkout.v1.dlq"] {
        queues.publish("", queue, body.as_bytes(), properties.clone()).await;
        told.push(events.delivery().await.data);
    }
    assert_eq!(told, vec![told[0].clone(); 3], "a message that is known is answered again");
    assert_eq!(app.done("o-1").await["status"], "paid");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
}
