//! Ingest with everything that it needs, and requests as callers send them.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use amazon_pay_worker::adapters::vault::MasterVault;
use amazon_pay_worker::domain::ids::MerchantAccountId;
use amazon_pay_worker::domain::merchant::{Api, MerchantAccount, Reauthorize, Region};
use amazon_pay_worker::ports::broker::Message;
use amazon_pay_worker::ports::merchants::{ApiClient, MerchantRow};
use amazon_pay_worker::ports::vault::{Sealed, Vault};
use amazon_pay_worker::roles::ingest::{Ingest, Options, Ports};
use amazon_pay_worker::roles::ipn::Ipn;
use amazon_pay_worker::telemetry::Metrics;
use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, Request};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use secrecy::SecretBox;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::notifications::Mail;
use crate::ports::{Database, Queues, Watch};

/// Who may use every MID.
pub(crate) const LOGIN: &str = "client-all";
pub(crate) const PASSWORD: &str = "password-of-all";
pub(crate) const KEY: &str = "key-of-all";
/// Who may use `mid-na` alone.
pub(crate) const KEY_NA: &str = "key-of-na";

pub(crate) struct World {
    pub(crate) database: Arc<Database>,
    pub(crate) queues: Arc<Queues>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) mail: Arc<Mail>,
    pub(crate) vault: Arc<dyn Vault>,
    pub(crate) address: std::net::SocketAddr,
    pub(crate) stop: CancellationToken,
    ingest: Arc<Ingest>,
    ipn: Arc<Ipn>,
}

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// A problem document of this status; the fields that it names.
    #[track_caller]
    pub(crate) fn problem(&self, status: u16) -> Vec<String> {
        let document = self.expect(status);
        assert_eq!(self.header("content-type"), "application/problem+json");
        assert_eq!(document["status"], status);
        for member in ["type", "title", "detail"] {
            assert!(!document[member].as_str().unwrap().is_empty(), "{document}");
        }
        let errors = document["errors"].as_array().unwrap();
        errors.iter().map(|error| error["field"].as_str().unwrap().to_owned()).collect()
    }

    /// An ERROR of the CRM; the fields that it names, or its text.
    #[track_caller]
    pub(crate) fn refused(&self, status: u16) -> Vec<String> {
        let answer = self.expect(status);
        assert_eq!(self.header("content-type"), "application/json");
        assert_eq!(answer["result"], "ERROR", "{answer}");
        match &answer["message"] {
            Value::Object(fields) => fields.keys().cloned().collect(),
            text => vec![text.as_str().unwrap().to_owned()],
        }
    }

    /// The order object of a SUCCESS.
    #[track_caller]
    pub(crate) fn success(&self) -> Value {
        let answer = self.expect(200);
        assert_eq!(answer["result"], "SUCCESS", "{answer}");
        answer["message"].clone()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

impl World {
    pub(crate) async fn start() -> Self {
        Self::with(None).await
    }

    pub(crate) async fn with(rate_per_client: Option<u32>) -> Self {
        let (database, queues) = (Arc::new(Database::default()), Arc::new(Queues::default()));
        let watch = Arc::new(Watch::new());
        *database.merchants.lock().unwrap() =
            vec![merchant("mid-na", Region::Na), merchant("mid-eu", Region::Eu)];
        *database.clients.lock().unwrap() =
            vec![client(LOGIN, PASSWORD, KEY, &[]), client("client-na", "p", KEY_NA, &["mid-na"])];
        let keys = [SecretBox::new(Box::new([7; 32]))];
        let vault = Arc::new(MasterVault::new(&keys, watch.clone()).unwrap());
        let ports = Ports {
            merchants: database.clone(),
            store: database.clone(),
            desk: database.clone(),
            outbox: database.clone(),
            broker: queues.clone(),
            vault: vault.clone(),
            clock: watch.clone(),
            metrics: Metrics::local().unwrap(),
        };
        let mail = Arc::new(Mail::default());
        let ipn = Arc::new(Ipn {
            verifier: mail.clone(),
            notifications: mail.clone(),
            store: database.clone(),
            broker: queues.clone(),
            clock: watch.clone(),
            metrics: ports.metrics.clone(),
        });
        let options = Options { crm_wait: Duration::from_secs(18), rate_per_client };
        let ingest = Ingest::new(ports, &options);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(ingest.clone().run(listener, ipn.clone().path(), stop.clone()));
        // Lets it open its reply queue and read who may call.
        while database.read.load(Ordering::SeqCst) == 0 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Self { database, queues, watch, mail, vault, address, stop, ingest, ipn }
    }

    /// Whatever it is, as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let service = TowerToHyperService::new(self.ingest.clone().router(self.ipn.clone().path()));
        let response = service.call(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = to_bytes(body, usize::MAX).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status.as_u16(), headers: parts.headers, text }
    }

    pub(crate) async fn request(
        &self,
        method: &str,
        target: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.request("GET", path, &[("authorization", &bearer(KEY))], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.post_with(path, &[], body).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Answer {
        let key = bearer(KEY);
        let known = [("authorization", key.as_str()), ("content-type", "application/json")];
        // What the test says goes before what it leaves out.
        let said = |name: &str| headers.iter().any(|(other, _)| *other == name);
        let known = known.into_iter().filter(|(name, _)| !said(name));
        let headers: Vec<_> = known.chain(headers.iter().copied()).collect();
        self.request("POST", path, &headers, body.to_string()).await
    }

    /// A form with the client's login, as a lander sends it.
    pub(crate) async fn form(&self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        let body = form(&[fields, &[("loginId", LOGIN), ("password", PASSWORD)]].concat());
        self.request("POST", path, &headers, body).await
    }

    /// Every command that was published.
    pub(crate) fn published(&self) -> Vec<Message> {
        self.queues.published.lock().unwrap().clone()
    }

    /// The fields of the only command that was published, personal ones opened.
    #[track_caller]
    pub(crate) fn command(&self) -> Value {
        let published = self.published();
        assert_eq!(published.len(), 1);
        self.fields(&published[0])
    }

    pub(crate) fn fields(&self, message: &Message) -> Value {
        let mut fields: Value = serde_json::from_slice(&message.body).unwrap();
        if let Some(sealed) = fields["sealed"].as_str().map(str::to_owned) {
            let identity = format!("message/{}", message.message_id.as_deref().unwrap());
            let clear = self.vault.open(&identity, &Sealed(sealed)).unwrap();
            fields["sealed"] = serde_json::from_slice(&clear).unwrap();
        }
        fields
    }

    /// From now on the worker answers every command with these results.
    pub(crate) fn worker(&self, results: &[(&'static str, Value)]) {
        let results = results.to_vec();
        *self.queues.worker.lock().unwrap() = Some(Box::new(move |message| {
            results.iter().map(|(result, data)| event(message, result, data)).collect()
        }));
    }
}

/// The event of a result, as the contract has it.
pub(crate) fn event(message: &Message, result: &str, more: &Value) -> Vec<u8> {
    let kind = message.routing_key.split('.').next().unwrap();
    let mut data = json!({"messageId": message.message_id, "kind": kind, "status": result});
    for (name, value) in more.as_object().unwrap() {
        data[name] = value.clone();
    }
    json!({
        "specversion": "1.0",
        "id": "evt_1",
        "type": format!("payments.{kind}.{result}"),
        "data": data,
    })
    .to_string()
    .into_bytes()
}

pub(crate) fn bearer(key: &str) -> String {
    format!("Bearer {key}")
}

pub(crate) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

pub(crate) fn sha256_hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn client(login: &str, password: &str, key: &str, mids: &[&str]) -> ApiClient {
    ApiClient {
        login_id: login.to_owned(),
        name: login.to_owned(),
        password_hash: sha256_hex(password),
        api_key_hash: sha256_hex(key),
        mids: mids.iter().map(|mid| MerchantAccountId::new(*mid).unwrap()).collect(),
        revoked: false,
    }
}

pub(crate) fn merchant(mid: &str, region: Region) -> MerchantRow {
    MerchantRow {
        merchant: MerchantAccount {
            id: MerchantAccountId::new(mid).unwrap(),
            title: mid.to_owned(),
            soft_descriptor: None,
            mid_number: None,
            region,
            sandbox: true,
            api: Api::Mws,
            seller_id: "SELLER".to_owned(),
            enabled: true,
            reauthorize: Reauthorize { enabled: false, window_s: 0, max: 0 },
            revision: 1,
        },
        secrets: Sealed("never opened here".to_owned()),
    }
}

/// An order of the project's own API.
pub(crate) fn order() -> Value {
    json!({
        "orderId": "CRM-1",
        "amazonBillerId": "mid-na",
        "amazonOrderId": "S01-1234567-1234567",
        "amount": "29.95",
        "currency": "USD",
        "amazonAddressConsent": "canary-token",
        "firstName": "canary-first",
        "emailAddress": "canary@example.com",
    })
}

/// An order of the CRM, without its price.
pub(crate) const LANDER: [(&str, &str); 5] = [
    ("orderId", "CRM-1"),
    ("amazonBillerId", "mid-na"),
    ("amazonOrderId", "S01-1234567-1234567"),
    ("paySource", "AMAZON"),
    ("firstName", "Ada"),
];

/// [`LANDER`] and these.
pub(crate) fn lander<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    [&LANDER, more].concat()
}

/// The runtime's time, which is paused: it measures what was waited for, never the machine.
#[expect(clippy::disallowed_methods, reason = "paused time is not the machine's")]
pub(crate) fn paused_now() -> tokio::time::Instant {
    tokio::time::Instant::now()
}
