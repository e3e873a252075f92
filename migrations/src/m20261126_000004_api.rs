//! By which API a payment goes, and what is charged in the stead of a checkout session. Of what was
//! there before, all went by MWS.

use sea_orm::DbErr;
use sea_orm::sea_query::Table;

use crate::columns::{text, text_null};
use crate::step::{Schema, Step};

pub(crate) struct Migration;

/// To every other payment a session and its permission are one reference.
const INDEXES: &[&str] = &["CREATE UNIQUE INDEX IF NOT EXISTS payments_charged ON payments \
     (COALESCE(permission, reference), seller_account) WHERE owns_reference"];

#[async_trait::async_trait]
impl Step for Migration {
    fn name(&self) -> &'static str {
        "m20261126_000004_api"
    }

    async fn up(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        for column in [text("api").default("mws").take(), text_null("permission")] {
            let add = Table::alter().table("payments").add_column(column).take();
            schema.alter_table(add).await?;
        }
        schema.execute_each(INDEXES).await
    }

    async fn down(&self, schema: &Schema<'_>) -> Result<(), DbErr> {
        schema.execute_each(&["DROP INDEX IF EXISTS payments_charged"]).await?;
        for column in ["permission", "api"] {
            let drop = Table::alter().table("payments").drop_column(column).take();
            schema.alter_table(drop).await?;
        }
        Ok(())
    }
}
