//! `POST /ipn` over models of its ports: stored once, answered at once, and told to a worker; and
//! whatever is not genuine, or cannot be judged or stored now, by its own status.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use amazon_pay_worker::domain::notification::{About, Notification};
use amazon_pay_worker::domain::payment::Payment;
use amazon_pay_worker::ports::notifications::{
    ConcernQuery, Heeded, Kept, Notifications, Received, Refused, Verifier,
};
use amazon_pay_worker::ports::store::StoreError;
use async_trait::async_trait;
use serde_json::{Value, json};

use crate::world::{Answer, World};

type Stored<T> = Result<T, StoreError>;

/// Takes the body's word for what it is, and keeps what it is given.
#[derive(Default)]
pub(crate) struct Mail {
    pub(crate) away: AtomicBool,
    pub(crate) kept: Mutex<Vec<Notification>>,
    pub(crate) judged: AtomicU64,
}

#[async_trait]
impl Verifier for Mail {
    async fn verify(&self, received: Received<'_>) -> Result<Notification, Refused> {
        self.judged.fetch_add(1, Ordering::SeqCst);
        let body: Value = serde_json::from_slice(received.body).unwrap_or_default();
        match body["is"].as_str() {
            Some("genuine") => Ok(Notification {
                message_id: body["id"].as_str().unwrap().to_owned(),
                seller_id: "A1".to_owned(),
                sandbox: None,
                about: About::Capture,
                object_id: "S01-1234567-7654321-C012345".to_owned(),
                reference: Some("S01-1234567-7654321".to_owned()),
            }),
            Some("forged") => Err(Refused::Forged("its signature is another's")),
            Some("late") => Err(Refused::Unverifiable("its certificate cannot be fetched")),
            _ => Err(Refused::Malformed("it is no SNS message")),
        }
    }
}

fn not_asked<T>() -> Stored<T> {
    Err(StoreError::Corrupt("this role never asks for it".to_owned()))
}

#[async_trait]
impl Notifications for Mail {
    async fn keep(&self, notification: &Notification, now: i64, due_at: i64) -> Stored<bool> {
        assert!(due_at > now);
        if self.away.load(Ordering::SeqCst) {
            return Err(StoreError::Away("secret-host-of-the-database".to_owned()));
        }
        let mut kept = self.kept.lock().unwrap();
        let new = kept.iter().all(|one| one.message_id != notification.message_id);
        if new {
            kept.push(notification.clone());
        }
        Ok(new)
    }

    async fn kept(&self, _: &str) -> Stored<Option<Kept>> {
        not_asked()
    }

    async fn unheeded(&self, _: i64, _: u32) -> Stored<Vec<Kept>> {
        not_asked()
    }

    async fn heeded(&self, _: &str, _: Heeded, _: i64) -> Stored<()> {
        not_asked()
    }

    async fn concerned(&self, _: &ConcernQuery) -> Stored<Vec<Payment>> {
        not_asked()
    }
}

/// Sends it as SNS does: without a client, and as plain text.
async fn send(world: &World, body: &Value) -> Answer {
    let headers = [("content-type", "text/plain; charset=UTF-8")];
    world.request("POST", "/ipn", &headers, body.to_string()).await
}

#[tokio::test(start_paused = true)]
async fn it_is_stored_once_and_a_worker_is_told() {
    let world = World::start().await;
    for _ in 0..3 {
        let answer = send(&world, &json!({"is": "genuine", "id": "m-1"})).await;
        assert_eq!((answer.status, answer.text.as_str()), (200, ""));
    }
    assert_eq!(send(&world, &json!({"is": "genuine", "id": "m-2"})).await.status, 200);
    let kept = world.mail.kept.lock().unwrap().clone();
    let kept: Vec<_> = kept.iter().map(|one| one.message_id.as_str()).collect();
    assert_eq!(kept, ["m-1", "m-2"]);
    let told = world.published();
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].routing_key, "notification.capture");
    assert_eq!(told[0].message_id.as_deref(), Some("ipn:m-1"));
    let body: Value = serde_json::from_slice(&told[0].body).unwrap();
    assert_eq!(body, json!({"messageId": "m-1"}));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_genuine_is_refused_and_leaves_nothing() {
    let world = World::start().await;
    for body in [json!({"is": "forged"}), json!({}), json!([]), json!("text")] {
        assert!(send(&world, &body).await.problem(400).is_empty(), "{body}");
    }
    world.request("GET", "/ipn", &[], "").await.problem(405);
    let judged = world.mail.judged.load(Ordering::SeqCst);
    // A message of its size SNS never sends.
    world.request("POST", "/ipn", &[], "x".repeat(300 * 1024)).await.problem(413);
    assert_eq!(world.mail.judged.load(Ordering::SeqCst), judged);
    // Larger than a command may be.
    let long = json!({"is": "genuine", "id": "long", "more": "x".repeat(100 * 1024)});
    assert_eq!(send(&world, &long).await.status, 200);
    assert_eq!(world.mail.kept.lock().unwrap().len(), 1);
    assert_eq!(world.published().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_judged_or_stored_is_to_be_sent_again() {
    let world = World::start().await;
    send(&world, &json!({"is": "late"})).await.problem(503);
    world.mail.away.store(true, Ordering::SeqCst);
    let answer = send(&world, &json!({"is": "genuine", "id": "m-1"})).await;
    answer.problem(503);
    assert!(!answer.text.contains("secret-host"), "{}", answer.text);
    world.mail.away.store(false, Ordering::SeqCst);
    // Without a broker it is stored all the same: the worker looks into the store by itself.
    world.queues.away.store(true, Ordering::SeqCst);
    assert_eq!(send(&world, &json!({"is": "genuine", "id": "m-1"})).await.status, 200);
    assert_eq!(world.mail.kept.lock().unwrap().len(), 1);
}
