//! Ten thousand notifications that somebody else sends to the real `POST /ipn`: forged, changed in
//! a byte, sent again, of another seller, about what nobody knows. All that may come of them is
//! numbers in the metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use futures_util::{StreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::app::{MID, merchant_id, order};
use crate::support::{App, Broker, Combination, Store, eventually};
use crate::world::verdict;

const SENT: usize = 10_000;
/// Requests at once.
const AT_ONCE: usize = 16;
const SEED: u64 = 7;

/// Chance that a seed reproduces.
struct Draw(u64);

impl Draw {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }
}

/// A listener that keeps what Amazon sends to it, and where it is.
async fn mailbox() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/ipn", listener.local_addr().unwrap());
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = Arc::clone(&kept);
    let take = move |body: String| {
        keep.lock().unwrap().push(body);
        std::future::ready(())
    };
    let router = Router::new().route("/ipn", post(take));
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, kept)
}

/// Sends it as SNS would, whoever it is.
async fn send(app: &App, body: String) -> u16 {
    let headers = [("content-type", "text/plain; charset=UTF-8")];
    app.anonymous.send(Method::POST, "/ipn", &headers, body).await.status
}

/// How the process has counted notifications.
async fn counts(app: &App) -> BTreeMap<String, usize> {
    let page = app.metrics[0].get("/metrics").await.text;
    let lines = page.lines().filter_map(|line| {
        let rest = line.strip_prefix("amazon_pay_notifications_total{")?;
        let result = rest.split_once("result=\"")?.1.split_once('"')?.0;
        Some((result.to_owned(), rest.rsplit(' ').next()?.parse().ok()?))
    });
    lines.collect()
}

/// Everything that a notification must not change: payments with every step of theirs, money,
/// events, dead letters, calls that move money.
async fn state(app: &App) -> Value {
    let mut payments = Vec::new();
    for id in ["o-paid", "o-refunded", "o-rests"] {
        let path = format!("/v1/orders/{MID}/{id}?timeline=1");
        payments.push(app.api.get(&path).await.expect(200));
    }
    let calls = app.sim.calls("").await;
    let moving = ["Authorize", "Capture", "Refund", "CloseAuthorization", "CloseOrderReference"];
    json!({
        "payments": payments,
        "ledger": app.sim.ledger("").await,
        "events": app.feed().await,
        "letters": app.cli_json(&["dead-letter", "list", "--json"]),
        "calls": moving.map(|operation| &calls["calls"][operation]),
    })
}

/// One that is genuine but for one thing that is signed, or signs.
fn forged(genuine: &str, draw: &mut Draw) -> String {
    const SIGNED: [&str; 5] = ["Message", "MessageId", "Timestamp", "TopicArn", "Signature"];
    let mut forged: Value = serde_json::from_str(genuine).unwrap();
    let name = SIGNED[draw.below(SIGNED.len())];
    let mut letters: Vec<char> = forged[name].as_str().unwrap().chars().collect();
    let at = draw.below(letters.len());
    letters[at] = if letters[at] == 'x' { 'y' } else { 'x' };
    forged[name] = letters.into_iter().collect::<String>().into();
    forged.to_string()
}

/// The same with one byte of the document changed, wherever that is.
fn mutated(genuine: &str, draw: &mut Draw) -> String {
    let mut bytes = genuine.as_bytes().to_vec();
    let at = draw.below(bytes.len());
    bytes[at] = b' ' + u8::try_from(draw.below(94)).unwrap();
    String::from_utf8_lossy(&bytes).into_owned()
}

fn elsewhere(genuine: &str, draw: &mut Draw) -> String {
    let mut forged: Value = serde_json::from_str(genuine).unwrap();
    let addresses = ["https://evil.example/a.pem", "http://127.0.0.1:1/a.pem", "file:///a.pem"];
    forged["SigningCertURL"] = addresses[draw.below(addresses.len())].into();
    forged.to_string()
}

/// Orders paid, refunded and at rest, and what Amazon told of them, of a stranger's, and of a
/// reference that nobody knows; the program has heard none of it yet.
async fn genuine(app: &App) -> Vec<String> {
    let (url, kept) = mailbox().await;
    for seller in [merchant_id(MID), "ASTRANGER".to_owned()] {
        app.sim.play("/sellers", &json!({ "merchantId": seller, "ipnUrl": url })).await;
    }
    for id in ["o-paid", "o-refunded", "o-rests"] {
        let reference = app.reference(Value::Null).await;
        let mut body = order(id, &reference);
        if id == "o-rests" {
            body["capture"] = json!("manual");
        }
        verdict(app, id, &body).await;
    }
    let path = format!("/v1/orders/{MID}/o-refunded/refunds");
    app.api.post(&path, &json!({ "requestId": "r-1", "amount": "5.00" })).await.expect(202);
    eventually("the refund", async || {
        app.sim.advance(40).await;
        let view = app.api.get(&format!("/v1/orders/{MID}/o-refunded")).await.expect(200);
        (view["refundedAmount"] == "5.00").then_some(())
    })
    .await;
    for seller in [merchant_id(MID), "ASTRANGER".to_owned()] {
        let unknown = app.sim.order_reference(&seller, Value::Null).await;
        app.sim.play(&format!("/objects/{}/close", unknown.id), &json!({})).await;
    }
    eventually("what Amazon tells", async || {
        let told = kept.lock().unwrap().join("\n");
        let all = ["PaymentRefund", "PaymentCapture", "PaymentAuthorize", "ASTRANGER"];
        all.iter().all(|one| told.contains(one)).then_some(())
    })
    .await;
    kept.lock().unwrap().clone()
}

/// Waits until nothing that was taken is still to be heeded.
async fn heeded(app: &App) {
    let mut before = (Value::Null, BTreeMap::new());
    eventually("everything heeded", async || {
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let now = (state(app).await, counts(app).await);
        let same = now == before;
        before = now;
        same.then_some(())
    })
    .await;
}

#[tokio::test]
async fn ten_thousand_forged_mutated_or_repeated_ones_change_nothing() {
    let here = Combination::of(Broker::Embedded, Store::Sqlite);
    let app = App::builder(here).env("PENDING_POLL_FIRST", 1).start().await;
    let genuine = genuine(&app).await;
    // Each is taken once, and worth a look; about what is unknown it is asked for some seconds.
    for one in &genuine {
        assert_eq!(send(&app, one.clone()).await, 200, "{one}");
    }
    let fates = ["looked", "foreign", "unknown", "nothing"];
    eventually("every one heeded", async || {
        let counts = counts(&app).await;
        let heeded: usize = fates.iter().filter_map(|fate| counts.get(*fate)).sum();
        (heeded >= genuine.len()).then_some(())
    })
    .await;
    heeded(&app).await;
    let (before, counted) = (state(&app).await, counts(&app).await);

    let mut draw = Draw(SEED);
    let mut bodies = Vec::new();
    for _ in 0..SENT {
        let one = &genuine[draw.below(genuine.len())];
        bodies.push(match draw.below(100) {
            0..45 => (false, forged(one, &mut draw)),
            45..60 => (true, mutated(one, &mut draw)),
            60..65 => (false, elsewhere(one, &mut draw)),
            _ => (true, one.clone()),
        });
    }
    let sent = stream::iter(bodies).map(|(may_be_taken, body)| {
        let app = &app;
        async move {
            let status = send(app, body.clone()).await;
            let expected = status == 400 || (may_be_taken && status == 200);
            assert!(expected, "{status} for {body}");
            status
        }
    });
    let statuses: Vec<u16> = sent.buffer_unordered(AT_ONCE).collect().await;
    let refused = statuses.iter().filter(|status| **status == 400).count();

    heeded(&app).await;
    assert_eq!(state(&app).await, before);
    let mut after = counts(&app).await;
    let mut grown = |result: &str| {
        let now = after.remove(result).unwrap_or(0);
        now - counted.get(result).copied().unwrap_or(0)
    };
    let (malformed, forged, known) = (grown("malformed"), grown("forged"), grown("known"));
    assert_eq!((malformed + forged, known), (refused, SENT - refused));
    assert!(forged > SENT * 45 / 100 && known > SENT * 30 / 100, "{forged} forged, {known} known");
    // None was kept, and nobody was made to look anywhere.
    for (result, count) in after {
        assert_eq!(Some(&count), counted.get(&result), "{result}");
    }
}
