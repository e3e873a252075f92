//! Payments and their timelines. Times are milliseconds since the epoch, amounts minor units.

use sea_orm::DbErr;
use sea_orm::sea_query::{Table, TableCreateStatement};

use crate::columns::{big_integer, big_integer_null, big_pk_auto, boolean, text, text_null};
use crate::step::{Schema, Step};

pub(crate) struct Migration;

/// Made for 10 million payments of which a few thousand are in hand: what the sweeps ask for is in
/// partial indexes that hold only those few.
const INDEXES: &[&str] = &[
    // The reference is first so that it is found without its seller account too.
    "CREATE UNIQUE INDEX payments_reference ON payments (reference, seller_account) \
     WHERE owns_reference",
    "CREATE INDEX payments_due ON payments (due_at) \
     WHERE due_at IS NOT NULL AND dead_letter IS NULL",
    "CREATE INDEX payments_close ON payments (close_reference_at) \
     WHERE close_reference_at IS NOT NULL",
    "CREATE INDEX payments_lease ON payments (lease_owner) WHERE lease_owner IS NOT NULL",
    "CREATE INDEX payments_refused ON payments (mid) WHERE refused_since IS NOT NULL",
    "CREATE INDEX payments_order ON payments (order_id, mid) WHERE order_id IS NOT NULL",
    "CREATE INDEX payments_charge ON payments (charge_id) WHERE charge_id IS NOT NULL",
    "CREATE INDEX payments_created ON payments (created_at)",
    "CREATE INDEX payments_mid_created ON payments (mid, created_at)",
    // Nearly all are paid: those are found soon in payments_created.
    "CREATE INDEX payments_phase_created ON payments (phase, created_at) WHERE phase <> 'paid'",
    "CREATE INDEX journal_payment ON journal (payment_id, number)",
];

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000001_payments"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.create_table(payments()).await?;
        schema.create_table(journal()).await?;
        schema.execute_each(INDEXES).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.drop_each(&["journal", "payments"]).await
    }
}

fn payments() -> TableCreateStatement {
    let mut table = Table::create();
    table.table("payments").col(text("id").primary_key());
    what_is_asked(&mut table);
    where_it_stands(&mut table);
    what_it_takes(&mut table);
    table
}

fn what_is_asked(table: &mut TableCreateStatement) {
    table
        .col(text("mid"))
        .col(text("kind"))
        .col(text_null("order_id"))
        .col(text_null("upsell_id"))
        .col(text_null("charge_id"))
        .col(text("seller_account"))
        .col(text_null("reference"))
        .col(boolean("owns_reference"))
        .col(big_integer("amount_minor"))
        .col(text("currency"))
        .col(text("capture_mode"))
        .col(text("authorization_mode"))
        .col(text_null("soft_descriptor"))
        .col(text_null("note"))
        .col(text_null("custom_information"))
        .col(text_null("store_name"))
        .col(text_null("cycle"))
        .col(text("opener_message_id"))
        .col(text_null("opener_reply_to"))
        .col(text_null("opener_correlation_id"))
        .col(text_null("opener_traceparent"))
        .col(text_null("personal"))
        .col(text_null("details"));
}

fn where_it_stands(table: &mut TableCreateStatement) {
    table
        .col(text("phase"))
        .col(big_integer("epoch"))
        .col(boolean("synchronous"))
        .col(text("exposure"))
        .col(text_null("authorization_id"))
        .col(text_null("capture_id"))
        .col(big_integer("captured_minor"))
        .col(big_integer("refunded_minor"))
        .col(big_integer_null("confirmed_minor"))
        .col(text_null("confirmed_currency"))
        .col(big_integer("processing_failures"))
        .col(big_integer("capture_declines"))
        .col(text_null("decline"))
        .col(big_integer("sequence"))
        .col(boolean("published_in_epoch"))
        .col(boolean("told_pending_amazon"))
        .col(boolean("told_pending_operator"))
        .col(text_null("latest_event"));
}

fn what_it_takes(table: &mut TableCreateStatement) {
    table
        .col(big_integer("attempt"))
        .col(big_integer("effort_since"))
        .col(big_integer("quota_wait_ms"))
        .col(big_integer("polls"))
        .col(big_integer("crashes"))
        .col(big_integer("crashes_alone"))
        .col(text_null("last_fault"))
        .col(big_integer_null("refused_since"))
        .col(big_integer_null("due_at"))
        .col(big_integer_null("close_reference_at"))
        .col(text_null("dead_letter"))
        .col(text_null("prior"))
        .col(text_null("lease_owner"))
        .col(big_integer_null("lease_until"))
        .col(big_integer("version"))
        .col(big_integer("created_at"))
        .col(big_integer("updated_at"));
}

fn journal() -> TableCreateStatement {
    Table::create()
        .table("journal")
        .col(big_pk_auto("number"))
        .col(text("payment_id"))
        .col(big_integer("at"))
        .col(text("kind"))
        .col(text("name"))
        .col(text("detail"))
        .take()
}
