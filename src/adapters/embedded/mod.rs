//! The embedded broker: RabbitMQ's words over tables in one SQLite file, for one machine. To
//! publish is to commit, a lease is what is unacknowledged, and several processes may share the
//! file. It is no cluster and takes no other clients; growing out of it means naming a RabbitMQ.
//!
//! Reading order: [`Embedded`], `process.rs` (who is alive), `writer.rs` (group commit),
//! `tables.rs` (what a commit does), `consumer.rs`.

mod consumer;
mod news;
mod open;
mod process;
mod replies;
mod routing;
mod tables;
mod wire;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::OnceCell;

use self::consumer::{LaneConsumer, Taker};
use self::process::Process;
use self::replies::NamedQueue;
use self::writer::{Answer, Op};
use crate::ports::broker::{
    Broker, BrokerError, Consumer, Lane, Publication, PublishError, Replies,
};
use crate::ports::clock::Clock;

/// The broker in a folder. Opened by its first use, and again by the next where that failed.
pub struct Embedded {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    process: OnceCell<Arc<Process>>,
}

impl Embedded {
    /// The broker whose file is `broker.sqlite3` in this folder; made where it is not there.
    #[must_use]
    pub fn new(folder: impl Into<PathBuf>, clock: Arc<dyn Clock>) -> Self {
        Self { folder: folder.into(), clock, process: OnceCell::new() }
    }

    async fn process(&self) -> Result<&Arc<Process>, BrokerError> {
        let join = || Process::join(&self.folder, Arc::clone(&self.clock));
        self.process.get_or_try_init(|| Box::pin(join())).await
    }

    /// A lasting queue by this name that takes the events whose routing keys the pattern takes
    /// (`order.*`, `#`), and its messages. There are no other clients who could ask for one.
    ///
    /// # Errors
    /// The file is away.
    pub async fn bind_queue(
        &self,
        name: &str,
        pattern: &str,
    ) -> Result<Box<dyn Replies>, BrokerError> {
        let process = self.process().await?;
        Ok(Box::new(NamedQueue::bound(process, name, pattern).await?))
    }
}

#[async_trait]
impl Broker for Embedded {
    fn system(&self) -> &'static str {
        "embedded"
    }

    async fn declare(&self) -> Result<(), BrokerError> {
        // The lanes are there as soon as the file is.
        self.check().await
    }

    async fn publish_all(&self, all: Vec<Publication>) -> Vec<Result<(), PublishError>> {
        let count = all.len();
        if count == 0 {
            return Vec::new();
        }
        let published = async {
            let process = self.process().await?;
            process.ask(|done: Answer<_>| Op::Publish { all, done }).await
        };
        published
            .await
            .unwrap_or_else(|error| vec![Err(PublishError::Unconfirmed(error.to_string())); count])
    }

    async fn consume(&self, lane: Lane, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        let process = self.process().await?;
        let taker = Taker::new(process, lane.queue(), prefetch, lane == Lane::Suspect);
        Ok(Box::new(LaneConsumer { lane, taker }))
    }

    async fn consume_thrown_out(
        &self,
        lane: Lane,
        prefetch: u16,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        let process = self.process().await?;
        let taker = Taker::new(process, &lane.thrown_out(), prefetch, false);
        Ok(Box::new(LaneConsumer { lane, taker }))
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, BrokerError> {
        Ok(Box::new(NamedQueue::of_process(self.process().await?).await?))
    }

    async fn check(&self) -> Result<(), BrokerError> {
        self.process().await?.check().await
    }

    async fn close(&self) {
        if let Some(process) = self.process.get() {
            process.end().await;
        }
    }
}
