//! Merchant accounts, who may call ingest, who may log in to the console, and what operators did.

use sea_orm::DbErr;
use sea_orm::sea_query::{Table, TableCreateStatement};

use crate::columns::{big_integer, big_pk_auto, boolean, text, text_null};
use crate::step::{Schema, Step};

pub(crate) struct Migration;

const INDEXES: &[&str] = &["CREATE INDEX audit_log_at ON audit_log (at)"];

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261125_000003_people"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        for table in [merchant_accounts(), api_clients(), operators(), audit_log()] {
            schema.create_table(table).await?;
        }
        schema.execute_each(INDEXES).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        let tables = ["audit_log", "operators", "api_clients", "merchant_accounts"];
        schema.drop_each(&tables).await
    }
}

fn merchant_accounts() -> TableCreateStatement {
    Table::create()
        .table("merchant_accounts")
        .col(text("id").primary_key())
        .col(text("title"))
        .col(text_null("soft_descriptor"))
        .col(text_null("mid_number"))
        .col(text("region"))
        .col(boolean("sandbox"))
        .col(text("api"))
        .col(text("seller_id"))
        .col(boolean("enabled"))
        .col(boolean("reauthorize"))
        .col(big_integer("reauthorize_window_s"))
        .col(big_integer("reauthorize_max"))
        .col(big_integer("revision"))
        .col(text("secrets"))
        .take()
}

fn api_clients() -> TableCreateStatement {
    Table::create()
        .table("api_clients")
        .col(text("login_id").primary_key())
        .col(text("name"))
        .col(text("password_hash"))
        .col(text("api_key_hash"))
        .col(text("mids"))
        .col(boolean("revoked"))
        .take()
}

fn operators() -> TableCreateStatement {
    Table::create()
        .table("operators")
        .col(text("name").primary_key())
        .col(text("role"))
        .col(text("password_hash"))
        .col(big_integer("created_at"))
        .take()
}

fn audit_log() -> TableCreateStatement {
    Table::create()
        .table("audit_log")
        .col(big_pk_auto("number"))
        .col(big_integer("at"))
        .col(text("actor"))
        .col(text("act"))
        .col(text("object"))
        .col(text("detail"))
        .take()
}
