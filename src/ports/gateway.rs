//! Amazon, whichever API a merchant account speaks. One call, one reply; nothing is retried in
//! here, no state is kept, and no answer is judged.

use async_trait::async_trait;
use secrecy::SecretString;

use crate::domain::gateway::{Effect, Fault, Reply};
use crate::domain::ids::ReferenceId;
use crate::domain::merchant::MerchantAccount;

/// A merchant account with its secrets opened. Debug shows none of them.
#[derive(Debug, Clone)]
pub struct Account {
    /// What the core knows of it.
    pub merchant: MerchantAccount,
    /// The secrets.
    pub credentials: Credentials,
}

/// The secrets of a merchant account; which are there depends on its API.
#[derive(Debug, Clone, Default)]
pub struct Credentials {
    /// MWS access key id.
    pub access_key: Option<String>,
    /// MWS secret key.
    pub secret_key: Option<SecretString>,
    /// Delegation token of a solution provider.
    pub mws_auth_token: Option<SecretString>,
    /// Login with Amazon client id.
    pub client_id: Option<String>,
    /// Login with Amazon client secret.
    pub client_secret: Option<SecretString>,
    /// v2 public key id.
    pub public_key_id: Option<String>,
    /// v2 private key, PEM.
    pub private_key: Option<SecretString>,
    /// v2 store id.
    pub store_id: Option<String>,
}

/// A reply with what is worth keeping of the exchange.
#[derive(Debug, Clone)]
pub struct Exchange {
    /// What it came to.
    pub reply: Reply,
    /// Amazon's request id.
    pub request_id: Option<String>,
}

/// The buyer and the address that Amazon gave. Personal data: debug shows none of it.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct BuyerDetails {
    /// Full name.
    pub name: Option<String>,
    /// E-mail address.
    pub email: Option<String>,
    /// Shipping address.
    pub address: Option<Address>,
}

impl std::fmt::Debug for BuyerDetails {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("BuyerDetails(…)")
    }
}

/// A shipping address. Personal data.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// Name of the recipient.
    pub name: Option<String>,
    /// First line.
    pub line1: Option<String>,
    /// Second line.
    pub line2: Option<String>,
    /// Third line.
    pub line3: Option<String>,
    /// City.
    pub city: Option<String>,
    /// State or region.
    pub state_or_region: Option<String>,
    /// Postal code.
    pub postal_code: Option<String>,
    /// ISO 3166 two-letter code.
    pub country_code: Option<String>,
    /// Phone.
    pub phone: Option<String>,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Address(…)")
    }
}

/// Why buyer details could not be read; it stops no payment.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BuyerError {
    /// The token was issued for another client id, or has expired.
    #[error("the consent token is not valid for this merchant account")]
    Token,
    /// Amazon could not be asked.
    #[error("the buyer's details could not be read: {}", .0.name())]
    Fault(Fault),
}

/// Amazon's payment API.
#[async_trait]
pub trait Gateway: Send + Sync {
    /// Makes one call (a look-up may be several reads). Bounded by the configured time-out.
    async fn call(&self, account: &Account, effect: &Effect) -> Exchange;

    /// Reads buyer and shipping address of a reference, with the buyer's consent token where
    /// there is one. A token for another client id gives [`BuyerError::Token`].
    async fn buyer(
        &self,
        account: &Account,
        reference: &ReferenceId,
        token: Option<&SecretString>,
    ) -> Result<BuyerDetails, BuyerError>;

    /// A harmless signed call that says whether the credentials work.
    async fn probe(&self, account: &Account) -> Result<(), Fault>;
}

/// Amazon's exchange of MWS keys for a key of API v2.
#[async_trait]
pub trait KeyExchange: Send + Sync {
    /// The private half of a new key pair, PEM; none where there is no chance to be had. Takes a
    /// second or two.
    async fn generate(&self) -> Option<SecretString>;

    /// Gives Amazon the public half of `private_key` under the account's MWS keys; the id under
    /// which Amazon knows it. The same key again is harmless.
    async fn exchange(
        &self,
        account: &Account,
        private_key: &SecretString,
    ) -> Result<String, Fault>;
}
