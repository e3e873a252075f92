//! Standing consents, and what a payment on one needs to know.

use sea_orm::DbErr;
use sea_orm::sea_query::{Table, TableCreateStatement};

use crate::columns::{big_integer, big_integer_null, boolean, boolean_null, text, text_null};
use crate::step::{Schema, Step};

pub(crate) struct Migration;

/// Few mandates are to be looked at; a shared reference is only looked for when its method is
/// mended, or by the charges of one order and cycle.
const INDEXES: &[&str] = &[
    "CREATE INDEX mandates_due ON mandates (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX payments_shared ON payments (reference, seller_account) \
     WHERE NOT owns_reference AND reference IS NOT NULL",
];

const DROPPED: &[&str] = &["DROP INDEX payments_shared"];

const COLUMNS: [&str; 5] =
    ["initial_charge", "not_before", "declined_at", "reauthorized", "of_order"];

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000002_mandates"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        let columns = [
            boolean("initial_charge").default(true).take(),
            big_integer_null("not_before").take(),
            big_integer_null("declined_at").take(),
            big_integer("reauthorized").default(0).take(),
            text_null("of_order").take(),
        ];
        // One at a time: SQLite takes no more.
        for column in columns {
            let mut table = Table::alter();
            table.table("payments").add_column(column);
            schema.alter_table(table.take()).await?;
        }
        schema.create_table(mandates()).await?;
        schema.execute_each(INDEXES).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.execute_each(DROPPED).await?;
        schema.drop_each(&["mandates"]).await?;
        for column in COLUMNS {
            let mut table = Table::alter();
            table.table("payments").drop_column(column);
            schema.alter_table(table.take()).await?;
        }
        Ok(())
    }
}

fn mandates() -> TableCreateStatement {
    Table::create()
        .table("mandates")
        .col(text("id").primary_key())
        .col(text("seller_account"))
        .col(text("reference"))
        .col(text("mid"))
        .col(text("state"))
        .col(text_null("reason"))
        .col(boolean_null("consent"))
        .col(text_null("month"))
        .col(text_null("held"))
        .col(text_null("closings"))
        .col(big_integer_null("declined_at"))
        .col(big_integer_null("reopened_at"))
        .col(big_integer("sequence"))
        .col(big_integer("polls"))
        .col(big_integer_null("due_at"))
        .col(text_null("dead_letter"))
        .col(big_integer("version"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"))
        .take()
}
