//! An order that is paid, by each way in: the project's own API and the CRM's paths in all five
//! encodings. What comes out is the same everywhere.

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::app::{MID, order};
use crate::support::{Api, App, Combination, eventually, on_every_api};
use crate::world::{ask, captured, moved, of_order, told, verdict};
use crate::{mws, v2};

on_every_api!(
    an_order_over_the_api_is_paid,
    every_encoding_of_the_crm_is_paid,
    the_statement_says_what_the_command_or_else_the_account_says,
    the_feed_is_read_on_from_a_cursor,
);

async fn the_statement_says_what_the_command_or_else_the_account_says(combination: Combination) {
    let app = App::builder(combination).env("PENDING_POLL_FIRST", 1).start().await;
    for (order_id, said, shown) in
        [("d-1", Value::Null, "TEST*SHOP"), ("d-2", json!("ITS*OWN"), "ITS*OWN")]
    {
        let reference = app.reference(Value::Null).await;
        let mut body = order(order_id, &reference);
        body["softDescriptor"] = said;
        let paid = verdict(&app, order_id, &body).await;
        on_the_statement(&app, "Capture", &paid, shown).await;
        let path = format!("/v1/orders/{MID}/{order_id}/refunds");
        let refund = app.api.post(&path, &json!({"requestId": "r-1"})).await;
        refund.expect(202);
        let refunded = eventually("the refund", async || {
            // Amazon takes half a minute over it, by its own clock.
            app.sim.advance(40).await;
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
            let events = told(&app, &of_order(order_id)).await;
            events.into_iter().find(|event| event["data"]["status"] == "refunded")
        })
        .await;
        on_the_statement(&app, "Refund", &refunded, shown).await;
    }
}

/// What the event is about shows this descriptor at Amazon.
async fn on_the_statement(app: &App, what: &str, event: &Value, shown: &str) {
    let id = |name: String| event["data"][name].as_str().unwrap().to_owned();
    match app.combination.api {
        Api::Mws => {
            let name = format!("Amazon{what}Id");
            let id = id(format!("amazon{what}Id"));
            let seen = mws::call(app, &format!("Get{what}Details"), &[(&name, &id)]).await;
            assert!(seen.contains(&format!("{shown}</SoftDescriptor>")), "{seen}");
        }
        Api::V2 => {
            let path = match what {
                "Capture" => format!("charges/{}", id("amazonAuthorizationId".to_owned())),
                _ => format!("refunds/{}", id("amazonRefundId".to_owned())),
            };
            let seen = v2::call(app, Method::GET, &path, None, &Value::Null).await;
            assert_eq!(seen["softDescriptor"], shown, "{seen}");
        }
    }
}

async fn an_order_over_the_api_is_paid(combination: Combination) {
    let app = App::start(combination).await;
    let reference = app.reference(Value::Null).await;
    let body = order("o-1", &reference);
    let reply = ask(&app, "k-1", &body).await;
    let answer = reply.expect(200);
    let data = &answer["event"]["data"];
    let expected = json!({
        "messageId": answer["messageId"],
        "amazonBillerId": MID,
        "kind": "order",
        "orderId": "o-1",
        "status": "paid",
        "sequence": 1,
        "epoch": 1,
        "amount": "29.95",
        "currency": "USD",
        "capturedAmount": "29.95",
        "refundedAmount": "0.00",
        "amazonOrderId": reference.id,
        "amazonAuthorizationId": data["amazonAuthorizationId"],
        "amazonCaptureId": data["amazonCaptureId"],
        "buyer": {
            "firstName": "Ada", "lastName": "Lovelace", "emailAddress": "ada@example.com",
        },
        "shippingAddress": {
            "name": "Ada Lovelace", "addressLine1": "1 Main St", "city": "Springfield",
            "stateOrRegion": "IL", "postalCode": "62701", "countryCode": "US",
            "phone": "800-555-0100",
        },
    });
    assert_eq!(*data, expected);
    assert_eq!(answer["event"]["type"], "payments.order.paid");
    assert_eq!(answer["event"]["subject"], of_order("o-1"));
    assert_eq!((&answer["orderId"], &answer["status"]), (&json!("o-1"), &json!("paid")));

    let capture = app.sim.moved(&reference.id, "capture").await;
    assert_eq!(capture.len(), 1, "{capture:?}");
    assert_eq!(capture[0]["id"], data["amazonCaptureId"]);
    assert_eq!(capture[0]["sellerOrderId"], "o-1");
    assert_eq!(capture[0]["amount"], "29.95");

    // The same request again: the same answer, byte for byte, and nothing charged.
    let again = ask(&app, "k-1", &body).await;
    assert_eq!((again.status, &again.text), (200, &reply.text));
    let mut other = body.clone();
    other["amount"] = json!("30.00");
    let refused = ask(&app, "k-1", &other).await;
    assert_eq!(refused.status, 422, "{}", refused.text);
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);

    let view = app.api.get(&format!("/v1/orders/{MID}/o-1")).await.expect(200);
    assert_eq!(view["status"], "paid");
    assert_eq!(view["data"], *data);
    let timeline = app.api.get(&format!("/v1/orders/{MID}/o-1?timeline=1")).await;
    assert!(timeline.expect(200)["timeline"].as_array().is_some_and(|steps| steps.len() > 3));
    assert_eq!(app.api.get(&format!("/v1/orders/{MID}/unknown")).await.status, 404);
    let shown = app.cli_json(&["order", "show", "o-1", "--json"]);
    assert!(shown.to_string().contains("paid"), "{shown}");
}

/// The parameters of a lander, with every name that it has and we have no use for.
fn lander(
    app: &App,
    order_id: &str,
    reference: &crate::support::sim::Reference,
) -> Vec<(String, String)> {
    let fields = [
        ("loginId", app.client.login_id.as_str()),
        ("password", &app.client.password),
        ("method", "importOrder"),
        ("campaignId", "7"),
        ("sessionId", "s"),
        ("paySource", "AMAZON"),
        ("amazonBillerId", MID),
        ("amazonOrderId", &reference.id),
        ("amazonAddressConsent", &reference.token),
        ("firstName", "Grace"),
        ("lastName", "Hopper"),
        ("emailAddress", "grace@example.com"),
        ("orderId", order_id),
        ("product1_id", "1"),
        ("product1_qty", "2"),
        ("product1_price", "10.00"),
        ("product1_shipPrice", "4.50"),
        ("salesTax", "0.49"),
        ("cardNumber", "null"),
        ("cardMonth", "null"),
    ];
    fields.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec()
}

fn multipart(fields: &[(String, String)]) -> (String, String) {
    let boundary = "----a-boundary-of-the-test";
    let mut body = String::new();
    for (name, value) in fields {
        body += &format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n"
        );
    }
    body += &format!("--{boundary}--\r\n");
    (format!("multipart/form-data; boundary={boundary}"), body)
}

async fn every_encoding_of_the_crm_is_paid(combination: Combination) {
    let app = App::start(combination).await;
    for (number, encoding) in ["form", "multipart", "query", "get", "json"].iter().enumerate() {
        let order_id = format!("o-{encoding}");
        let reference = app.reference_of("24.99", Value::Null).await;
        let fields = lander(&app, &order_id, &reference);
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
        // With and without the slash.
        let path = if number % 2 == 0 { "/order/import/" } else { "/order/import" };
        let (media, json_media) = ("application/x-www-form-urlencoded", "application/json");
        let asked = format!("{path}?{form}");
        let reply = match *encoding {
            "form" => {
                app.anonymous.send(Method::POST, path, &[("content-type", media)], form).await
            }
            "multipart" => {
                let (media, body) = multipart(&fields);
                app.anonymous.send(Method::POST, path, &[("content-type", &media)], body).await
            }
            "query" => {
                let headers = [("content-type", json_media)];
                app.anonymous.send(Method::POST, &asked, &headers, "").await
            }
            "get" => app.anonymous.get(&asked).await,
            _ => {
                let mut body = Value::Object(Default::default());
                for (name, value) in &fields {
                    body[name] = value.clone().into();
                }
                app.anonymous.post(path, &body).await
            }
        };
        let answer = reply.expect(200);
        assert_eq!(answer["result"], "SUCCESS", "{encoding}: {answer}");
        let told = &answer["message"];
        assert_eq!(
            (&told["orderId"], &told["orderStatus"]),
            (&json!(order_id), &json!("COMPLETE"))
        );
        let captures = app.sim.moved(&reference.id, "capture").await;
        assert_eq!(captures.len(), 1, "{encoding}");
        assert_eq!(captures[0]["amount"], "24.99");
        assert_eq!(told["merchantTxnId"], captures[0]["id"], "{answer}");
    }
    a_crm_that_does_not_wait_asks_later(&app).await;
}

async fn a_crm_that_does_not_wait_asks_later(app: &App) {
    let reference = app.reference_of("24.99", Value::Null).await;
    let fields = lander(app, "o-async", &reference);
    let mut fields: Vec<(&str, &str)> =
        fields.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
    fields.push(("async", "1"));
    let answer = app.anonymous.post_form("/order/import/", &fields).await.expect(200);
    assert_eq!(answer["result"], "SUCCESS", "{answer}");
    assert_eq!(answer["message"]["orderStatus"], "PENDING", "{answer}");
    let row = eventually("the order in the query", async || {
        let found = app.crm("/order/query/", &[("orderId", "o-async")]).await;
        let row = found["message"]["data"].as_array()?.first()?.clone();
        (row["orderStatus"] == "COMPLETE").then_some(row)
    })
    .await;
    assert_eq!(row["orderId"], "o-async");
    assert_eq!(captured(app, &reference.id).await, ["24.99"]);
    let none = app.crm("/order/query/", &[("orderId", "nobody")]).await;
    assert_eq!(none["result"], "ERROR", "{none}");
    // A price that is not all there, and one that contradicts its parts.
    for extra in [("couponCode", "SPRING"), ("amount", "1.00")] {
        let refused =
            app.anonymous.post_form("/order/import", &[&fields[..], &[extra]].concat()).await;
        let refused = refused.expect(200);
        assert_eq!(refused["result"], "ERROR", "{refused}");
        assert!(refused["message"]["amount"].is_string(), "{refused}");
    }
}

async fn the_feed_is_read_on_from_a_cursor(combination: Combination) {
    let app = App::start(combination).await;
    let mut ids = Vec::new();
    for number in 0..5 {
        let reference = app.reference(Value::Null).await;
        let event =
            verdict(&app, &number.to_string(), &order(&format!("o-{number}"), &reference)).await;
        ids.push(event["id"].clone());
    }
    let all =
        eventually("the feed", async || Some(app.feed().await).filter(|all| all.len() == 5)).await;
    let seen: Vec<Value> = all.iter().map(|event| event["id"].clone()).collect();
    assert_eq!(seen, ids);
    let (mut cursor, mut pages) = (String::new(), Vec::new());
    for expected in [2, 2, 1, 0] {
        let after = if cursor.is_empty() { String::new() } else { format!("&after={cursor}") };
        let page = app.api.get(&format!("/v1/events?limit=2{after}")).await.expect(200);
        let events = page["events"].as_array().unwrap();
        assert_eq!(events.len(), expected, "{page}");
        pages.extend(events.clone());
        cursor = page["next"].as_str().unwrap().to_owned();
    }
    assert_eq!(pages, all);
    assert_eq!(told(&app, &of_order("o-3")).await.len(), 1);
    // Another client sees its own MIDs only.
    let mut mid = crate::support::app::merchant("mid-2");
    mid["title"] = json!("another");
    app.add_mid(&mid).await;
    let stranger = app.add_client(&["mid-2"]);
    let stranger = app.anonymous.with_bearer(&stranger.api_key);
    let page = eventually("the new client", async || {
        let reply = stranger.get("/v1/events").await;
        (reply.status == 200).then(|| reply.json())
    })
    .await;
    assert_eq!(page["events"], json!([]));
    assert_eq!(stranger.get(&format!("/v1/orders/{MID}/o-1")).await.status, 403);
    let reference = app.reference(Value::Null).await;
    let refused = stranger.post("/v1/orders", &order("o-9", &reference)).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(moved(&app, &reference.id).await.is_empty());
}
