//! Amazon's notifications from outside: what polling would find in minutes is known in a second or
//! two, and nothing that is forged, repeated or a stranger's changes anything.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::app::{MID, merchant_id, order};
use crate::support::{App, Combination, eventually, on_every_combination};
use crate::world::{accepted, captured, news, of_order, story, told};

on_every_combination!(a_pending_payment_is_known_at_once, forged_and_repeated_ones_change_nothing,);

/// The program with polls so far apart that no test sees one, and a seller who is notified.
pub(crate) async fn notified(here: Combination) -> App {
    let app = App::builder(here).env("PENDING_POLL_FIRST", 3_600).start().await;
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
        let events = told(&app, &of_order(id)).await;
        assert_eq!(story(&events), [("pending".to_owned(), 1), (status.to_owned(), 1)]);
    }
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
    let before = app.feed().await;

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
