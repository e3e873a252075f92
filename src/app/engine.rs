//! What a worker process shares between its payments: the ports, the policy, and what it has
//! learnt about accounts (quota, refused credentials, room). Holds no payment.

use std::sync::Arc;

use super::breaker::Breaker;
use super::governor::Governor;
use super::handover::Handover;
use super::slots::Slots;
use crate::domain::payment::Lease;
use crate::domain::policy::Policy;
use crate::ports::clock::{Clock, Schedule};
use crate::ports::gateway::Gateway;
use crate::ports::mandates::MandateStore;
use crate::ports::merchants::Accounts;
use crate::ports::notifications::Notifications;
use crate::ports::store::{Commit, Store, StoreError};
use crate::ports::vault::Vault;
use crate::telemetry::metrics::Metrics;

/// How long a claim holds if its worker is alive but stuck; longer than the longest run.
const LEASE_MS: i64 = 240_000;

/// A worker without a sign of life for so long is dead; its payments go on elsewhere.
pub const DEAD_AFTER_MS: i64 = 5_000;

/// The shared side of a worker process.
pub struct Engine {
    /// This process, for leases and heartbeats.
    pub worker: String,
    /// Payments.
    pub store: Arc<dyn Store>,
    /// Standing consents.
    pub mandates: Arc<dyn MandateStore>,
    /// Amazon's hints.
    pub notifications: Arc<dyn Notifications>,
    /// Sealing.
    pub vault: Arc<dyn Vault>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Retry delays.
    pub schedule: Arc<dyn Schedule>,
    /// Amazon.
    pub gateway: Arc<dyn Gateway>,
    /// Merchant accounts.
    pub accounts: Arc<dyn Accounts>,
    /// Amazon's quotas.
    pub governor: Governor,
    /// Refused credentials.
    pub breaker: Breaker,
    /// Room per seller account.
    pub slots: Arc<Slots>,
    /// Bounds and waits.
    pub policy: Policy,
    /// Crashes alone in hand before a message is called poison.
    pub poison_after: u32,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// The way to the relay of this process for the events of a commit.
    pub relay: Arc<Handover>,
}

impl Engine {
    /// A claim from now on.
    pub(crate) fn lease(&self, now: i64) -> Lease {
        Lease { owner: self.worker.clone(), until: now + LEASE_MS }
    }

    /// Commits, and hands the relay what there is for it.
    pub(crate) async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        let news = !commit.outbox.is_empty();
        let fresh = self.relay.of(&commit);
        self.store.commit(commit).await?;
        if news {
            self.relay.hand(fresh);
        }
        Ok(())
    }
}
