//! A notification of Amazon's: which object to look at, and whether that was done.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "notifications")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub message_id: String,
    pub seller_id: String,
    pub sandbox: Option<bool>,
    pub about: String,
    pub object_id: String,
    pub reference: Option<String>,
    pub received_at: i64,
    pub due_at: Option<i64>,
    pub attempts: i64,
    pub heeded_at: Option<i64>,
    pub outcome: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
