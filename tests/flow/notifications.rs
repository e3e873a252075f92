//! Amazon's notifications from outside: what polling would find in minutes is known in a second or
//! two, and nothing that is forged, repeated or a stranger's changes anything.

use std::time::Duration;

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::agreements::{agreed, charge, heard, of_charge};
use crate::support::app::{MID, merchant_id, order};
use crate::support::{Api, App, AppBuilder, Combination, eventually, on_every_api};
use crate::world::{accepted, captured, news, of_order, story};

on_every_api!(
    a_pending_payment_is_known_at_once,
    a_refund_and_a_mended_method_are_known_at_once,
    forged_and_repeated_ones_change_nothing,
    what_happens_in_seller_central_is_known_at_once,
    without_notifications_looks_find_it,
);

/// The program with polls so far apart that no test sees one, and a seller who is notified.
pub(crate) async fn notified(here: Combination) -> App {
    told_of_all(App::builder(here)).await
}

async fn told_of_all(builder: AppBuilder) -> App {
    let app = builder.env("PENDING_POLL_FIRST", 3_600).start().await;
    let url = format!("{}/ipn", app.anonymous.base());
    app.sim.play("/sellers", &json!({"merchantId": merchant_id(MID), "ipnUrl": url})).await;
    app
}

async fn a_pending_payment_is_known_at_once(here: Combination) {
    let app = notified(here).await;
    for (id, outcome, status) in [("o-1", "approve", "paid"), ("o-2", "AmazonRejected", "declined")]
    {
        let plan = json!([{ "outcome": outcome, "afterSeconds": 1 }]);
        let reference = app.reference(plan).await;
        let mut body = order(id, &reference);
        body["authorization"] = json!("async");
        accepted(&app, id, &body).await;
        news(&app, &of_order(id), "pending", 1).await;
        news(&app, &of_order(id), status, 1).await;
        let money = if status == "paid" { vec!["29.95"] } else { vec![] };
        assert_eq!(captured(&app, &reference.id).await, money);
        let events = crate::world::told(&app, &of_order(id)).await;
        assert_eq!(story(&events), [("pending".to_owned(), 1), (status.to_owned(), 1)]);
        // Nothing is asserted about it: `--no-capture` shows it.
        let at = |event: &Value| {
            OffsetDateTime::parse(event["time"].as_str().unwrap(), &Rfc3339).unwrap()
        };
        let decided = at(&events[0]) + Duration::from_secs(1);
        let took = (at(&events[1]) - decided).whole_milliseconds();
        eprintln!("{here:?}: {status} is told {took} ms after Amazon had decided");
    }
}

async fn a_refund_and_a_mended_method_are_known_at_once(here: Combination) {
    let reauthorize = json!({ "enabled": true, "windowSeconds": 3600, "max": 2 });
    let app = told_of_all(App::builder(here).mid(json!({ "reauthorize": reauthorize }))).await;
    let reference = a_paid_order(&app, "o-1").await;
    let path = format!("/v1/orders/{MID}/o-1/refunds");
    app.api.post(&path, &json!({ "requestId": "r-1", "amount": "5.00" })).await.expect(202);
    news(&app, &of_order("o-1"), "operation_pending", 1).await;
    app.sim.advance(40).await;
    let event = news(&app, &of_order("o-1"), "refunded", 1).await;
    assert_eq!(event["data"]["refundedAmount"], "5.00", "{event}");
    assert_eq!(app.sim.moved(&reference, "refund").await.len(), 1);

    let reference = agreed(&app, "o-2", json!(["InvalidPaymentMethod"])).await;
    let mut asked = charge("c-1", &reference, "19.95");
    asked["orderId"] = json!("o-2");
    asked["cycle"] = json!(1);
    accepted(&app, "c-1", &asked).await;
    news(&app, &of_charge("c-1"), "declined", 1).await;
    heard(&app, &reference, "suspended").await;
    app.sim.mend_payment_method(&reference.id).await;
    heard(&app, &reference, "reopened").await;
    news(&app, &of_charge("c-1"), "paid", 2).await;
    assert_eq!(captured(&app, &reference.id).await, ["19.95"]);
}

/// What the simulator would send, sent by somebody else.
async fn post(app: &App, body: &Value) -> u16 {
    let headers = [("content-type", "text/plain; charset=UTF-8")];
    app.anonymous.send(reqwest::Method::POST, "/ipn", &headers, body.to_string()).await.status
}

fn envelope(cert_url: &str) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "11111111-2222-3333-4444-555555555555",
        "TopicArn": "arn:aws:sns:us-east-1:291180941288:A3BXB0YN3XH17HAMID1",
        "Message": "{}",
        "Timestamp": "2026-11-23T08:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "AAAA",
        "SigningCertURL": cert_url,
    })
}

async fn forged_and_repeated_ones_change_nothing(here: Combination) {
    let app = notified(here).await;
    let reference = app.reference(Value::Null).await;
    app.submit("order.import", &order("o-1", &reference)).await.expect(202);
    assert_eq!(app.done("o-1").await["status"], "paid");
    // What is published is in the feed a moment later.
    let before = eventually("the feed with it", async || {
        let feed = app.feed().await;
        (!feed.is_empty()).then_some(feed)
    })
    .await;

    let pem = "SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";
    let trusted = format!("{}/{pem}", app.sim.url());
    assert_eq!(post(&app, &json!({})).await, 400);
    assert_eq!(post(&app, &envelope(&trusted)).await, 400);
    for stranger in ["https://evil.example/a.pem", "http://127.0.0.1:1/a.pem", "file:///a.pem"] {
        assert_eq!(post(&app, &envelope(stranger)).await, 400, "{stranger}");
    }
    let mut subscription = envelope(&trusted);
    subscription["Type"] = "SubscriptionConfirmation".into();
    subscription["SubscribeURL"] = app.sim.url().into();
    assert_eq!(post(&app, &subscription).await, 400);
    for round in 0..200 {
        let mut forged = envelope(&trusted);
        forged["MessageId"] = format!("{round}").into();
        forged["Message"] = json!({
            "NotificationType": "PaymentCapture", "SellerId": merchant_id(MID),
            "NotificationData": format!(
                "<CaptureNotification><AmazonCaptureId>{}-C000001</AmazonCaptureId>\
                 </CaptureNotification>", reference.id),
        })
        .to_string()
        .into();
        assert_eq!(post(&app, &forged).await, 400);
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(app.feed().await, before);
    assert_eq!(captured(&app, &reference.id).await, ["29.95"]);
    let page = app.metrics[0].get("/metrics").await.text;
    let counted = |result: &str| {
        let name = format!("amazon_pay_notifications_total{{result=\"{result}\"");
        let line = page.lines().find(|line| line.starts_with(&name)).unwrap_or_default();
        line.rsplit(' ').next().and_then(|value| value.parse::<u64>().ok()).unwrap_or(0)
    };
    assert!(counted("forged") >= 201, "{page}");
    assert!(counted("malformed") >= 2, "{page}");
    // The genuine ones of the sale were taken meanwhile.
    eventually("the sale's own notifications", async || (counted("kept") >= 3).then_some(())).await;
}

/// An order that is paid.
async fn a_paid_order(app: &App, id: &str) -> String {
    let reference = app.reference(Value::Null).await;
    app.submit("order.import", &order(id, &reference)).await.expect(202);
    assert_eq!(app.done(id).await["status"], "paid");
    reference.id
}

/// A dispute, which is a refund that we did not make: told once, and counted. v2 lists no refunds
/// and shows a sum: whose doing it was is told there by its notification, if that comes first.
async fn what_others_gave_back(app: &App, id: &str, reference: &str) {
    let dispute = json!({"amount": "10.00", "type": "chargeback"});
    app.sim.play(&format!("/objects/{reference}/dispute"), &dispute).await;
    let by_v2 = app.combination.api == Api::V2;
    let told = |event: &Value| {
        let data = &event["data"];
        let refunded = data["status"] == "refunded" && data.get("requestId").is_none();
        let ours = event["subject"] == of_order(id);
        ours && (event["type"] == "payments.dispute.opened" || by_v2 && refunded)
    };
    let event = app.event_where("a dispute", told).await;
    let data = &event["data"];
    assert_eq!(data["refundedAmount"], "10.00", "{event}");
    assert_eq!(data["capturedAmount"], "29.95", "{event}");
    if !by_v2 {
        assert_eq!(data["status"], "opened", "{event}");
        assert_eq!(data["amount"], "29.95", "{event}");
        assert!(data["amazonRefundId"].as_str().is_some_and(|id| id.contains("-R")), "{event}");
    }
    let payment = app.done(id).await;
    assert_eq!((&payment["status"], &payment["refundedAmount"]), (&json!("paid"), &json!("10.00")));
    let feed = app.feed().await;
    assert_eq!(feed.iter().filter(|event| told(event)).count(), 1);
}

async fn what_happens_in_seller_central_is_known_at_once(here: Combination) {
    let app = notified(here).await;
    let reference = a_paid_order(&app, "o-1").await;
    what_others_gave_back(&app, "o-1", &reference).await;

    // Authorized and at rest: captured there, or closed there.
    let rest = async |id: &str| {
        let reference = app.reference(Value::Null).await;
        let mut body = order(id, &reference);
        body["capture"] = json!("manual");
        app.submit("order.import", &body).await.expect(202);
        let payment = app.done(id).await;
        assert_eq!(payment["status"], "authorized", "{payment}");
        (reference.id, payment["data"]["amazonAuthorizationId"].as_str().unwrap().to_owned())
    };
    let (reference, _) = rest("o-2").await;
    app.sim.play(&format!("/objects/{reference}/capture"), &json!({})).await;
    let event = news(&app, &of_order("o-2"), "paid", 1).await;
    assert_eq!(event["data"]["capturedAmount"], "29.95");
    let (_, authorization) = rest("o-3").await;
    app.sim.play(&format!("/objects/{authorization}/close"), &json!({})).await;
    news(&app, &of_order("o-3"), "canceled", 1).await;
}

async fn without_notifications_looks_find_it(here: Combination) {
    let app = App::builder(here).env("RECONCILE_FIRST", 1).start().await;
    let reference = a_paid_order(&app, "o-1").await;
    what_others_gave_back(&app, "o-1", &reference).await;
}
