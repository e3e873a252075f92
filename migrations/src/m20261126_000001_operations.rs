//! Operations on payments: they live in their payment's row, which is due when it or one of them
//! is. Payments without operations are written as before.

use sea_orm::DbErr;
use sea_orm::sea_query::Table;

use crate::columns::{big_integer_null, text_null};
use crate::step::{Schema, Step};

/// Whoever lies in the dead letters may have an operation that is due, so the work list is no
/// longer without them.
const UP: &[&str] = &[
    "CREATE INDEX IF NOT EXISTS payments_next_due ON payments (due_at) WHERE due_at IS NOT NULL",
    "DROP INDEX IF EXISTS payments_due",
];
const DOWN: &[&str] = &[
    "CREATE INDEX IF NOT EXISTS payments_due ON payments (due_at) \
     WHERE due_at IS NOT NULL AND dead_letter IS NULL",
    "DROP INDEX IF EXISTS payments_next_due",
];

pub(crate) struct Migration;

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000001_operations"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        for column in [text_null("operations"), big_integer_null("own_due_at")] {
            let add = Table::alter().table("payments").add_column(column).take();
            schema.alter_table(add).await?;
        }
        schema.execute_each(UP).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.execute_each(DOWN).await?;
        for column in ["own_due_at", "operations"] {
            let drop = Table::alter().table("payments").drop_column(column).take();
            schema.alter_table(drop).await?;
        }
        Ok(())
    }
}
