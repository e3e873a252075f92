//! Ingest: takes orders over HTTP, in the CRM's own language and in the project's, seals what is
//! personal, publishes a command and waits for its verdict where somebody waits. It needs no
//! database to accept, never talks to Amazon, and never logs a query or a body.

mod access;
mod amount;
mod api;
mod crm;
mod crm_operations;
mod events;
mod gate;
pub(super) mod health;
mod json;
mod line;
mod operations;
mod order_object;
mod params;
mod paths;
mod payments;
mod prefer;
mod query;
mod rate;
mod refusal;
mod remembered;
pub(super) mod server;
mod submit;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::domain::operation::OperationKind;
use crate::ports::broker::Broker;
use crate::ports::clock::Clock;
use crate::ports::desk::Desk;
use crate::ports::merchants::MerchantStore;
use crate::ports::relay::Outbox;
use crate::ports::store::Store;
use crate::ports::vault::Vault;
use crate::telemetry::Metrics;
use access::Access;
use rate::Rates;
use remembered::Remembered;
use verdict::Verdicts;

/// The OpenAPI document, as it is served.
pub const OPENAPI: &str = include_str!("../../../openapi/openapi.json");

/// The pattern of every path that is answered; the CRM's also with a trailing slash.
pub const ROUTES: &[&str] = &paths::ROUTES;

/// What ingest needs from outside.
#[derive(Clone)]
pub struct Ports {
    /// Clients and merchant accounts.
    pub merchants: Arc<dyn MerchantStore>,
    /// Payments and message ids.
    pub store: Arc<dyn Store>,
    /// Timelines.
    pub desk: Arc<dyn Desk>,
    /// The feed of published events.
    pub outbox: Arc<dyn Outbox>,
    /// Where commands go and verdicts come from.
    pub broker: Arc<dyn Broker>,
    /// Seals what is personal.
    pub vault: Arc<dyn Vault>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// Counts what is answered.
    pub metrics: Arc<Metrics>,
}

/// How ingest is to behave.
#[derive(Debug, Clone)]
pub struct Options {
    /// How long the CRM paths wait for the verdict.
    pub crm_wait: Duration,
    /// Requests per second of one client; no limit where none.
    pub rate_per_client: Option<u32>,
}

/// The ingest role.
pub struct Ingest {
    ports: Ports,
    crm_wait: Duration,
    access: Access,
    rates: Rates,
    remembered: Remembered,
    verdicts: Verdicts,
}

impl Ingest {
    /// Ingest over these ports.
    #[must_use]
    pub fn new(ports: Ports, options: &Options) -> Arc<Self> {
        Arc::new(Self {
            access: Access::new(Arc::clone(&ports.merchants)),
            rates: Rates::new(options.rate_per_client),
            crm_wait: options.crm_wait,
            remembered: Remembered::default(),
            verdicts: Verdicts::default(),
            ports,
        })
    }

    /// Every path that it answers; whatever it refuses is a problem document or, on the CRM paths,
    /// the CRM's envelope. What else is answered at this address is given as `more`.
    pub fn router(self: Arc<Self>, more: Router) -> Router {
        let crm = [
            get(crm::import_order).post(crm::import_order),
            get(crm::import_upsale).post(crm::import_upsale),
            get(query::query).post(query::query),
            get(crm_operations::cancel).post(crm_operations::cancel),
            get(crm_operations::refund).post(crm_operations::refund),
        ];
        let mut router = Router::new();
        for (path, methods) in paths::CRM.into_iter().zip(crm) {
            router = router.route(&format!("{path}/"), methods.clone()).route(path, methods);
        }
        for (operation, at) in OperationKind::ALL.into_iter().zip(0..) {
            router = router
                .route(paths::ORDER_OPERATIONS[at], operations::on_order(operation))
                .route(paths::UPSELL_OPERATIONS[at], operations::on_upsell(operation))
                .route(paths::CHARGE_OPERATIONS[at], operations::on_charge(operation));
        }
        router
            .route(paths::ORDERS, post(api::order))
            .route(paths::UPSELLS, post(api::upsell))
            .route(paths::CHARGES, post(api::charge))
            .route(paths::ORDER, get(payments::order))
            .route(paths::UPSELL, get(payments::upsell))
            .route(paths::CHARGE, get(payments::charge))
            .route(paths::EVENTS, get(events::feed))
            .route(paths::LIVE, get(health::alive))
            .route(paths::READY, get(health::ready))
            .route(paths::OPENAPI, get(openapi))
            .merge(more.with_state(()))
            .fallback(gate::nothing_here)
            .method_not_allowed_fallback(gate::not_by_this_method)
            .layer(from_fn_with_state(Arc::clone(&self), gate::enter))
            .with_state(self)
    }

    /// Serves until it is told to stop, then lets what is in hand finish; nobody waits for a
    /// verdict any longer.
    pub async fn run(
        self: Arc<Self>,
        listener: TcpListener,
        more: Router,
        stop: CancellationToken,
    ) {
        let router = Arc::clone(&self).router(more);
        tokio::join!(
            self.access.keep_fresh(&stop),
            self.verdicts.listen(&*self.ports.broker, &stop),
            server::serve(listener, router, &stop),
        );
    }
}

async fn openapi() -> impl axum::response::IntoResponse {
    ([(CONTENT_TYPE, "application/json")], OPENAPI)
}
