//! What lies in a column as JSON: declines, what a payment was before, replies, lists of ids.
//! Written by this program and read by later ones: fields are added with a default, never renamed.

use serde::{Deserialize, Serialize};

use super::error::{Corrupt, corrupt};
use super::words;
use crate::domain::command::{Asker, AuthorizationMode, CaptureMode, Texts};
use crate::domain::decline::{Decline, FieldError};
use crate::domain::ids::{AuthorizationId, MerchantAccountId, MessageId, ReferenceId};
use crate::domain::merchant::Api;
use crate::domain::money::{Currency, Money};
use crate::domain::payment::{Prior, Sealed};
use crate::ports::store::ReplyTarget;

#[derive(Serialize, Deserialize)]
pub(super) struct DeclineWire {
    code: String,
    amazon_reason: Option<String>,
    softness: String,
    buyer_action: String,
    message: String,
    fix: String,
    retryable: bool,
    retry_after: Option<i64>,
    #[serde(default)]
    errors: Vec<(String, String)>,
}

#[derive(Serialize, Deserialize)]
struct PriorWire {
    reference: Option<String>,
    #[serde(default)]
    permission: Option<String>,
    #[serde(default)]
    api: Option<String>,
    amount: (i64, String),
    capture: String,
    authorization: String,
    soft_descriptor: Option<String>,
    note: Option<String>,
    custom_information: Option<String>,
    store_name: Option<String>,
    cycle: Option<String>,
    opener_message_id: String,
    opener_reply_to: Option<String>,
    opener_correlation_id: Option<String>,
    opener_traceparent: Option<String>,
    epoch: u32,
    authorization_id: Option<String>,
    confirmed_total: Option<(i64, String)>,
    decline: Option<DeclineWire>,
    personal: Option<String>,
    #[serde(default)]
    details: Option<String>,
    #[serde(default)]
    reauthorized: u32,
    #[serde(default)]
    declined_at: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct ReplyWire {
    reply_to: String,
    correlation_id: Option<String>,
}

impl From<&Decline> for DeclineWire {
    fn from(decline: &Decline) -> Self {
        let Decline {
            code,
            amazon_reason,
            softness,
            buyer_action,
            message,
            fix,
            retryable,
            retry_after,
            errors,
        } = decline.clone();
        Self {
            code,
            amazon_reason,
            softness: softness.as_str().to_owned(),
            buyer_action: buyer_action.as_str().to_owned(),
            message,
            fix,
            retryable,
            retry_after,
            errors: errors.into_iter().map(|error| (error.field, error.message)).collect(),
        }
    }
}

impl TryFrom<DeclineWire> for Decline {
    type Error = Corrupt;

    fn try_from(wire: DeclineWire) -> Result<Self, Corrupt> {
        Ok(Self {
            code: wire.code,
            amazon_reason: wire.amazon_reason,
            softness: words::softness(&wire.softness).ok_or(corrupt("decline.softness"))?,
            buyer_action: words::buyer_action(&wire.buyer_action)
                .ok_or(corrupt("decline.buyer_action"))?,
            message: wire.message,
            fix: wire.fix,
            retryable: wire.retryable,
            retry_after: wire.retry_after,
            errors: wire.errors.into_iter().map(|(f, m)| FieldError::new(f, m)).collect(),
        })
    }
}

fn money_of((minor, code): (i64, String)) -> Result<Money, Corrupt> {
    let currency = Currency::parse(&code).ok_or(corrupt("prior.currency"))?;
    Ok(Money::from_minor(minor, currency))
}

fn wire_of(money: Money) -> (i64, String) {
    (money.minor(), money.currency().code().to_owned())
}

impl From<&Prior> for PriorWire {
    fn from(prior: &Prior) -> Self {
        let Prior {
            reference,
            permission,
            api,
            amount,
            capture,
            authorization,
            texts,
            opener,
            epoch,
            authorization_id,
            confirmed_total,
            decline,
            personal,
            details,
            reauthorized,
            declined_at,
        } = prior.clone();
        let Texts { soft_descriptor, note, custom_information, store_name, cycle } = texts;
        let Asker { message_id, reply_to, correlation_id, traceparent } = opener;
        Self {
            reference: reference.map(|id| id.to_string()),
            permission: permission.map(|id| id.to_string()),
            api: Some(api.as_str().to_owned()),
            amount: wire_of(amount),
            capture: capture.as_str().to_owned(),
            authorization: authorization.as_str().to_owned(),
            soft_descriptor,
            note,
            custom_information,
            store_name,
            cycle,
            opener_message_id: message_id.to_string(),
            opener_reply_to: reply_to,
            opener_correlation_id: correlation_id,
            opener_traceparent: traceparent,
            epoch,
            authorization_id: authorization_id.map(|id| id.to_string()),
            confirmed_total: confirmed_total.map(wire_of),
            decline: decline.as_ref().map(DeclineWire::from),
            personal: personal.map(|sealed| sealed.0),
            details: details.map(|sealed| sealed.0),
            reauthorized,
            declined_at,
        }
    }
}

impl TryFrom<PriorWire> for Prior {
    type Error = Corrupt;

    fn try_from(wire: PriorWire) -> Result<Self, Corrupt> {
        let opener = MessageId::new(wire.opener_message_id);
        Ok(Self {
            reference: wire
                .reference
                .map(ReferenceId::new)
                .transpose()
                .map_err(|_| corrupt("prior.reference"))?,
            permission: wire
                .permission
                .map(ReferenceId::new)
                .transpose()
                .map_err(|_| corrupt("prior.permission"))?,
            // Before there was another.
            api: match wire.api.as_deref() {
                None => Api::Mws,
                Some(word) => Api::parse(word).ok_or(corrupt("prior.api"))?,
            },
            amount: money_of(wire.amount)?,
            capture: CaptureMode::parse(&wire.capture).ok_or(corrupt("prior.capture"))?,
            authorization: AuthorizationMode::parse(&wire.authorization)
                .ok_or(corrupt("prior.authorization"))?,
            texts: Texts {
                soft_descriptor: wire.soft_descriptor,
                note: wire.note,
                custom_information: wire.custom_information,
                store_name: wire.store_name,
                cycle: wire.cycle,
            },
            opener: Asker {
                message_id: opener.map_err(|_| corrupt("prior.opener_message_id"))?,
                reply_to: wire.opener_reply_to,
                correlation_id: wire.opener_correlation_id,
                traceparent: wire.opener_traceparent,
            },
            epoch: wire.epoch,
            authorization_id: wire
                .authorization_id
                .map(AuthorizationId::new)
                .transpose()
                .map_err(|_| corrupt("prior.authorization_id"))?,
            confirmed_total: wire.confirmed_total.map(money_of).transpose()?,
            decline: wire.decline.map(Decline::try_from).transpose()?,
            personal: wire.personal.map(Sealed),
            details: wire.details.map(Sealed),
            reauthorized: wire.reauthorized,
            declined_at: wire.declined_at,
        })
    }
}

/// Serializing these cannot fail: they are texts, numbers and lists thereof.
pub(super) fn text_of<T: Serialize>(wire: &T) -> String {
    serde_json::to_string(wire).unwrap_or_default()
}

pub(super) fn read<T: for<'a> Deserialize<'a>>(
    text: &str,
    column: &'static str,
) -> Result<T, Corrupt> {
    serde_json::from_str(text).map_err(|_| corrupt(column))
}

pub(super) fn decline_text(decline: &Decline) -> String {
    text_of(&DeclineWire::from(decline))
}

pub(super) fn decline(text: &str) -> Result<Decline, Corrupt> {
    read::<DeclineWire>(text, "decline")?.try_into()
}

pub(super) fn prior_text(prior: &Prior) -> String {
    text_of(&PriorWire::from(prior))
}

pub(super) fn prior(text: &str) -> Result<Prior, Corrupt> {
    read::<PriorWire>(text, "prior")?.try_into()
}

/// None where there are none, which is nearly always.
pub(super) fn replies_text(replies: &[ReplyTarget]) -> Option<String> {
    let wire: Vec<_> = replies
        .iter()
        .cloned()
        .map(|ReplyTarget { reply_to, correlation_id }| ReplyWire { reply_to, correlation_id })
        .collect();
    (!wire.is_empty()).then(|| text_of(&wire))
}

pub(super) fn replies(text: &str) -> Result<Vec<ReplyTarget>, Corrupt> {
    let wire: Vec<ReplyWire> = read(text, "replies")?;
    let target = |ReplyWire { reply_to, correlation_id }| ReplyTarget { reply_to, correlation_id };
    Ok(wire.into_iter().map(target).collect())
}

pub(super) fn mids_text(mids: &[MerchantAccountId]) -> String {
    texts(mids.iter().map(MerchantAccountId::as_str))
}

pub(super) fn mids(text: &str) -> Result<Vec<MerchantAccountId>, Corrupt> {
    let wire: Vec<String> = read(text, "mids")?;
    let ids = wire.into_iter().map(MerchantAccountId::new).collect::<Result<_, _>>();
    ids.map_err(|_| corrupt("mids"))
}

/// A list of texts as a JSON array, which is how lists are given to both databases.
pub(super) fn texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> String {
    text_of(&texts.into_iter().collect::<Vec<_>>())
}

/// A list of numbers as a JSON array.
pub(super) fn numbers(numbers: &[i64]) -> String {
    text_of(&numbers)
}
