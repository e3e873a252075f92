//! The buyer and the shipping address as the events and the payment's row have them. Amazon's word
//! goes before the command's; where Amazon was not heard there is no buyer at all.

use serde::{Deserialize, Serialize};

use super::personal::{Personal, PersonalError};
use crate::ports::gateway::{Address, BuyerDetails};

/// `buyer` of an event.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BuyerWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    first_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email_address: Option<String>,
}

/// `shippingAddress` of an event.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct AddressWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_line1: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_line2: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address_line3: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    city: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state_or_region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    postal_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    country_code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    phone: Option<String>,
}

/// Buyer details as they are sealed in the payment's row.
#[derive(Serialize, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct DetailsWire {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    email: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    address: Option<AddressWire>,
}

impl From<&Address> for AddressWire {
    fn from(from: &Address) -> Self {
        let from = from.clone();
        Self {
            name: from.name,
            address_line1: from.line1,
            address_line2: from.line2,
            address_line3: from.line3,
            city: from.city,
            state_or_region: from.state_or_region,
            postal_code: from.postal_code,
            country_code: from.country_code,
            phone: from.phone,
        }
    }
}

impl From<AddressWire> for Address {
    fn from(from: AddressWire) -> Self {
        Self {
            name: from.name,
            line1: from.address_line1,
            line2: from.address_line2,
            line3: from.address_line3,
            city: from.city,
            state_or_region: from.state_or_region,
            postal_code: from.postal_code,
            country_code: from.country_code,
            phone: from.phone,
        }
    }
}

/// Buyer details as bytes in clear, to be sealed for the payment's row.
#[must_use]
pub fn details_to_json(details: &BuyerDetails) -> Vec<u8> {
    let wire = DetailsWire {
        name: details.name.clone(),
        email: details.email.clone(),
        address: details.address.as_ref().map(AddressWire::from),
    };
    serde_json::to_vec(&wire).unwrap_or_else(|_| unreachable!("texts are always JSON"))
}

/// Reads [`details_to_json`] back.
///
/// # Errors
/// The bytes are something else.
pub fn details_from_json(bytes: &[u8]) -> Result<BuyerDetails, PersonalError> {
    let wire: DetailsWire = serde_json::from_slice(bytes).map_err(|_| PersonalError)?;
    Ok(BuyerDetails {
        name: wire.name,
        email: wire.email,
        address: wire.address.map(Address::from),
    })
}

/// The buyer: Amazon's name and e-mail, and for what Amazon left out the command's. The name is
/// split at its first space; one of a single word is the first name, and the last name is empty,
/// because the command's would make it another person's.
pub(super) fn buyer(details: &BuyerDetails, personal: Option<&Personal>) -> Option<BuyerWire> {
    let (first_name, last_name) = match details.name.as_deref().map(str::trim) {
        Some(name) if !name.is_empty() => {
            let (first, last) = name.split_once(' ').unwrap_or((name, ""));
            (Some(first.to_owned()), Some(last.trim_start().to_owned()))
        }
        _ => {
            personal.map_or((None, None), |told| (told.first_name.clone(), told.last_name.clone()))
        }
    };
    let told_email = || personal.and_then(|told| told.email_address.clone());
    let email_address = details.email.clone().filter(|email| !email.is_empty()).or_else(told_email);
    let any = first_name.is_some() || last_name.is_some() || email_address.is_some();
    any.then_some(BuyerWire { first_name, last_name, email_address })
}

/// The shipping address, where Amazon gave any of it.
pub(super) fn shipping_address(details: &BuyerDetails) -> Option<AddressWire> {
    let address = details.address.as_ref().filter(|address| **address != Address::default())?;
    Some(address.into())
}
