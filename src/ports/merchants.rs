//! Merchant accounts, API clients and who is alive: what ingest, worker and the command line share.

use std::sync::Arc;

use async_trait::async_trait;

use super::gateway::Account;
use super::store::StoreError;
use super::vault::Sealed;
use crate::domain::ids::MerchantAccountId;
use crate::domain::merchant::MerchantAccount;

/// A merchant account as stored: its secrets sealed (a JSON object of the secret fields of
/// `mid.json`, bound to the identity `mid/<id>`).
#[derive(Debug, Clone)]
pub struct MerchantRow {
    /// What is not secret.
    pub merchant: MerchantAccount,
    /// The sealed secrets.
    pub secrets: Sealed,
}

/// A client of ingest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiClient {
    /// Its id, which is also its `loginId`.
    pub login_id: String,
    /// Its name for people.
    pub name: String,
    /// SHA-256 of its password, hex. Passwords are random and long, so no slow hash is needed.
    pub password_hash: String,
    /// SHA-256 of its API key, hex.
    pub api_key_hash: String,
    /// The merchant accounts that it may use; empty means all.
    pub mids: Vec<MerchantAccountId>,
    /// Whether it may still call.
    pub revoked: bool,
}

/// Merchant accounts and API clients.
#[async_trait]
pub trait MerchantStore: Send + Sync {
    /// One account.
    async fn merchant(&self, id: &MerchantAccountId) -> Result<Option<MerchantRow>, StoreError>;
    /// All accounts, by id.
    async fn merchants(&self) -> Result<Vec<MerchantRow>, StoreError>;
    /// Adds or replaces an account; its revision grows.
    async fn put_merchant(&self, row: &MerchantRow) -> Result<(), StoreError>;
    /// All clients, by name.
    async fn clients(&self) -> Result<Vec<ApiClient>, StoreError>;
    /// Adds or replaces a client.
    async fn put_client(&self, client: &ApiClient) -> Result<(), StoreError>;
}

/// Merchant accounts with their secrets opened, kept in memory and at most 5 s old; the store is
/// looked into before an id is called unknown.
#[async_trait]
pub trait Accounts: Send + Sync {
    /// The account, or none if there is no such id.
    async fn account(&self, id: &MerchantAccountId) -> Result<Option<Arc<Account>>, StoreError>;

    /// The merchant accounts of a client of ingest, by its `loginId`; empty means all, none that
    /// there is no such client.
    async fn client_mids(
        &self,
        login_id: &str,
    ) -> Result<Option<Vec<MerchantAccountId>>, StoreError>;
}
