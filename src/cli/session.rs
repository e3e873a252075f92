//! What every command begins with: configuration, telemetry, the clock, and, once it is needed,
//! the database, the vault and Amazon.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use tokio::sync::OnceCell;

use super::failure::Failure;
use crate::app::engine::Engine;
use crate::config::flags::AllFlags;
use crate::config::{Config, Flags, Mistake, Need, Sources};
use crate::ports::clock::Clock;
use crate::ports::gateway::{Gateway, KeyExchange};
use crate::ports::store::{AuditEntry, Commit};
use crate::ports::vault::Vault;
use crate::telemetry::{self, Telemetry};
use crate::wiring::{self, Parts, Schema, Stores};

/// Flags of every command.
#[derive(Debug, Args)]
pub(crate) struct Common {
    /// A TOML file of settings: the names in lower case, as `worker_concurrency = 64`.
    ///
    /// Flags are stronger than the environment, and that is stronger than the file.
    #[arg(long, value_name = "FILE", global = true, help_heading = "Settings")]
    pub(crate) config: Option<PathBuf>,
    /// Settings that every command has.
    #[command(flatten)]
    pub(crate) settings: AllFlags,
}

/// A command at work.
pub(crate) struct Session {
    config: Arc<Config>,
    clock: Arc<dyn Clock>,
    vault: Option<Arc<dyn Vault>>,
    telemetry: Telemetry,
    stores: OnceCell<Stores>,
}

impl Session {
    /// Begins a command that does one thing and ends: no collector hears of it.
    ///
    /// # Errors
    /// Every mistake of the configuration.
    pub(crate) fn open(common: &Common, flags: Flags, need: Need) -> Result<Self, Failure> {
        // Whoever asks one thing reads the answer: only what is wrong is told beside it.
        let mut config = load(common, flags, need, &[("RUST_LOG", "warn")])?;
        config.telemetry.traces = false;
        config.telemetry.metrics = false;
        Self::of(config)
    }

    /// Begins a command that runs until it is told to stop.
    ///
    /// # Errors
    /// Every mistake of the configuration.
    pub(crate) fn serving(common: &Common, flags: Flags, need: Need) -> Result<Self, Failure> {
        Self::of(load(common, flags, need, &[])?)
    }

    /// Begins with a configuration that was read.
    ///
    /// # Errors
    /// A variable of OpenTelemetry's that cannot be used.
    pub(crate) fn of(config: Config) -> Result<Self, Failure> {
        let telemetry = telemetry::init(&config.telemetry).map_err(|error| {
            let problem = super::failure::chain(&error);
            Failure::Configuration(vec![Mistake::new("OTEL_EXPORTER_OTLP_ENDPOINT", problem)])
        })?;
        let clock = wiring::clock();
        let vault = wiring::vault(&config, &clock);
        let config = Arc::new(config);
        Ok(Self { config, clock, vault, telemetry, stores: OnceCell::new() })
    }

    /// The configuration.
    #[must_use]
    pub(crate) fn config(&self) -> &Arc<Config> {
        &self.config
    }

    /// Time and chance.
    #[must_use]
    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The vault, of a command that needs a master key.
    ///
    /// # Errors
    /// There is no key.
    pub(crate) fn vault(&self) -> Result<&Arc<dyn Vault>, Failure> {
        self.vault.as_ref().ok_or_else(|| Failure::new("there is no master key"))
    }

    /// Amazon.
    ///
    /// # Errors
    /// No client can be made.
    pub(crate) fn gateway(&self) -> Result<Arc<dyn Gateway>, Failure> {
        wiring::gateway(&self.config, &self.clock)
            .map_err(|error| Failure::because("the client of Amazon", &*error))
    }

    /// Amazon's exchange of keys.
    ///
    /// # Errors
    /// No client can be made.
    pub(crate) fn key_exchange(&self) -> Result<Arc<dyn KeyExchange>, Failure> {
        wiring::key_exchange(&self.config, &self.clock)
            .map_err(|error| Failure::because("the client of Amazon", &*error))
    }

    /// The database, opened once and up to date.
    ///
    /// # Errors
    /// It is away, or its schema is behind.
    pub(crate) async fn stores(&self) -> Result<&Stores, Failure> {
        self.stores.get_or_try_init(|| self.open_stores()).await
    }

    async fn open_stores(&self) -> Result<Stores, Failure> {
        let failed = |error| Failure::because("the database", &error);
        let stores = Stores::connect(&self.config).await.map_err(failed)?;
        match stores.prepare(false).await.map_err(failed)? {
            Schema::Current => Ok(stores),
            Schema::Behind => Err(Failure::new(wiring::BEHIND)),
        }
    }

    /// What drives payments, for the operators' acts.
    ///
    /// # Errors
    /// As [`Session::stores`] and [`Session::vault`].
    pub(crate) async fn engine(&self) -> Result<Arc<Engine>, Failure> {
        Ok(self.parts().await?.engine())
    }

    /// Everything that roles are made of.
    ///
    /// # Errors
    /// As [`Session::stores`] and [`Session::vault`].
    pub(crate) async fn parts(&self) -> Result<Parts, Failure> {
        let stores = self.stores().await?.clone();
        self.parts_over(stores)
    }

    /// The same over a database that may be away.
    ///
    /// # Errors
    /// As [`Session::vault`] and [`Session::gateway`].
    pub(crate) fn parts_over(&self, stores: Stores) -> Result<Parts, Failure> {
        Ok(Parts {
            config: Arc::clone(&self.config),
            clock: Arc::clone(&self.clock),
            vault: Arc::clone(self.vault()?),
            gateway: self.gateway()?,
            metrics: Arc::clone(&self.telemetry.metrics),
            stores,
        })
    }

    /// Writes an act of whoever runs this command into the audit log.
    ///
    /// # Errors
    /// The database is away.
    pub(crate) async fn audit(&self, act: &str, object: &str, detail: &str) -> Result<(), Failure> {
        let entry = AuditEntry {
            at: self.clock.now_ms(),
            actor: self.config.actor(),
            act: act.to_owned(),
            object: object.to_owned(),
            detail: detail.to_owned(),
        };
        let commit = Commit { audit: vec![entry], ..Commit::default() };
        let stores = self.stores().await?;
        let written = stores.payments.commit(commit).await;
        written.map_err(|error| Failure::because("the audit log", &error))
    }

    /// Ends it: what telemetry has left goes out.
    pub(crate) async fn close(self) {
        self.telemetry.shutdown().await;
    }
}

/// The configuration of a command with defaults of its own.
pub(crate) fn load(
    common: &Common,
    flags: Flags,
    need: Need,
    defaults: &[(&str, &str)],
) -> Result<Config, Failure> {
    let flags = common.settings.0.clone().and(flags);
    let sources = Sources::gather(flags.0, common.config.as_deref()).or_else(defaults);
    Config::read(&sources, need).map_err(Failure::Configuration)
}
