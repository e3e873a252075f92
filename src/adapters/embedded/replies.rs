//! A queue by name that this process reads: direct replies, or events that were bound to it.

use std::sync::Arc;

use async_trait::async_trait;

use super::consumer::{Held, Taker, acknowledge_later};
use super::process::Process;
use super::tables::NewQueue;
use super::writer::{Answer, Op};
use crate::ports::broker::{BrokerError, Message, Replies};

const PREFETCH: u16 = 256;

/// A queue that this process reads.
pub(super) struct NamedQueue {
    name: String,
    /// Whether the queue ends with this.
    ours: bool,
    taker: Taker,
    process: Arc<Process>,
}

impl NamedQueue {
    /// A queue of this process alone, gone with it.
    pub(super) async fn of_process(process: &Arc<Process>) -> Result<Self, BrokerError> {
        let name = format!("reply.{}.{}", process.id, process.number());
        Self::open(process, name, true, None).await
    }

    /// A lasting queue that takes the events whose routing keys the pattern takes.
    pub(super) async fn bound(
        process: &Arc<Process>,
        name: &str,
        pattern: &str,
    ) -> Result<Self, BrokerError> {
        Self::open(process, name.to_owned(), false, Some(pattern.to_owned())).await
    }

    async fn open(
        process: &Arc<Process>,
        name: String,
        ours: bool,
        pattern: Option<String>,
    ) -> Result<Self, BrokerError> {
        let owner = ours.then(|| process.id.clone());
        let queue = NewQueue { name: name.clone(), process: owner, pattern };
        process.ask(|done: Answer<_>| Op::AddQueue { queue, done }).await?;
        let taker = Taker::new(process, &name, PREFETCH, false);
        Ok(Self { name, ours, taker, process: Arc::clone(process) })
    }
}

impl Drop for NamedQueue {
    fn drop(&mut self) {
        if self.ours {
            self.process.send(Op::DropQueue { name: self.name.clone() });
        }
    }
}

#[async_trait]
impl Replies for NamedQueue {
    fn queue(&self) -> String {
        self.name.clone()
    }

    async fn next(&mut self) -> Option<Message> {
        let Held { id, message, holder, .. } = self.taker.next().await?;
        acknowledge_later(&holder, id);
        Some(message)
    }
}
