//! What a role is made of, and how roles of one process start and end together: first those end
//! that take work, then those that publish what came of it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::{LOOK_AGAIN, Stores, Trouble, broker, verifier};
use crate::adapters::schedule::ExponentialSchedule;
use crate::app::breaker::Breaker;
use crate::app::engine::Engine;
use crate::app::governor::Governor;
use crate::app::handover::Handover;
use crate::app::lines::Lines;
use crate::app::merchants::AccountDirectory;
use crate::app::retention::Housekeeping;
use crate::app::slots::Slots;
use crate::config::Config;
use crate::ports::broker::Broker;
use crate::ports::clock::Clock;
use crate::ports::gateway::Gateway;
use crate::ports::merchants::Accounts;
use crate::ports::vault::Vault;
use crate::roles::ingest::{Ingest, Options as IngestOptions, Ports};
use crate::roles::ipn::Ipn;
use crate::roles::relay::Relay;
use crate::roles::worker::Worker;
use crate::telemetry::{self, Metrics, fields};

/// Of the time to shut down, what is kept for what comes after the work: the last events, the
/// farewell, telemetry.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// A role of the program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Takes commands over HTTP.
    Ingest,
    /// Drives payments.
    Worker,
    /// Publishes events.
    Relay,
    /// Takes Amazon's notifications.
    Ipn,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [Role::Ingest, Role::Worker, Role::Relay, Role::Ipn];

    /// Its name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Role::Ingest => "ingest",
            Role::Worker => "worker",
            Role::Relay => "relay",
            Role::Ipn => "ipn",
        }
    }

    /// Reads [`Role::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }
}

/// The addresses that roles listen on.
pub struct Listeners {
    /// Of ingest, where it runs.
    pub ingest: Option<TcpListener>,
    /// Of notifications, where they have one of their own.
    pub ipn: Option<TcpListener>,
    /// Of the metrics page, where it has one.
    pub metrics: Option<TcpListener>,
}

/// What roles are made of.
pub struct Parts {
    /// Configuration.
    pub config: Arc<Config>,
    /// Time and chance.
    pub clock: Arc<dyn Clock>,
    /// Sealing.
    pub vault: Arc<dyn Vault>,
    /// Amazon.
    pub gateway: Arc<dyn Gateway>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The database.
    pub stores: Stores,
}

impl Parts {
    /// What drives payments, for the acts of operators.
    #[must_use]
    pub fn engine(&self) -> Arc<Engine> {
        self.engine_over(&self.directory(), &Arc::default())
    }

    fn directory(&self) -> Arc<AccountDirectory> {
        let merchants = Arc::clone(&self.stores.merchants);
        Arc::new(AccountDirectory::new(merchants, Arc::clone(&self.vault)))
    }

    fn engine_over(&self, accounts: &Arc<AccountDirectory>, relay: &Arc<Handover>) -> Arc<Engine> {
        let worker = &self.config.worker;
        let accounts: Arc<dyn Accounts> = Arc::<AccountDirectory>::clone(accounts);
        let concurrency = usize::try_from(worker.concurrency).unwrap_or(usize::MAX);
        Arc::new(Engine {
            worker: self.clock.random_hex(8),
            store: Arc::clone(&self.stores.payments),
            mandates: Arc::clone(&self.stores.mandates),
            notifications: Arc::clone(&self.stores.notifications),
            vault: Arc::clone(&self.vault),
            clock: Arc::clone(&self.clock),
            schedule: Arc::new(ExponentialSchedule),
            gateway: Arc::new(Lines::new(Arc::clone(&self.gateway), concurrency)),
            accounts,
            governor: Governor::default(),
            breaker: Breaker::default(),
            slots: Slots::new(concurrency),
            policy: worker.policy.clone(),
            poison_after: worker.poison_after,
            metrics: Arc::clone(&self.metrics),
            relay: Arc::clone(relay),
        })
    }

    /// Runs roles until `stop`, then lets them finish within the configured time: first those that
    /// take work, then those that publish what came of it.
    ///
    /// # Errors
    /// No broker can be set up, or no client for certificates.
    pub async fn run(
        self,
        roles: &BTreeSet<Role>,
        listeners: Listeners,
        stop: CancellationToken,
    ) -> Result<(), Trouble> {
        let broker = broker(&self.config, &self.clock)?;
        let handover = Arc::new(Handover::default());
        let directory = self.directory();
        let engine = self.engine_over(&directory, &handover);
        let patience = self.config.shutdown_timeout;
        let drain = patience.saturating_sub(LAST_WORDS).max(patience / 2);
        let last = CancellationToken::new();
        let (first, second) = (TaskTracker::new(), TaskTracker::new());
        self.stores.count_by(&self.metrics);
        for role in roles {
            tracing::info!({ fields::ROLE } = role.as_str(), "role {} starts", role.as_str());
        }

        if let Some(listener) = listeners.metrics {
            second.spawn(page(listener, Arc::clone(&self.metrics), last.clone()));
        }
        if let Some(listener) = listeners.ingest {
            let (ingest, ipn) = (self.ingest(&broker), self.ipn(&broker)?);
            first.spawn(ingest.run(listener, ipn.path(), stop.clone()));
        }
        if let Some(listener) = listeners.ipn {
            first.spawn(self.ipn(&broker)?.run(listener, stop.clone()));
        }
        if roles.contains(&Role::Worker) {
            let (fresh, until) = (Arc::clone(&directory), last.clone());
            second.spawn(async move { fresh.keep_fresh(until).await });
            let worker = Worker { engine: Arc::clone(&engine), broker: Arc::clone(&broker) };
            first.spawn(worker.run(stop.clone(), drain));
            second.spawn(self.housekeeping(&engine).run(last.clone()));
        }
        if roles.contains(&Role::Relay) {
            second.spawn(self.relay(&broker, &engine).run(last.clone()));
        }
        second.spawn(declare(Arc::clone(&broker), last.clone()));

        stop.cancelled().await;
        first.close();
        second.close();
        let orderly = async {
            first.wait().await;
            last.cancel();
            second.wait().await;
        };
        if tokio::time::timeout(patience, orderly).await.is_err() {
            tracing::warn!("the time to shut down is over: what is left is found by others");
        }
        // Within a bound: it may wait for another process, and all that was confirmed is in it.
        drop(tokio::time::timeout(LOOK_AGAIN, broker.close()).await);
        self.stores.close().await;
        Ok(())
    }

    fn ingest(&self, broker: &Arc<dyn Broker>) -> Arc<Ingest> {
        let ports = Ports {
            merchants: Arc::clone(&self.stores.merchants),
            store: Arc::clone(&self.stores.payments),
            desk: Arc::clone(&self.stores.desk),
            outbox: Arc::clone(&self.stores.outbox),
            broker: Arc::clone(broker),
            vault: Arc::clone(&self.vault),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
        };
        let http = &self.config.http;
        let options =
            IngestOptions { crm_wait: http.crm_wait, rate_per_client: http.rate_per_client };
        Ingest::new(ports, &options)
    }

    fn ipn(&self, broker: &Arc<dyn Broker>) -> Result<Arc<Ipn>, Trouble> {
        Ok(Arc::new(Ipn {
            verifier: verifier(&self.config, &self.clock)?,
            notifications: Arc::clone(&self.stores.notifications),
            store: Arc::clone(&self.stores.payments),
            broker: Arc::clone(broker),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
        }))
    }

    fn housekeeping(&self, engine: &Engine) -> Housekeeping {
        Housekeeping {
            worker: engine.worker.clone(),
            retention: Arc::clone(&self.stores.retention),
            store: Arc::clone(&self.stores.payments),
            clock: Arc::clone(&self.clock),
            policy: self.config.worker.policy.clone(),
        }
    }

    fn relay(&self, broker: &Arc<dyn Broker>, engine: &Engine) -> Relay {
        Relay {
            outbox: Arc::clone(&self.stores.outbox),
            store: Arc::clone(&self.stores.payments),
            broker: Arc::clone(broker),
            vault: Arc::clone(&self.vault),
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            worker: engine.worker.clone(),
            handover: Arc::clone(&engine.relay),
        }
    }
}

async fn page(listener: TcpListener, metrics: Arc<Metrics>, stop: CancellationToken) {
    if let Err(error) = telemetry::serve(listener, metrics, stop).await {
        tracing::error!({ fields::ERROR } = %error, "the metrics page ended");
    }
}

/// Every role declares the whole topology, so that a command is routable before a worker runs.
async fn declare(broker: Arc<dyn Broker>, stop: CancellationToken) {
    let mut told = false;
    while let Err(error) = broker.declare().await {
        if !told {
            told = true;
            tracing::warn!({ fields::ERROR } = %error, "the broker's queues are not declared yet");
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(LOOK_AGAIN) => {}
        }
    }
}
