//! Merchant accounts with their secrets opened, kept in memory. A role refreshes them every two
//! seconds; an id that is not known is looked for in the store before it is called unknown; with
//! the database away what is known is still served. An account whose secrets this process cannot
//! open is served without them: what is to be paid through it waits as for refused credentials,
//! for the right master key or a process that has it. Never logs what it opened.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use async_trait::async_trait;
use tokio_util::sync::CancellationToken;

use super::credentials;
use crate::domain::ids::MerchantAccountId;
use crate::ports::gateway::{Account, Credentials};
use crate::ports::merchants::{Accounts, MerchantRow, MerchantStore};
use crate::ports::store::StoreError;
use crate::ports::vault::Vault;
use crate::telemetry::fields;

/// Between two looks into the store; with the look itself well within the promised 5 s.
const REFRESH_EVERY: Duration = Duration::from_secs(2);

/// The longest that a look into the store may take while somebody waits for it.
const PATIENCE: Duration = Duration::from_secs(3);

/// Clients of ingest and the merchant accounts that they may use.
type Clients = HashMap<String, Vec<MerchantAccountId>>;

#[derive(Default)]
struct Known {
    accounts: HashMap<MerchantAccountId, Arc<Account>>,
    clients: Clients,
}

/// The merchant accounts of this process.
pub struct AccountDirectory {
    store: Arc<dyn MerchantStore>,
    vault: Arc<dyn Vault>,
    known: RwLock<Known>,
}

impl AccountDirectory {
    /// A directory that knows nobody yet.
    #[must_use]
    pub fn new(store: Arc<dyn MerchantStore>, vault: Arc<dyn Vault>) -> Self {
        Self { store, vault, known: RwLock::default() }
    }

    /// Keeps the directory fresh until told to stop.
    pub async fn keep_fresh(&self, stop: CancellationToken) {
        let mut away = false;
        loop {
            match self.refresh().await {
                Ok(()) => away = false,
                Err(error) if !away => {
                    away = true;
                    tracing::warn!(
                        { fields::ERROR } = %error,
                        "merchant accounts cannot be read: going on with those that are known"
                    );
                }
                Err(_) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REFRESH_EVERY) => {}
            }
        }
    }

    /// Reads all accounts and clients.
    ///
    /// # Errors
    /// The store's; what is known stays.
    pub async fn refresh(&self) -> Result<(), StoreError> {
        let rows = within_patience(self.store.merchants()).await?;
        let clients = within_patience(self.store.clients()).await?;
        let clients = clients.into_iter().filter(|client| !client.revoked);
        let clients = clients.map(|client| (client.login_id, client.mids)).collect();
        let accounts = rows.into_iter().map(|row| {
            let account = self.opened(row);
            (account.merchant.id.clone(), account)
        });
        let accounts = accounts.collect();
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Known { accounts, clients };
        Ok(())
    }

    /// The account of a row; secrets are opened again only where the row changed.
    fn opened(&self, row: MerchantRow) -> Arc<Account> {
        let MerchantRow { merchant, secrets } = row;
        let known = self.known(&merchant.id);
        if let Some(account) = known.filter(|one| one.merchant.revision == merchant.revision) {
            return account;
        }
        let opened = credentials::open(&*self.vault, &merchant.id, &secrets);
        let credentials = opened.unwrap_or_else(|error| {
            let id = &merchant.id;
            tracing::error!(
                { fields::MID } = %id,
                { fields::ERROR } = %error,
                "the secrets of mid {id} cannot be opened"
            );
            Credentials::default()
        });
        Arc::new(Account { merchant, credentials })
    }

    fn known(&self, id: &MerchantAccountId) -> Option<Arc<Account>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.accounts.get(id).cloned()
    }

    fn known_client(&self, login_id: &str) -> Option<Vec<MerchantAccountId>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.clients.get(login_id).cloned()
    }
}

#[async_trait]
impl Accounts for AccountDirectory {
    async fn account(&self, id: &MerchantAccountId) -> Result<Option<Arc<Account>>, StoreError> {
        if let Some(account) = self.known(id) {
            return Ok(Some(account));
        }
        let Some(row) = within_patience(self.store.merchant(id)).await? else { return Ok(None) };
        let account = self.opened(row);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.accounts.insert(id.clone(), Arc::clone(&account));
        Ok(Some(account))
    }

    async fn client_mids(
        &self,
        login_id: &str,
    ) -> Result<Option<Vec<MerchantAccountId>>, StoreError> {
        if let Some(mids) = self.known_client(login_id) {
            return Ok(Some(mids));
        }
        self.refresh().await?;
        Ok(self.known_client(login_id))
    }
}

async fn within_patience<T>(
    look: impl Future<Output = Result<T, StoreError>>,
) -> Result<T, StoreError> {
    let late = |_| StoreError::Away("no answer in time".to_owned());
    tokio::time::timeout(PATIENCE, look).await.map_err(late)?
}

#[cfg(test)]
#[path = "merchants_tests.rs"]
mod tests;
