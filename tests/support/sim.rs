//! The simulator as a process of its own, and the calls by which a test plays the buyer, Seller
//! Central and the weather.

use std::path::Path;

use std::sync::atomic::{AtomicU64, Ordering};

use reqwest::Method;
use serde_json::{Value, json};

use super::buyer::ada;
use super::eventually;
use super::http::Server;
use super::process::{Env, Process, free_port};
use super::v2;

/// Numbers for the idempotency keys of sessions.
static NEXT: AtomicU64 = AtomicU64::new(1);

/// A running simulator.
pub(crate) struct Simulator {
    pub(crate) server: Server,
    pub(crate) process: Process,
}

/// What the lander has after the widgets: a reference and the buyer's consent.
#[derive(Clone, Debug)]
pub(crate) struct Reference {
    pub(crate) id: String,
    pub(crate) token: String,
}

impl Simulator {
    pub(crate) async fn start(folder: &Path) -> Self {
        let address = format!("127.0.0.1:{}", free_port());
        let env: Env = vec![("RUST_LOG".to_owned(), "info".to_owned())];
        let process =
            Process::start("simulator", &["simulator", "--listen", &address], &env, folder);
        let mut simulator = Self { server: Server::new(format!("http://{address}")), process };
        eventually("the simulator", async || {
            let running = simulator.process.is_running();
            assert!(running, "the simulator ended: {}", simulator.process.log());
            simulator.server.status("/_sim/clock").await.filter(|status| *status == 200)
        })
        .await;
        simulator
    }

    pub(crate) fn url(&self) -> &str {
        self.server.base()
    }

    /// A call under `/_sim` that must succeed.
    pub(crate) async fn play(&self, path: &str, body: &Value) -> Value {
        let reply = self.server.post(&format!("/_sim{path}"), body).await;
        assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.text);
        if reply.text.trim().is_empty() { Value::Null } else { reply.json() }
    }

    /// A Draft order reference of a demo buyer; `plan` as in the contract, or null.
    pub(crate) async fn order_reference(&self, merchant_id: &str, plan: Value) -> Reference {
        self.order_reference_from(&ada(), merchant_id, plan).await
    }

    /// The same of another buyer.
    pub(crate) async fn order_reference_from(
        &self,
        buyer: &Value,
        merchant_id: &str,
        plan: Value,
    ) -> Reference {
        let mut body = json!({ "merchantId": merchant_id, "buyer": buyer });
        if !plan.is_null() {
            body["plan"] = plan;
        }
        let made = self.play("/order-references", &body).await;
        let text = |name: &str| made[name].as_str().unwrap_or_default().to_owned();
        let reference =
            Reference { id: text("amazonOrderReferenceId"), token: text("accessToken") };
        assert!(!reference.id.is_empty(), "no reference in {made}");
        reference
    }

    /// A checkout session as a merchant's back end makes it, approved by this buyer.
    pub(crate) async fn checkout_session(
        &self,
        account: &v2::Account,
        buyer: &Value,
        asked: &Value,
        plan: Value,
    ) -> Reference {
        let key = format!("{:032x}", NEXT.fetch_add(1, Ordering::Relaxed));
        let create = (Method::POST, "checkoutSessions");
        let made = v2::call(&self.server, account, create, Some(&key), asked).await.expect(201);
        let id = made["checkoutSessionId"].as_str().unwrap().to_owned();
        let mut body = json!({ "buyer": buyer });
        if !plan.is_null() {
            body["plan"] = plan;
        }
        self.play(&format!("/checkout-sessions/{id}/approve"), &body).await;
        Reference { id, token: "Atza|v2-needs-none".to_owned() }
    }

    pub(crate) async fn mend_payment_method(&self, object: &str) {
        let path = format!("/objects/{object}/payment-method");
        self.play(&path, &json!({ "valid": true })).await;
    }

    pub(crate) async fn advance(&self, seconds: u64) {
        self.play("/clock", &json!({ "advanceSeconds": seconds })).await;
    }

    pub(crate) async fn set(&self, settings: Value) {
        let reply = self.server.put("/_sim/settings", &settings).await;
        assert!((200..300).contains(&reply.status), "{}: {}", reply.status, reply.text);
    }

    pub(crate) async fn faults(&self, faults: Value) {
        let reply = self.server.put("/_sim/faults", &faults).await;
        assert!((200..300).contains(&reply.status), "{}: {}", reply.status, reply.text);
    }

    pub(crate) async fn no_faults(&self) {
        let reply = self.server.delete("/_sim/faults").await;
        assert!((200..300).contains(&reply.status), "{}: {}", reply.status, reply.text);
    }

    /// Every movement of money, from the simulator's own books; `query` as `objectId=…`, or empty.
    pub(crate) async fn ledger(&self, query: &str) -> Vec<Value> {
        let reply = self.server.get(&format!("/_sim/ledger?{query}")).await;
        reply.expect(200)["entries"].as_array().expect("entries").clone()
    }

    /// The movements of one kind (`capture`, `authorize`, …) on one object.
    pub(crate) async fn moved(&self, object: &str, kind: &str) -> Vec<Value> {
        let entries = self.ledger(&format!("objectId={object}")).await;
        entries.into_iter().filter(|entry| entry["kind"] == kind).collect()
    }

    pub(crate) async fn calls(&self, merchant_id: &str) -> Value {
        self.server.get(&format!("/_sim/calls?merchantId={merchant_id}")).await.expect(200)
    }
}
