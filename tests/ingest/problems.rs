//! Every row of the contract's table of errors.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use crate::world::{KEY, World, bearer, lander, order};

#[tokio::test(start_paused = true)]
async fn a_body_that_is_no_json_object_in_utf_8() {
    let world = World::start().await;
    let key = bearer(KEY);
    let headers = [("authorization", &*key), ("content-type", "application/json; charset=utf-8")];
    for body in [&b""[..], b"{", b"[]", b"\"x\"", b"{} {}", b"{\"orderId\":\"\xff\"}"] {
        let answer = world.request("POST", "/v1/orders", &headers, body.to_vec()).await;
        answer.problem(400);
    }
}

#[tokio::test(start_paused = true)]
async fn another_media_type() {
    let world = World::start().await;
    for media in ["text/plain", "application/x-www-form-urlencoded", "application/jsonx", ""] {
        world.post_with("/v1/orders", &[("content-type", media)], &order()).await.problem(415);
    }
    let key = bearer(KEY);
    let headers = [("authorization", &*key)];
    let answer = world.request("POST", "/v1/orders", &headers, order().to_string()).await;
    answer.problem(415);
}

#[tokio::test(start_paused = true)]
async fn nothing_there_or_not_by_this_method() {
    let world = World::start().await;
    for path in ["/", "/v1", "/v1/orders/mid-na", "/v1/orders/", "/order", "/leads/import/"] {
        world.get(path).await.problem(404);
    }
    for path in ["/v1/orders/mid-na/CRM-1", "/v1/upsells/mid-na/CRM-1/7"] {
        world.get(path).await.problem(404);
    }
    for path in ["/v1/orders/mid-na/a%20b", "/v1/orders/mid-na/%ff", "/v1/orders/mid%2Fna/1"] {
        world.get(path).await.problem(404);
    }
    let key = bearer(KEY);
    let headers = [("authorization", &*key)];
    let cases = [
        ("GET", "/v1/orders", "POST"),
        ("PUT", "/v1/orders", "POST"),
        ("POST", "/v1/events", "GET,HEAD"),
        ("DELETE", "/v1/orders/mid-na/CRM-1", "GET,HEAD"),
        ("POST", "/livez", "GET,HEAD"),
    ];
    for (method, path, allow) in cases {
        let answer = world.request(method, path, &headers, "").await;
        answer.problem(405);
        assert_eq!(answer.header("allow"), allow, "{method} {path}");
    }
    for method in ["PUT", "DELETE", "HEAD"] {
        let answer = world.request(method, "/order/import/", &headers, "").await;
        assert_eq!((answer.status, answer.header("content-type")), (405, "application/json"));
        assert_eq!(answer.header("allow"), "GET,POST", "{method}");
    }
}

#[tokio::test(start_paused = true)]
async fn too_large() {
    let world = World::start().await;
    let long = "x".repeat(64 * 1024);
    let mut body = order();
    body["note"] = long.clone().into();
    world.post("/v1/orders", &body).await.problem(413);
    world.form("/order/import/", &lander(&[("note", &long)])).await.refused(413);
    // As long as is allowed is read: what is wrong with it is something else.
    let key = bearer(KEY);
    let headers = [("authorization", &*key), ("content-type", "application/json")];
    let exact = order().to_string();
    let exact = exact.clone() + &" ".repeat(64 * 1024 - exact.len());
    world.request("POST", "/v1/orders", &headers, exact.clone()).await.expect(202);
    world.request("POST", "/v1/orders", &headers, exact + " ").await.problem(413);
}

#[tokio::test(start_paused = true)]
async fn every_bad_field_at_once() {
    let world = World::start().await;
    let body = json!({
        "orderId": "a b",
        "amazonBillerId": "mid-na",
        "amazonOrderId": 7,
        "amount": 29.95,
        "currency": "usd",
        "paySource": "CREDITCARD",
        "capture": "later",
        "softDescriptor": "longer than sixteen",
        "note": "x".repeat(256),
        "recurring": true,
        "amuont": "29.95",
        "messageId": 7,
    });
    let mut fields = world.post("/v1/orders", &body).await.problem(422);
    fields.sort();
    let expected = [
        "amazonOrderId",
        "amount",
        "amuont",
        "capture",
        "currency",
        "messageId",
        "note",
        "orderId",
        "paySource",
        "recurring",
        "softDescriptor",
    ];
    assert_eq!(fields, expected);

    let mut missing = world.post("/v1/upsells", &json!({})).await.problem(422);
    missing.sort();
    assert_eq!(missing, ["amazonBillerId", "amount", "currency", "orderId", "upsellId"]);
    assert!(world.published().is_empty());
}

#[tokio::test(start_paused = true)]
async fn one_bad_field() {
    let world = World::start().await;
    let cases: [(&str, Value); 9] = [
        ("amount", json!("0")),
        ("amount", json!("0.00")),
        ("amount", json!("29.955")),
        ("amount", json!(null)),
        ("currency", json!("EUR")),
        ("amazonBillerId", json!(null)),
        ("amazonOrderId", json!("S01/1")),
        ("orderId", json!("x".repeat(65))),
        ("sealed", json!("forged")),
    ];
    for (field, value) in cases {
        let mut body = order();
        body[field] = value;
        assert_eq!(world.post("/v1/orders", &body).await.problem(422), [field]);
    }
    let key = bearer(KEY);
    let headers = [("authorization", &*key), ("content-type", "application/json")];
    let twice = order().to_string().replacen('{', "{\"orderId\":\"CRM-1\",", 1);
    let answer = world.request("POST", "/v1/orders", &headers, twice).await;
    assert_eq!(answer.problem(422), ["orderId"]);
    let answer = world.post("/v1/orders?dryRun=1", &order()).await;
    assert_eq!(answer.problem(422), ["dryRun"]);
    assert!(world.published().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_broker_is_away() {
    let world = World::start().await;
    world.queues.away.store(true, Ordering::SeqCst);
    let before = crate::world::paused_now();
    let answer = world.post("/v1/orders", &order()).await;
    answer.problem(503);
    assert!(!answer.header("retry-after").is_empty());
    assert!(before.elapsed().as_secs() < 10, "within 10 s");
    let before = crate::world::paused_now();
    world.form("/order/import/", &lander(&[("amount", "5")])).await.refused(503);
    assert!(before.elapsed().as_secs() < 10, "within 10 s");

    // A moment without a broker is no answer yet.
    world.queues.away.store(false, Ordering::SeqCst);
    world.queues.refuses.store(3, Ordering::SeqCst);
    world.post("/v1/orders", &order()).await.expect(202);
    assert_eq!(world.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn the_broker_is_away_and_the_database_does_not_answer() {
    let world = World::start().await;
    world.queues.away.store(true, Ordering::SeqCst);
    world.queues.lose_replies();
    world.database.hangs.store(true, Ordering::SeqCst);
    let headers = [("idempotency-key", "k-1"), ("prefer", "wait=30")];
    let before = crate::world::paused_now();
    world.post_with("/v1/orders", &headers, &order()).await.problem(503);
    assert!(before.elapsed().as_secs() < 10, "within 10 s");
    let before = crate::world::paused_now();
    let mut unknown = order();
    unknown["amazonBillerId"] = json!("mid-new");
    world.post_with("/v1/orders", &headers, &unknown).await.problem(503);
    assert!(before.elapsed().as_secs() < 10, "within 10 s");
    // Of several accounts, the store alone knows which has the order.
    let before = crate::world::paused_now();
    world.form("/order/cancel/", &[("orderId", "CRM-1")]).await.refused(503);
    assert!(before.elapsed().as_secs() < 10, "within 10 s");
    // Who asks after others waits for no look but one.
    let before = crate::world::paused_now();
    let nobody = [("authorization", "Bearer nobody's")];
    let asked = (0..5).map(|_| world.request("GET", "/v1/events", &nobody, ""));
    for answer in futures_util::future::join_all(asked).await {
        answer.problem(503);
    }
    assert!(before.elapsed().as_secs() < 10, "within 10 s");
}

#[tokio::test(start_paused = true)]
async fn the_database_is_away() {
    let world = World::start().await;
    world.database.away.store(true, Ordering::SeqCst);
    for path in ["/v1/orders/mid-na/CRM-1", "/v1/upsells/mid-na/CRM-1/7", "/v1/events"] {
        let answer = world.get(path).await;
        answer.problem(503);
        assert!(!answer.text.contains("secret-host"));
    }
    world.form("/order/query/", &[("orderId", "1")]).await.refused(503);
}

#[tokio::test(start_paused = true)]
async fn ready_says_in_words_what_is_not() {
    let world = World::start().await;
    let ask = async || world.request("GET", "/readyz", &[], "").await;
    ask().await.expect(200);
    world.database.away.store(true, Ordering::SeqCst);
    let answer = ask().await;
    assert_eq!(answer.expect(503)["detail"], "the database is away");
    world.queues.away.store(true, Ordering::SeqCst);
    let answer = ask().await;
    answer.problem(503);
    assert_eq!(answer.json()["detail"], "the broker is away; the database is away");
    assert!(!answer.text.contains("secret-host"));
    world.request("GET", "/livez", &[], "").await.expect(200);
    world.queues.away.store(false, Ordering::SeqCst);
    world.database.away.store(false, Ordering::SeqCst);
    ask().await.expect(200);
}

#[tokio::test(start_paused = true)]
async fn operations_that_lack_a_field_are_refused_in_the_language_of_their_path() {
    let world = World::start().await;
    // Of several merchant accounts none has the order.
    for path in ["/order/cancel/", "/order/cancel", "/order/refund/", "/order/refund"] {
        world.form(path, &[("orderId", "1")]).await.refused(200);
    }
    world.post("/v1/charges", &json!({})).await.problem(422);
    world.post("/v1/orders/mid-na/CRM-1/refunds", &json!({})).await.problem(422);
    let other = json!({"requestId": "r-1", "amount": "1.50", "currency": "EUR"});
    let answer = world.post("/v1/orders/mid-na/CRM-1/refunds", &other).await;
    assert_eq!(answer.problem(422), ["currency"]);
}
