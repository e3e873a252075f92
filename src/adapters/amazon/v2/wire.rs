//! Amazon's JSON as far as it is read: whatever else stands in an object is passed over, and what
//! may be missing may be missing. It knows no operation; it only tells a document that was cut off
//! from one that is another, because the first may hide an effect that happened.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::adapters::amazon::amount::decimal;
use crate::domain::money::{Currency, Money};

/// Why bytes are not a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// It ends before its outermost object does.
    Truncated,
    /// It is something else.
    Garbled,
}

/// Reads a document to its end: an object, because a list would pass for one with nothing in it.
pub(super) fn parse<'i, T: Deserialize<'i>>(body: &'i [u8]) -> Result<T, Broken> {
    let whole = body.trim_ascii();
    let opens = whole.starts_with(b"{");
    match serde_json::from_slice(whole) {
        Ok(document) if opens => Ok(document),
        Ok(_) => Err(Broken::Garbled),
        // Cut within a number or a character, an object is told by what it lacks.
        Err(error) if error.is_eof() || (opens && !whole.ends_with(b"}")) => Err(Broken::Truncated),
        Err(_) => Err(Broken::Garbled),
    }
}

/// An amount as Amazon writes it: a text, or a number as it stands there, which no float ever sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Amount(String);

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?.get().trim();
        let text = raw.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(raw);
        Ok(Self(text.to_owned()))
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Price {
    #[serde(default)]
    amount: Option<Amount>,
    #[serde(default)]
    currency_code: Option<String>,
}

impl Price {
    /// What it comes to. One that cannot be read is an error, because a missing amount would pass
    /// every comparison.
    pub(super) fn money(&self) -> Result<Option<Money>, &'static str> {
        let (amount, code) = match (&self.amount, &self.currency_code) {
            (Some(amount), Some(code)) => (amount, code),
            (None, None) => return Ok(None),
            (Some(_), None) | (None, Some(_)) => return Err("half an amount"),
        };
        let currency = Currency::parse(code).ok_or("an amount in an unknown currency")?;
        let read = decimal(&amount.0, currency).map(Some);
        read.ok_or("an amount that is no number of its currency")
    }
}

/// What an absent price comes to as well.
pub(super) fn money(price: Option<&Price>) -> Result<Option<Money>, &'static str> {
    price.map_or(Ok(None), Price::money)
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    #[serde(default)]
    pub(super) state: Option<String>,
    /// Of everything but permissions.
    #[serde(default)]
    reason_code: Option<String>,
    /// Of permissions.
    #[serde(default)]
    reasons: Option<Vec<Reason>>,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reason {
    #[serde(default)]
    reason_code: Option<String>,
}

impl Status {
    /// Amazon's words for why it is so.
    pub(super) fn reasons(&self) -> impl Iterator<Item = &str> {
        let of_permission =
            self.reasons.iter().flatten().filter_map(|reason| reason.reason_code.as_deref());
        self.reason_code.as_deref().into_iter().chain(of_permission)
    }
}

#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Metadata {
    #[serde(default)]
    pub(super) merchant_reference_id: Option<String>,
}

/// Personal data: it has no debug form.
#[derive(Clone, Deserialize)]
pub(super) struct Buyer {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) email: Option<String>,
}

/// Personal data: it has no debug form.
#[derive(Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Place {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) address_line1: Option<String>,
    #[serde(default)]
    pub(super) address_line2: Option<String>,
    #[serde(default)]
    pub(super) address_line3: Option<String>,
    #[serde(default)]
    pub(super) city: Option<String>,
    #[serde(default)]
    pub(super) state_or_region: Option<String>,
    #[serde(default)]
    pub(super) postal_code: Option<String>,
    #[serde(default)]
    pub(super) country_code: Option<String>,
    #[serde(default)]
    pub(super) phone_number: Option<String>,
}

/// A checkout session.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Session {
    #[serde(default)]
    pub(super) checkout_session_id: Option<String>,
    #[serde(default)]
    pub(super) status_details: Option<Status>,
    #[serde(default)]
    pub(super) payment_details: Option<PaymentDetails>,
    #[serde(default)]
    pub(super) charge_permission_type: Option<String>,
    #[serde(default)]
    pub(super) merchant_metadata: Option<Metadata>,
    #[serde(default)]
    pub(super) constraints: Option<Vec<Constraint>>,
    #[serde(default)]
    pub(super) charge_permission_id: Option<String>,
    #[serde(default)]
    pub(super) charge_id: Option<String>,
    #[serde(default)]
    pub(super) buyer: Option<Buyer>,
    #[serde(default)]
    pub(super) shipping_address: Option<Place>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PaymentDetails {
    #[serde(default)]
    pub(super) payment_intent: Option<String>,
    #[serde(default)]
    pub(super) charge_amount: Option<Price>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Constraint {
    #[serde(default)]
    pub(super) constraint_id: Option<String>,
}

/// A charge permission, or what MWS knows as an order reference or a billing agreement.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Permission {
    #[serde(default)]
    pub(super) charge_permission_id: Option<String>,
    #[serde(default)]
    pub(super) charge_permission_type: Option<String>,
    #[serde(default)]
    pub(super) limits: Option<Limits>,
    #[serde(default)]
    pub(super) status_details: Option<Status>,
    #[serde(default)]
    pub(super) merchant_metadata: Option<Metadata>,
    #[serde(default)]
    pub(super) buyer: Option<Buyer>,
    #[serde(default)]
    pub(super) shipping_address: Option<Place>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Limits {
    #[serde(default)]
    pub(super) amount_limit: Option<Price>,
    #[serde(default)]
    pub(super) amount_balance: Option<Price>,
}

/// A charge: an authorization and its capture in one.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Charge {
    #[serde(default)]
    pub(super) charge_id: Option<String>,
    #[serde(default)]
    pub(super) charge_amount: Option<Price>,
    #[serde(default)]
    pub(super) capture_amount: Option<Price>,
    #[serde(default)]
    pub(super) refunded_amount: Option<Price>,
    #[serde(default)]
    pub(super) status_details: Option<Status>,
}

/// A refund, as far as it is read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Refund {
    #[serde(default)]
    pub(super) refund_id: Option<String>,
    #[serde(default)]
    pub(super) refund_amount: Option<Price>,
    #[serde(default)]
    pub(super) status_details: Option<Status>,
}

/// What an error says. The message is never read: it may quote what was sent.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Told {
    #[serde(default)]
    pub(super) reason_code: Option<String>,
}

/// What a solution provider gets for a seller's MWS token.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GivenToken {
    pub(super) authorization_token: String,
}

/// What the Key Upgrade answers.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct GivenKey {
    /// The id under which Amazon knows the key.
    pub(super) public_key_id: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn price(text: &str) -> Result<Option<Money>, &'static str> {
        parse::<Price>(text.as_bytes()).unwrap().money()
    }

    #[test]
    fn amounts_are_texts_and_never_floats() {
        let usd = |text: &str| Ok(Some(Money::parse_or_zero(text, Currency::USD).unwrap()));
        for (amount, money) in [
            (r#""14.00""#, "14.00"),
            (r#""14""#, "14.00"),
            ("14.10", "14.10"),
            ("0", "0.00"),
            (r#""9999999999.990""#, "9999999999.99"),
        ] {
            let text = format!(r#"{{"amount":{amount},"currencyCode":"USD","x":1}}"#);
            assert_eq!(price(&text), usd(money), "{text}");
        }
        let yen = Money::parse_or_zero("134", Currency::JPY).unwrap();
        assert_eq!(price(r#"{"amount":"134.00","currencyCode":"JPY"}"#), Ok(Some(yen)));
        assert_eq!(price("{}"), Ok(None));
        assert!(price(r#"{"amount":"1"}"#).is_err());
        assert!(price(r#"{"amount":"1.005","currencyCode":"USD"}"#).is_err());
        assert!(price(r#"{"amount":"1e3","currencyCode":"USD"}"#).is_err());
        assert!(price(r#"{"amount":"1","currencyCode":"XXX"}"#).is_err());
    }

    #[test]
    fn wherever_it_is_cut_it_is_truncated_and_never_a_document() {
        let whole = r#"{"chargeId":"é","chargeAmount":{"amount":1.5,"currencyCode":"EUR"}}"#;
        for cut in 0..whole.len() {
            let part = &whole.as_bytes()[..cut];
            assert_eq!(parse::<Charge>(part).err(), Some(Broken::Truncated), "{cut}");
        }
        assert!(parse::<Charge>(whole.as_bytes()).is_ok());
        for other in ["OK", "<html/>", "[]", "{}{}", r#"{"chargeId":5}"#] {
            assert_eq!(parse::<Charge>(other.as_bytes()).err(), Some(Broken::Garbled), "{other}");
        }
    }
}
