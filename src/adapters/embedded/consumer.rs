//! Consuming a queue of the table. What is taken is held under the consumer's name until it is
//! settled; when consumer and deliveries are gone, what is left under the name is given back.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{Notify, oneshot, watch};

use super::process::Process;
use super::tables::{Taken, Wanted};
use super::writer::{Answer, Op};
use crate::ports::broker::{BrokerError, Consumer, Delivery, Lane, Settle};

/// A look at the table though nothing told of a change.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Between two looks while somebody else is alone with the queue.
const ALONE_EVERY: Duration = Duration::from_millis(50);

/// A name under which messages are held.
pub(super) struct Holder {
    pub(super) process: Arc<Process>,
    name: String,
    /// Deliveries that are not settled, in the buffer or in hand.
    unsettled: AtomicU32,
    settled: Notify,
}

impl Holder {
    fn settle(&self) {
        self.unsettled.fetch_sub(1, Ordering::AcqRel);
        self.settled.notify_one();
    }
}

impl Drop for Holder {
    fn drop(&mut self) {
        if *self.unsettled.get_mut() > 0 {
            self.process.send(Op::Release { holder: self.name.clone() });
        }
    }
}

type Taking = oneshot::Receiver<Result<Vec<Taken>, BrokerError>>;

/// Takes messages of one queue, at most so many unsettled.
pub(super) struct Taker {
    /// Asked for and not answered yet: kept here, so that a caller who stops waiting loses nothing.
    /// Dropped before the holder, so that what is not taken yet is not taken for nobody.
    taking: Option<Taking>,
    buffer: VecDeque<Taken>,
    queue: String,
    prefetch: u32,
    alone: bool,
    changes: watch::Receiver<u64>,
    life: watch::Receiver<u64>,
    holder: Arc<Holder>,
}

impl Taker {
    pub(super) fn new(process: &Arc<Process>, queue: &str, prefetch: u16, alone: bool) -> Self {
        let holder = Holder {
            process: Arc::clone(process),
            name: format!("{}/{}", process.id, process.number()),
            unsettled: AtomicU32::new(0),
            settled: Notify::new(),
        };
        Self {
            taking: None,
            buffer: VecDeque::new(),
            queue: queue.to_owned(),
            prefetch: u32::from(prefetch.max(1)),
            alone,
            changes: process.changes(queue),
            life: process.life.subscribe(),
            holder: Arc::new(holder),
        }
    }

    /// The next message, held; `None` when this process was taken for dead or the file is gone.
    pub(super) async fn next(&mut self) -> Option<Held> {
        loop {
            if self.life.has_changed().unwrap_or(true) {
                // As a closed channel does.
                let holder = self.holder.name.clone();
                self.holder.process.send(Op::Release { holder });
                return None;
            }
            if let Some(taken) = self.buffer.pop_front() {
                let Taken { id, earlier, message } = taken;
                let holder = Arc::clone(&self.holder);
                return Some(Held { id, earlier, message, holder });
            }
            self.changes.mark_unchanged();
            let wait = self.fill().await.ok()?;
            if wait.is_zero() {
                continue;
            }
            tokio::select! {
                _ = self.changes.changed() => {}
                () = self.holder.settled.notified() => {}
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    /// Takes what there is room for; otherwise says how long to wait for news.
    async fn fill(&mut self) -> Result<Duration, BrokerError> {
        let process = Arc::clone(&self.holder.process);
        if self.taking.is_none() {
            let room = self.prefetch.saturating_sub(self.holder.unsettled.load(Ordering::Acquire));
            if room == 0 {
                return Ok(LOOK_EVERY);
            }
            let Some(ready_at) = process.next_ready(&self.queue).await? else {
                return Ok(LOOK_EVERY);
            };
            let early = ready_at - process.clock.now_ms();
            if early > 0 {
                let early = u64::try_from(early).map_or(LOOK_EVERY, Duration::from_millis);
                return Ok(early.min(LOOK_EVERY));
            }
            let wanted = Wanted {
                queue: self.queue.clone(),
                holder: self.holder.name.clone(),
                limit: room,
                alone: self.alone,
            };
            let take = |done: Answer<_>| Op::Take { wanted, done };
            self.taking = Some(process.begin(take).await?);
        }
        let Some(taking) = &mut self.taking else { return Ok(LOOK_EVERY) };
        let answer = taking.await;
        self.taking = None;
        let gone = |_| BrokerError::Away("the embedded broker has ended".to_owned());
        let taken = answer.map_err(gone)??;
        let count = u32::try_from(taken.len()).unwrap_or(u32::MAX);
        self.holder.unsettled.fetch_add(count, Ordering::AcqRel);
        self.buffer.extend(taken);
        Ok(if count == 0 { ALONE_EVERY } else { Duration::ZERO })
    }

    /// Gives back what nobody has seen.
    pub(super) async fn cancel(mut self) {
        if let Some(taking) = self.taking.take()
            && let Ok(Ok(taken)) = taking.await
        {
            let count = u32::try_from(taken.len()).unwrap_or(u32::MAX);
            self.holder.unsettled.fetch_add(count, Ordering::AcqRel);
            self.buffer.extend(taken);
        }
        let giving = self.buffer.drain(..).map(|taken| {
            let holder = Arc::clone(&self.holder);
            async move { give_back(&holder, taken.id).await.is_ok() }
        });
        futures_util::future::join_all(giving).await;
    }
}

/// A message in hand.
pub(super) struct Held {
    pub(super) id: i64,
    pub(super) earlier: u32,
    pub(super) message: crate::ports::broker::Message,
    pub(super) holder: Arc<Holder>,
}

fn settled(holder: &Holder, answer: Result<bool, BrokerError>) -> Result<(), BrokerError> {
    match answer {
        Ok(true) => {
            holder.settle();
            Ok(())
        }
        Ok(false) => {
            holder.settle();
            let text = "the delivery was given to somebody else: this process was taken for dead";
            Err(BrokerError::Away(text.to_owned()))
        }
        Err(error) => Err(error),
    }
}

async fn give_back(holder: &Holder, id: i64) -> Result<(), BrokerError> {
    let name = holder.name.clone();
    let give = |done: Answer<_>| Op::GiveBack { holder: name, id, done };
    settled(holder, holder.process.ask(give).await)
}

pub(super) async fn acknowledge(holder: &Holder, id: i64) -> Result<(), BrokerError> {
    let name = holder.name.clone();
    let acknowledge = |done: Answer<_>| Op::Acknowledge { holder: name, id, done };
    settled(holder, holder.process.ask(acknowledge).await)
}

/// The same without waiting for it: what is lost of it with the process comes again.
pub(super) fn acknowledge_later(holder: &Holder, id: i64) {
    let (done, _) = oneshot::channel();
    holder.process.send(Op::Acknowledge { holder: holder.name.clone(), id, done });
    holder.settle();
}

/// Deliveries of one lane.
pub(super) struct LaneConsumer {
    pub(super) lane: Lane,
    pub(super) taker: Taker,
}

#[async_trait]
impl Consumer for LaneConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        let Held { id, earlier, message, holder } = self.taker.next().await?;
        Some(Delivery {
            message,
            lane: self.lane,
            redelivered: earlier > 0,
            delivery_count: earlier,
            settle: Box::new(InHand { id, holder }),
        })
    }

    async fn cancel(self: Box<Self>) {
        self.taker.cancel().await;
    }
}

struct InHand {
    id: i64,
    holder: Arc<Holder>,
}

#[async_trait]
impl Settle for InHand {
    async fn ack(self: Box<Self>) -> Result<(), BrokerError> {
        acknowledge(&self.holder, self.id).await
    }

    async fn requeue(self: Box<Self>) -> Result<(), BrokerError> {
        give_back(&self.holder, self.id).await
    }
}
