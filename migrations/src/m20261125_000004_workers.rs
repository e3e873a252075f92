//! Who is alive, and whose turn it is with what only one may do.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{big_integer, text};

use crate::drop_each;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let workers = Table::create()
            .table("workers")
            .col(text("id").primary_key())
            .col(big_integer("seen_at"))
            .take();
        let turns = Table::create()
            .table("turns")
            .col(text("task").primary_key())
            .col(text("owner"))
            .col(big_integer("until_at"))
            .take();
        manager.create_table(workers).await?;
        manager.create_table(turns).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_each(manager, &["turns", "workers"]).await
    }
}
