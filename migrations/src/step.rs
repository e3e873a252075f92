//! What a migration is, and what it may do to the schema.

use async_trait::async_trait;
use sea_orm::sea_query::{Table, TableAlterStatement, TableCreateStatement};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbErr};

/// A change of the schema and its way back.
#[async_trait]
pub(crate) trait Step: Send + Sync {
    /// The name of its file: date, number, what. It is what the database remembers.
    fn name(&self) -> &'static str;

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr>;

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr>;
}

/// The schema, within the transaction of all steps.
pub(crate) struct Schema<'a>(pub(crate) &'a DatabaseTransaction);

impl Schema<'_> {
    pub(crate) async fn create_table(&self, table: TableCreateStatement) -> Result<(), DbErr> {
        self.0.execute(&table).await.map(drop)
    }

    pub(crate) async fn alter_table(&self, table: TableAlterStatement) -> Result<(), DbErr> {
        self.0.execute(&table).await.map(drop)
    }

    /// Indexes that the builder cannot say (partial ones, on expressions): one text for both
    /// databases.
    pub(crate) async fn execute_each(&self, statements: &[&str]) -> Result<(), DbErr> {
        for statement in statements {
            self.0.execute_unprepared(statement).await?;
        }
        Ok(())
    }

    /// Drops these tables, with their indexes.
    pub(crate) async fn drop_each(&self, tables: &[&'static str]) -> Result<(), DbErr> {
        for table in tables {
            self.0.execute(&Table::drop().table(*table).take()).await?;
        }
        Ok(())
    }
}
