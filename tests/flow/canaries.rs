//! Secrets and personal data planted, and looked for in everything that the program writes down or
//! sends to where nobody needs them: logs, queues, tables, metrics, traces. Only result events
//! carry the buyer.

use std::fs;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use lapin::options::BasicGetOptions;
use lapin::{Connection, ConnectionProperties};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::{Value, json};

use crate::collector::Collector;
use crate::support::app::{MID, order, upsell};
use crate::support::sim::Reference;
use crate::support::{Api, App, Combination, eventually, on_every_api, v2};
use crate::world::{accepted, dead_letter, news, of_order};

on_every_api!(nothing_secret_is_written_down);

/// What is planted, beside the tokens that the simulator makes.
const PLANTED: [(&str, &str); 14] = [
    ("buyer at Amazon, first name", "Canaryfirstname"),
    ("buyer at Amazon, last name", "Canarylastname"),
    ("e-mail at Amazon", "canary.at.amazon@example.com"),
    ("street", "17 Canary Row"),
    ("city", "Canaryville"),
    ("phone", "555-0199-canary"),
    ("first name in the command", "Cmdcanaryfirst"),
    ("last name in the command", "Cmdcanarylast"),
    ("e-mail in the command", "canary.in.command@example.com"),
    ("card", "4111111111111111"),
    ("secret key", "canary-secret-key-0123456789"),
    ("auth token", "amzn.mws.canary-auth-token"),
    ("auth token of v2", "eyJ.simulated."),
    ("client secret", "canary-client-secret-0123456789"),
];

struct Canaries(Vec<(String, String)>);

impl Canaries {
    /// Looks for each in clear and in the spellings that a byte column or a log may have.
    #[track_caller]
    fn look(&self, place: &str, bytes: &[u8]) {
        let text = String::from_utf8_lossy(bytes);
        for (what, canary) in &self.0 {
            let hex: String = canary.bytes().map(|byte| format!("{byte:02x}")).collect();
            for spelled in [canary.clone(), hex, STANDARD.encode(canary)] {
                if let Some(at) = text.find(spelled.trim_end_matches('=')) {
                    let before: String = text[..at].chars().rev().take(200).collect();
                    let before: String = before.chars().rev().collect();
                    panic!("{what} in {place}, behind: {before}");
                }
            }
        }
    }

    fn look_below(&self, folder: &Path) -> usize {
        let mut seen = 0;
        // With both services there is no such folder.
        let Ok(entries) = fs::read_dir(folder) else { return 0 };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                seen += self.look_below(&path);
            } else if let Ok(bytes) = fs::read(&path) {
                self.look(&path.display().to_string(), &bytes);
                seen += bytes.len();
            }
        }
        seen
    }

    /// Every message that lies in any queue of the program's.
    async fn look_into_queues(&self, app: &App) -> usize {
        let Some(amqp) = &app.amqp else { return 0 };
        let connection =
            Connection::connect(amqp.url(), ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let mut seen = 0;
        for name in &amqp.queues() {
            let ours = ["lane.", "retry."].iter().any(|start| name.starts_with(start));
            // One consumer at a time has the suspect lane: nobody else may look, and it is empty.
            if !ours || name.starts_with("lane.suspect.") && !name.ends_with(".dlq") {
                continue;
            }
            loop {
                let got = channel
                    .basic_get(name.as_str().into(), BasicGetOptions::default())
                    .await
                    .unwrap();
                let Some(message) = got else { break };
                self.look(name, &message.data);
                self.look(name, format!("{:?}", message.properties).as_bytes());
                seen += 1;
            }
        }
        // What was not acknowledged goes back to its place.
        connection.close(200, "looked".into()).await.unwrap();
        seen
    }

    /// Every row of every table.
    async fn look_into_tables(&self, app: &App) -> usize {
        let Some(postgres) = &app.postgres else { return 0 };
        let database = Database::connect(postgres.url()).await.unwrap();
        let backend = database.get_database_backend();
        let query =
            "SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'";
        let tables = database.query_all_raw(Statement::from_string(backend, query)).await.unwrap();
        let mut seen = 0;
        for table in tables {
            let table: String = table.try_get("", "table_name").unwrap();
            let query = format!("SELECT t::text AS line FROM \"{table}\" t");
            let rows =
                database.query_all_raw(Statement::from_string(backend, query)).await.unwrap();
            for row in rows {
                let line: String = row.try_get("", "line").unwrap();
                self.look(&table, line.as_bytes());
                seen += 1;
            }
        }
        database.close().await.unwrap();
        seen
    }
}

async fn planted(app: &App, plan: Value) -> Reference {
    let buyer = json!({
        "name": "Canaryfirstname Canarylastname",
        "email": "canary.at.amazon@example.com",
        "address": {
            "name": "Canaryfirstname Canarylastname",
            "addressLine1": "17 Canary Row",
            "city": "Canaryville",
            "stateOrRegion": "IL",
            "postalCode": "62701",
            "countryCode": "US",
            "phone": "555-0199-canary",
        },
    });
    app.reference_from(&buyer, &app.mid, ("29.95", "USD"), plan).await
}

fn command(order_id: &str, reference: &Reference) -> Value {
    let mut body = order(order_id, reference);
    body["firstName"] = json!("Cmdcanaryfirst");
    body["lastName"] = json!("Cmdcanarylast");
    body["emailAddress"] = json!("canary.in.command@example.com");
    body
}

async fn start(combination: Combination, collector: &Collector) -> App {
    let mut mid = json!({"clientSecret": "canary-client-secret-0123456789"});
    if combination.api == Api::Mws {
        mid["secretKey"] = json!("canary-secret-key-0123456789");
    }
    // By v2 it goes out in an address, and comes back as another token.
    mid["mwsAuthToken"] = json!("amzn.mws.canary-auth-token");
    App::builder(combination)
        .mid(mid)
        .processes(&["ingest,relay", "worker"])
        .env("RUST_LOG", "trace")
        .env("RETRY_BUDGET_CHECKOUT", 2)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &collector.url)
        .env("OTEL_BSP_SCHEDULE_DELAY", 200)
        .env("OTEL_METRIC_EXPORT_INTERVAL", 500)
        .start()
        .await
}

async fn nothing_secret_is_written_down(combination: Combination) {
    let collector = Collector::start().await;
    let mut app = start(combination, &collector).await;
    let mut canaries = Canaries(PLANTED.map(|(a, b)| (a.to_owned(), b.to_owned())).to_vec());
    let client = &app.client;
    for (what, secret) in [("password", &client.password), ("API key", &client.api_key)] {
        canaries.0.push((what.to_owned(), secret.clone()));
    }
    canaries.0.push(("master key".to_owned(), STANDARD.encode([7; 32])));
    // Of a private key, any line will do.
    let line = v2::PRIVATE_KEY.lines().nth(1).unwrap();
    canaries.0.push(("private key".to_owned(), line.to_owned()));
    let mut references = Vec::new();
    for plan in [Value::Null, json!(["InvalidPaymentMethod"]), Value::Null, Value::Null] {
        let reference = planted(&app, plan).await;
        // Behind the bar, so that no spelling of the bar matters.
        let token = reference.token.rsplit('|').next().unwrap().to_owned();
        canaries.0.push(("consent token".to_owned(), token));
        references.push(reference);
    }
    let [paid, soft, stuck, by_crm] = &references[..] else { unreachable!() };
    app.process("worker").terminate().await;
    accepted(&app, "1", &command("paid", paid)).await;
    accepted(&app, "2", &command("soft", soft)).await;
    accepted(&app, "3", &command("stuck", stuck)).await;
    let lander = [
        ("orderId", "crm"),
        ("amazonBillerId", MID),
        ("amazonOrderId", &by_crm.id),
        ("amazonAddressConsent", &by_crm.token),
        ("amount", "29.95"),
        ("firstName", "Cmdcanaryfirst"),
        ("emailAddress", "canary.in.command@example.com"),
        ("cardNumber", "4111111111111111"),
        ("async", "1"),
    ];
    app.crm("/order/import/", &lander).await;
    let upsale = [
        ("orderId", "nobody-has-it"),
        ("productId", "1"),
        ("productPrice", "1.00"),
        ("emailAddress", "canary.in.command@example.com"),
        ("async", "1"),
    ];
    app.crm("/upsale/import/", &upsale).await;
    let seen = canaries.look_into_queues(&app).await;
    assert!(app.amqp.is_none() || seen == 5, "{seen} messages were looked at");
    canaries.look_below(&app.data_dir());
    work(&mut app, stuck).await;
    everything_is_clean(&mut app, &canaries, &collector).await;
}

/// Paid, declined, in the dead letters, rejected, refused, waiting in a retry tier.
async fn work(app: &mut App, stuck: &Reference) {
    let operation = match app.combination.api {
        Api::Mws => "SetOrderReferenceDetails",
        Api::V2 => "CompleteCheckoutSession",
    };
    let trouble = json!([{
        "match": {"operation": operation, "objectId": stuck.id},
        "fault": "reset_before",
    }]);
    app.sim.faults(trouble).await;
    app.process("worker").start_again();
    for order_id in ["paid", "crm"] {
        let event = news(app, &of_order(order_id), "paid", 1).await;
        assert_eq!(event["data"]["buyer"]["lastName"], "Canarylastname", "{event}");
        assert_eq!(event["data"]["shippingAddress"]["city"], "Canaryville", "{event}");
    }
    news(app, &of_order("soft"), "declined", 1).await;
    let calls = app.sim.calls("").await;
    let exchanged = calls["calls"]["GetAuthorizationToken"].as_u64().unwrap_or(0);
    assert_eq!(exchanged > 0, app.combination.api == Api::V2, "{calls}");
    let mut more = upsell("paid", "u");
    more["emailAddress"] = json!("canary.in.command@example.com");
    accepted(app, "u", &more).await;
    app.done_at(&format!("/v1/upsells/{MID}/paid/u")).await;
    let letter = dead_letter(app, |letter| letter["orderId"] == "stuck").await;
    // Rejected by the worker, and by ingest.
    let mut conflicting = command("paid", stuck);
    conflicting["amount"] = json!("1.00");
    accepted(app, "4", &conflicting).await;
    dead_letter(app, |letter| letter["reason"] == "rejected").await;
    conflicting["orderId"] = json!("not an id");
    assert_eq!(app.api.post("/v1/orders", &conflicting).await.status, 422);
    for args in [
        &["dead-letter", "show", letter["id"].as_str().unwrap(), "--json"][..],
        &["order", "show", "paid", "--json"],
        &["mid", "show", MID, "--json"],
        &["check-config"],
    ] {
        let output = app.cli(args, "");
        let text = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&text));
        for secret in ["canary-secret", "canary-client", "canary-auth", "Atza"] {
            let found = String::from_utf8_lossy(&text).contains(secret);
            assert!(!found, "{secret} in {args:?}");
        }
    }
}

async fn everything_is_clean(app: &mut App, canaries: &Canaries, collector: &Collector) {
    for page in &app.metrics {
        let reply = page.get("/metrics").await;
        assert!(reply.text.len() > 500, "{}", reply.text);
        canaries.look("/metrics", reply.text.as_bytes());
    }
    eventually("traces and metrics", async || {
        let received = String::from_utf8_lossy(&collector.received()).into_owned();
        (received.contains("/v1/traces") && received.contains("/v1/metrics")).then_some(())
    })
    .await;
    app.process("worker").terminate().await;
    canaries.look_into_queues(app).await;
    let rows = canaries.look_into_tables(app).await;
    assert!(app.postgres.is_none() || rows > 20, "{rows} rows were looked at");
    assert!(canaries.look_below(&app.data_dir()) > 0 || app.postgres.is_some());
    app.process("relay").terminate().await;
    canaries.look("what was exported", &collector.received());
    for process in &app.processes {
        let log = process.log();
        assert!(log.contains("DEBUG") || log.contains("TRACE"), "{}", process.name());
        canaries.look(&format!("the log of {}", process.name()), log.as_bytes());
    }
}
