//! When a money call was last given up without an answer, and in which version of its row: one that
//! was written since by a release that knows nothing of it says nothing. What is unanswered already
//! gets its time when somebody takes it in hand.

use sea_orm::DbErr;
use sea_orm::sea_query::Table;

use crate::columns::big_integer_null;
use crate::step::{Schema, Step};

pub(crate) struct Migration;

const COLUMNS: [&str; 2] = ["unanswered_at", "unanswered_version"];

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000005_unanswered"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        for column in COLUMNS {
            let column = big_integer_null(column);
            schema.alter_table(Table::alter().table("payments").add_column(column).take()).await?;
        }
        Ok(())
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        for column in COLUMNS {
            schema.alter_table(Table::alter().table("payments").drop_column(column).take()).await?;
        }
        Ok(())
    }
}
