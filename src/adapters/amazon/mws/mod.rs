//! Amazon Pay by MWS: XML with Signature Version 2. Names of files: `map` translates, `sign` signs,
//! `client` sends, `wire` reads, `faults` tells what a "no" means, `several` asks for what takes
//! more than one operation.

mod agreements;
mod client;
mod faults;
mod map;
mod several;
mod sign;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretString};

use self::client::{Client, Outcome};
use self::map::Call;
use super::http::{Http, SetupError};
use super::profile::{self, Profile};
use super::regions::{Endpoints, impossible_reference};
use crate::domain::gateway::{Answer, Effect, Fault};
use crate::domain::ids::ReferenceId;
use crate::ports::clock::Clock;
use crate::ports::gateway::{Account, BuyerDetails, BuyerError, Exchange, Gateway};

/// What a gateway is made of.
#[derive(Clone)]
pub struct MwsOptions {
    /// Scheme, host and port in place of Amazon's hosts.
    pub endpoint_override: Option<String>,
    /// The same for Login with Amazon.
    pub profile_override: Option<String>,
    /// Bounds one call.
    pub timeout: Duration,
    /// The time that is signed.
    pub clock: Arc<dyn Clock>,
}

/// MWS behind the port.
pub struct MwsGateway {
    client: Client,
    profile: Profile,
    timeout: Duration,
}

impl MwsGateway {
    /// Sets up the connections; none is opened yet.
    ///
    /// # Errors
    /// An address that is none, or no certificates to trust.
    pub fn new(options: MwsOptions) -> Result<Self, SetupError> {
        let MwsOptions { endpoint_override, profile_override, timeout, clock } = options;
        let endpoints = Endpoints::mws(endpoint_override.as_deref())?;
        let profiles = Endpoints::profile(profile_override.as_deref())?;
        let http = Http::new(timeout, endpoints.are_plain() && profiles.are_plain())?;
        let profile = Profile { http: http.clone(), endpoints: profiles };
        Ok(Self { client: Client { http, endpoints, clock }, profile, timeout })
    }

    async fn one(&self, account: &Account, call: Call<'_>) -> Outcome<Answer> {
        let (kind, object) = (call.kind, call.object);
        let read = |root: wire::Element<'_>| {
            let answer = map::answer(kind, root)?;
            match object {
                Some(asked) if map::is_another(&answer, root, asked) => Err("another object"),
                Some(_) | None => Ok(answer),
            }
        };
        self.client.exchange(account, call, read).await
    }
}

#[async_trait]
impl Gateway for MwsGateway {
    async fn call(&self, account: &Account, effect: &Effect) -> Exchange {
        let (reply, request_id) = match (effect, Call::of(effect)) {
            (Effect::FindAuthorization { ids, key }, _) => {
                self.timed(self.find_authorization(account, ids, key)).await
            }
            (Effect::FindCapture { ids, key }, _) => {
                self.timed(self.find_capture(account, ids, key)).await
            }
            (Effect::ReadRefunds(capture), _) => {
                self.timed(self.read_refunds(account, capture)).await
            }
            // Of an agreement that matters: it may still be in Draft.
            (Effect::CloseReference(id), Some(call)) if !id.is_recurring() => {
                let (result, request_id) = self.one(account, call).await;
                (result.or_else(closed_already), request_id)
            }
            (_, Some(call)) => self.one(account, call).await,
            (effect, None) => {
                let detail = format!("{} of what MWS does not know", effect.name());
                (Err(Fault::Unexpected { detail }), None)
            }
        };
        Exchange { reply, request_id }
    }

    async fn buyer(
        &self,
        account: &Account,
        reference: &ReferenceId,
        token: Option<&SecretString>,
    ) -> Result<BuyerDetails, BuyerError> {
        let token = token.map(profile::decoded);
        let client_id = account.credentials.client_id.as_deref();
        if let (Some(token), Some(client_id)) = (&token, client_id) {
            self.profile.check(&account.merchant, token, client_id).await?;
        }
        let mut call = Call::read_reference(reference);
        let consent = token.as_ref().map(|token| token.expose_secret());
        call.params.add_some("AddressConsentToken", consent);
        let (read, _) = self.client.exchange(account, call, map::buyer).await;
        let mut details = read.map_err(|fault| match fault {
            Fault::Refused { code } if code == "InvalidAddressConsentToken" => BuyerError::Token,
            fault => BuyerError::Fault(fault),
        })?;
        if let Some(token) = &token
            && (details.name.is_none() || details.email.is_none())
        {
            let person = self.profile.person(&account.merchant, token).await?;
            details.name = details.name.or(person.name);
            details.email = details.email.or(person.email);
        }
        Ok(details)
    }

    /// Asks for a reference that cannot exist: Amazon knows it does not exist only after it has
    /// accepted key, signature, token and seller.
    async fn probe(&self, account: &Account) -> Result<(), Fault> {
        let id = impossible_reference(account.merchant.region, account.merchant.sandbox);
        let Ok(id) = ReferenceId::new(id) else {
            unreachable!("letters, digits and hyphens make an id")
        };
        match self.one(account, Call::read_reference(&id)).await.0 {
            Ok(_) => Ok(()),
            Err(Fault::Refused { code }) if code == "InvalidOrderReferenceId" => Ok(()),
            Err(fault) => Err(fault),
        }
    }
}

/// Amazon closes references by itself too, and may say so when asked to close them again.
fn closed_already(fault: Fault) -> Result<Answer, Fault> {
    match fault {
        Fault::Refused { code }
            if matches!(code.as_str(), "InvalidCloseAttempt" | "InvalidOrderReferenceStatus") =>
        {
            Ok(Answer::Done)
        }
        fault => Err(fault),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_closed_already_counts_as_closed() {
        let refused = |code: &str| Fault::Refused { code: code.to_owned() };
        for code in ["InvalidCloseAttempt", "InvalidOrderReferenceStatus"] {
            assert_eq!(closed_already(refused(code)), Ok(Answer::Done));
        }
        let other = refused("InvalidOrderReferenceId");
        assert_eq!(closed_already(other.clone()), Err(other));
        assert_eq!(closed_already(Fault::Unknown), Err(Fault::Unknown));
    }
}
