//! How often a payment was joined while in hand. Whoever takes it back after all must have seen
//! everybody who joined, or somebody would never hear of it.

use sea_orm::DbErr;
use sea_orm::sea_query::Table;

use crate::columns::big_integer;
use crate::step::{Schema, Step};

pub(crate) struct Migration;

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261127_000001_joins"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        let column = big_integer("joins").default(0).take();
        schema.alter_table(Table::alter().table("payments").add_column(column).take()).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.alter_table(Table::alter().table("payments").drop_column("joins").take()).await
    }
}
