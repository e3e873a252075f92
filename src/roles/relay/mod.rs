//! The relay: what the outbox holds is published, at least once and in order per subject, and told
//! to whoever asked for replies. What follows in a subject is first published when what went before
//! was confirmed. It never changes an event, and never decides what an event says.
//!
//! Reading order: [`Relay`], `course.rs` (what is done when), `queues.rs` (the order), `acts.rs`
//! (reading, publishing, marking).

mod acts;
mod course;
mod queues;

use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use self::course::Course;
use crate::app::handover::Handover;
use crate::ports::broker::Broker;
use crate::ports::clock::Clock;
use crate::ports::relay::Outbox;
use crate::ports::store::Store;
use crate::ports::vault::Vault;
use crate::telemetry::metrics::Metrics;

/// What the relay stands on.
pub struct Relay {
    /// What is to be published.
    pub outbox: Arc<dyn Outbox>,
    /// Whose turn it is.
    pub store: Arc<dyn Store>,
    /// Where to.
    pub broker: Arc<dyn Broker>,
    /// Opens the events.
    pub vault: Arc<dyn Vault>,
    /// When it is.
    pub clock: Arc<dyn Clock>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    /// This process among all.
    pub worker: String,
    /// What this process commits; the rest is read.
    pub handover: Arc<Handover>,
}

impl Relay {
    /// Publishes until it is told to stop; then what is left, within a bound.
    pub async fn run(self, stop: CancellationToken) {
        Course::new(&self).run(&stop).await;
        self.handover.close();
    }
}

#[cfg(test)]
mod tests;
