//! Amazon's notifications as they come in: verified, stored, answered; the worker is told by a
//! message and would find them in the store without it. Takes no state from what they say, and
//! never fetches anything that they name but a certificate from a trusted host.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde_json::json;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::ingest;
use crate::app::notified::hint;
use crate::domain::notification::Notification;
use crate::ports::broker::{Broker, Publication, Target};
use crate::ports::clock::Clock;
use crate::ports::notifications::{Notifications, Received, Refused, Verifier};
use crate::ports::store::Store;
use crate::telemetry::{Metrics, fields};

/// The path of notifications.
pub const PATH: &str = "/ipn";

/// SNS sends at most so much, in bytes.
const BODY_MAX: usize = 256 * 1024;
/// For a whole body.
const BODY_TIME: Duration = Duration::from_secs(30);
/// How long the store is waited for: SNS gives up after 15 s.
const STORE_TIME: Duration = Duration::from_secs(8);
/// How long the broker is waited for: the store has it already.
const HINT_TIME: Duration = Duration::from_secs(1);
/// When the store's own sweep takes one up that no message brought to a worker.
const TAKEN_UP_AFTER_MS: i64 = 3_000;

/// The ipn role.
pub struct Ipn {
    /// Says what is genuine.
    pub verifier: Arc<dyn Verifier>,
    /// Where notifications are kept.
    pub notifications: Arc<dyn Notifications>,
    /// Whether the database is there.
    pub store: Arc<dyn Store>,
    /// Tells a worker.
    pub broker: Arc<dyn Broker>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Counts what is answered.
    pub metrics: Arc<Metrics>,
}

/// Why a notification is not taken.
enum Trouble {
    Refused(Refused),
    TooLarge,
    Away,
}

impl Ipn {
    /// The path of notifications alone, for a server that answers others too.
    pub fn path(self: Arc<Self>) -> Router {
        Router::new().route(PATH, post(receive)).with_state(self)
    }

    /// Notifications and the two looks at the process, for a server of its own.
    pub fn router(self: Arc<Self>) -> Router {
        Router::new()
            .route("/livez", get(ingest::health::alive))
            .route("/readyz", get(ready))
            .with_state(Arc::clone(&self))
            .merge(self.path())
    }

    /// Serves until it is told to stop, then lets what is in hand finish.
    pub async fn run(self: Arc<Self>, listener: TcpListener, stop: CancellationToken) {
        ingest::server::serve(listener, self.router(), &stop).await;
    }

    async fn take(&self, headers: &HeaderMap, body: Body) -> Result<(), Trouble> {
        let cut = Trouble::Refused(Refused::Malformed("its body ended early"));
        let read = tokio::time::timeout(BODY_TIME, to_bytes(body, BODY_MAX)).await;
        let body: Bytes = read.map_err(|_| cut)?.map_err(|_| Trouble::TooLarge)?;
        let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
        let received = Received {
            body: &body,
            message_type: header("x-amz-sns-message-type"),
            topic: header("x-amz-sns-topic-arn"),
        };
        let notification = self.verifier.verify(received).await.map_err(Trouble::Refused)?;
        if self.keep(&notification).await? {
            self.metrics.notification("kept");
            self.tell(&notification).await;
        } else {
            self.metrics.notification("known");
        }
        Ok(())
    }

    async fn keep(&self, notification: &Notification) -> Result<bool, Trouble> {
        let now = self.clock.now_ms();
        let kept = self.notifications.keep(notification, now, now + TAKEN_UP_AFTER_MS);
        match tokio::time::timeout(STORE_TIME, kept).await {
            Ok(Ok(new)) => Ok(new),
            Ok(Err(error)) => {
                tracing::warn!({ fields::ERROR } = %error, "a notification cannot be stored");
                Err(Trouble::Away)
            }
            Err(_) => {
                tracing::warn!("a notification cannot be stored in time");
                Err(Trouble::Away)
            }
        }
    }

    /// The hint that makes it quick; without it a sweep takes it up some seconds later.
    async fn tell(&self, notification: &Notification) {
        let message = hint(notification);
        let publication = Publication { target: Target::Commands, message };
        let told = self.broker.publish_all(vec![publication]);
        let told = tokio::time::timeout(HINT_TIME, told).await;
        if !told.is_ok_and(|results| results.iter().all(Result::is_ok)) {
            tracing::debug!("a notification waits for the sweep: its hint was not published");
        }
    }
}

/// `POST /ipn`
async fn receive(State(ipn): State<Arc<Ipn>>, headers: HeaderMap, body: Body) -> Response {
    let trouble = match ipn.take(&headers, body).await {
        Ok(()) => return StatusCode::OK.into_response(),
        Err(trouble) => trouble,
    };
    let (status, result, title, detail) = match &trouble {
        Trouble::Refused(why @ Refused::Unverifiable(_)) => {
            (StatusCode::SERVICE_UNAVAILABLE, why.name(), "Not verifiable now", why.to_string())
        }
        Trouble::Refused(why) => {
            (StatusCode::BAD_REQUEST, why.name(), "Not taken", why.to_string())
        }
        Trouble::TooLarge => {
            let detail = "a notification has at most 256 KiB".to_owned();
            (StatusCode::PAYLOAD_TOO_LARGE, "malformed", "Too large", detail)
        }
        Trouble::Away => {
            let detail = "it could not be stored; send it again".to_owned();
            (StatusCode::SERVICE_UNAVAILABLE, "away", "Not available at the moment", detail)
        }
    };
    ipn.metrics.notification(result);
    let body = json!({
        "type": format!("urn:amazon-pay-worker:problem:notification-{result}"),
        "title": title,
        "status": status.as_u16(),
        "detail": detail,
        "errors": [],
    });
    (status, [(CONTENT_TYPE, "application/problem+json")], body.to_string()).into_response()
}

async fn ready(State(ipn): State<Arc<Ipn>>) -> Response {
    ingest::health::readiness(&*ipn.broker, &*ipn.store).await
}
