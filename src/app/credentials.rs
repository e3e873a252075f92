//! The secrets of a merchant account as the one sealed text of its row: a JSON object under the
//! names of `mid.json`. Nobody but the vault ever sees it in clear outside this process.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value};

use crate::domain::ids::MerchantAccountId;
use crate::ports::gateway::Credentials;
use crate::ports::vault::{Sealed, Vault, VaultError};

fn identity(id: &MerchantAccountId) -> String {
    format!("mid/{id}")
}

/// Seals the credentials of an account for its row.
#[must_use]
pub fn seal(vault: &dyn Vault, id: &MerchantAccountId, credentials: &Credentials) -> Sealed {
    let open = |secret: &Option<SecretString>| {
        secret.as_ref().map(|secret| secret.expose_secret().to_owned())
    };
    let fields = [
        ("accessKey", credentials.access_key.clone()),
        ("secretKey", open(&credentials.secret_key)),
        ("mwsAuthToken", open(&credentials.mws_auth_token)),
        ("clientId", credentials.client_id.clone()),
        ("clientSecret", open(&credentials.client_secret)),
        ("publicKeyId", credentials.public_key_id.clone()),
        ("privateKey", open(&credentials.private_key)),
        ("storeId", credentials.store_id.clone()),
    ];
    let object: Map<String, Value> = fields
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Value::String(value?))))
        .collect();
    vault.seal(&identity(id), Value::Object(object).to_string().as_bytes())
}

/// Opens the credentials of a row.
///
/// # Errors
/// The vault's; [`VaultError::Broken`] also for what is no such object.
pub fn open(
    vault: &dyn Vault,
    id: &MerchantAccountId,
    sealed: &Sealed,
) -> Result<Credentials, VaultError> {
    let clear = vault.open(&identity(id), sealed)?;
    let object: Map<String, Value> =
        serde_json::from_slice(&clear).map_err(|_| VaultError::Broken)?;
    let text = |name: &str| object.get(name).and_then(Value::as_str).map(ToOwned::to_owned);
    let secret = |name: &str| text(name).map(SecretString::from);
    Ok(Credentials {
        access_key: text("accessKey"),
        secret_key: secret("secretKey"),
        mws_auth_token: secret("mwsAuthToken"),
        client_id: text("clientId"),
        client_secret: secret("clientSecret"),
        public_key_id: text("publicKeyId"),
        private_key: secret("privateKey"),
        store_id: text("storeId"),
    })
}
