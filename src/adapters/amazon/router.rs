//! Both of Amazon's APIs behind one port: the account says which. What was made by MWS and is
//! still in Draft only MWS can set and confirm; an account that has changed over and kept its MWS
//! keys has that done there, and is charged by v2 all the same.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use secrecy::SecretString;

use super::SetupError;
use super::mws::{MwsGateway, MwsOptions};
use super::v2::{V2Gateway, V2Options};
use crate::domain::gateway::{Answer, Effect, Fault, ReferenceState, Reply};
use crate::domain::ids::{ReferenceId, ReferenceKind};
use crate::domain::merchant::Api;
use crate::ports::clock::Clock;
use crate::ports::gateway::{Account, BuyerDetails, BuyerError, Exchange, Gateway};

/// What the gateways are made of.
#[derive(Clone)]
pub struct AmazonOptions {
    /// Scheme, host and port in place of the MWS hosts.
    pub mws_override: Option<String>,
    /// The same for v2.
    pub v2_override: Option<String>,
    /// The same for Login with Amazon.
    pub profile_override: Option<String>,
    /// Bounds one call.
    pub timeout: Duration,
    /// The time that is signed.
    pub clock: Arc<dyn Clock>,
}

/// Amazon, whichever API an account speaks.
pub struct AmazonGateway {
    mws: MwsGateway,
    v2: V2Gateway,
}

impl AmazonGateway {
    /// Sets up the connections; none is opened yet.
    ///
    /// # Errors
    /// An address that is none, or no certificates to trust.
    pub fn new(options: AmazonOptions) -> Result<Self, SetupError> {
        let AmazonOptions { mws_override, v2_override, profile_override, timeout, clock } = options;
        let mws = MwsOptions {
            endpoint_override: mws_override,
            profile_override,
            timeout,
            clock: Arc::clone(&clock),
        };
        let v2 = V2Options { endpoint_override: v2_override, timeout, clock };
        Ok(Self { mws: MwsGateway::new(mws)?, v2: V2Gateway::new(v2)? })
    }
}

#[async_trait]
impl Gateway for AmazonGateway {
    async fn call(&self, account: &Account, effect: &Effect) -> Exchange {
        match account.merchant.api {
            Api::Mws => self.mws.call(account, effect).await,
            Api::V2 if is_draft_work(effect) && has_mws_keys(account) => {
                self.mws.call(account, effect).await
            }
            Api::V2 => {
                let exchange = self.v2.call(account, effect).await;
                if !(has_mws_keys(account) && may_be_a_draft(effect, &exchange.reply)) {
                    return exchange;
                }
                let there = self.mws.call(account, effect).await;
                if is_of_a_draft(effect, &there.reply) { there } else { exchange }
            }
        }
    }

    async fn buyer(
        &self,
        account: &Account,
        reference: &ReferenceId,
        token: Option<&SecretString>,
    ) -> Result<BuyerDetails, BuyerError> {
        match account.merchant.api {
            Api::Mws => self.mws.buyer(account, reference, token).await,
            Api::V2 => self.v2.buyer(account, reference, token).await,
        }
    }

    async fn probe(&self, account: &Account) -> Result<(), Fault> {
        match account.merchant.api {
            Api::Mws => self.mws.probe(account).await,
            Api::V2 => self.v2.probe(account).await,
        }
    }
}

fn has_mws_keys(account: &Account) -> bool {
    account.credentials.access_key.is_some() && account.credentials.secret_key.is_some()
}

fn made_by_widgets(reference: &ReferenceId) -> bool {
    match reference.kind() {
        ReferenceKind::OneTime | ReferenceKind::Recurring => true,
        ReferenceKind::Session => false,
    }
}

/// A total is set on nothing but a draft, and a permission of v2 never is one.
fn is_draft_work(effect: &Effect) -> bool {
    matches!(effect, Effect::SetDetails(details) if made_by_widgets(&details.reference))
}

/// Whether v2 does not know the reference, or knows it without a payment method: so it may show one
/// that MWS has in Draft. Neither reading nor confirming moves money.
fn may_be_a_draft(effect: &Effect, reply: &Reply) -> bool {
    match (effect, reply) {
        (Effect::ReadReference(id) | Effect::Confirm(id), Err(Fault::Refused { code })) => {
            let unclear = ["PaymentMethodNotUpdated", "ResourceNotFound"].contains(&code.as_str());
            made_by_widgets(id) && unclear
        }
        (Effect::ReadReference(id), Ok(Answer::Reference(view))) => {
            let no_method = view.reason.as_deref() == Some("PaymentMethodNotSet");
            made_by_widgets(id) && (view.state == ReferenceState::Other || no_method)
        }
        _ => false,
    }
}

/// Whether MWS shows it in Draft, or confirmed it.
fn is_of_a_draft(effect: &Effect, reply: &Reply) -> bool {
    match (effect, reply) {
        (Effect::ReadReference(_), Ok(Answer::Reference(view))) => {
            view.state == ReferenceState::Draft
        }
        (Effect::Confirm(_), Ok(_)) => true,
        _ => false,
    }
}
