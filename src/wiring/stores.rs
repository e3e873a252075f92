//! The database behind every port that it serves, and its schema.

use std::sync::Arc;

use secrecy::ExposeSecret;
use tokio_util::sync::CancellationToken;

use super::LOOK_AGAIN;
use crate::adapters::database::{Applied, Database, Options};
use crate::config::Config;
use crate::ports::desk::Desk;
use crate::ports::mandates::MandateStore;
use crate::ports::merchants::MerchantStore;
use crate::ports::notifications::Notifications;
use crate::ports::relay::Outbox;
use crate::ports::retention::Retention;
use crate::ports::store::{Store, StoreError};
use crate::telemetry::Metrics;

/// What is said where PostgreSQL's schema is behind.
pub const BEHIND: &str = "the schema is behind this program: run `amazon-pay-worker migrate up`";

/// Whether the database has every migration that this program needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// It has.
    Current,
    /// A person must say so before it is changed.
    Behind,
}

/// The database behind every port that it serves.
#[derive(Clone)]
pub struct Stores {
    /// Payments.
    pub payments: Arc<dyn Store>,
    /// Standing consents.
    pub mandates: Arc<dyn MandateStore>,
    /// What operators look at.
    pub desk: Arc<dyn Desk>,
    /// Merchant accounts and clients.
    pub merchants: Arc<dyn MerchantStore>,
    /// Events to be published.
    pub outbox: Arc<dyn Outbox>,
    /// Notifications of Amazon.
    pub notifications: Arc<dyn Notifications>,
    /// What may be deleted.
    pub retention: Arc<dyn Retention>,
    database: Database,
}

impl Stores {
    /// Over the configured database, which may be away.
    ///
    /// # Errors
    /// Its URL is none, or its folder cannot be made.
    pub async fn connect(config: &Config) -> Result<Self, StoreError> {
        let url = config.database.url().expose_secret();
        let connections = (config.worker.concurrency / 4).clamp(8, 32);
        let options = Options { connections, ..Options::default() };
        let database = Database::connect(url, &options).await?;
        Ok(Self {
            payments: Arc::new(database.clone()),
            mandates: Arc::new(database.clone()),
            desk: Arc::new(database.clone()),
            merchants: Arc::new(database.clone()),
            outbox: Arc::new(database.clone()),
            notifications: Arc::new(database.clone()),
            retention: Arc::new(database.clone()),
            database,
        })
    }

    /// Counts there what cannot be read.
    pub fn count_by(&self, metrics: &Arc<Metrics>) {
        self.database.count_by(metrics);
    }

    /// Whether it is SQLite, which is migrated by whoever needs it.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.database.is_sqlite()
    }

    /// Migrates SQLite, and PostgreSQL where `migrate` says so.
    ///
    /// # Errors
    /// The database is away.
    pub async fn prepare(&self, migrate: bool) -> Result<Schema, StoreError> {
        let missing = self.migrations().await?.iter().any(|migration| !migration.applied);
        if !missing {
            return Ok(Schema::Current);
        }
        if !(migrate || self.is_sqlite()) {
            return Ok(Schema::Behind);
        }
        self.migrate_up().await?;
        Ok(Schema::Current)
    }

    /// The same as soon as the database is there.
    pub fn prepare_later(&self, migrate: bool, stop: CancellationToken) {
        let stores = self.clone();
        tokio::spawn(async move {
            loop {
                match stores.prepare(migrate).await {
                    Ok(Schema::Current) => return,
                    Ok(Schema::Behind) => {
                        tracing::error!("{BEHIND}");
                        return;
                    }
                    Err(_) => {}
                }
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = tokio::time::sleep(LOOK_AGAIN) => {}
                }
            }
        });
    }

    /// Ends the connections, within a bound; what was committed is in the file then.
    pub async fn close(&self) {
        let closed = tokio::time::timeout(LOOK_AGAIN, self.database.clone().close());
        // The database has all that was committed, one way or the other.
        drop(closed.await);
    }

    /// Every migration that this program knows, and whether the database has it.
    ///
    /// # Errors
    /// The database is away.
    pub async fn migrations(&self) -> Result<Vec<Applied>, StoreError> {
        self.database.migration_status().await
    }

    /// Applies what is missing.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn migrate_up(&self) -> Result<(), StoreError> {
        self.database.migrate_up().await
    }

    /// Takes back the last `steps`, or all.
    ///
    /// # Errors
    /// The database is away or refuses.
    pub async fn migrate_down(&self, steps: Option<u32>) -> Result<(), StoreError> {
        self.database.migrate_down(steps).await
    }
}
