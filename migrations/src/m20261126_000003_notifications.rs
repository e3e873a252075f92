//! Notifications until they are heeded, and when a payment that is over is looked at again.

use sea_orm::DbErr;
use sea_orm::sea_query::{Table, TableCreateStatement};

use crate::columns::{big_integer, big_integer_null, boolean_null, text, text_null};
use crate::step::{Schema, Step};

pub(crate) struct Migration;

const UP: &[&str] = &[
    "CREATE INDEX notifications_due ON notifications (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX notifications_received ON notifications (received_at)",
    "ALTER TABLE payments ADD COLUMN look_at BIGINT NULL",
    "ALTER TABLE payments ADD COLUMN lookout TEXT NULL",
    "CREATE INDEX IF NOT EXISTS payments_look ON payments (look_at) WHERE look_at IS NOT NULL",
    // The consent in front of an authorization's id: by that a notification finds its payments.
    "CREATE INDEX IF NOT EXISTS payments_consent ON payments (substr(authorization_id, 1, 19)) \
     WHERE authorization_id IS NOT NULL",
    // What is older than it has to be is deleted oldest first.
    "CREATE INDEX IF NOT EXISTS inbox_at ON inbox (at)",
];

const DOWN: &[&str] = &[
    "DROP INDEX inbox_at",
    "DROP INDEX payments_consent",
    "DROP INDEX payments_look",
    "ALTER TABLE payments DROP COLUMN lookout",
    "ALTER TABLE payments DROP COLUMN look_at",
];

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000003_notifications"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.create_table(notifications()).await?;
        schema.execute_each(UP).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.execute_each(DOWN).await?;
        schema.drop_each(&["notifications"]).await
    }
}

fn notifications() -> TableCreateStatement {
    Table::create()
        .table("notifications")
        .col(text("message_id").primary_key())
        .col(text("seller_id"))
        .col(boolean_null("sandbox"))
        .col(text("about"))
        .col(text("object_id"))
        .col(text_null("reference"))
        .col(big_integer("received_at"))
        .col(big_integer_null("due_at"))
        .col(big_integer("attempts"))
        .col(big_integer_null("heeded_at"))
        .col(text_null("outcome"))
        .take()
}
