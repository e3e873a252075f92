//! Requests that are sent twice.

use std::sync::atomic::Ordering;

use amazon_pay_worker::domain::payment::admission::{Seen, SeenMessage};
use serde_json::{Value, json};

use crate::world::{Answer, KEY_NA, World, bearer, order};

async fn keyed(world: &World, key: &str, body: &Value) -> Answer {
    world.post_with("/v1/orders", &[("idempotency-key", key)], body).await
}

#[tokio::test(start_paused = true)]
async fn the_same_key_and_body_is_the_same_message_and_the_same_answer() {
    let world = World::start().await;
    let first = keyed(&world, "key-1", &order()).await;
    let mut again = order();
    again["amount"] = "29.950".trim_end_matches('0').into();
    let again = keyed(&world, "key-1", &again).await;
    assert_eq!(first.expect(202), again.expect(202));
    let mut body = order();
    body["messageId"] = "key-1".into();
    let of_body = world.post("/v1/orders", &body).await;
    assert_eq!(first.expect(202), of_body.expect(202));

    let published = world.published();
    assert_eq!(published.len(), 3, "a repeat is told to the worker, who knows it");
    assert!(published.iter().all(|message| message.message_id == published[0].message_id));
    assert!(published[0].message_id.as_ref().unwrap().len() <= 128);
}

#[tokio::test(start_paused = true)]
async fn another_key_another_client_or_none_is_another_message() {
    let world = World::start().await;
    keyed(&world, "key-1", &order()).await.expect(202);
    keyed(&world, "key-2", &order()).await.expect(202);
    let of_na = [("authorization", &*bearer(KEY_NA)), ("idempotency-key", "key-1")];
    world.post_with("/v1/orders", &of_na, &order()).await.expect(202);
    world.post("/v1/orders", &order()).await.expect(202);
    world.post("/v1/orders", &order()).await.expect(202);
    let published = world.published();
    let ids: std::collections::BTreeSet<_> =
        published.iter().map(|message| message.message_id.clone()).collect();
    assert_eq!(ids.len(), 5);
}

#[tokio::test(start_paused = true)]
async fn the_same_key_with_another_body_is_refused() {
    let world = World::start().await;
    world.database.away.store(true, Ordering::SeqCst);
    keyed(&world, "key-1", &order()).await.expect(202);
    for (field, value) in [("amount", "30"), ("orderId", "CRM-2"), ("firstName", "Eve")] {
        let mut other = order();
        other[field] = value.into();
        assert_eq!(keyed(&world, "key-1", &other).await.problem(422), ["Idempotency-Key"]);
    }
    assert_eq!(world.published().len(), 1);
    // What was refused is not remembered.
    let mut bad = order();
    bad["amount"] = "0".into();
    assert_eq!(keyed(&world, "key-2", &bad).await.problem(422), ["amount"]);
    keyed(&world, "key-2", &order()).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn the_store_knows_keys_from_before_this_process() {
    let world = World::start().await;
    let id = keyed(&world, "key-1", &order()).await.expect(202)["messageId"].clone();
    let fresh = World::start().await;
    let seen = SeenMessage {
        fingerprint: "of another body".to_owned(),
        seen: Seen::Accepted("mid-na/order/CRM-1".to_owned()),
    };
    fresh.database.messages.lock().unwrap().insert(id.as_str().unwrap().to_owned(), seen);
    assert_eq!(keyed(&fresh, "key-1", &order()).await.problem(422), ["Idempotency-Key"]);
    // While it is away nobody knows: the worker will say so.
    fresh.database.away.store(true, Ordering::SeqCst);
    keyed(&fresh, "key-1", &order()).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn a_key_that_is_none_is_named() {
    let world = World::start().await;
    for key in ["", &"k".repeat(129)] {
        assert_eq!(keyed(&world, key, &order()).await.problem(422), ["Idempotency-Key"]);
    }
    let mut body = order();
    body["messageId"] = "one".into();
    assert_eq!(keyed(&world, "two", &body).await.problem(422), ["Idempotency-Key"]);
    body["messageId"] = json!("");
    assert_eq!(world.post("/v1/orders", &body).await.problem(422), ["messageId"]);
    keyed(&world, &"k".repeat(128), &order()).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn a_request_without_a_confirm_may_be_sent_again() {
    let world = World::start().await;
    world.queues.away.store(true, Ordering::SeqCst);
    keyed(&world, "key-1", &order()).await.problem(503);
    world.queues.away.store(false, Ordering::SeqCst);
    keyed(&world, "key-1", &order()).await.expect(202);
}
