//! What is not acceptable: it is told to whoever can read it, by field, it lies in the dead
//! letters, nobody is charged, and the worker goes on.

use futures_util::future::join_all;
use lapin::BasicProperties;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::amqp::Tap;
use crate::support::app::{MID, order};
use crate::support::http::{Reply, Server};
use crate::support::sim::Reference;
use crate::support::{App, Combination, Queues, eventually, on_every_api, on_every_queue};
use crate::world::{accepted, assert_event, assert_names, captured, dead_letter, moved, verdict};

on_every_api!(what_is_wrong_with_a_request_is_named);
on_every_queue!(a_message_that_is_not_acceptable_stops_nobody, what_nobody_routes_is_kept);

fn assert_problem(reply: &Reply, status: u16, fields: &[&str]) {
    let problem = reply.expect(status);
    assert_eq!(reply.header("content-type"), Some("application/problem+json"), "{problem}");
    assert_eq!(problem["status"], status, "{problem}");
    for name in ["type", "title", "detail"] {
        assert!(problem[name].as_str().is_some_and(|text| !text.is_empty()), "{problem}");
    }
    for field in fields {
        assert_names(&problem["errors"], field);
    }
}

async fn what_is_wrong_with_a_request_is_named(combination: Combination) {
    let app = App::builder(combination).env("INGEST_RATE_PER_CLIENT", 20).start().await;
    let reference = app.reference(Value::Null).await;
    let good = order("o-1", &reference);
    let send = async |server: &Server, media: &str, body: String| {
        let headers: Vec<(&str, &str)> =
            if media.is_empty() { vec![] } else { vec![("content-type", media)] };
        // Slower than the limit that the last lines of this test run into.
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        server.send(Method::POST, "/v1/orders", &headers, body).await
    };
    let json_media = "application/json";
    for body in ["", "{", "[1]", "\"text\"", "{\"orderId\":\"a\"} x"] {
        assert_problem(&send(&app.api, json_media, body.to_owned()).await, 400, &[]);
    }
    assert_problem(&send(&app.anonymous, json_media, good.to_string()).await, 401, &[]);
    let wrong = app.anonymous.with_bearer("nobody's key");
    assert_problem(&send(&wrong, json_media, good.to_string()).await, 401, &[]);
    let stranger = app.add_client(&["another"]);
    let stranger = app.anonymous.with_bearer(stranger.api_key);
    let refused = eventually("the new client", async || {
        let reply = send(&stranger, json_media, good.to_string()).await;
        (reply.status != 401).then_some(reply)
    })
    .await;
    assert_problem(&refused, 403, &[]);
    assert_problem(&app.api.get("/v1/nothing").await, 404, &[]);
    assert_problem(&app.api.delete("/v1/orders").await, 405, &[]);
    let mut long = good.clone();
    long["note"] = json!("x".repeat(65_536));
    assert_problem(&send(&app.api, json_media, long.to_string()).await, 413, &[]);
    assert_problem(&send(&app.api, "text/plain", good.to_string()).await, 415, &[]);
    fields_are_named(&app, &good).await;
    crm_fields_are_named(&app, &reference).await;
    let text = r#"{"orderId":"a","orderId":"b"}"#;
    assert_problem(&send(&app.api, json_media, text.to_owned()).await, 422, &["orderId"]);
    // Many at once: one by one a slow machine never comes to the limit.
    let throttled = eventually("the limit", async || {
        let replies = join_all((0..100).map(|_| app.api.get("/v1/events"))).await;
        replies.into_iter().find(|reply| reply.status == 429)
    })
    .await;
    assert_problem(&throttled, 429, &[]);
    assert!(throttled.header("retry-after").is_some_and(|text| text.parse::<u64>().is_ok()));
    tokio::time::sleep(std::time::Duration::from_secs(2)).await;
    // Nothing of all that was taken for an order, and ingest goes on.
    assert!(moved(&app, &reference.id).await.is_empty());
    assert_eq!(verdict(&app, "good", &good).await["data"]["status"], "paid");
    assert_eq!(app.anonymous.status("/livez").await, Some(200));
    assert_eq!(app.anonymous.get("/openapi.json").await.expect(200)["openapi"], "3.1.0");
}

async fn fields_are_named(app: &App, good: &Value) {
    for (field, value) in [
        ("orderId", json!("with space")),
        ("orderId", json!("x".repeat(65))),
        ("orderId", Value::Null),
        ("orderId", json!(7)),
        ("amount", json!("29.955")),
        ("amount", json!("-1.00")),
        ("amount", json!("0.00")),
        ("amount", json!("01.00")),
        ("amount", json!(29.95)),
        ("amount", json!("1e3")),
        ("currency", json!("EUR")),
        ("currency", json!("XXX")),
        ("amazonBillerId", json!("nobody")),
        ("paySource", json!("CREDITCARD")),
        ("capture", json!("never")),
        ("authorization", json!("maybe")),
        ("softDescriptor", json!("seventeen letters")),
        ("note", json!("x".repeat(256))),
        ("unheardOf", json!("x")),
    ] {
        let mut body = good.clone();
        body[field] = value.clone();
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        let reply = app.api.post("/v1/orders", &body).await;
        assert_eq!(reply.status, 422, "{field} = {value}: {}", reply.text);
        assert_problem(&reply, 422, &[field]);
    }
    let all = json!({"amount": "x", "currency": 5, "what": 1});
    let reply = app.api.post("/v1/orders", &all).await;
    let names = ["orderId", "amazonBillerId", "amazonOrderId", "amount", "currency", "what"];
    assert_problem(&reply, 422, &names);
    let reply = app.api.post("/v1/upsells", &json!({"orderId": "o-1", "amount": "1.00"})).await;
    assert_problem(&reply, 422, &["upsellId", "amazonBillerId", "currency"]);
}

async fn crm_fields_are_named(app: &App, reference: &Reference) {
    let good = [
        ("orderId", "o-1"),
        ("amazonBillerId", MID),
        ("amazonOrderId", reference.id.as_str()),
        ("amount", "29.95"),
        ("paySource", "AMAZON"),
    ];
    for (field, value) in [
        ("amount", "29.955"),
        ("amount", "-1"),
        ("currency", "EUR"),
        ("orderId", "with space"),
        ("amazonBillerId", "nobody"),
        ("amazonOrderId", ""),
    ] {
        let fields: Vec<(&str, &str)> = good
            .iter()
            .map(|(name, known)| (*name, if *name == field { value } else { *known }))
            .chain((field == "currency").then_some((field, value)))
            .collect();
        tokio::time::sleep(std::time::Duration::from_millis(60)).await;
        let answer = app.crm("/order/import/", &fields).await;
        assert_eq!(answer["result"], "ERROR", "{field}: {answer}");
        let named = &answer["message"][field];
        assert!(named.as_str().is_some_and(|text| !text.is_empty()), "{field}: {answer}");
    }
    // The same parameter twice, and each time otherwise.
    let path = format!("/order/import/?amount=1.00&loginId={}", app.client.login_id);
    let password = [("password", app.client.password.as_str())];
    let answer = app.anonymous.post_form(&path, &[&good[..], &password].concat()).await.expect(200);
    assert_eq!(answer["result"], "ERROR", "{answer}");
    assert!(answer["message"]["amount"].is_string(), "{answer}");
    let nobody = [("loginId", "nobody"), ("password", "nothing")];
    let answer = app.anonymous.post_form("/order/import/", &[&good[..], &nobody].concat()).await;
    assert_eq!(answer.expect(200)["result"], "ERROR");
    let long = "x".repeat(65_536);
    let long = app.anonymous.post_form("/order/import/", &[("note", long.as_str())]).await;
    assert_eq!(long.expect(413)["result"], "ERROR");
}

/// A bad message: its body, what is odd about its properties, the code and the field to be named.
type Bad =
    (&'static str, Vec<u8>, fn(BasicProperties) -> BasicProperties, &'static str, &'static str);

fn bad_messages(good: &Value) -> Vec<Bad> {
    let same: fn(BasicProperties) -> BasicProperties = |properties| properties;
    let text = good.to_string();
    let with = |field: &str, value: Value| {
        let mut body = good.clone();
        body[field] = value;
        body.to_string().into_bytes()
    };
    let twice = text.replacen('{', r#"{"orderId":"other","#, 1).into_bytes();
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    let deep = text.replacen('{', &format!(r#"{{"deep":{deep},"#), 1).into_bytes();
    let good_bytes = text.clone().into_bytes();
    vec![
        ("cut", text.as_bytes()[..text.len() - 2].to_vec(), same, "malformed", ""),
        ("junk", vec![0, 159, 146, 150], same, "malformed", ""),
        ("list", b"[]".to_vec(), same, "malformed", ""),
        ("twice", twice, same, "", "orderId"),
        ("deep", deep, same, "", ""),
        ("long", with("note", json!("x".repeat(65_536))), same, "", ""),
        ("digits", with("amount", json!("29.955")), same, "invalid", "amount"),
        ("negative", with("amount", json!("-29.95")), same, "invalid", "amount"),
        ("number", with("amount", json!(29.95)), same, "invalid", "amount"),
        ("foreign", with("currency", json!("EUR")), same, "invalid", "currency"),
        ("strange", with("currency", json!("ABC")), same, "invalid", "currency"),
        ("missing", with("amazonOrderId", Value::Null), same, "invalid", "amazonOrderId"),
        ("nobody", with("amazonBillerId", json!("nobody")), same, "unknown_mid", "amazonBillerId"),
        ("type", good_bytes.clone(), |own| own.with_type("upsell.import".into()), "", "type"),
        ("media", good_bytes, |own| own.with_content_type("text/plain".into()), "", "content_type"),
    ]
}

async fn a_message_that_is_not_acceptable_stops_nobody(combination: Combination) {
    let app = App::start(combination).await;
    let queues = app.queues().await;
    let mut events = queues.events("#").await;
    let mut replies = queues.replies().await;
    let reference = app.reference(Value::Null).await;
    let good = order("o-1", &reference);
    let bad = bad_messages(&good);
    for (id, body, odd, code, field) in &bad {
        let properties = BasicProperties::default()
            .with_message_id((*id).into())
            .with_content_type("application/json".into())
            .with_reply_to(replies.queue.as_str().into())
            .with_correlation_id((*id).into());
        queues.publish("payments.commands", "order.import", body, odd(properties)).await;
        let event = events.event().await;
        assert_event(&event);
        assert_eq!(event["type"], "payments.order.rejected", "{id}: {event}");
        let data = &event["data"];
        assert_eq!(data["messageId"], *id, "{event}");
        let decline = &data["decline"];
        assert!(code.is_empty() || decline["code"] == *code, "{id}: {event}");
        assert!(
            ["malformed", "invalid", "unknown_mid"].iter().any(|code| decline["code"] == *code)
        );
        assert_eq!((&decline["type"], &decline["retryable"]), (&json!("hard"), &json!(false)));
        if field.is_empty() {
            assert!(!decline["errors"].as_array().unwrap().is_empty(), "{id}: {event}");
        } else {
            assert_names(&decline["errors"], field);
        }
        for absent in ["sequence", "epoch", "amount", "capturedAmount"] {
            assert!(data.get(absent).is_none(), "{id}: {event}");
        }
        assert_eq!(replies.event().await, event, "{id}");
        let letter = dead_letter(&app, |letter| letter["messageId"] == *id).await;
        assert_eq!((&letter["reason"], &letter["status"]), (&json!("rejected"), &json!("open")));
        assert_eq!(
            (&letter["kind"], &letter["routingKey"]),
            (&json!("order"), &json!("order.import"))
        );
        assert!(
            !app.cli(&["dead-letter", "redrive", letter["id"].as_str().unwrap()], "")
                .status
                .success()
        );
    }
    // The worker goes on; another message for that order is judged afresh.
    queues.command("order.import", "good", &good).await;
    let paid = events.event().await;
    assert_eq!(paid["data"]["status"], "paid", "{paid}");
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    let foreign = other_currencies(&app, &queues, &mut events).await;
    app.cli_done(&["dead-letter", "discard", "--reason", "rejected"]);
    let letters = app.cli_json(&["dead-letter", "list", "--json"]);
    let letters = letters.as_array().unwrap();
    assert_eq!(letters.len(), bad.len() + foreign);
    assert!(letters.iter().all(|letter| letter["status"] == "discarded"), "{letters:?}");
}

/// The region of the MID is that of its operations, whether the payment is known or not; but what
/// was asked for before is the same or none. How many were rejected.
async fn other_currencies(app: &App, queues: &Queues, events: &mut Tap) -> usize {
    let reference = app.reference(Value::Null).await;
    let mut manual = order("o-m", &reference);
    manual["capture"] = json!("manual");
    queues.command("order.import", "manual", &manual).await;
    assert_eq!(events.event().await["data"]["status"], "authorized");
    let capture = |order_id: &str, currency: &str| {
        json!({
            "requestId": "c-1", "amazonBillerId": MID, "orderId": order_id, "amount": "29.95",
            "currency": currency,
        })
    };
    queues.command("capture.request", "euro", &capture("o-m", "EUR")).await;
    let first = events.event().await;
    queues.command("capture.request", "euro of nothing", &capture("o-n", "EUR")).await;
    let second = events.event().await;
    queues.command("capture.request", "dollar", &capture("o-m", "USD")).await;
    assert_eq!(events.event().await["data"]["status"], "paid");
    queues.command("capture.request", "euro again", &capture("o-m", "EUR")).await;
    let third = events.event().await;
    let all = [(first, "invalid"), (second, "invalid"), (third, "conflict")];
    for (rejected, code) in &all {
        assert_eq!(rejected["data"]["status"], "operation_rejected", "{rejected}");
        assert_eq!(rejected["data"]["decline"]["code"], *code, "{rejected}");
        assert_names(&rejected["data"]["decline"]["errors"], "currency");
        assert!(rejected["data"].get("amazonOrderId").is_none(), "{rejected}");
    }
    assert_eq!(captured(app, &reference.id).await, ["29.95"]);
    all.len()
}

async fn what_nobody_routes_is_kept(combination: Combination) {
    let app = App::start(combination).await;
    let queues = app.queues().await;
    let mut events = queues.events("#").await;
    let reference = app.reference(Value::Null).await;
    let good = order("o-1", &reference);
    let bytes = good.to_string();
    for key in ["order.imprt", "nothing", "order", "notification.imprt", "notification.capture"] {
        let properties = BasicProperties::default().with_message_id(key.into());
        queues.publish("payments.commands", key, bytes.as_bytes(), properties).await;
        let letter = dead_letter(&app, |letter| letter["messageId"] == key).await;
        assert_eq!((&letter["reason"], &letter["routingKey"]), (&json!("rejected"), &json!(key)));
    }
    // Without a message id: rejected, each time that it comes.
    for _ in 0..2 {
        let properties = BasicProperties::default();
        queues.publish("payments.commands", "order.import", bytes.as_bytes(), properties).await;
        let event = events.event().await;
        assert_event(&event);
        assert_eq!(event["data"]["status"], "rejected", "{event}");
        assert!(event["data"].get("messageId").is_none(), "{event}");
        assert_names(&event["data"]["decline"]["errors"], "message_id");
        assert_eq!(event["data"]["orderId"], "o-1");
    }
    let key = accepted(&app, "good", &good).await;
    let paid = events.event().await;
    assert_eq!(
        (&paid["data"]["status"], &paid["data"]["messageId"]),
        (&json!("paid"), &json!(key))
    );
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
}
