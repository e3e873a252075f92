//! The directory over a store that a test can change, and take away.

use std::sync::Mutex;

use secrecy::{ExposeSecret, SecretString};

use super::*;
use crate::domain::merchant::{Api, MerchantAccount, Reauthorize, Region};
use crate::ports::merchants::ApiClient;
use crate::ports::vault::{Sealed, VaultError};

/// Seals by writing the identity in front.
struct Labels;

impl Vault for Labels {
    fn seal(&self, identity: &str, clear: &[u8]) -> Sealed {
        Sealed(format!("{identity}|{}", String::from_utf8_lossy(clear)))
    }

    fn open(&self, identity: &str, sealed: &Sealed) -> Result<Vec<u8>, VaultError> {
        let clear = sealed.0.strip_prefix(&format!("{identity}|"));
        clear.map(|clear| clear.as_bytes().to_vec()).ok_or(VaultError::Broken)
    }
}

#[derive(Default)]
struct Rows {
    rows: Mutex<Vec<MerchantRow>>,
    clients: Mutex<Vec<ApiClient>>,
    away: Mutex<bool>,
}

impl Rows {
    fn put(&self, id: &str, secret: &str, revision: i64) {
        let merchant = merchant(id, revision);
        let secret_key = Some(SecretString::from(secret));
        let credentials = Credentials { secret_key, ..Credentials::default() };
        let secrets = credentials::seal(&Labels, &merchant.id, &credentials);
        let mut rows = self.rows.lock().unwrap();
        rows.retain(|row| row.merchant.id != merchant.id);
        rows.push(MerchantRow { merchant, secrets });
    }

    fn there(&self) -> Result<(), StoreError> {
        if *self.away.lock().unwrap() { Err(StoreError::Away("test".to_owned())) } else { Ok(()) }
    }
}

#[async_trait]
impl MerchantStore for Rows {
    async fn merchant(&self, id: &MerchantAccountId) -> Result<Option<MerchantRow>, StoreError> {
        self.there()?;
        let rows = self.rows.lock().unwrap();
        Ok(rows.iter().find(|row| row.merchant.id == *id).cloned())
    }

    async fn merchants(&self) -> Result<Vec<MerchantRow>, StoreError> {
        self.there()?;
        Ok(self.rows.lock().unwrap().clone())
    }

    async fn put_merchant(&self, _: &MerchantRow) -> Result<(), StoreError> {
        Ok(())
    }

    async fn clients(&self) -> Result<Vec<ApiClient>, StoreError> {
        self.there()?;
        Ok(self.clients.lock().unwrap().clone())
    }

    async fn put_client(&self, _: &ApiClient) -> Result<(), StoreError> {
        Ok(())
    }
}

fn merchant(id: &str, revision: i64) -> MerchantAccount {
    MerchantAccount {
        id: MerchantAccountId::new(id).unwrap(),
        title: id.to_owned(),
        soft_descriptor: None,
        mid_number: None,
        region: Region::Na,
        sandbox: true,
        api: Api::Mws,
        seller_id: "A1".to_owned(),
        enabled: true,
        reauthorize: Reauthorize { enabled: false, window_s: 0, max: 0 },
        revision,
    }
}

fn directory() -> (Arc<Rows>, AccountDirectory) {
    let rows = Arc::new(Rows::default());
    let store: Arc<dyn MerchantStore> = Arc::<Rows>::clone(&rows);
    (rows, AccountDirectory::new(store, Arc::new(Labels)))
}

async fn secret(directory: &AccountDirectory, id: &str) -> Option<String> {
    let account = directory.account(&MerchantAccountId::new(id).unwrap()).await.unwrap()?;
    let secret = account.credentials.secret_key.as_ref().unwrap();
    Some(secret.expose_secret().to_owned())
}

#[tokio::test]
async fn the_store_is_looked_into_before_an_id_is_called_unknown() {
    let (rows, directory) = directory();
    assert_eq!(secret(&directory, "7").await, None);
    rows.put("7", "s1", 1);
    assert_eq!(secret(&directory, "7").await.as_deref(), Some("s1"));
}

#[tokio::test]
async fn a_changed_row_is_heard_of_by_the_next_refresh() {
    let (rows, directory) = directory();
    rows.put("7", "s1", 1);
    directory.refresh().await.unwrap();
    rows.put("7", "s2", 2);
    assert_eq!(secret(&directory, "7").await.as_deref(), Some("s1"));
    directory.refresh().await.unwrap();
    assert_eq!(secret(&directory, "7").await.as_deref(), Some("s2"));
    let account = directory.account(&MerchantAccountId::new("7").unwrap()).await.unwrap();
    assert_eq!(account.unwrap().merchant.revision, 2);
}

#[tokio::test]
async fn with_the_database_away_what_is_known_is_served() {
    let (rows, directory) = directory();
    rows.put("7", "s1", 1);
    directory.refresh().await.unwrap();
    *rows.away.lock().unwrap() = true;
    assert!(directory.refresh().await.is_err());
    assert_eq!(secret(&directory, "7").await.as_deref(), Some("s1"));
    let unknown = directory.account(&MerchantAccountId::new("8").unwrap()).await;
    assert!(matches!(unknown, Err(StoreError::Away(_))));
}

#[tokio::test]
async fn an_account_whose_secrets_cannot_be_opened_is_served_without_them() {
    let (rows, directory) = directory();
    rows.put("7", "s1", 1);
    let stolen = rows.rows.lock().unwrap()[0].secrets.clone();
    rows.put("8", "s2", 1);
    rows.rows.lock().unwrap()[1].secrets = stolen;
    let account = directory.account(&MerchantAccountId::new("8").unwrap()).await.unwrap().unwrap();
    assert_eq!(account.merchant.seller_id, "A1");
    assert!(account.credentials.secret_key.is_none());
    assert_eq!(secret(&directory, "7").await.as_deref(), Some("s1"));
    rows.put("8", "s3", 2);
    directory.refresh().await.unwrap();
    assert_eq!(secret(&directory, "8").await.as_deref(), Some("s3"));
}

#[tokio::test]
async fn clients_have_their_accounts_until_they_are_revoked() {
    let (rows, directory) = directory();
    assert_eq!(directory.client_mids("c").await.unwrap(), None);
    rows.clients.lock().unwrap().push(ApiClient {
        login_id: "c".to_owned(),
        name: "test".to_owned(),
        password_hash: String::new(),
        api_key_hash: String::new(),
        mids: Vec::new(),
        revoked: false,
    });
    assert_eq!(directory.client_mids("c").await.unwrap(), Some(Vec::new()));
    rows.clients.lock().unwrap()[0].revoked = true;
    directory.refresh().await.unwrap();
    assert_eq!(directory.client_mids("c").await.unwrap(), None);
}
