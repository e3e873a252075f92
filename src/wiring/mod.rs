//! The composition root: which adapter stands behind which port, and what a role is made of. The
//! only place where both are named. It starts roles and stops them in order; it does none of their
//! work.

mod roles;
mod stores;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use secrecy::ExposeSecret;

use crate::adapters::amazon::sns::SnsVerifier;
use crate::adapters::amazon::v2::{self, V2Gateway, V2Options};
use crate::adapters::amazon::{AmazonGateway, AmazonOptions};
use crate::adapters::amazon_time;
use crate::adapters::embedded::Embedded;
use crate::adapters::rabbitmq::RabbitMq;
use crate::adapters::schedule::ExponentialSchedule;
use crate::adapters::system::System;
use crate::adapters::vault::MasterVault;
use crate::config::{self, Config};
use crate::ports::broker::Broker;
use crate::ports::clock::Clock;
use crate::ports::gateway::{Gateway, KeyExchange};
use crate::ports::notifications::Verifier;
use crate::ports::vault::Vault;

pub use roles::{Listeners, Parts, Role};
pub use stores::{BEHIND, Schema, Stores};

/// Between two looks for a broker or database that was away at the start.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What operators see in the broker's list of connections.
const NAME: &str = "amazon-pay-worker";

type Trouble = Box<dyn Error + Send + Sync>;

/// The machine's time and chance.
#[must_use]
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(System::new())
}

/// The vault under the configured master keys; none without any.
#[must_use]
pub fn vault(config: &Config, clock: &Arc<dyn Clock>) -> Option<Arc<dyn Vault>> {
    let vault = MasterVault::new(&config.master_keys, Arc::clone(clock))?;
    Some(Arc::new(vault))
}

/// Amazon, or what stands in for it.
///
/// # Errors
/// No client can be made.
pub fn gateway(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Gateway>, Trouble> {
    let gateway = AmazonGateway::new(AmazonOptions {
        mws_override: config.gateway.mws.clone(),
        v2_override: config.gateway.v2.clone(),
        profile_override: config.gateway.profile.clone(),
        timeout: config.gateway.timeout,
        clock: Arc::clone(clock),
    })?;
    Ok(Arc::new(gateway))
}

/// Who says whether a notification is genuine.
///
/// # Errors
/// No client for certificates can be made.
pub fn verifier(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Verifier>, Trouble> {
    let hosts = &config.http.ipn_cert_hosts;
    Ok(Arc::new(SnsVerifier::new(hosts, Arc::clone(clock))?))
}

/// Amazon's exchange of keys, or what stands in for it.
///
/// # Errors
/// No client can be made.
pub fn key_exchange(
    config: &Config,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn KeyExchange>, Trouble> {
    let exchange = V2Gateway::new(V2Options {
        endpoint_override: config.gateway.v2.clone(),
        timeout: config.gateway.timeout,
        clock: Arc::clone(clock),
    })?;
    Ok(Arc::new(exchange))
}

/// Whether a text is a private key that API v2 can be signed with.
#[must_use]
pub fn is_private_key(pem: &str) -> bool {
    v2::is_private_key(pem)
}

/// The time at Amazon, or at what stands in for it.
pub async fn time_at_amazon(config: &Config) -> Option<i64> {
    amazon_time::ask(config.gateway.mws.as_deref()).await
}

/// Whether the broker can be reached now; starts nothing that goes on, and declares nothing.
///
/// # Errors
/// Why it cannot, or its URL is none.
pub async fn look_at_broker(config: &Config, clock: &Arc<dyn Clock>) -> Result<(), Trouble> {
    match &config.broker {
        config::Broker::Amqp(url) => RabbitMq::look(url.expose_secret(), NAME).await,
        config::Broker::Embedded => {
            Ok(Embedded::new(&config.data_dir, Arc::clone(clock)).check().await?)
        }
    }
}

/// The broker. It may be away. Needs a running Tokio runtime.
///
/// # Errors
/// Its URL is none.
pub fn broker(config: &Config, clock: &Arc<dyn Clock>) -> Result<Arc<dyn Broker>, Trouble> {
    match &config.broker {
        config::Broker::Amqp(url) => {
            let schedule = Arc::new(ExponentialSchedule);
            let broker = RabbitMq::start(url.expose_secret(), NAME, schedule)?;
            Ok(Arc::new(broker))
        }
        config::Broker::Embedded => {
            Ok(Arc::new(Embedded::new(&config.data_dir, Arc::clone(clock))))
        }
    }
}
