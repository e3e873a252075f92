//! A merchant account, its secrets sealed.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "merchant_accounts")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub title: String,
    pub soft_descriptor: Option<String>,
    pub mid_number: Option<String>,
    pub region: String,
    pub sandbox: bool,
    pub api: String,
    pub seller_id: String,
    pub enabled: bool,
    pub reauthorize: bool,
    pub reauthorize_window_s: i64,
    pub reauthorize_max: i64,
    pub revision: i64,
    pub secrets: String,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
