//! A message that joined a payment in hand, and where it is answered.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "waiters")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub number: i64,
    pub payment_id: String,
    pub message_id: String,
    pub reply_to: Option<String>,
    pub correlation_id: Option<String>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
