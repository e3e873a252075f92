//! Acting for another seller, as a solution provider does whose own key signs: the seller's MWS
//! token is exchanged for one of API v2, which goes with every call. Without it a call would act
//! for the provider's own account.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::HeaderValue;
use secrecy::ExposeSecret;

use super::client::name_of;
use crate::domain::gateway::Fault;
use crate::ports::gateway::Account;

/// The header that bears the token.
pub(super) const HEADER: &str = "x-amz-pay-authtoken";

/// Amazon does not say for how long a token is good: one is asked for anew after so long, and
/// whenever a call with it is refused.
const KEPT_MS: i64 = 600_000;

/// Tokens that are kept; asking for one again costs a call.
const KEPT_MAX: usize = 1024;

/// A token as a header's value, and when it was given.
type Kept = Option<(HeaderValue, i64)>;

/// The tokens of all sellers for whom somebody else's key signs.
#[derive(Default)]
pub(super) struct Delegations(Mutex<HashMap<[u8; 32], Place>>);

/// Where one seller's token lies. Whoever finds none holds it while it is asked for.
pub(super) type Place = Arc<tokio::sync::Mutex<Kept>>;

impl Delegations {
    /// The place of the account's token; none where the seller's own key signs.
    pub(super) fn place(&self, account: &Account) -> Option<Place> {
        let credentials = &account.credentials;
        let token = credentials.mws_auth_token.as_ref()?;
        let key = credentials.public_key_id.as_deref().unwrap_or_default();
        let merchant = &account.merchant;
        let name =
            name_of(&[merchant.id.as_str(), &merchant.seller_id, key, token.expose_secret()]);
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if places.len() >= KEPT_MAX && !places.contains_key(&name) {
            places.clear();
        }
        Some(Arc::clone(places.entry(name).or_default()))
    }
}

/// A token that is still believed.
pub(super) fn fresh(kept: &Kept, now_ms: i64) -> Option<HeaderValue> {
    let (token, at_ms) = kept.as_ref()?;
    (now_ms - at_ms < KEPT_MS).then(|| token.clone())
}

/// What it means for a call that the token, which had to come first, was not given: the call itself
/// was never sent, and a "no" is one to who asks.
pub(super) fn before_the_call(fault: Fault) -> Fault {
    match fault {
        Fault::Refused { code } | Fault::Declined { reason: code } => Fault::Credentials { code },
        Fault::Unexpected { .. } => {
            Fault::Credentials { code: "unreadable_authorization_token".to_owned() }
        }
        Fault::Unknown | Fault::Unavailable { .. } | Fault::NotSent => Fault::NotSent,
        Fault::Throttled { .. } | Fault::Credentials { .. } => fault,
    }
}
