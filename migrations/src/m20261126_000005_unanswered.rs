//! When a money call was last given up without an answer. What is unanswered already gets its time
//! when somebody takes it in hand.

use sea_orm::DbErr;
use sea_orm::sea_query::Table;

use crate::columns::big_integer_null;
use crate::step::{Schema, Step};

pub(crate) struct Migration;

const COLUMN: &str = "unanswered_at";

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000005_unanswered"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        let column = big_integer_null(COLUMN);
        schema.alter_table(Table::alter().table("payments").add_column(column).take()).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.alter_table(Table::alter().table("payments").drop_column(COLUMN).take()).await
    }
}
