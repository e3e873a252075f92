//! Amazon's notifications: what turned in the books is worded, signed and sent to who asked for
//! it, as SNS does: soon, in no certain order, and again where it was not taken. Nobody waits for
//! it, and no lock is held while it is on its way.

mod document;
mod message;
mod signer;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use reqwest::{Client, redirect};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::Simulator;
use super::books::{News, Object};
use super::ids::Ids;
use message::{Envelope, Wording, envelope, of_whom};
use signer::Signer;

/// How often the books are looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// On their way at once; more wait.
const UNDER_WAY_MAX: usize = 64;
/// For one delivery.
const PATIENCE: Duration = Duration::from_secs(15);
/// Between tries of what was not taken; SNS waits for hours.
const AGAIN_AFTER_S: [u64; 8] = [1, 2, 4, 8, 15, 30, 60, 120];
/// Up to so much later than another one: nobody may count on their order.
const SCATTER_MS: u64 = 40;

/// The path of the certificate, as SNS spells such paths.
const CERTIFICATE: &str = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem";

/// The notifying side of a simulator.
pub(super) struct Notifier {
    signer: Option<Signer>,
    /// By which name a seller's program last reached us: by that it finds the certificate too.
    reached_as: Mutex<Option<String>>,
}

impl Notifier {
    pub(super) fn new() -> Self {
        Self { signer: Signer::new(), reached_as: Mutex::default() }
    }

    fn place(&self, address: &str) -> String {
        let reached = self.reached_as.lock().unwrap_or_else(PoisonError::into_inner);
        reached.clone().unwrap_or_else(|| address.to_owned())
    }
}

/// Notes by which name the simulator was reached by a seller's program.
pub(super) async fn note_place(
    State(simulator): State<Simulator>,
    request: Request,
    next: Next,
) -> Response {
    let path = request.uri().path();
    let of_seller = !path.starts_with("/_sim") && path != CERTIFICATE;
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    if let Some(host) = host.filter(|_| of_seller) {
        let mut reached =
            simulator.notifier.reached_as.lock().unwrap_or_else(PoisonError::into_inner);
        if reached.as_deref() != Some(host) {
            *reached = Some(host.to_owned());
        }
    }
    next.run(request).await
}

/// `GET` of the certificate.
pub(super) async fn certificate(State(simulator): State<Simulator>) -> Response {
    match &simulator.notifier.signer {
        Some(signer) => {
            let pem = signer.certificate().to_owned();
            ([(CONTENT_TYPE, "application/x-pem-file")], pem).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

/// The path of [`certificate`].
pub(super) const fn certificate_path() -> &'static str {
    CERTIFICATE
}

/// Sends what there is to tell until `stop`; `address` is where the simulator listens.
pub(super) async fn run(simulator: Simulator, address: String, stop: CancellationToken) {
    // The first of a process installs it, the others find it there.
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder()
        .no_proxy()
        .redirect(redirect::Policy::none())
        .timeout(PATIENCE)
        .user_agent("Amazon Simple Notification Service Agent")
        .build();
    let Ok(client) = client else { return };
    let (tracker, room) = (TaskTracker::new(), Arc::new(Semaphore::new(UNDER_WAY_MAX)));
    // Apart from the ids of the books, which must not depend on when somebody is told.
    let mut ids = Ids::new(simulator.seed ^ 0x1b87_3593_cc9e_2d51);
    let mut scatter = 0;
    while !stop.is_cancelled() {
        for envelope in simulator.envelopes(&address, &mut ids) {
            scatter = (scatter + 17) % SCATTER_MS;
            let (client, room) = (client.clone(), Arc::clone(&room));
            let delay = Duration::from_millis(scatter);
            let on_its_way = async move {
                tokio::time::sleep(delay).await;
                deliver(&client, &room, &envelope).await;
            };
            tracker.spawn(stop.clone().run_until_cancelled_owned(on_its_way));
        }
        tokio::select! {
            () = stop.cancelled() => {}
            () = tokio::time::sleep(LOOK_EVERY) => {}
        }
    }
    tracker.close();
    tracker.wait().await;
}

impl Simulator {
    fn envelopes(&self, address: &str, ids: &mut Ids) -> Vec<Envelope> {
        let Some(signer) = &self.notifier.signer else { return Vec::new() };
        let mut world = self.world();
        let news = world.books.take_news();
        if news.is_empty() {
            return Vec::new();
        }
        let now = world.clock.now();
        let cert_url = format!("http://{}{CERTIFICATE}", self.notifier.place(address));
        let mut all = Vec::new();
        for news in news {
            let Some((seller, _)) = of_whom(&world.books, news) else { continue };
            let object = match news {
                News::Turned(object) => object,
                News::Disputed(at) => Object::Refund(at),
            };
            // Whose keys were only upgraded hears of what is old in the old words.
            let in_v2 = seller.public_key_id.is_some() || world.books.is_of_v2(object);
            let wording = if in_v2 { Wording::V2 } else { Wording::Mws };
            let signed = (signer, cert_url.as_str());
            all.extend(envelope(&world.books, news, wording, signed, ids, now));
        }
        all
    }
}

/// Delivers one, again and again where the seller is away or in trouble; not where he refuses it.
async fn deliver(client: &Client, room: &Semaphore, envelope: &Envelope) {
    for after in [0].into_iter().chain(AGAIN_AFTER_S) {
        tokio::time::sleep(Duration::from_secs(after)).await;
        let Ok(_place) = room.acquire().await else { return };
        let sent = client
            .post(&envelope.url)
            .header(CONTENT_TYPE.as_str(), "text/plain; charset=UTF-8")
            .header("x-amz-sns-message-type", "Notification")
            .header("x-amz-sns-message-id", &envelope.id)
            .header("x-amz-sns-topic-arn", &envelope.topic)
            .header("x-amz-sns-subscription-arn", format!("{}:{}", envelope.topic, envelope.id))
            .body(envelope.body.clone())
            .send()
            .await;
        if sent.is_ok_and(|answer| answer.status().as_u16() < 500) {
            return;
        }
    }
}
