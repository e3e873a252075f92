//! Who may call and for which merchant accounts: clients and accounts kept in memory, looked up in
//! the store before anybody is called unknown. With the database away, those known still work.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use sha2::{Digest, Sha256};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::refusal::{Away, Refusal};
use crate::domain::ids::MerchantAccountId;
use crate::domain::merchant::MerchantAccount;
use crate::ports::merchants::{ApiClient, MerchantStore};
use crate::ports::store::StoreError;
use crate::telemetry::fields;

/// A change is known everywhere within 5 s: this and the time of a look.
const REFRESH: Duration = Duration::from_secs(3);
/// One look into the store, its turn included, so that nobody waits for a database that is away.
const LOOK: Duration = Duration::from_secs(2);
/// The contract promises 503 within 10 s: a request that is not published by then is refused.
const PUBLISHED: Duration = Duration::from_millis(8_500);

/// What a request says about who sends it.
pub(super) enum Credentials {
    /// `Authorization: Bearer`.
    Key(String),
    /// `loginId` and `password`.
    Login(String, String),
}

/// A client that may call, and until when its request must be published or refused.
#[derive(Clone)]
pub(super) struct Caller {
    client: Arc<ApiClient>,
    pub(super) due: Instant,
}

impl Caller {
    pub(super) fn login(&self) -> &str {
        &self.client.login_id
    }

    pub(super) fn may_use(&self, mid: &MerchantAccountId) -> bool {
        self.client.mids.is_empty() || self.client.mids.contains(mid)
    }

    /// Its merchant accounts; empty means all.
    pub(super) fn mids(&self) -> &[MerchantAccountId] {
        &self.client.mids
    }
}

#[derive(Default)]
struct Snapshot {
    by_login: HashMap<String, Arc<ApiClient>>,
    by_key: HashMap<String, Arc<ApiClient>>,
    merchants: HashMap<MerchantAccountId, Arc<MerchantAccount>>,
}

/// Clients and merchant accounts in memory.
pub(super) struct Access {
    store: Arc<dyn MerchantStore>,
    snapshot: RwLock<Arc<Snapshot>>,
    /// Looks begun, and behind the lock, looks ended: who waited for a look that began after it
    /// came needs none of its own.
    begun: AtomicU64,
    ended: Mutex<u64>,
    away: AtomicBool,
}

impl Access {
    pub(super) fn new(store: Arc<dyn MerchantStore>) -> Self {
        Self {
            store,
            snapshot: RwLock::default(),
            begun: AtomicU64::new(0),
            ended: Mutex::new(0),
            away: AtomicBool::new(false),
        }
    }

    /// Keeps what is in memory fresh until it is told to stop.
    pub(super) async fn keep_fresh(&self, stop: &CancellationToken) {
        loop {
            // What fails is logged in there, and tried again.
            self.look().await.ok();
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(REFRESH) => {}
            }
        }
    }

    /// The client that sends this.
    ///
    /// # Errors
    /// Unknown or revoked; or not known here while the database is away.
    pub(super) async fn caller(&self, credentials: &Credentials) -> Result<Caller, Refusal> {
        // Of the runtime's own time, which all that it bounds is told by.
        let due = tokio::time::sleep(PUBLISHED).deadline();
        let known = find(&self.current(), credentials);
        let client = match known {
            Some(client) => client,
            None => {
                self.look().await?;
                find(&self.current(), credentials).ok_or(Refusal::Unauthorized)?
            }
        };
        Ok(Caller { client, due })
    }

    /// A merchant account.
    ///
    /// # Errors
    /// It is not known here, and the database is away.
    pub(super) async fn merchant(
        &self,
        id: &MerchantAccountId,
    ) -> Result<Option<Arc<MerchantAccount>>, Refusal> {
        if let Some(known) = self.current().merchants.get(id) {
            return Ok(Some(Arc::clone(known)));
        }
        self.look().await?;
        Ok(self.current().merchants.get(id).cloned())
    }

    /// The merchant accounts that the client may use, as far as they are known here.
    pub(super) fn merchants_of(&self, caller: &Caller) -> Vec<Arc<MerchantAccount>> {
        let snapshot = self.current();
        let usable = snapshot.merchants.values().filter(|merchant| caller.may_use(&merchant.id));
        usable.cloned().collect()
    }

    fn current(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshot.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads everything anew, at most one look at a time.
    async fn look(&self) -> Result<(), Refusal> {
        match tokio::time::timeout(LOOK, self.read()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.lost(&error.to_string())),
            Err(_) => Err(self.lost("no answer in time")),
        }
    }

    async fn read(&self) -> Result<(), StoreError> {
        let came = self.begun.load(Ordering::SeqCst);
        let mut ended = self.ended.lock().await;
        if *ended > came {
            return Ok(());
        }
        let this = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let clients = self.store.clients().await?;
        let merchants = self.store.merchants().await?;
        let mut next = Snapshot::default();
        for client in clients.into_iter().map(Arc::new) {
            next.by_key.insert(client.api_key_hash.clone(), Arc::clone(&client));
            next.by_login.insert(client.login_id.clone(), client);
        }
        for row in merchants {
            next.merchants.insert(row.merchant.id.clone(), Arc::new(row.merchant));
        }
        *self.snapshot.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(next);
        *ended = this;
        if self.away.swap(false, Ordering::SeqCst) {
            tracing::info!("clients and merchant accounts are read again");
        }
        Ok(())
    }

    fn lost(&self, why: &str) -> Refusal {
        if !self.away.swap(true, Ordering::SeqCst) {
            tracing::warn!({ fields::ERROR } = why, "clients and merchant accounts cannot be read");
        }
        Refusal::Unavailable(Away::Database)
    }
}

fn find(snapshot: &Snapshot, credentials: &Credentials) -> Option<Arc<ApiClient>> {
    let client = match credentials {
        Credentials::Key(key) => {
            let hash = sha256_hex(key);
            let client = snapshot.by_key.get(&hash)?;
            equal(&client.api_key_hash, &hash).then_some(client)
        }
        Credentials::Login(login, password) => {
            let client = snapshot.by_login.get(login)?;
            equal(&client.password_hash, &sha256_hex(password)).then_some(client)
        }
    }?;
    (!client.revoked).then(|| Arc::clone(client))
}

/// In a time that does not tell where they differ.
fn equal(one: &str, other: &str) -> bool {
    let differing = one.bytes().zip(other.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && differing == 0
}

pub(super) fn sha256_hex(text: &str) -> String {
    hex(&Sha256::digest(text.as_bytes()))
}

pub(super) fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digit = |nibble: u8| char::from(DIGITS[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
