//! By which API a payment goes, and what is charged in the stead of a checkout session. Of what was
//! there before, all went by MWS.

use sea_orm_migration::prelude::*;
use sea_orm_migration::schema::{text, text_null};

use crate::execute_each;

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// To every other payment a session and its permission are one reference.
const INDEXES: &[&str] = &["CREATE UNIQUE INDEX IF NOT EXISTS payments_charged ON payments \
     (COALESCE(permission, reference), seller_account) WHERE owns_reference"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for column in [text("api").default("mws").take(), text_null("permission")] {
            let add = Table::alter().table("payments").add_column(column).take();
            manager.alter_table(add).await?;
        }
        execute_each(manager, INDEXES).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        execute_each(manager, &["DROP INDEX IF EXISTS payments_charged"]).await?;
        for column in ["permission", "api"] {
            let drop = Table::alter().table("payments").drop_column(column).take();
            manager.alter_table(drop).await?;
        }
        Ok(())
    }
}
