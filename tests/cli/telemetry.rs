//! The metrics page, and OTLP to a collector that is there and to one that is not.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::support::app::{merchant_id, order};
use crate::support::{App, Broker, Combination, Store, eventually};

const HERE: Combination = Combination::of(Broker::Embedded, Store::Sqlite);

type Seen = Arc<Mutex<Vec<(String, String, usize)>>>;

async fn collect(State(seen): State<Seen>, uri: Uri, headers: HeaderMap, body: Bytes) {
    let kind = headers.get("content-type").map(|kind| kind.to_str().unwrap().to_owned());
    seen.lock().unwrap().push((uri.path().to_owned(), kind.unwrap_or_default(), body.len()));
}

async fn collector() -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let seen = Seen::default();
    let routes = Router::new().fallback(collect).with_state(Arc::clone(&seen));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    (address, seen)
}

#[tokio::test]
async fn traces_and_metrics_reach_a_collector_by_http_and_protobuf() {
    let (address, seen) = collector().await;
    let builder = App::builder(HERE).env("OTEL_EXPORTER_OTLP_ENDPOINT", &address);
    let builder =
        builder.env("OTEL_METRIC_EXPORT_INTERVAL", 200).env("OTEL_BSP_SCHEDULE_DELAY", 200);
    let app = Box::pin(builder.start()).await;
    let reference = app.reference(Value::Null).await;
    app.submit("order.import", &order("o-1", &reference)).await.expect(202);
    app.done("o-1").await;
    for path in ["/v1/traces", "/v1/metrics"] {
        eventually(path, async || {
            let seen = seen.lock().unwrap();
            let (_, kind, length) = seen.iter().find(|(seen, _, _)| seen == path)?;
            assert_eq!(kind, "application/x-protobuf");
            (*length > 0).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_collector_that_is_away_stops_no_payment_and_its_losses_are_counted() {
    let builder = App::builder(HERE).env("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1");
    let builder =
        builder.env("OTEL_METRIC_EXPORT_INTERVAL", 200).env("OTEL_BSP_SCHEDULE_DELAY", 200);
    let mut app = Box::pin(builder.start()).await;
    let reference = app.reference(Value::Null).await;
    app.submit("order.import", &order("o-1", &reference)).await.expect(202);
    assert_eq!(app.done("o-1").await["status"], "paid");
    for signal in ["metrics", "traces"] {
        let name = format!("amazon_pay_telemetry_lost_total{{signal=\"{signal}\"");
        eventually(&name, async || {
            let page = app.metrics[0].get("/metrics").await.text;
            let line = page.lines().find(|line| line.starts_with(&name))?.to_owned();
            (!line.ends_with(" 0")).then_some(())
        })
        .await;
    }
    assert_eq!(app.process("worker").terminate().await.code(), Some(0));
}

#[tokio::test]
async fn the_page_counts_what_happened_and_has_every_alert_s_figure_from_the_start() {
    let app = App::start(HERE).await;
    let page = app.metrics[0].get("/metrics").await;
    assert!(page.header("content-type").unwrap().starts_with("text/plain"));
    for number in 1..=12 {
        let name = format!("amazon_pay_invariants_broken_total{{number=\"I{number}\"");
        assert!(page.text.contains(&name), "{name}");
    }
    let reference = app.reference(Value::Null).await;
    app.submit("order.import", &order("o-1", &reference)).await.expect(202);
    app.done("o-1").await;
    let page = app.metrics[0].get("/metrics").await.text;
    let paid = "amazon_pay_payments_total{kind=\"order\",outcome=\"paid\"";
    let line = page.lines().find(|line| line.starts_with(paid)).unwrap();
    assert!(line.ends_with(" 1"), "{line}");
    // Nobody learns from the figures who pays where.
    for private in ["ada@example.com", "Lovelace", &reference.token, &merchant_id("mid-1")] {
        assert!(!page.contains(private), "{private}");
    }
}
