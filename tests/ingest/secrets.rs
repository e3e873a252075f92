//! What a buyer or a lander told goes nowhere in clear.

use std::io::Write;
use std::sync::{Arc, Mutex};

use serde_json::json;
use tracing::instrument::WithSubscriber as _;

use crate::world::{World, lander, order};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

const CANARIES: [(&str, &str); 10] = [
    ("firstName", "canary-first"),
    ("lastName", "canary-last"),
    ("emailAddress", "canary@example.com"),
    ("amazonAddressConsent", "canary-token"),
    ("address1", "canary-street"),
    ("phoneNumber", "canary-phone"),
    ("cardNumber", "4111111111111111-canary"),
    ("cardSecurityCode", "canary-cvc"),
    ("iban", "canary-iban"),
    ("achAccountNumber", "canary-ach"),
];

#[tokio::test(start_paused = true)]
async fn neither_in_what_is_published_nor_in_the_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(move || writer.clone())
        .finish();
    let world = async {
        let world = World::start().await;
        let fields = [&CANARIES[..], &[("amount", "5"), ("async", "1")]].concat();
        let body: Vec<_> =
            lander(&[]).into_iter().filter(|(name, _)| *name != "firstName").collect();
        world.form("/order/import/", &[&body[..], &fields].concat()).await.success();
        let query = crate::world::form(&[&fields[..], &[("amount", "6")]].concat());
        let path = format!("/order/import/?{query}");
        world.form(&path, &body).await.refused(200);
        world.post("/v1/orders", &order()).await.expect(202);
        let mut bad = order();
        bad["canary-field"] = json!("canary-value");
        world.post("/v1/orders", &bad).await.problem(422);
        world
    }
    .with_subscriber(subscriber)
    .await;

    assert_eq!(world.published().len(), 2);
    for message in world.published() {
        let text = format!("{message:?} {}", String::from_utf8_lossy(&message.body));
        assert!(!text.contains("canary"), "{text}");
    }
    let fields = world.fields(&world.published()[0]);
    assert_eq!(fields["sealed"]["amazonAddressConsent"], "canary-token");
    assert!(!fields.to_string().contains("4111"), "a card is kept nowhere");
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.contains("http.request"), "something was logged: {log}");
    for word in ["canary", "4111", "password-of-all", "key-of-all"] {
        assert!(!log.contains(word), "{word} in {log}");
    }
}

#[tokio::test(start_paused = true)]
async fn errors_do_not_repeat_what_was_sent() {
    let world = World::start().await;
    let bad = [
        ("amount", "canary"),
        ("currency", "canary"),
        ("capture", "canary"),
        ("orderId", "canary canary"),
    ];
    let body: Vec<_> = lander(&[]).into_iter().filter(|(name, _)| *name != "orderId").collect();
    let answer = world.form("/order/import/", &[&body[..], &bad].concat()).await;
    assert_eq!(answer.refused(200).len(), 4);
    assert!(!answer.text.contains("canary"), "{}", answer.text);
}

#[tokio::test(start_paused = true)]
async fn the_caller_s_trace_goes_on() {
    let world = World::start().await;
    let parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let headers = [("traceparent", parent), ("tracestate", "vendor=1")];
    world.post_with("/v1/orders", &headers, &order()).await.expect(202);
    world.post_with("/v1/orders", &[("traceparent", "nonsense")], &order()).await.expect(202);
    let published = world.published();
    assert_eq!(published[0].headers["traceparent"], parent);
    assert_eq!(published[0].headers["tracestate"], "vendor=1");
    let begun = &published[1].headers["traceparent"];
    assert!(begun.starts_with("00-") && begun.len() == parent.len(), "{begun}");
    assert!(!published[1].headers.contains_key("tracestate"));
}
