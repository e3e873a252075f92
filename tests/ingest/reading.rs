//! What is looked up: payments, their steps, the feed, the CRM's query.

use amazon_pay_worker::domain::command::{
    Asker, AuthorizationMode, CaptureMode, PaymentKey, Sale, Subject, Texts,
};
use amazon_pay_worker::domain::ids::{
    CaptureId, MerchantAccountId, MessageId, OrderId, ReferenceId, UpsellId,
};
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::domain::payment::{Payment, Phase};
use amazon_pay_worker::ports::relay::FeedRow;
use amazon_pay_worker::ports::store::{JournalEntry, OutboxEntry};
use serde_json::{Value, json};

use crate::world::{KEY_NA, World, bearer};

/// A payment just taken.
pub(crate) fn payment(mid: &str, order: &str) -> Payment {
    let subject = Subject::Order(OrderId::new(order).unwrap());
    let sale = Sale {
        key: PaymentKey { mid: MerchantAccountId::new(mid).unwrap(), subject },
        reference: Some(ReferenceId::new("S01-1").unwrap()),
        amount: Money::from_minor(2995, Currency::USD),
        capture: CaptureMode::Immediate,
        authorization: AuthorizationMode::SyncThenAsync,
        initial_charge: true,
        of_order: None,
        not_before: None,
        texts: Texts::default(),
    };
    let asker = Asker {
        message_id: MessageId::new("ingest-1").unwrap(),
        reply_to: None,
        correlation_id: None,
        traceparent: None,
    };
    Payment::open(sale, asker, "na/sandbox/SELLER".to_owned(), 1_769_839_200_000)
}

/// The same, paid, with its event stored.
fn paid(world: &World, mid: &str, order: &str) -> Payment {
    let mut payment = payment(mid, order);
    payment.phase = Phase::Paid;
    payment.captured = payment.amount;
    payment.capture_id = Some(CaptureId::new("S01-1-C1").unwrap());
    payment.latest_event = Some("evt_paid".to_owned());
    let document = json!({"id": "evt_paid", "data": {
        "status": "paid",
        "amount": "29.95",
        "capturedAmount": "29.95",
        "refundedAmount": "0.00",
        "amazonCaptureId": "S01-1-C1",
        "buyer": {"firstName": "Ada"},
    }});
    let body = world.vault.seal("event/evt_paid", document.to_string().as_bytes());
    let entry = OutboxEntry {
        event_id: "evt_paid".to_owned(),
        subject: payment.id(),
        mid: Some(mid.to_owned()),
        routing_key: "order.paid".to_owned(),
        body,
        replies: Vec::new(),
        payment_id: None,
        done: true,
        replay: false,
        traceparent: None,
        created_at: 0,
    };
    world.database.events.lock().unwrap().insert("evt_paid".to_owned(), entry);
    payment
}

#[tokio::test(start_paused = true)]
async fn a_payment_is_shown_as_its_last_event_told_with_today_s_amounts() {
    let world = World::start().await;
    let mut payment = paid(&world, "mid-na", "CRM-1");
    payment.refunded = Money::from_minor(1000, Currency::USD);
    world.database.payments.lock().unwrap().push(payment);
    let shown = world.get("/v1/orders/mid-na/CRM-1").await.expect(200);
    assert_eq!(shown["status"], "paid");
    assert_eq!(shown["data"]["amazonCaptureId"], "S01-1-C1");
    assert_eq!(shown["data"]["buyer"]["firstName"], "Ada");
    assert_eq!(shown["data"]["capturedAmount"], "29.95");
    assert_eq!(shown["data"]["refundedAmount"], "10.00", "as it is now");
    assert_eq!(shown["timeline"], Value::Null);
}

#[tokio::test(start_paused = true)]
async fn a_payment_that_has_told_nothing_yet_is_shown_as_it_is() {
    let world = World::start().await;
    world.get("/v1/orders/mid-na/CRM-1").await.problem(404);
    let mut upsell = payment("mid-na", "CRM-1");
    let order = OrderId::new("CRM-1").unwrap();
    upsell.key.subject = Subject::Upsell(order, UpsellId::new("7").unwrap());
    *world.database.payments.lock().unwrap() = vec![payment("mid-na", "CRM-1"), upsell];
    let shown = world.get("/v1/orders/mid-na/CRM-1").await.expect(200);
    assert_eq!(shown["data"]["orderId"], "CRM-1");
    assert_eq!(shown["data"]["amount"], "29.95");
    assert_eq!(shown["data"]["capturedAmount"], "0.00");
    assert_eq!(shown["status"], "accepted");
    let shown = world.get("/v1/upsells/mid-na/CRM-1/7").await.expect(200);
    assert_eq!(shown["data"]["upsellId"], "7");
}

#[tokio::test(start_paused = true)]
async fn on_demand_every_step_is_told() {
    let world = World::start().await;
    world.database.payments.lock().unwrap().push(payment("mid-na", "CRM-1"));
    let row = |payment_id: &str, detail: &str| JournalEntry {
        payment_id: payment_id.to_owned(),
        at: 1_769_839_200_007,
        kind: "run".to_owned(),
        name: String::new(),
        detail: detail.to_owned(),
    };
    let run = r#"[
        {"at":1769839200000,"kind":"call","name":"authorize","detail":{"result":"answered"}},
        {"at":1769839200001,"kind":"event","name":"order.paid","detail":{"id":"evt_paid"}}
    ]"#;
    *world.database.steps.lock().unwrap() =
        vec![row("mid-na/order/CRM-1", run), row("mid-na/order/CRM-2", "[]")];
    let shown = world.get("/v1/orders/mid-na/CRM-1?timeline=1").await.expect(200);
    let expected = json!([
        {"at": "2026-01-31T06:00:00.000Z", "kind": "call", "name": "authorize",
         "detail": {"result": "answered"}},
        {"at": "2026-01-31T06:00:00.001Z", "kind": "event", "name": "order.paid",
         "detail": {"id": "evt_paid"}},
    ]);
    assert_eq!(shown["timeline"], expected);
    let answer = world.get("/v1/orders/mid-na/CRM-1?timeline=yes").await;
    assert_eq!(answer.problem(422), ["timeline"]);
}

fn publish(world: &World, mid: &str, position: i64) -> String {
    let event_id = format!("evt_{position}");
    let document = format!("{{\"id\":\"{event_id}\",  \"data\":{{}}}}");
    let body = world.vault.seal(&format!("event/{event_id}"), document.as_bytes());
    let row = FeedRow { position, event_id, body };
    world.database.feed.lock().unwrap().push((mid.to_owned(), row));
    document
}

#[tokio::test(start_paused = true)]
async fn the_feed_is_read_page_by_page() {
    let world = World::start().await;
    let first = publish(&world, "mid-na", 3);
    publish(&world, "mid-eu", 4);
    publish(&world, "mid-na", 9);
    let answer = world.get("/v1/events?limit=2").await;
    let page = answer.expect(200);
    assert_eq!(page["events"].as_array().unwrap().len(), 2);
    assert!(answer.text.contains(&first), "byte for byte: {}", answer.text);
    let next = page["next"].as_str().unwrap();
    let page = world.get(&format!("/v1/events?limit=2&after={next}")).await.expect(200);
    assert_eq!(page["events"][0]["id"], "evt_9");
    let next = page["next"].as_str().unwrap().to_owned();
    let page = world.get(&format!("/v1/events?after={next}")).await.expect(200);
    assert_eq!(page, json!({"events": [], "next": next}));

    let of_na = [("authorization", &*bearer(KEY_NA))];
    let page = world.request("GET", "/v1/events", &of_na, "").await.expect(200);
    let ids: Vec<_> = page["events"].as_array().unwrap().iter().map(|event| &event["id"]).collect();
    assert_eq!(ids, ["evt_3", "evt_9"], "only the client's accounts");
}

#[tokio::test(start_paused = true)]
async fn a_cursor_or_limit_that_is_none_is_named() {
    let world = World::start().await;
    for after in ["x", "c", "c-1", "7", "c99999999999999999999", "c1x"] {
        let answer = world.get(&format!("/v1/events?after={after}")).await;
        assert_eq!(answer.problem(422), ["after"], "{after}");
    }
    for limit in ["0", "-1", "1001", "ten", "1.5"] {
        let answer = world.get(&format!("/v1/events?limit={limit}")).await;
        assert_eq!(answer.problem(422), ["limit"], "{limit}");
    }
    world.get("/v1/events?after=&limit=1000").await.expect(200);
    assert_eq!(world.get("/v1/events?since=1").await.problem(422), ["since"]);
    assert_eq!(world.get("/v1/events?limit=1&limit=2").await.problem(422), ["limit"]);
}

#[tokio::test(start_paused = true)]
async fn the_crm_asks_for_orders_of_its_own_accounts() {
    let world = World::start().await;
    let none = "No orders matching those parameters could be found";
    assert_eq!(world.form("/order/query/", &[("orderId", "CRM-1")]).await.refused(200), [none]);
    assert_eq!(world.form("/order/query", &[]).await.refused(200), ["orderId"]);

    let mut declined = payment("mid-eu", "CRM-1");
    declined.phase = Phase::Declined;
    *world.database.payments.lock().unwrap() = vec![paid(&world, "mid-na", "CRM-1"), declined];
    let page = world.form("/order/query/", &[("orderId", "CRM-1")]).await.success();
    assert_eq!((&page["totalResults"], &page["resultsPerPage"]), (&json!(2), &json!(25)));
    let order = &page["data"][0];
    assert_eq!(order["orderId"], "CRM-1");
    assert_eq!(order["orderStatus"], "COMPLETE");
    assert_eq!(order["merchantTxnId"], "S01-1-C1");
    assert_eq!(order["totalAmount"], "29.95");
    assert_eq!(order["firstName"], "Ada");
    assert_eq!(page["data"][1]["orderStatus"], "DECLINED");

    let fields = [("orderId", "CRM-1"), ("resultsPerPage", "1"), ("page", "2")];
    let page = world.form("/order/query/", &fields).await.success();
    assert_eq!((&page["totalResults"], &page["page"]), (&json!(2), &json!(2)));
    assert_eq!(page["data"].as_array().unwrap().len(), 1);
    for more in [("amazonBillerId", "mid-eu"), ("orderStatus", "DECLINED")] {
        let page = world.form("/order/query/", &[("orderId", "CRM-1"), more]).await.success();
        assert_eq!(page["totalResults"], 1);
        assert_eq!(page["data"][0]["amazonBillerId"], "mid-eu");
    }

    let of_na = [("authorization", &*bearer(KEY_NA))];
    let answer = world.request("GET", "/order/query/?orderId=CRM-1", &of_na, "").await;
    assert_eq!(answer.success()["totalResults"], 1);
    for bad in [("page", "0"), ("resultsPerPage", "many"), ("orderId", "a b")] {
        let fields = [("orderId", "CRM-1"), bad];
        let fields = if bad.0 == "orderId" { &fields[1..] } else { &fields[..] };
        assert_eq!(world.form("/order/query/", fields).await.refused(200), [bad.0]);
    }
}
