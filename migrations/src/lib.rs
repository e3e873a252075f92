//! Database schema of the worker, one file per migration, for SQLite and PostgreSQL alike.
//! README.md says how to change it without stopping anybody; a migration that was released is
//! never edited.

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait, Value,
};
use step::{Schema, Step};

mod columns;
mod m20261125_000001_payments;
mod m20261125_000002_messages;
mod m20261125_000003_people;
mod m20261125_000004_workers;
mod m20261126_000001_operations;
mod m20261126_000002_mandates;
mod m20261126_000003_notifications;
mod m20261126_000004_api;
mod m20261126_000005_unanswered;
mod m20261127_000001_joins;
mod step;

/// In order; what was released is never edited.
const STEPS: [&dyn Step; 10] = [
    &m20261125_000001_payments::Migration,
    &m20261125_000002_messages::Migration,
    &m20261125_000003_people::Migration,
    &m20261125_000004_workers::Migration,
    &m20261126_000001_operations::Migration,
    &m20261126_000002_mandates::Migration,
    &m20261126_000003_notifications::Migration,
    &m20261126_000004_api::Migration,
    &m20261126_000005_unanswered::Migration,
    &m20261127_000001_joins::Migration,
];

/// What the database remembers, under the name and in the columns of sea-orm-migration, which it
/// was made by at first. (That crate is not used because it turns on every default of sea-orm,
/// which brings crates for dates, decimals and schema discovery that nobody here asks.)
const TABLE: &str = "CREATE TABLE IF NOT EXISTS seaql_migrations \
     (version varchar NOT NULL PRIMARY KEY, applied_at bigint NOT NULL)";

/// Any number that is nobody else's: one process migrates, the others wait for it.
const LOCK: i64 = 4_701_188_203;

/// A migration and whether the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Applied {
    /// Its name: date, number, what.
    pub name: String,
    /// Whether the database has it.
    pub applied: bool,
}

/// Applies what is missing, as a whole or not at all.
///
/// # Errors
/// The database is away or refuses.
pub async fn up(database: &DatabaseConnection) -> Result<(), DbErr> {
    let transaction = alone(database).await?;
    // Looked at under the lock: whoever had it before may have done it all. A database that is
    // ahead of this program is fine.
    transaction.execute_unprepared(TABLE).await?;
    let applied = applied(&transaction).await?;
    for step in STEPS.iter().filter(|step| !applied.iter().any(|name| name == step.name())) {
        step.up(&Schema(&transaction)).await?;
        let remember = match transaction.get_database_backend() {
            DbBackend::Postgres => {
                "INSERT INTO seaql_migrations VALUES ($1, extract(epoch FROM now())::bigint)"
            }
            _ => "INSERT INTO seaql_migrations VALUES ($1, unixepoch())",
        };
        execute(&transaction, remember, [step.name().into()]).await?;
    }
    transaction.commit().await
}

/// Takes back the last `steps` migrations, all of them where `None`.
///
/// # Errors
/// The database is away or refuses.
pub async fn down(database: &DatabaseConnection, steps: Option<u32>) -> Result<(), DbErr> {
    let transaction = alone(database).await?;
    let applied = applied(&transaction).await?;
    let known = STEPS.iter().rev().filter(|step| applied.iter().any(|name| name == step.name()));
    for step in known.take(steps.map_or(usize::MAX, |steps| steps as usize)) {
        step.down(&Schema(&transaction)).await?;
        let forget = "DELETE FROM seaql_migrations WHERE version = $1";
        execute(&transaction, forget, [step.name().into()]).await?;
    }
    transaction.commit().await
}

/// Every migration that this program knows, in order. Writes nothing.
///
/// # Errors
/// The database is away.
pub async fn status(database: &DatabaseConnection) -> Result<Vec<Applied>, DbErr> {
    let applied = applied(database).await?;
    let known = STEPS.iter().map(|step| step.name().to_owned());
    Ok(known.map(|name| Applied { applied: applied.contains(&name), name }).collect())
}

/// The names of those that the database has.
async fn applied(database: &impl ConnectionTrait) -> Result<Vec<String>, DbErr> {
    let backend = database.get_database_backend();
    let exists = match backend {
        DbBackend::Postgres => {
            "SELECT 1 FROM pg_tables \
             WHERE schemaname = current_schema() AND tablename = 'seaql_migrations'"
        }
        _ => "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'seaql_migrations'",
    };
    let ask = |text: &str| Statement::from_string(backend, text);
    if database.query_one_raw(ask(exists)).await?.is_none() {
        return Ok(Vec::new());
    }
    let rows = database.query_all_raw(ask("SELECT version FROM seaql_migrations")).await?;
    rows.iter().map(|row| row.try_get("", "version")).collect()
}

async fn execute<const N: usize>(
    transaction: &DatabaseTransaction,
    text: &str,
    values: [Value; N],
) -> Result<(), DbErr> {
    let backend = transaction.get_database_backend();
    transaction.execute_raw(Statement::from_sql_and_values(backend, text, values)).await.map(drop)
}

async fn alone(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = database.begin_with_options(options).await?;
    if transaction.get_database_backend() == DbBackend::Postgres {
        let lock = "SELECT pg_advisory_xact_lock($1)";
        execute(&transaction, lock, [LOCK.into()]).await?;
    }
    Ok(transaction)
}
