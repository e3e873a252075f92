//! One payment: what is asked, where it stands, what it takes.

use sea_orm::entity::prelude::*;

#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "payments")]
pub struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: String,
    pub mid: String,
    pub kind: String,
    pub order_id: Option<String>,
    pub upsell_id: Option<String>,
    pub charge_id: Option<String>,
    pub seller_account: String,
    pub reference: Option<String>,
    pub owns_reference: bool,
    pub amount_minor: i64,
    pub currency: String,
    pub capture_mode: String,
    pub authorization_mode: String,
    pub soft_descriptor: Option<String>,
    pub note: Option<String>,
    pub custom_information: Option<String>,
    pub store_name: Option<String>,
    pub cycle: Option<String>,
    pub opener_message_id: String,
    pub opener_reply_to: Option<String>,
    pub opener_correlation_id: Option<String>,
    pub opener_traceparent: Option<String>,
    pub personal: Option<String>,
    pub details: Option<String>,
    pub phase: String,
    pub epoch: i64,
    pub synchronous: bool,
    pub exposure: String,
    pub authorization_id: Option<String>,
    pub capture_id: Option<String>,
    pub captured_minor: i64,
    pub refunded_minor: i64,
    pub confirmed_minor: Option<i64>,
    pub confirmed_currency: Option<String>,
    pub processing_failures: i64,
    pub capture_declines: i64,
    pub decline: Option<String>,
    pub sequence: i64,
    pub published_in_epoch: bool,
    pub told_pending_amazon: bool,
    pub told_pending_operator: bool,
    pub latest_event: Option<String>,
    pub attempt: i64,
    pub effort_since: i64,
    pub quota_wait_ms: i64,
    pub polls: i64,
    pub crashes: i64,
    pub crashes_alone: i64,
    pub last_fault: Option<String>,
    pub refused_since: Option<i64>,
    pub due_at: Option<i64>,
    pub close_reference_at: Option<i64>,
    pub dead_letter: Option<String>,
    pub prior: Option<String>,
    pub lease_owner: Option<String>,
    pub lease_until: Option<i64>,
    pub version: i64,
    pub created_at: i64,
    pub updated_at: i64,
}

#[derive(Copy, Clone, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
