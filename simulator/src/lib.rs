//! Amazon Pay over HTTP, for the demo, for tests and for whoever wants to try: books of money, the
//! wire of MWS, of API v2 and of Login with Amazon, faults, quotas and a clock that can be moved
//! on. It is written from Amazon's documents alone and shares no code with the adapter that talks
//! to Amazon: two readings that share code prove nothing about each other.

mod books;
mod calls;
mod clock;
mod control;
mod deliver;
mod faults;
mod ids;
mod line;
mod mws;
mod notify;
mod profile;
mod secure;
mod server;
mod settings;
#[cfg(test)]
mod tests;
mod throttle;
mod v2;

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{any, get};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use books::Books;
use calls::Calls;
use clock::{Clock, Machine};
use faults::{Faults, Ruling, Target};
use ids::Ids;
use settings::Settings;
use throttle::Buckets;

/// How a simulator begins.
#[derive(Clone)]
pub struct Config {
    seed: Option<u64>,
    start_ms: Option<i64>,
    machine: Machine,
}

impl Default for Config {
    fn default() -> Self {
        Self { seed: None, start_ms: None, machine: Arc::new(clock::machine_now) }
    }
}

impl Config {
    /// Draws every id from this seed; without one, each start gives other ids.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Lets Amazon's own time begin here (milliseconds since 1970) and not at the machine's.
    #[must_use]
    pub fn start_ms(mut self, start: i64) -> Self {
        self.start_ms = Some(start);
        self
    }

    /// Takes another clock for the machine's (milliseconds since 1970).
    #[must_use]
    pub fn machine(mut self, now: impl Fn() -> i64 + Send + Sync + 'static) -> Self {
        self.machine = Arc::new(now);
        self
    }
}

/// Everything that the simulator knows. Behind one lock, which is never held over an await.
struct World {
    books: Books,
    clock: Clock,
    settings: Settings,
    faults: Faults,
    buckets: Buckets,
    calls: Calls,
    v2: v2::Memory,
    /// Draws whether a fault happens; apart from the ids, so that faults do not change those.
    chance: Ids,
}

impl World {
    fn apply(&mut self, settings: Settings) {
        if let Some(seed) = settings.seed {
            self.books.ids = Ids::new(seed);
            self.chance = Ids::new(!seed);
        }
        self.books.readings = settings.readings;
        self.settings = settings;
    }
}

/// Amazon Pay. Clones are the same Amazon.
#[derive(Clone)]
pub struct Simulator {
    world: Arc<Mutex<World>>,
    notifier: Arc<notify::Notifier>,
    seed: u64,
}

impl Simulator {
    /// A simulator with empty books.
    #[must_use]
    pub fn new(config: Config) -> Self {
        let clock = Clock::new(config.machine, config.start_ms);
        // Ids of an earlier start may still be in somebody's store: they must not come again.
        let seed = config.seed.unwrap_or_else(|| {
            clock.machine().unsigned_abs() ^ (u64::from(std::process::id()) << 44)
        });
        let world = World {
            books: Books::new(Ids::new(seed), clock.now()),
            clock,
            settings: Settings::default(),
            faults: Faults::default(),
            buckets: Buckets::default(),
            calls: Calls::default(),
            v2: v2::Memory::default(),
            chance: Ids::new(!seed),
        };
        let notifier = Arc::new(notify::Notifier::new());
        Self { world: Arc::new(Mutex::new(world)), notifier, seed }
    }

    /// The whole of Amazon's wire and `/_sim`. On a server other than [`Simulator::serve`] a fault
    /// that cuts the connection can only break the answer off.
    pub fn router(&self) -> Router {
        Router::new()
            .route("/OffAmazonPayments/{*version}", any(mws::call))
            .route("/OffAmazonPayments_Sandbox/{*version}", any(mws::call))
            .route("/v2/{*place}", any(v2::call))
            .route("/live/v2/{*place}", any(v2::call))
            .route("/sandbox/v2/{*place}", any(v2::call))
            .route("/auth/o2/tokeninfo", get(profile::token_info))
            .route("/user/profile", get(profile::profile))
            .route(notify::certificate_path(), get(notify::certificate))
            .nest("/_sim", control::routes())
            .layer(from_fn_with_state(self.clone(), notify::note_place))
            .with_state(self.clone())
    }

    /// Serves on `listener` until `stop` comes, then lets what is in hand finish; meanwhile sellers
    /// with an `ipnUrl` are notified.
    ///
    /// # Errors
    /// The listener has no address; one in trouble later is waited for.
    pub async fn serve(
        &self,
        listener: TcpListener,
        stop: impl Future<Output = ()>,
    ) -> io::Result<()> {
        let address = listener.local_addr()?.to_string();
        let over = CancellationToken::new();
        let notifying = tokio::spawn(notify::run(self.clone(), address, over.clone()));
        let served = server::serve(listener, self.router(), stop).await;
        over.cancel();
        // It ends at once, and has nothing to say.
        drop(notifying.await);
        served
    }

    /// The world as it is now: whatever fell due has happened.
    fn world(&self) -> MutexGuard<'_, World> {
        let mut world = self.world.lock().unwrap_or_else(PoisonError::into_inner);
        let now = world.clock.now();
        world.books.settle(now);
        world
    }

    /// Counts a call and draws its fault; the text is the id of its answer.
    fn hear(&self, target: &Target<'_>) -> (Ruling, String) {
        let mut world = self.world();
        world.calls.called(target.merchant_id, target.operation);
        let World { faults, chance, books, .. } = &mut *world;
        (faults.rule(target, chance), books.ids.uuid())
    }

    fn latency_ms(&self) -> u64 {
        self.world().settings.latency_ms
    }
}
