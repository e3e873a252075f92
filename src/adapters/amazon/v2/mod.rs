//! Amazon Pay by API v2: JSON with RSA-PSS signatures. Names of files: `map` translates, and
//! `views` back; `sign` signs, `client` sends, `wire` reads, `faults` tells what a "no" means.

mod client;
mod delegation;
mod faults;
mod map;
mod sign;
mod upgrade;
mod views;
mod wire;

pub use sign::is_private_key;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use self::client::{Client, KeyRing, Outcome};
use self::delegation::Delegations;
use self::map::{Call, Kind};
use super::http::{Http, SetupError};
use super::regions::{Endpoints, impossible_reference};
use crate::domain::gateway::{Answer, Effect, Fault, ReferenceState};
use crate::domain::ids::ReferenceId;
use crate::ports::clock::Clock;
use crate::ports::gateway::{Account, BuyerDetails, BuyerError, Exchange, Gateway};

/// What a gateway is made of.
#[derive(Clone)]
pub struct V2Options {
    /// Scheme, host and port in place of Amazon's hosts.
    pub endpoint_override: Option<String>,
    /// Bounds one call.
    pub timeout: Duration,
    /// The time that is signed.
    pub clock: Arc<dyn Clock>,
}

/// API v2 behind the port.
pub struct V2Gateway {
    client: Client,
}

impl V2Gateway {
    /// Sets up the connections; none is opened yet.
    ///
    /// # Errors
    /// An address that is none, or no certificates to trust.
    pub fn new(options: V2Options) -> Result<Self, SetupError> {
        let V2Options { endpoint_override, timeout, clock } = options;
        let endpoints = Endpoints::v2(endpoint_override.as_deref())?;
        let http = Http::new(timeout, endpoints.are_plain())?;
        let (keys, delegations) = (KeyRing::default(), Delegations::default());
        Ok(Self { client: Client { http, endpoints, clock, keys, delegations } })
    }

    async fn one(&self, account: &Account, call: &Call) -> Outcome<Answer> {
        let client = &self.client;
        let now_ms = client.clock.now_ms();
        match call.kind {
            Kind::Session => {
                client.exchange(account, call, |read| views::session(read, call)).await
            }
            Kind::Permission => {
                client.exchange(account, call, |read| views::permission(read, call, now_ms)).await
            }
            Kind::Chargeable => {
                let (read, id) = client
                    .exchange(account, call, |read| views::permission(read, call, now_ms))
                    .await;
                (read.and_then(|answer| chargeable(&answer)), id)
            }
            Kind::Authorization => {
                client.exchange(account, call, |read| views::authorization(&read, call)).await
            }
            Kind::Capture => {
                client.exchange(account, call, |read| views::capture_view(&read, call)).await
            }
            Kind::Refunds => {
                client.exchange(account, call, |read| views::refunds(&read, call)).await
            }
            Kind::Refund => {
                client.exchange(account, call, |read| views::refund_view(&read, call)).await
            }
            Kind::Done => {
                let done = |_: serde::de::IgnoredAny| Ok(Answer::Done);
                client.exchange(account, call, done).await
            }
        }
    }
}

/// Confirming is the buyer's part, on Amazon's own page: what is left is whether it was done.
fn chargeable(answer: &Answer) -> Result<Answer, Fault> {
    let refused = |code: &str| Err(Fault::Refused { code: code.to_owned() });
    let Answer::Reference(view) = answer else { return Ok(Answer::Done) };
    match view.state {
        ReferenceState::Open => Ok(Answer::Done),
        ReferenceState::Suspended => refused("PaymentMethodNotUpdated"),
        ReferenceState::Draft
        | ReferenceState::Closed
        | ReferenceState::Canceled
        | ReferenceState::Other => refused("InvalidChargePermissionStatus"),
    }
}

#[async_trait]
impl Gateway for V2Gateway {
    async fn call(&self, account: &Account, effect: &Effect) -> Exchange {
        let (reply, request_id) = match (effect, Call::of(effect)) {
            (Effect::CloseReference(_), Some(call)) => {
                let (result, request_id) = self.one(account, &call).await;
                (result.or_else(closed_already), request_id)
            }
            (_, Some(call)) => self.one(account, &call).await,
            (effect, None) => {
                let detail = format!("{} of what API v2 does not list", effect.name());
                (Err(Fault::Unexpected { detail }), None)
            }
        };
        Exchange { reply, request_id }
    }

    /// The consent is Amazon's to know: no token is needed.
    async fn buyer(
        &self,
        account: &Account,
        reference: &ReferenceId,
        _token: Option<&SecretString>,
    ) -> Result<BuyerDetails, BuyerError> {
        let call = Call::read_reference(reference);
        let (read, _) = match call.kind {
            Kind::Session => {
                let read = |it: wire::Session| Ok(views::buyer(it.buyer, it.shipping_address));
                self.client.exchange(account, &call, read).await
            }
            Kind::Permission
            | Kind::Chargeable
            | Kind::Authorization
            | Kind::Capture
            | Kind::Refunds
            | Kind::Refund
            | Kind::Done => {
                let read = |it: wire::Permission| Ok(views::buyer(it.buyer, it.shipping_address));
                self.client.exchange(account, &call, read).await
            }
        };
        read.map_err(BuyerError::Fault)
    }

    /// Asks for a permission that cannot exist: Amazon knows it does not exist only after it has
    /// accepted key and signature.
    async fn probe(&self, account: &Account) -> Result<(), Fault> {
        let id = impossible_reference(account.merchant.region, account.merchant.sandbox);
        let Ok(id) = ReferenceId::new(id) else {
            unreachable!("letters, digits and hyphens make an id")
        };
        match self.one(account, &Call::read_reference(&id)).await.0 {
            Ok(_) => Ok(()),
            Err(Fault::Refused { code }) if code == "ResourceNotFound" => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// Amazon closes permissions by itself too, and may say so when asked to close them again.
fn closed_already(fault: Fault) -> Result<Answer, Fault> {
    match fault {
        Fault::Refused { code } if code == "InvalidChargePermissionStatus" => Ok(Answer::Done),
        fault => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_closed_already_counts_as_closed() {
        let refused = |code: &str| Fault::Refused { code: code.to_owned() };
        assert_eq!(closed_already(refused("InvalidChargePermissionStatus")), Ok(Answer::Done));
        let other = refused("ResourceNotFound");
        assert_eq!(closed_already(other.clone()), Err(other));
        assert_eq!(closed_already(Fault::Unknown), Err(Fault::Unknown));
    }
}
