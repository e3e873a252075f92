//! Opens the broker's file and makes its tables. They are no migrations: the file is the embedded
//! broker's own whatever the database is, and holds only what is on its way.

use std::path::Path;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbErr};

/// How long a commit waits for another process's.
const BUSY_TIMEOUT: Duration = Duration::from_secs(10);
/// Above SQLite's tables of this program; raise it when they change, and say what becomes of old
/// ones.
const VERSION: i32 = 1;

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS message (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    queue TEXT NOT NULL,
    ready_at INTEGER NOT NULL,
    holder TEXT,
    deliveries INTEGER NOT NULL DEFAULT 0,
    routing_key TEXT NOT NULL,
    properties TEXT NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS message_ready ON message (queue, ready_at, id) WHERE holder IS NULL;
CREATE INDEX IF NOT EXISTS message_held ON message (holder) WHERE holder IS NOT NULL;
CREATE TABLE IF NOT EXISTS queue (name TEXT PRIMARY KEY, process TEXT) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS binding (
    queue TEXT NOT NULL,
    pattern TEXT NOT NULL,
    PRIMARY KEY (queue, pattern)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS process (id TEXT PRIMARY KEY, seen_at INTEGER NOT NULL) WITHOUT ROWID;
";

/// One connection to write and one to read. SQLite has one writer at a time anyway.
pub(super) async fn open(file: &Path) -> Result<(DatabaseConnection, DatabaseConnection), DbErr> {
    let writer = connect(file).await?;
    let found = writer.query_one_raw(sql("PRAGMA user_version", [])).await?;
    let version: i32 = found.map_or(Ok(0), |row| row.try_get_by_index(0))?;
    if version > VERSION {
        return Err(DbErr::Custom("the broker's file is of a newer version of the program".into()));
    }
    writer.execute_unprepared(TABLES).await?;
    writer.execute_unprepared(&format!("PRAGMA user_version = {VERSION}")).await?;
    Ok((writer, connect(file).await?))
}

async fn connect(file: &Path) -> Result<DatabaseConnection, DbErr> {
    let file = file.to_owned();
    let mut options = ConnectOptions::new("sqlite::memory:");
    options
        .max_connections(1)
        .min_connections(1)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |_| {
            SqliteConnectOptions::new()
                .filename(&file)
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                // A confirm means that the message is on the disk.
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(BUSY_TIMEOUT)
                // Events name buyers: what was taken is not left in free pages.
                .pragma("secure_delete", "ON")
        });
    Database::connect(options).await
}

/// A statement with its values.
pub(super) fn sql<const N: usize>(text: &str, values: [sea_orm::Value; N]) -> sea_orm::Statement {
    sea_orm::Statement::from_sql_and_values(sea_orm::DbBackend::Sqlite, text, values)
}
