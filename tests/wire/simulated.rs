//! The simulator in this process, by its HTTP face alone.

use std::sync::Arc;

use amazon_pay_simulator::{Config, Simulator};
use amazon_pay_worker::adapters::amazon::mws::MwsGateway;
use amazon_pay_worker::adapters::system::System;
use amazon_pay_worker::domain::gateway::{Answer, Effect, Fault, Reply};
use amazon_pay_worker::domain::ids::ReferenceId;
use amazon_pay_worker::ports::gateway::{Account, Gateway};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::fixtures::{PATIENT, account, gateway_with};

/// A simulator with one seller, and a gateway to it.
pub(crate) struct Amazon {
    pub(crate) gateway: MwsGateway,
    pub(crate) account: Account,
    pub(crate) base: String,
    http: reqwest::Client,
}

impl Amazon {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let simulator = Simulator::new(Config::default().seed(1));
        tokio::spawn(async move { simulator.serve(listener, std::future::pending()).await });
        let gateway = gateway_with(&base, PATIENT, Arc::new(System::new()));
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        let amazon = Self { gateway, account: account(), base, http };
        let seller = json!({
            "merchantId": "A2SIMSELLER001",
            "accessKey": "AKIAEXAMPLESIMULATOR",
            "secretKey": "simulator/secret+key==0123456789",
            "clientId": "amzn1.application-oa2-client.c0ffee",
        });
        amazon.play("POST", "/sellers", &seller).await;
        amazon
    }

    pub(crate) async fn play(&self, method: &str, path: &str, body: &Value) -> Value {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let request = self.http.request(method, format!("{}/_sim{path}", self.base));
        let request = request.header("content-type", "application/json").body(body.to_string());
        let answer = request.send().await.unwrap();
        assert!(answer.status().is_success(), "{path}: {}", answer.status());
        let text = answer.text().await.unwrap();
        serde_json::from_str(&text).unwrap_or(Value::Null)
    }

    /// A reference in Draft as the widgets leave it, and the buyer's token.
    pub(crate) async fn reference(&self, plan: Value) -> (ReferenceId, String) {
        let buyer = json!({ "name": "Ada Lovelace", "email": "ada@example.com" });
        let body = json!({ "merchantId": "A2SIMSELLER001", "buyer": buyer, "plan": plan });
        let made = self.play("POST", "/order-references", &body).await;
        let id = made["amazonOrderReferenceId"].as_str().unwrap();
        (ReferenceId::new(id).unwrap(), made["accessToken"].as_str().unwrap().to_owned())
    }

    /// What the next calls of `operation` meet.
    pub(crate) async fn fault(&self, operation: &str, fault: &str, more: Value) {
        let mut rule = json!({ "match": { "operation": operation }, "fault": fault, "times": 1 });
        for (name, value) in more.as_object().into_iter().flatten() {
            rule[name] = value.clone();
        }
        self.play("PUT", "/faults", &json!([rule])).await;
    }

    /// The kinds of what the books show of an object, oldest first.
    pub(crate) async fn ledger(&self, object: &ReferenceId) -> Vec<String> {
        let url = format!("{}/_sim/ledger?objectId={object}", self.base);
        let text = self.http.get(url).send().await.unwrap().text().await.unwrap();
        let books: Value = serde_json::from_str(&text).unwrap();
        let entries = books["entries"].as_array().unwrap().iter();
        entries.map(|entry| entry["kind"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) async fn call(&self, effect: &Effect) -> Reply {
        self.gateway.call(&self.account, effect).await.reply
    }

    pub(crate) async fn done(&self, effect: &Effect) -> Answer {
        self.call(effect).await.unwrap_or_else(|fault| panic!("{}: {fault:?}", effect.name()))
    }

    pub(crate) async fn fault_of(&self, effect: &Effect) -> Fault {
        self.call(effect).await.expect_err(effect.name())
    }
}
