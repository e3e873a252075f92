//! `stub PORT LATENCY_MS`: answers the calls of an order by either API, and of agreements and
//! their charges by MWS, each after the same time, checks their signatures, counts, and keeps
//! Amazon's quotas once it is told to. It keeps no books: a simulator that does would hide the
//! workers that are measured.

mod mws;
mod quota;
mod v2;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use self::quota::Quotas;
use crate::pss::PublicKey;

/// What has come in.
#[derive(Default)]
struct Stats {
    calls: BTreeMap<String, u64>,
    totals: HashMap<String, String>,
    /// Under which keys each order was charged.
    authorized: HashMap<String, HashSet<String>>,
    /// How often each charge of an agreement was made, by its key.
    charged: HashMap<String, u64>,
    bad_sequence: u64,
    bad_signature: u64,
    in_hand: u64,
    in_hand_max: u64,
    quotas: Quotas,
}

struct Stub {
    latency: Duration,
    key: PublicKey,
    stats: Mutex<Stats>,
}

/// A request, whole.
struct Request<'a> {
    method: &'a Method,
    path: &'a str,
    headers: &'a HeaderMap,
    body: &'a [u8],
}

impl Request<'_> {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }
}

pub(crate) async fn serve(port: u16, latency_ms: u64) {
    let stub = Stub {
        latency: Duration::from_millis(latency_ms),
        key: PublicKey::of_the_benchmark(),
        stats: Mutex::new(Stats::default()),
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await.expect("its port");
    let router = Router::new().fallback(answer).with_state(Arc::new(stub));
    axum::serve(listener, router).await.expect("a server");
}

async fn answer(
    State(stub): State<Arc<Stub>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let request = Request { method: &method, path: uri.path(), headers: &headers, body: &body };
    match (request.method, request.path) {
        (&Method::GET, "/stats") => {
            return report(&stub.stats.lock().expect("whole")).into_response();
        }
        // From here on as in production, and what is counted of quotas begins anew.
        (&Method::POST, "/quotas") => {
            stub.stats.lock().expect("whole").quotas.begin(Instant::now());
            return "kept\n".into_response();
        }
        _ => {}
    }
    if request.path.starts_with(mws::PATHS) {
        mws::answer(&stub, &request).await
    } else {
        v2::answer(&stub, &request).await
    }
}

impl Stub {
    async fn take_time(&self) {
        if !self.latency.is_zero() {
            tokio::time::sleep(self.latency).await;
        }
    }
}

/// In the form that the peers' stub has, and a few counters more.
fn report(stats: &Stats) -> String {
    let twice = stats.authorized.values().filter(|keys| keys.len() > 1).count();
    let charged_twice = stats.charged.values().filter(|times| **times > 1).count();
    let report = json!({
        "ops": stats.calls,
        "orders_captured": stats.authorized.len(),
        "orders_captured_twice": twice,
        "charges_captured": stats.charged.len(),
        "charges_captured_twice": charged_twice,
        "bad_sequence": stats.bad_sequence,
        "bad_signature": stats.bad_signature,
        "in_hand_max": stats.in_hand_max,
        "quotas": stats.quotas.report(),
    });
    format!("{report}\n")
}
