//! When a payment is looked at again and what was found, as it lies in its row's `lookout` as JSON.
//! Written by this program and read by later ones: fields are added with a default, never renamed.

use serde::{Deserialize, Serialize};

use super::error::{Corrupt, corrupt};
use super::wire::{read, text_of};
use crate::domain::ids::RefundId;
use crate::domain::money::{Currency, Money};
use crate::domain::payment::{Found, Lookout};

#[derive(Serialize, Deserialize)]
struct LookoutWire {
    since: i64,
    #[serde(default)]
    looks: u32,
    #[serde(default)]
    troubles: u32,
    #[serde(default)]
    looked_at: i64,
    #[serde(default)]
    dispute_told: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    found: Vec<FoundWire>,
}

#[derive(Serialize, Deserialize)]
struct FoundWire {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    id: Option<String>,
    amount_minor: i64,
    #[serde(default)]
    dispute: bool,
}

/// None where there is nothing to be kept, which is so of every payment that was not paid.
pub(super) fn lookout_text(lookout: &Lookout) -> Option<String> {
    let Lookout { at: _, since, looks, troubles, looked_at, dispute_told, found } = lookout;
    if *lookout == (Lookout { at: lookout.at, ..Lookout::default() }) {
        return None;
    }
    let found = found.iter().map(|Found { id, amount, dispute }| FoundWire {
        id: id.as_ref().map(ToString::to_string),
        amount_minor: amount.minor(),
        dispute: *dispute,
    });
    Some(text_of(&LookoutWire {
        since: *since,
        looks: *looks,
        troubles: *troubles,
        looked_at: *looked_at,
        dispute_told: *dispute_told,
        found: found.collect(),
    }))
}

pub(super) fn lookout(
    at: Option<i64>,
    text: Option<&str>,
    currency: Currency,
) -> Result<Lookout, Corrupt> {
    let Some(text) = text else { return Ok(Lookout { at, ..Lookout::default() }) };
    let wire: LookoutWire = read(text, "lookout")?;
    let found = wire.found.into_iter().map(|one| {
        let id = one.id.map(RefundId::new).transpose().map_err(|_| corrupt("lookout.found"))?;
        let amount = Money::from_minor(one.amount_minor, currency);
        Ok(Found { id, amount, dispute: one.dispute })
    });
    Ok(Lookout {
        at,
        since: wire.since,
        looks: wire.looks,
        troubles: wire.troubles,
        looked_at: wire.looked_at,
        dispute_told: wire.dispute_told,
        found: found.collect::<Result<_, Corrupt>>()?,
    })
}
