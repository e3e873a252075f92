//! Database schema of the worker, one file per migration, for SQLite and PostgreSQL alike.
//! README.md says how to change it without stopping anybody; a migration that was released is
//! never edited.

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbBackend, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait,
};
use sea_orm_migration::prelude::*;

mod m20261125_000001_payments;
mod m20261125_000002_messages;
mod m20261125_000003_people;
mod m20261125_000004_workers;
mod m20261126_000001_operations;
mod m20261126_000002_mandates;
mod m20261126_000003_notifications;
mod m20261126_000004_api;

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
    if status(&transaction).await?.iter().any(|migration| !migration.applied) {
        Migrator::up(&transaction, None).await?;
    }
    transaction.commit().await
}

/// Takes back the last `steps` migrations, all of them where `None`.
///
/// # Errors
/// The database is away or refuses.
pub async fn down(database: &DatabaseConnection, steps: Option<u32>) -> Result<(), DbErr> {
    let transaction = alone(database).await?;
    Migrator::down(&transaction, steps).await?;
    transaction.commit().await
}

/// Every migration that this program knows, in order. Writes nothing.
///
/// # Errors
/// The database is away.
pub async fn status<'c, C>(database: C) -> Result<Vec<Applied>, DbErr>
where
    C: IntoSchemaManagerConnection<'c>,
{
    let manager = SchemaManager::new(database);
    let table = Migrator::migration_table_name().to_string();
    let mut applied = Vec::new();
    if manager.has_table(&table).await? {
        let query = Query::select().column("version").from(table).take();
        for row in manager.get_connection().query_all(&query).await? {
            applied.push(row.try_get::<String>("", "version")?);
        }
    }
    let known = Migrator::migrations().into_iter().map(|migration| migration.name().to_owned());
    Ok(known.map(|name| Applied { applied: applied.contains(&name), name }).collect())
}

async fn alone(database: &DatabaseConnection) -> Result<DatabaseTransaction, DbErr> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    let transaction = database.begin_with_options(options).await?;
    let backend = transaction.get_database_backend();
    if backend == DbBackend::Postgres {
        let lock = "SELECT pg_advisory_xact_lock($1)";
        transaction
            .execute_raw(Statement::from_sql_and_values(backend, lock, [LOCK.into()]))
            .await?;
    }
    Ok(transaction)
}

struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261125_000001_payments::Migration),
            Box::new(m20261125_000002_messages::Migration),
            Box::new(m20261125_000003_people::Migration),
            Box::new(m20261125_000004_workers::Migration),
            Box::new(m20261126_000001_operations::Migration),
            Box::new(m20261126_000002_mandates::Migration),
            Box::new(m20261126_000003_notifications::Migration),
            Box::new(m20261126_000004_api::Migration),
        ]
    }
}

/// Indexes that the builder cannot say (partial ones, on expressions): one text for both databases.
async fn execute_each(manager: &SchemaManager<'_>, statements: &[&str]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

/// Drops these tables, with their indexes.
async fn drop_each(manager: &SchemaManager<'_>, tables: &[&'static str]) -> Result<(), DbErr> {
    for table in tables {
        manager.drop_table(Table::drop().table(*table).to_owned()).await?;
    }
    Ok(())
}
