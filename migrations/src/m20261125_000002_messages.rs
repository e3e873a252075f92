//! What came in (inbox, waiters), what goes out (outbox, with its place in the feed), and what
//! could not be finished (dead letters).

use sea_orm::DbErr;
use sea_orm::sea_query::{Table, TableCreateStatement};

use crate::columns::{big_integer, big_integer_null, big_pk_auto, boolean, text, text_null};
use crate::step::{Schema, Step};

pub(crate) struct Migration;

const INDEXES: &[&str] = &[
    "CREATE INDEX outbox_event ON outbox (event_id, number)",
    "CREATE INDEX outbox_unpublished ON outbox (number) WHERE published_at IS NULL",
    "CREATE UNIQUE INDEX outbox_position ON outbox (position) WHERE position IS NOT NULL",
    "CREATE INDEX outbox_mid_position ON outbox (mid, position) WHERE position IS NOT NULL",
    // One message may be waited for at several queues, and joins once for each.
    "CREATE UNIQUE INDEX waiters_once ON waiters \
     (payment_id, message_id, COALESCE(reply_to, ''), COALESCE(correlation_id, ''))",
    "CREATE INDEX dead_letters_status_since ON dead_letters (status, since)",
    // The last place in the feed that was given out.
    "INSERT INTO counters (name, value) VALUES ('feed', 0)",
];

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000002_messages"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        for table in [inbox(), waiters(), outbox(), dead_letters(), counters()] {
            schema.create_table(table).await?;
        }
        schema.execute_each(INDEXES).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.drop_each(&["counters", "dead_letters", "outbox", "waiters", "inbox"]).await
    }
}

fn inbox() -> TableCreateStatement {
    Table::create()
        .table("inbox")
        .col(text("message_id").primary_key())
        .col(text("fingerprint"))
        .col(text_null("payment_id"))
        .col(text_null("event_id"))
        .col(big_integer("at"))
        .take()
}

fn waiters() -> TableCreateStatement {
    Table::create()
        .table("waiters")
        .col(big_pk_auto("number"))
        .col(text("payment_id"))
        .col(text("message_id"))
        .col(text_null("reply_to"))
        .col(text_null("correlation_id"))
        .take()
}

fn outbox() -> TableCreateStatement {
    Table::create()
        .table("outbox")
        .col(big_pk_auto("number"))
        .col(text("event_id"))
        .col(text("subject"))
        .col(text_null("mid"))
        .col(text("routing_key"))
        .col(text("body"))
        .col(text_null("replies"))
        .col(text_null("payment_id"))
        .col(boolean("done"))
        .col(boolean("replay"))
        .col(text_null("traceparent"))
        .col(big_integer("created_at"))
        .col(big_integer_null("published_at"))
        .col(big_integer_null("position"))
        .take()
}

fn dead_letters() -> TableCreateStatement {
    Table::create()
        .table("dead_letters")
        .col(text("id").primary_key())
        .col(text("reason"))
        .col(text("status"))
        .col(text_null("message_id"))
        .col(text_null("routing_key"))
        .col(text_null("mid"))
        .col(text_null("kind"))
        .col(text_null("order_id"))
        .col(text_null("upsell_id"))
        .col(text_null("charge_id"))
        .col(text("detail"))
        .col(big_integer("attempts"))
        .col(big_integer("since"))
        .col(text_null("payment_id"))
        .col(text_null("message"))
        .take()
}

fn counters() -> TableCreateStatement {
    Table::create()
        .table("counters")
        .col(text("name").primary_key())
        .col(big_integer("value"))
        .take()
}
