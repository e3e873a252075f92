//! Opening SQLite or PostgreSQL. Nothing is reached for yet: a database that is away at the start
//! is as one that goes away later.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, DatabaseConnection};

use super::error::store_error;
use super::rows::Dialect;
use crate::ports::store::StoreError;

/// How the database is reached.
#[derive(Debug, Clone)]
pub struct Options {
    /// Connections to PostgreSQL, the most that are open at once. SQLite has one that writes, and
    /// a few that read.
    pub connections: u32,
    /// How long a caller waits for a connection before the database counts as away.
    pub acquire_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { connections: 8, acquire_timeout: Duration::from_secs(5) }
    }
}

/// The connections. On PostgreSQL, what is written has its own, whose plans are made otherwise.
pub(super) struct Connections {
    pub(super) dialect: Dialect,
    pub(super) read: DatabaseConnection,
    pub(super) write: DatabaseConnection,
}

const SQLITE_READERS: u32 = 4;
/// How long another process may hold SQLite's write lock.
const SQLITE_BUSY: Duration = Duration::from_secs(5);
/// For the writers, the relay's marks, signs of life and turns.
const POSTGRES_WRITE: u32 = 6;
/// A connection that lay still for so long is tried before it is used again.
const SUSPECT_AFTER: Duration = Duration::from_secs(1);

pub(super) async fn connect(url: &str, options: &Options) -> Result<Connections, StoreError> {
    if url.starts_with("sqlite:") {
        make_folder(url)?;
        let read = sqlite(url, SQLITE_READERS, options).await?;
        let write = sqlite(url, 1, options).await?;
        return Ok(Connections { dialect: Dialect::Sqlite, read, write });
    }
    if !(url.starts_with("postgres://") || url.starts_with("postgresql://")) {
        // Not the text itself: there may be a password in it.
        let known = "the database's url begins with sqlite:// or postgres://";
        return Err(StoreError::Away(known.to_owned()));
    }
    // A commit's statement is long, and its plan does not depend on its values: making one for
    // them took a fifth of the server's time. What is read may do better with a plan of its own.
    let write = postgres(url, POSTGRES_WRITE, "force_generic_plan", options).await?;
    let readers = options.connections.saturating_sub(POSTGRES_WRITE).max(4);
    let read = postgres(url, readers, "auto", options).await?;
    Ok(Connections { dialect: Dialect::Postgres, read, write })
}

fn pool(url: &str, connections: u32, options: &Options) -> ConnectOptions {
    let mut pool = ConnectOptions::new(url);
    pool.max_connections(connections)
        .acquire_timeout(options.acquire_timeout)
        .connect_lazy(true)
        // What is written may be personal, sealed or not.
        .sqlx_logging(false)
        .record_stmt_in_spans(false);
    pool
}

async fn sqlite(
    url: &str,
    connections: u32,
    options: &Options,
) -> Result<DatabaseConnection, StoreError> {
    let mut pool = pool(url, connections, options);
    // A connection to a file does not break.
    pool.test_before_acquire(false).map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            // NORMAL would lose the last commits with the machine's power, and an acknowledged
            // message with them. Group commit makes up for the price.
            .synchronous(SqliteSynchronous::Full)
            .busy_timeout(SQLITE_BUSY)
            .pragma("temp_store", "memory")
            .optimize_on_close(true, 400)
    });
    open(pool).await
}

async fn postgres(
    url: &str,
    connections: u32,
    plans: &'static str,
    options: &Options,
) -> Result<DatabaseConnection, StoreError> {
    let mut pool = pool(url, connections, options);
    pool.test_before_acquire_if_idle_for(SUSPECT_AFTER).map_sqlx_postgres_opts(move |postgres| {
        // Every query here has its index. A plan that was made while a table was still small must
        // not read the whole of it later, and the price that such a plan is given instead must
        // not start the compiler.
        postgres.options([
            ("enable_seqscan", "off"),
            ("enable_hashjoin", "off"),
            ("enable_mergejoin", "off"),
            ("jit", "off"),
            ("plan_cache_mode", plans),
        ])
    });
    open(pool).await
}

async fn open(pool: ConnectOptions) -> Result<DatabaseConnection, StoreError> {
    sea_orm::Database::connect(pool).await.map_err(|error| store_error(&error))
}

fn make_folder(url: &str) -> Result<(), StoreError> {
    let away = |text: String| StoreError::Away(text);
    let options: SqliteConnectOptions = url.parse().map_err(|_| away("no sqlite url".into()))?;
    match options.get_filename().parent().filter(|folder| *folder != Path::new("")) {
        Some(folder) => std::fs::create_dir_all(folder)
            .map_err(|error| away(format!("the folder of the database: {error}"))),
        None => Ok(()),
    }
}
