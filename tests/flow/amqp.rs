//! Orders over RabbitMQ as the CRM sends them: replies where they are asked for, the same bytes
//! everywhere, and what an acceptable message may look like.

use lapin::BasicProperties;
use serde_json::{Value, json};

use crate::support::app::order;
use crate::support::{App, Combination, on_every_queue};
use crate::world::{assert_event, captured};

on_every_queue!(an_order_over_amqp_is_answered_where_it_is_asked);

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
