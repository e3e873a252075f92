//! What could not be finished.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "dead_letters")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub reason: String,
    pub status: String,
    pub message_id: Option<String>,
    pub routing_key: Option<String>,
    pub mid: Option<String>,
    pub kind: Option<String>,
    pub order_id: Option<String>,
    pub upsell_id: Option<String>,
    pub charge_id: Option<String>,
    pub detail: String,
    pub attempts: i64,
    pub since: i64,
    pub payment_id: Option<String>,
    pub message: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
