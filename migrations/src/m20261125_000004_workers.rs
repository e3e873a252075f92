//! Who is alive, and whose turn it is with what only one may do.

use sea_orm::DbErr;
use sea_orm::sea_query::Table;

use crate::columns::{big_integer, text};
use crate::step::{Schema, Step};

pub(crate) struct Migration;

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000004_workers"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
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
        schema.create_table(workers).await?;
        schema.create_table(turns).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.drop_each(&["turns", "workers"]).await
    }
}
