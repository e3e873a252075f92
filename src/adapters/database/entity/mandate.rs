//! A standing consent: its state, what is left of the month, who wants it closed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "mandates")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub seller_account: String,
    pub reference: String,
    pub mid: String,
    pub state: String,
    pub reason: Option<String>,
    pub consent: Option<bool>,
    pub month: Option<String>,
    pub held: Option<String>,
    pub closings: Option<String>,
    pub declined_at: Option<i64>,
    pub reopened_at: Option<i64>,
    pub sequence: i64,
    pub polls: i64,
    pub due_at: Option<i64>,
    pub dead_letter: Option<String>,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
