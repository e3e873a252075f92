//! Confirms, routing, what no queue takes, and direct replies.

use amazon_pay_worker::ports::broker::{
    COMMAND_KEYS, Lane, Publication, PublishError, Target, Tier,
};

use crate::support::{Broker, on_every_broker};
use crate::world::{
    World, command, consume, id, is_quiet, message, next, next_reply, publish, replies, to_queue,
};

on_every_broker!(
    a_message_arrives_as_it_was_published,
    a_message_larger_than_a_frame_arrives_whole,
    every_command_reaches_its_lane,
    an_unknown_key_ends_in_the_unroutable_lane,
    a_gone_queue_is_unroutable_and_nothing_else_is,
    each_result_stands_at_its_place,
    order_is_kept,
    nobody_need_listen_to_events,
    replies_reach_the_process_that_asked,
    a_retry_tier_gives_back_to_the_lane,
    a_message_for_a_lane_by_name_keeps_its_routing_key,
    nothing_to_publish_is_nothing,
);

async fn a_message_arrives_as_it_was_published(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let sent = command("order.import", "m-1");
    assert!(broker.publish_all(vec![sent.clone()]).await[0].is_ok());
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message, sent.message);
    assert_eq!(delivery.lane, Lane::Checkout);
    assert!(!delivery.redelivered);
    assert_eq!(delivery.delivery_count, 0);
    delivery.settle.ack().await.unwrap();
}

async fn a_message_larger_than_a_frame_arrives_whole(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let mut sent = command("order.import", "m-1");
    sent.message.body = (0..300_000_u32).map(|at| (at % 251) as u8).collect();
    let after = command("order.import", "m-2");
    let published = broker.publish_all(vec![sent.clone(), after.clone()]).await;
    assert!(published.iter().all(Result::is_ok));
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    for sent in [sent, after] {
        let delivery = next(&mut consumer).await;
        assert_eq!(delivery.message, sent.message);
        delivery.settle.ack().await.unwrap();
    }
}

async fn every_command_reaches_its_lane(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let mut keys = COMMAND_KEYS.to_vec();
    keys.push("notification.mws");
    let all = keys.iter().map(|key| command(key, key)).collect();
    assert!(broker.publish_all(all).await.iter().all(Result::is_ok));
    for lane in [Lane::Checkout, Lane::Operations, Lane::Recurring, Lane::Notifications] {
        let mut consumer = consume(&*broker, lane, 10).await;
        let expected = keys.iter().filter(|key| {
            lane.keys().iter().any(|k| k == *key || (k.ends_with(".*") && key.contains("notif")))
        });
        for key in expected {
            let delivery = next(&mut consumer).await;
            assert_eq!(delivery.message.routing_key, **key, "{lane:?}");
            delivery.settle.ack().await.unwrap();
        }
        assert!(is_quiet(&mut consumer).await, "{lane:?} has more");
    }
}

async fn an_unknown_key_ends_in_the_unroutable_lane(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let sent = command("order.improt", "m-1");
    assert!(broker.publish_all(vec![sent.clone()]).await[0].is_ok());
    let mut consumer = consume(&*broker, Lane::Unroutable, 10).await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message, sent.message);
    delivery.settle.ack().await.unwrap();
}

async fn a_gone_queue_is_unroutable_and_nothing_else_is(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let mine = replies(&*broker).await;
    // All in one batch, so that each return must find its own message.
    let all = vec![
        to_queue("gone", "order.paid", "m-1"),
        to_queue(&mine.queue(), "order.paid", "m-2"),
        command("order.import", "m-3"),
        to_queue("gone", "order.paid", "m-4"),
        to_queue(&mine.queue(), "order.paid", "m-5"),
        to_queue("gone too", "order.paid", "m-4"),
    ];
    let unroutable: Vec<_> = broker
        .publish_all(all)
        .await
        .into_iter()
        .map(|result| matches!(result, Err(PublishError::Unroutable)))
        .collect();
    assert_eq!(unroutable, [true, false, false, true, false, true]);
}

async fn each_result_stands_at_its_place(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let mut mine = replies(&*broker).await;
    let queue = mine.queue();
    let all: Vec<_> = (0..300)
        .map(|n| to_queue(if n % 3 == 0 { "gone" } else { &queue }, "k", &n.to_string()))
        .collect();
    let results = broker.publish_all(all).await;
    assert_eq!(results.len(), 300);
    for (n, result) in results.iter().enumerate() {
        assert_eq!(result.is_err(), n % 3 == 0, "{n}: {result:?}");
    }
    for n in (0..300).filter(|n| n % 3 != 0) {
        assert_eq!(next_reply(&mut mine).await.message_id, Some(n.to_string()));
    }
}

async fn order_is_kept(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    for round in 0..5 {
        let ids = (0..40).map(|n| format!("{round}-{n}"));
        let all = ids.map(|id| command("charge.recurring", &id)).collect();
        assert!(broker.publish_all(all).await.iter().all(Result::is_ok));
    }
    let mut consumer = consume(&*broker, Lane::Recurring, 20).await;
    for round in 0..5 {
        for n in 0..40 {
            let delivery = next(&mut consumer).await;
            assert_eq!(id(&delivery), format!("{round}-{n}"));
            delivery.settle.ack().await.unwrap();
        }
    }
}

async fn nobody_need_listen_to_events(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let event = |id| Publication { target: Target::Events, message: message("order.paid", id) };
    assert!(broker.publish_all(vec![event("e-1")]).await[0].is_ok());
    let mut listener = world.listen("order.#").await;
    let other = Publication { target: Target::Events, message: message("upsell.paid", "e-2") };
    let results = broker.publish_all(vec![other, event("e-3")]).await;
    assert!(results.iter().all(Result::is_ok), "{results:?}");
    assert_eq!(listener.next().await, "e-3");
}

async fn replies_reach_the_process_that_asked(kind: Broker) {
    let world = World::new(kind);
    let (one, other) = (world.process().await, world.process().await);
    let (mut to_one, mut to_other) = (replies(&*one).await, replies(&*other).await);
    assert_ne!(to_one.queue(), to_other.queue());
    publish(&*other, &to_queue(&to_one.queue(), "order.paid", "for one")).await;
    publish(&*one, &to_queue(&to_other.queue(), "order.paid", "for other")).await;
    let reply = next_reply(&mut to_one).await;
    assert_eq!(reply, message("order.paid", "for one"));
    assert_eq!(next_reply(&mut to_other).await.message_id.unwrap(), "for other");
    // More than any prefetch, so that acknowledging goes on.
    for n in 0..600 {
        publish(&*one, &to_queue(&to_one.queue(), "order.paid", &n.to_string())).await;
        assert_eq!(next_reply(&mut to_one).await.message_id.unwrap(), n.to_string());
    }
}

async fn a_retry_tier_gives_back_to_the_lane(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let mut consumer = consume(&*broker, Lane::Operations, 10).await;
    let mut retried = command("refund.request", "m-1");
    retried.target = Target::Retry(Tier::Seconds5);
    assert!(broker.publish_all(vec![retried.clone()]).await[0].is_ok());
    assert!(is_quiet(&mut consumer).await, "it came at once");
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message, retried.message);
    assert_eq!(delivery.lane, Lane::Operations);
    delivery.settle.ack().await.unwrap();
}

async fn a_message_for_a_lane_by_name_keeps_its_routing_key(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    publish(&*broker, &to_queue(Lane::Suspect.queue(), "order.import", "m-1")).await;
    let mut consumer = consume(&*broker, Lane::Suspect, 1).await;
    let delivery = next(&mut consumer).await;
    assert_eq!(delivery.message, message("order.import", "m-1"));
    delivery.settle.ack().await.unwrap();
}

async fn nothing_to_publish_is_nothing(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    assert!(broker.publish_all(Vec::new()).await.is_empty());
}
