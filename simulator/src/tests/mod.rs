//! The simulator over real connections: what a caller sees of faults, quotas, errors and `/_sim`.

mod line;
mod v2;
mod wire;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Config, Simulator};

pub(super) const SANDBOX: &str = "/OffAmazonPayments_Sandbox/2013-01-01";
pub(super) const LIVE: &str = "/OffAmazonPayments/2013-01-01";
/// When all tests happen: 2026-11-23T08:00:00Z.
const NOW_MS: i64 = 1_795_420_800_000;
const NOW: &str = "2026-11-23T08:00:00Z";

/// A simulator on a port of its own, with one seller, and whoever calls it.
pub(super) struct Scene {
    pub(super) base: String,
    pub(super) http: reqwest::Client,
    pub(super) stop: CancellationToken,
    pub(super) server: JoinHandle<()>,
    machine_ms: Arc<AtomicI64>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(super) struct Heard {
    pub(super) status: u16,
    pub(super) text: String,
}

impl Heard {
    /// The text of the first element of this name, `""` where there is none.
    pub(super) fn tag(&self, name: &str) -> &str {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let inside = self.text.split_once(&open).and_then(|(_, rest)| rest.split_once(&close));
        inside.map_or("", |(inside, _)| inside)
    }

    pub(super) fn is(&self, status: u16, code: &str) {
        assert_eq!((self.status, self.tag("Code")), (status, code), "{}", self.text);
    }
}

impl Scene {
    pub(super) async fn new() -> Self {
        // The first test of a process installs it, the others find it there.
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let machine_ms = Arc::new(AtomicI64::new(NOW_MS));
        let told = Arc::clone(&machine_ms);
        let machine = move || told.load(Ordering::Relaxed);
        let simulator = Simulator::new(Config::default().seed(1).machine(machine));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        let server = tokio::spawn(async move {
            simulator.serve(listener, stopped).await.unwrap();
        });
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build().unwrap();
        let scene = Self { base, http, stop, server, machine_ms };
        let seller = json!({"merchantId": "A1", "accessKey": "K1", "secretKey": "secret"});
        assert_eq!(scene.sim("POST", "/sellers", seller).await.0, 201);
        scene
    }

    pub(super) fn wait_ms(&self, ms: i64) {
        self.machine_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(super) async fn sim(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}/_sim{path}", self.base));
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let answer = request.body(body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&answer.text().await.unwrap()).unwrap())
    }

    pub(super) async fn order(&self, plan: Value) -> String {
        let body = json!({"merchantId": "A1", "plan": plan});
        let (status, made) = self.sim("POST", "/order-references", body).await;
        assert_eq!(status, 201, "{made}");
        made["amazonOrderReferenceId"].as_str().unwrap().to_owned()
    }

    /// A confirmed order of 100.00.
    pub(super) async fn confirmed(&self, plan: Value) -> String {
        let order = self.order(plan).await;
        self.set(&order).await;
        let confirmed = self.call("ConfirmOrderReference", &[oro(&order)]).await.unwrap();
        assert_eq!(confirmed.status, 200, "{}", confirmed.text);
        order
    }

    pub(super) async fn set(&self, order: &str) -> Heard {
        let total = [
            oro(order),
            ("OrderReferenceAttributes.OrderTotal.Amount", "100.00"),
            ("OrderReferenceAttributes.OrderTotal.CurrencyCode", "USD"),
        ];
        self.call("SetOrderReferenceDetails", &total).await.unwrap()
    }

    pub(super) async fn authorize(
        &self,
        order: &str,
        reference: &str,
    ) -> Result<Heard, reqwest::Error> {
        let sale = [
            oro(order),
            ("AuthorizationReferenceId", reference),
            ("AuthorizationAmount.Amount", "100.00"),
            ("AuthorizationAmount.CurrencyCode", "USD"),
            ("TransactionTimeout", "0"),
            ("CaptureNow", "true"),
        ];
        self.call("Authorize", &sale).await
    }

    /// A signed call in the sandbox.
    pub(super) async fn call(
        &self,
        action: &str,
        params: &[(&str, &str)],
    ) -> Result<Heard, reqwest::Error> {
        self.send(SANDBOX, self.sign("secret", SANDBOX, action, params)).await
    }

    pub(super) async fn send(&self, path: &str, body: String) -> Result<Heard, reqwest::Error> {
        let answer = self.http.post(format!("{}{path}", self.base)).body(body).send().await?;
        let status = answer.status().as_u16();
        Ok(Heard { status, text: answer.text().await? })
    }

    /// A form, signed as Amazon's documents say; what is named wins over what is usual.
    pub(super) fn sign(
        &self,
        secret: &str,
        path: &str,
        action: &str,
        params: &[(&str, &str)],
    ) -> String {
        let usual = [
            ("AWSAccessKeyId", "K1"),
            ("Action", action),
            ("SellerId", "A1"),
            ("SignatureMethod", "HmacSHA256"),
            ("SignatureVersion", "2"),
            ("Timestamp", NOW),
            ("Version", "2013-01-01"),
        ];
        let named = |name: &str| params.iter().any(|(known, _)| *known == name);
        let mut all: Vec<_> = usual.into_iter().filter(|(name, _)| !named(name)).collect();
        all.extend_from_slice(params);
        all.sort_unstable();
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(&all).finish();
        let signed = form.replace('+', "%20").replace('*', "%2A").replace("%7E", "~");
        let host = self.base.trim_start_matches("http://");
        let text = format!("POST\n{host}\n{path}\n{signed}");
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let signature = STANDARD.encode(hmac::sign(&key, text.as_bytes()));
        form_urlencoded::Serializer::new(form).append_pair("Signature", &signature).finish()
    }

    /// The kinds of what moved on an order.
    pub(super) async fn moved(&self, order: &str) -> Vec<String> {
        let path = format!("/ledger?merchantId=A1&objectId={order}");
        let (_, ledger) = self.sim("GET", &path, Value::Null).await;
        let entries = ledger["entries"].as_array().unwrap();
        entries.iter().map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    pub(super) async fn fault(&self, fault: Value) {
        let (status, said) = self.sim("PUT", "/faults", json!([fault])).await;
        assert_eq!(status, 200, "{said}");
    }
}

pub(super) fn oro(id: &str) -> (&str, &str) {
    ("AmazonOrderReferenceId", id)
}
