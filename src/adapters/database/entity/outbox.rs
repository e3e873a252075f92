//! An event, published once `published_at` is set, in the feed at `position`.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    #[sea_orm(primary_key)]
    pub number: i64,
    pub event_id: String,
    pub subject: String,
    pub mid: Option<String>,
    pub routing_key: String,
    pub body: String,
    pub replies: Option<String>,
    pub payment_id: Option<String>,
    pub done: bool,
    pub replay: bool,
    pub traceparent: Option<String>,
    pub created_at: i64,
    pub published_at: Option<i64>,
    pub position: Option<i64>,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
