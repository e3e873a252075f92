//! Prefetch, settling, and what becomes of deliveries whose consumer is no more.

use amazon_pay_worker::ports::broker::Lane;

use crate::support::{Broker, on_every_broker};
use crate::world::{World, command, consume, id, is_quiet, next, publish};

on_every_broker!(
    no_more_than_the_prefetch_is_in_hand,
    what_is_acknowledged_does_not_come_again,
    what_is_given_back_comes_again,
    what_a_dead_consumer_held_goes_to_another,
    a_canceled_consumer_gives_its_buffer_back_and_settles_the_rest,
    an_idle_consumer_is_woken,
    one_suspect_is_in_hand_at_once,
    consumers_share_a_lane,
);

async fn no_more_than_the_prefetch_is_in_hand(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    let all = (0..10).map(|n| command("order.import", &n.to_string())).collect();
    broker.publish_all(all).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 3).await;
    let mut in_hand = Vec::new();
    for _ in 0..3 {
        in_hand.push(next(&mut consumer).await);
    }
    assert!(is_quiet(&mut consumer).await, "a fourth came");
    in_hand.pop().unwrap().settle.ack().await.unwrap();
    in_hand.push(next(&mut consumer).await);
    assert!(is_quiet(&mut consumer).await, "a fifth came");
    let ids: Vec<_> = in_hand.iter().map(id).collect();
    assert_eq!(ids, ["0", "1", "3"]);
}

async fn what_is_acknowledged_does_not_come_again(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    for n in 0..5 {
        publish(&*broker, &command("order.import", &n.to_string())).await;
    }
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    let mut in_hand = Vec::new();
    for _ in 0..5 {
        in_hand.push(next(&mut consumer).await);
    }
    // Out of order, as work ends.
    for place in [3, 0, 2, 0, 0] {
        in_hand.remove(place).settle.ack().await.unwrap();
    }
    consumer.cancel().await;
    drop(broker);
    let broker = world.process().await;
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    assert!(is_quiet(&mut consumer).await);
}

async fn what_is_given_back_comes_again(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    publish(&*broker, &command("order.import", "m-1")).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 1).await;
    let first = next(&mut consumer).await;
    assert!(!first.redelivered);
    first.settle.requeue().await.unwrap();
    let second = next(&mut consumer).await;
    assert_eq!(id(&second), "m-1");
    assert!(second.redelivered);
    if kind == Broker::Embedded {
        // RabbitMQ's versions count differently.
        assert_eq!(second.delivery_count, 1);
    }
    second.settle.ack().await.unwrap();
    assert!(is_quiet(&mut consumer).await);
}

async fn what_a_dead_consumer_held_goes_to_another(kind: Broker) {
    let world = World::new(kind);
    let (dying, living) = (world.process().await, world.process().await);
    for n in 0..3 {
        publish(&*dying, &command("order.import", &n.to_string())).await;
    }
    let mut consumer = consume(&*dying, Lane::Checkout, 10).await;
    let in_hand = (next(&mut consumer).await, next(&mut consumer).await);
    let mut other = consume(&*living, Lane::Checkout, 10).await;
    assert!(is_quiet(&mut other).await);
    // The whole process at once, with one delivery still in the buffer.
    drop((in_hand, consumer, dying));
    let mut ids = Vec::new();
    for _ in 0..3 {
        let delivery = next(&mut other).await;
        ids.push(id(&delivery).to_owned());
        delivery.settle.ack().await.unwrap();
    }
    ids.sort();
    assert_eq!(ids, ["0", "1", "2"]);
}

async fn a_canceled_consumer_gives_its_buffer_back_and_settles_the_rest(kind: Broker) {
    let world = World::new(kind);
    let broker = world.process().await;
    for n in 0..4 {
        publish(&*broker, &command("order.import", &n.to_string())).await;
    }
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    let in_hand = next(&mut consumer).await;
    // So that the others are in the buffer.
    let second = next(&mut consumer).await;
    second.settle.requeue().await.unwrap();
    consumer.cancel().await;
    in_hand.settle.ack().await.unwrap();
    let mut other = consume(&*broker, Lane::Checkout, 10).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        let delivery = next(&mut other).await;
        ids.push(id(&delivery).to_owned());
        delivery.settle.ack().await.unwrap();
    }
    ids.sort();
    assert_eq!(ids, ["1", "2", "3"]);
    assert!(is_quiet(&mut other).await, "the acknowledged one came again");
}

async fn an_idle_consumer_is_woken(kind: Broker) {
    let world = World::new(kind);
    let (here, there) = (world.process().await, world.process().await);
    let mut consumer = consume(&*here, Lane::Recurring, 10).await;
    assert!(is_quiet(&mut consumer).await);
    for publisher in [&here, &there] {
        publish(&**publisher, &command("charge.recurring", "m-1")).await;
        next(&mut consumer).await.settle.ack().await.unwrap();
    }
}

async fn one_suspect_is_in_hand_at_once(kind: Broker) {
    let world = World::new(kind);
    let (one, other) = (world.process().await, world.process().await);
    let mut first = consume(&*one, Lane::Suspect, 1).await;
    let mut second = consume(&*other, Lane::Suspect, 1).await;
    for n in 0..2 {
        let suspect = crate::world::to_queue(Lane::Suspect.queue(), "k", &n.to_string());
        publish(&*one, &suspect).await;
    }
    let in_hand = next(&mut first).await;
    assert!(is_quiet(&mut second).await, "two are in hand");
    in_hand.settle.ack().await.unwrap();
    first.cancel().await;
    next(&mut second).await.settle.ack().await.unwrap();
}

async fn consumers_share_a_lane(kind: Broker) {
    let world = World::new(kind);
    let (one, other) = (world.process().await, world.process().await);
    let mut first = consume(&*one, Lane::Checkout, 1).await;
    let mut second = consume(&*other, Lane::Checkout, 1).await;
    let all = (0..2).map(|n| command("order.import", &n.to_string())).collect();
    one.publish_all(all).await;
    let (a, b) = (next(&mut first).await, next(&mut second).await);
    assert_ne!(id(&a), id(&b));
}
