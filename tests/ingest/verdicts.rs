//! Who waits for a verdict, how long, and how it is told.

use std::time::Duration;

use serde_json::{Value, json};

use crate::world::{World, lander, order, paused_now};

async fn order_with(world: &World, prefer: &str) -> crate::world::Answer {
    world.post_with("/v1/orders", &[("prefer", prefer)], &order()).await
}

fn declined(code: &str, errors: Value) -> Value {
    json!({"decline": {"code": code, "message": "for the customer", "errors": errors}})
}

#[tokio::test(start_paused = true)]
async fn whoever_does_not_wait_is_told_that_it_was_accepted() {
    let world = World::start().await;
    world.worker(&[("paid", json!({}))]);
    let answer = world.post("/v1/orders", &order()).await;
    let accepted = answer.expect(202);
    assert_eq!(accepted["status"], "accepted");
    assert_eq!(accepted["orderId"], "CRM-1");
    assert_eq!(accepted["links"]["self"], "/v1/orders/mid-na/CRM-1");
    assert_eq!(answer.header("location"), "/v1/orders/mid-na/CRM-1");
    let published = &world.published()[0];
    assert_eq!(accepted["messageId"], published.message_id.clone().unwrap());
    assert_eq!(published.routing_key, "order.import");
    assert_eq!(published.kind.as_deref(), Some("order.import"));
    assert_eq!(published.content_type.as_deref(), Some("application/json"));
    assert_eq!(published.timestamp, Some(1_769_839_200));
    assert_eq!((&published.reply_to, &published.correlation_id), (&None, &None));

    let mut upsell = order();
    upsell["upsellId"] = "u-1".into();
    let answer = world.post("/v1/upsells", &upsell).await.expect(202);
    assert_eq!(answer["upsellId"], "u-1");
    assert_eq!(answer["links"]["self"], "/v1/upsells/mid-na/CRM-1/u-1");
}

#[tokio::test(start_paused = true)]
async fn a_command_is_done_with_an_end_or_rest_and_not_with_pending() {
    for result in ["paid", "authorized", "declined", "failed", "canceled", "rejected"] {
        let world = World::start().await;
        world.worker(&[("pending", json!({})), (result, json!({"amount": "29.95"}))]);
        let answer = order_with(&world, "respond-async, wait=10").await.expect(200);
        assert_eq!(answer["status"], result);
        assert_eq!(answer["orderId"], "CRM-1");
        assert_eq!(answer["event"]["type"], format!("payments.order.{result}"));
        assert_eq!(answer["event"]["data"]["amount"], "29.95");
        assert_eq!(answer["links"]["self"], "/v1/orders/mid-na/CRM-1");
        let published = &world.published()[0];
        assert_eq!(published.reply_to.as_deref(), Some("replies-of-this-process"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_conflict_is_a_problem() {
    let world = World::start().await;
    let errors = json!([{"field": "amount", "message": "the payment is of 30.00"}]);
    world.worker(&[("rejected", declined("conflict", errors))]);
    let answer = order_with(&world, "wait=10").await;
    assert_eq!(answer.problem(409), ["amount"]);
    assert_eq!(answer.json()["orderId"], "CRM-1");
    world.worker(&[("rejected", declined("unknown_reference", json!([])))]);
    assert_eq!(order_with(&world, "wait=10").await.expect(200)["status"], "rejected");
}

#[tokio::test(start_paused = true)]
async fn the_wait_is_as_long_as_was_asked_for_and_no_longer_than_30_s() {
    let world = World::start().await;
    world.worker(&[("pending", json!({}))]);
    let cases = [
        ("wait=1", 1),
        ("wait=\"7\"", 7),
        ("Wait = 7 , handling=lenient", 7),
        ("wait=31", 30),
        ("wait=99999999999999999999999", 30),
        ("wait=0", 0),
        ("wait=-1", 0),
        ("wait=soon", 0),
        ("wait", 0),
        ("", 0),
    ];
    for (prefer, seconds) in cases {
        let begun = paused_now();
        let answer = order_with(&world, prefer).await.expect(202);
        assert_eq!(answer["status"], "accepted");
        assert_eq!(begun.elapsed().as_secs(), seconds, "{prefer}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reply_queue_that_is_lost_is_opened_again_and_is_no_error() {
    let world = World::start().await;
    world.worker(&[("paid", json!({}))]);
    world.queues.lose_replies();
    tokio::time::sleep(Duration::from_millis(1)).await;
    // It comes a moment too early, which it may.
    order_with(&world, "wait=5").await.expect(200);
    world.queues.lose_replies();
    tokio::time::sleep(Duration::from_millis(1)).await;
    world.post("/v1/orders", &order()).await.expect(202);
}

#[tokio::test(start_paused = true)]
async fn told_to_stop_nobody_waits_much_longer() {
    let world = World::start().await;
    let begun = paused_now();
    let (answer, ()) = tokio::join!(order_with(&world, "wait=30"), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.stop.cancel();
    });
    answer.expect(202);
    assert!(begun.elapsed() < Duration::from_secs(10));
}

#[tokio::test(start_paused = true)]
async fn the_crm_is_told_success_for_paid_and_authorized() {
    let world = World::start().await;
    let data = json!({
        "amount": "29.95",
        "capturedAmount": "29.95",
        "refundedAmount": "0.00",
        "currency": "USD",
        "amazonAuthorizationId": "S01-1-A1",
        "amazonCaptureId": "S01-1-C1",
        "buyer": {"firstName": "Amazon's", "lastName": "Lovelace"},
        "shippingAddress": {"addressLine1": "1 Main St", "city": "Seattle"},
    });
    world.worker(&[("paid", data)]);
    let order = world.form("/order/import/", &lander(&[("amount", "29.95")])).await.success();
    assert_eq!(order["orderId"], "CRM-1");
    assert_eq!(order["orderStatus"], "COMPLETE");
    assert_eq!(order["merchantTxnId"], "S01-1-C1");
    assert_eq!(order["totalAmount"], "29.95");
    assert_eq!(order["amountPaid"], "29.95");
    assert_eq!(order["firstName"], "Ada", "as in the request");
    assert_eq!(order["lastName"], "Lovelace");
    assert_eq!(order["shipCity"], "Seattle");
    assert_eq!(order["dateCreated"], "2026-01-31 06:00:00");

    world.worker(&[("authorized", json!({"amazonAuthorizationId": "S01-1-A1"}))]);
    let order = world.form("/order/import/", &lander(&[("amount", "29.95")])).await.success();
    assert_eq!(order["orderStatus"], "COMPLETE");
    assert_eq!(order["merchantTxnId"], "S01-1-A1");
}

#[tokio::test(start_paused = true)]
async fn the_crm_is_told_pending_when_no_verdict_came_or_none_was_waited_for() {
    let world = World::start().await;
    world.worker(&[("pending", json!({}))]);
    let begun = paused_now();
    let order = world.form("/order/import/", &lander(&[("amount", "5")])).await.success();
    assert_eq!(order["orderStatus"], "PENDING");
    assert_eq!(order["merchantTxnId"], Value::Null);
    assert_eq!(begun.elapsed().as_secs(), 18, "CRM_WAIT");

    world.worker(&[("paid", json!({}))]);
    let begun = paused_now();
    let fields = lander(&[("amount", "5"), ("async", "1")]);
    let order = world.form("/order/import/", &fields).await.success();
    assert_eq!(order["orderStatus"], "PENDING");
    assert_eq!(begun.elapsed().as_secs(), 0);
    let fields = lander(&[("amount", "5"), ("async", "0")]);
    let order = world.form("/order/import/", &fields).await.success();
    assert_eq!(order["orderStatus"], "COMPLETE");
}

#[tokio::test(start_paused = true)]
async fn the_crm_is_told_the_customer_s_text_or_the_fields_at_fault() {
    let errors = json!([{"field": "amazonOrderId", "message": "another payment was made"}]);
    let cases = [
        ("declined", declined("InvalidPaymentMethod", json!([])), json!("for the customer")),
        ("failed", declined("discarded", json!([])), json!("for the customer")),
        ("rejected", declined("invalid", json!([])), json!("for the customer")),
        (
            "rejected",
            declined("conflict", errors),
            json!({"amazonOrderId": "another payment was made"}),
        ),
        ("canceled", json!({}), json!("The order was canceled.")),
    ];
    for (result, data, message) in cases {
        let world = World::start().await;
        world.worker(&[(result, data)]);
        let answer = world.form("/order/import/", &lander(&[("amount", "5")])).await.expect(200);
        assert_eq!(answer, json!({"result": "ERROR", "message": message}));
    }
}
