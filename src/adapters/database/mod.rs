//! Payments and all that belongs to them in SQLite (one machine) or PostgreSQL (many), by SeaORM.
//! No transaction is ever open while anybody but the database is waited for.
//!
//! Reading order: [`Database`], `store.rs` (what is asked), `writer.rs` (what is written), `own.rs`
//! (over which connection), `statements.rs` (how), `readable.rs` (what is due, past what cannot be
//! read). Rows: `entity/`, with `payment_rows.rs`, `operation_wire.rs` and `message_rows.rs`.

mod batch;
mod connect;
mod desk;
mod entity;
mod error;
mod lookout_wire;
mod mandate_wire;
mod mandates;
mod merchants;
mod message_rows;
mod notifications;
mod operation_wire;
mod own;
mod payment_rows;
mod readable;
mod relay;
mod rows;
mod statements;
mod store;
mod wire;
mod words;
mod workers;
mod writer;

use std::sync::Arc;

use amazon_pay_migrations as migrations;
pub use amazon_pay_migrations::Applied;
use connect::Connections;
pub use connect::Options;
use error::{is_broken, store_error};
use rows::Dialect;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, FromQueryResult, ModelTrait, QueryResult,
    Statement, Value,
};
use writer::Commits;

use crate::ports::store::StoreError;

/// Two groups at once: one is on its way to the disk while the next is read by the server. On
/// SQLite a second one could only wait.
const POSTGRES_WRITERS: usize = 2;
/// Broken connections that are tried in a row.
const BROKEN_MAX: u32 = 16;

/// The store. Cheap to clone; all clones are one.
#[derive(Clone)]
pub struct Database {
    dialect: Dialect,
    read: DatabaseConnection,
    write: DatabaseConnection,
    commits: Commits,
    texts: Arc<store::Texts>,
    unreadable: Arc<readable::Unreadable>,
}

impl Database {
    /// Opens `sqlite://path` (made with its folder if it is not there) or `postgres://…`. The
    /// database need not be there yet.
    ///
    /// # Errors
    /// The URL is none, or the folder cannot be made.
    pub async fn connect(url: &str, options: &Options) -> Result<Self, StoreError> {
        let Connections { dialect, read, write } = connect::connect(url, options).await?;
        let writers = match dialect {
            Dialect::Sqlite => 1,
            Dialect::Postgres => POSTGRES_WRITERS,
        };
        let commits = Commits::start(&write, dialect, writers);
        let texts = Arc::new(store::Texts::of(dialect));
        Ok(Self { dialect, read, write, commits, texts, unreadable: Arc::default() })
    }

    /// Whether it is SQLite: a schema that is behind is then migrated without being asked.
    #[must_use]
    pub fn is_sqlite(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    /// Applies the migrations that are missing.
    ///
    /// # Errors
    /// The database is away or refuses; then nothing was changed.
    pub async fn migrate_up(&self) -> Result<(), StoreError> {
        migrations::up(&self.write).await.map_err(|error| store_error(&error))
    }

    /// Takes back the last `steps` migrations, all of them where `None`. Data goes with them.
    ///
    /// # Errors
    /// The database is away or refuses; then nothing was changed.
    pub async fn migrate_down(&self, steps: Option<u32>) -> Result<(), StoreError> {
        migrations::down(&self.write, steps).await.map_err(|error| store_error(&error))
    }

    /// Every migration that this program knows, in order, and whether the database has it. The
    /// schema is behind where one is not applied.
    ///
    /// # Errors
    /// The database is away.
    pub async fn migration_status(&self) -> Result<Vec<Applied>, StoreError> {
        migrations::status(&self.read).await.map_err(|error| store_error(&error))
    }

    /// Ends the connections; what was given to be committed should be answered before.
    pub async fn close(self) {
        // Closing is a courtesy to the server.
        drop(self.write.close().await);
        drop(self.read.close().await);
    }

    fn statement(&self, text: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.read.get_database_backend(), text, values)
    }

    /// Asks, or does what may be done twice. A connection that broke since it was last used is
    /// thrown away, and the next one asked: after a restart of the server all of them are broken.
    async fn ask<T, F>(&self, ask: impl Fn() -> F) -> Result<T, StoreError>
    where
        F: Future<Output = Result<T, DbErr>>,
    {
        for _ in 0..BROKEN_MAX {
            match ask().await {
                Err(error) if is_broken(&error) => {}
                answer => return answer.map_err(|error| store_error(&error)),
            }
        }
        ask().await.map_err(|error| store_error(&error))
    }

    /// Rows of a query.
    async fn rows(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<QueryResult>, StoreError> {
        let statement = self.statement(text, values);
        self.ask(|| self.read.query_all_raw(statement.clone())).await
    }

    /// Models of the rows that `text` names, which begins with `FROM`. Their columns are named:
    /// the release before goes on working while a migration adds one, and a statement that was
    /// prepared with `*` then finds no row on SQLite (`sqlx` panics in its thread).
    async fn models<M: ModelTrait + FromQueryResult>(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Vec<M>, StoreError> {
        let text = format!("SELECT {} {text}", rows::columns::<M::Entity>());
        let rows = self.rows(&text, values).await?;
        let models = rows.iter().map(|row| M::from_query_result(row, ""));
        models.collect::<Result<_, _>>().map_err(|error| store_error(&error))
    }

    /// Writes by one statement that may be done twice; says how many rows it came to.
    async fn execute(
        &self,
        text: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<u64, StoreError> {
        let statement = self.statement(text, values);
        let done = self.ask(|| self.write.execute_raw(statement.clone())).await?;
        Ok(done.rows_affected())
    }
}
