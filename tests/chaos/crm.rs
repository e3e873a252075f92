//! The CRM and the billing scheduler of the chaos test: they send orders, listen to the feed, and
//! ask for charges, captures, refunds and cancels as its news come in. They send again whatever was
//! not accepted, and remember under which message each thing was asked for.

use std::collections::{HashMap, HashSet, VecDeque};
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::support::http::Server;

/// How often what follows the sale is asked for before the storm is over.
const ROUNDS: usize = 40;

/// When an operation is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// With its payment, of which nobody knows the end yet.
    AtOnce,
    Authorized,
    Paid,
}

/// A capture, refund or cancel.
#[derive(Clone, Debug)]
pub(crate) struct Operation {
    pub(crate) when: When,
    /// The end of its address.
    pub(crate) what: &'static str,
    pub(crate) request: String,
    /// All that is left, where there is none.
    pub(crate) amount: Option<&'static str>,
    /// Under how many message ids it is asked for.
    pub(crate) times: u32,
    /// Those that were accepted.
    pub(crate) messages: Vec<String>,
}

/// An order or a charge, with what is asked for after it.
#[derive(Clone, Debug)]
pub(crate) struct Payment {
    pub(crate) mid: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) key: String,
    pub(crate) body: Value,
    pub(crate) operations: Vec<Operation>,
    /// On the agreement that an order brought.
    pub(crate) charges: Vec<Payment>,
}

impl Payment {
    /// The subject of its events.
    pub(crate) fn subject(&self) -> String {
        format!("{}/{}/{}", self.mid, self.kind, self.key)
    }

    fn path(&self) -> String {
        format!("/v1/{}s", self.kind)
    }
}

/// Both, and all that they have heard.
pub(crate) struct Crm {
    api: Server,
    to_send: VecDeque<Payment>,
    pub(crate) asked: HashMap<String, Payment>,
    pub(crate) events: Vec<Value>,
    heard: HashSet<(String, &'static str)>,
    cursor: String,
}

impl Crm {
    pub(crate) fn new(api: Server, payments: Vec<Payment>) -> Self {
        Self {
            api,
            to_send: payments.into(),
            asked: HashMap::new(),
            events: Vec::new(),
            heard: HashSet::new(),
            cursor: String::new(),
        }
    }

    /// Sends everything, and what follows from what is heard meanwhile.
    pub(crate) async fn work(mut self) -> Self {
        let half = self.to_send.len() / 2;
        let mut number = 0;
        while let Some(payment) = self.to_send.pop_front() {
            self.send(payment).await;
            number += 1;
            if number == half {
                println!("chaos: half of the orders are accepted");
            }
            if number % 10 == 0 {
                self.listen().await;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        for _ in 0..ROUNDS {
            self.listen().await;
            if self.left().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        self
    }

    /// Posts until it is accepted; the message id that it was given.
    async fn post(&self, path: &str, key: &str, body: &Value) -> String {
        let headers = [("content-type", "application/json"), ("idempotency-key", key)];
        loop {
            let sent = self.api.try_send(Method::POST, path, &headers, body.to_string()).await;
            match sent {
                Ok(reply) if reply.status == 202 => {
                    return reply.json()["messageId"].as_str().unwrap().to_owned();
                }
                Ok(reply) => assert!(reply.status == 503, "{} {}", reply.status, reply.text),
                // The ingest process lives; its broker may not.
                Err(_) => {}
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn send(&mut self, payment: Payment) {
        let subject = payment.subject();
        self.post(&payment.path(), &subject, &payment.body).await;
        self.asked.insert(subject.clone(), payment);
        self.ask(&subject, When::AtOnce).await;
    }

    /// Asks for what is due of a payment.
    async fn ask(&mut self, subject: &str, when: When) {
        let payment = &self.asked[subject];
        let due: Vec<(usize, Operation)> = payment.operations.iter().cloned().enumerate().collect();
        let address = format!("{}/{}/{}", payment.path(), payment.mid, payment.key);
        for (at, operation) in due.into_iter().filter(|(_, operation)| operation.when == when) {
            let mut body = json!({ "requestId": operation.request });
            if let Some(amount) = operation.amount {
                body["amount"] = json!(amount);
            }
            let path = format!("{address}/{}", operation.what);
            for time in 0..operation.times {
                let key = format!("{subject}/{}/{time}", operation.request);
                let message = self.post(&path, &key, &body).await;
                let payment = self.asked.get_mut(subject).unwrap();
                payment.operations[at].messages.push(message);
            }
        }
    }

    /// Reads the feed on, and asks for what its news allow.
    pub(crate) async fn listen(&mut self) {
        loop {
            let after = if self.cursor.is_empty() { "" } else { "&after=" };
            let path = format!("/v1/events?limit=1000{after}{}", self.cursor);
            // The database may be away.
            let Ok(reply) = self.api.try_send(Method::GET, &path, &[], "").await else { return };
            if reply.status != 200 {
                return;
            }
            let page = reply.json();
            let new = page["events"].as_array().unwrap().clone();
            if new.is_empty() {
                return;
            }
            page["next"].as_str().unwrap().clone_into(&mut self.cursor);
            for event in new {
                self.hear(&event).await;
                self.events.push(event);
            }
        }
    }

    async fn hear(&mut self, event: &Value) {
        let subject = event["subject"].as_str().unwrap().to_owned();
        let (when, word) = match event["data"]["status"].as_str().unwrap() {
            "authorized" => (When::Authorized, "authorized"),
            "paid" => (When::Paid, "paid"),
            _ => return,
        };
        if !self.asked.contains_key(&subject) || !self.heard.insert((subject.clone(), word)) {
            return;
        }
        self.ask(&subject, when).await;
        let charges = std::mem::take(&mut self.asked.get_mut(&subject).unwrap().charges);
        for charge in charges {
            Box::pin(self.send(charge)).await;
        }
    }

    /// What has no end yet, in words.
    pub(crate) fn left(&self) -> Vec<String> {
        let mut ended = HashSet::new();
        for event in &self.events {
            let data = &event["data"];
            let text = |name: &str| data[name].as_str().unwrap_or_default();
            let subject = event["subject"].as_str().unwrap();
            if text("status").ends_with("rejected") {
                ended.insert(text("messageId").to_owned());
            } else if !text("status").ends_with("pending") {
                ended.insert(subject.to_owned());
                ended.insert(format!("{subject}?{}", text("requestId")));
            }
        }
        let mut left = Vec::new();
        for (subject, payment) in &self.asked {
            if !ended.contains(subject) {
                left.push(subject.clone());
            }
            for operation in &payment.operations {
                let request = format!("{subject}?{}", operation.request);
                let open = operation
                    .messages
                    .iter()
                    .filter(|message| !ended.contains(*message) && !ended.contains(&request));
                left.extend(open.map(|_| request.clone()));
            }
        }
        left
    }
}
