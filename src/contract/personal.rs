//! The buyer's data in a command, and its sealed form. Nothing here shows it in debug output, and
//! it leaves the process only sealed.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::command::{Biller, Command};
use super::fields::Fields;
use crate::domain::decline::FieldError;
use crate::domain::ids::MessageId;
use crate::ports::vault::{Sealed, Vault, VaultError};

/// The member of a message that holds the sealed form.
pub(super) const SEALED: &str = "sealed";
/// The members that stand in clear in a producer's message.
pub(super) const CLEAR: [&str; 4] =
    ["firstName", "lastName", "emailAddress", "amazonAddressConsent"];

/// What a command tells about the buyer.
#[derive(Clone, Default)]
pub struct Personal {
    /// `firstName`.
    pub first_name: Option<String>,
    /// `lastName`.
    pub last_name: Option<String>,
    /// `emailAddress`.
    pub email_address: Option<String>,
    /// `amazonAddressConsent`: the access token.
    pub consent_token: Option<SecretString>,
}

impl std::fmt::Debug for Personal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Personal(…)")
    }
}

/// Stored or sealed personal data that is not what was put there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("personal data cannot be read back")]
pub struct PersonalError;

/// What is sealed in a message: the buyer's data and, of an upsell without a merchant account, the
/// client of ingest whose accounts are searched. Sealed, so that only ingest can say so.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Wire {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_address: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    amazon_address_consent: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) client: Option<String>,
}

impl From<&Personal> for Wire {
    fn from(personal: &Personal) -> Self {
        let token = personal.consent_token.as_ref();
        Self {
            first_name: personal.first_name.clone(),
            last_name: personal.last_name.clone(),
            email_address: personal.email_address.clone(),
            amazon_address_consent: token.map(|token| token.expose_secret().to_owned()),
            client: None,
        }
    }
}

impl From<Wire> for Personal {
    fn from(wire: Wire) -> Self {
        Self {
            first_name: wire.first_name,
            last_name: wire.last_name,
            email_address: wire.email_address,
            consent_token: wire.amazon_address_consent.map(SecretString::from),
        }
    }
}

impl Wire {
    /// What of a command is sealed.
    pub(super) fn of(command: &Command) -> Self {
        let Command::Sale(sale) = command else { return Self::default() };
        let client = match &sale.biller {
            Biller::Named(_) => None,
            Biller::OfOrder { client } => Some(client.clone()),
        };
        Self { client, ..Self::from(&sale.personal) }
    }

    pub(super) fn is_empty(&self) -> bool {
        let all = [
            &self.first_name,
            &self.last_name,
            &self.email_address,
            &self.amazon_address_consent,
            &self.client,
        ];
        all.into_iter().all(Option::is_none)
    }

    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_else(|_| unreachable!("texts are always JSON"))
    }
}

impl Personal {
    /// Whether the command tells nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        Wire::from(self).is_empty()
    }

    /// As bytes in clear, to be sealed for the row of its payment.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        Wire::from(self).to_json()
    }

    /// Reads [`Personal::to_json`] back.
    ///
    /// # Errors
    /// The bytes are something else.
    pub fn from_json(bytes: &[u8]) -> Result<Self, PersonalError> {
        let wire: Wire = serde_json::from_slice(bytes).map_err(|_| PersonalError)?;
        Ok(wire.into())
    }

    pub(super) fn read(fields: &mut Fields<'_>) -> Self {
        let [first, last, email, token] = CLEAR;
        Self {
            first_name: fields.words(first, usize::MAX),
            last_name: fields.words(last, usize::MAX),
            email_address: fields.words(email, usize::MAX),
            consent_token: fields.words(token, usize::MAX).map(SecretString::from),
        }
    }
}

fn identity(message_id: &MessageId) -> String {
    format!("message/{message_id}")
}

pub(super) fn seal(wire: &Wire, message_id: &MessageId, vault: &dyn Vault) -> Sealed {
    vault.seal(&identity(message_id), &wire.to_json())
}

pub(super) fn open(
    sealed: &str,
    message_id: &MessageId,
    vault: &dyn Vault,
) -> Result<Wire, VaultError> {
    let clear = vault.open(&identity(message_id), &Sealed(sealed.to_owned()))?;
    serde_json::from_slice(&clear).map_err(|_| VaultError::Broken)
}

/// The fields that may not stand in clear beside the sealed ones.
pub(super) fn both_forms(values: &Map<String, Value>) -> Vec<FieldError> {
    let clear =
        CLEAR.iter().filter(|name| values.get(**name).is_some_and(|value| !value.is_null()));
    clear.map(|name| FieldError::new(*name, "stands in clear beside the sealed form")).collect()
}
