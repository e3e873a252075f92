//! A model of the broker: lanes in memory; what a dead process had in hand is delivered again.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};

use amazon_pay_worker::ports::broker::{
    Broker, BrokerError, Consumer, Delivery, Lane, Message, Publication, PublishError, Replies,
    Settle, Target,
};
use async_trait::async_trait;
use tokio::sync::Notify;

use super::life::Life;

#[derive(Debug, Default)]
struct State {
    lanes: HashMap<Lane, VecDeque<(Message, bool)>>,
    unsettled: HashMap<u64, (usize, Lane, Message)>,
    next: u64,
}

/// The broker.
#[derive(Debug, Default)]
pub(crate) struct Model {
    state: Mutex<State>,
    news: Notify,
}

impl Model {
    pub(crate) fn send(&self, message: Message) {
        let lane = Lane::ALL
            .into_iter()
            .find(|lane| lane.keys().iter().any(|key| *key == message.routing_key));
        let lane = lane.unwrap_or(Lane::Unroutable);
        self.state.lock().unwrap().lanes.entry(lane).or_default().push_back((message, false));
        self.news.notify_waiters();
    }

    /// The connection of a process ends.
    pub(crate) fn bury(&self, process: usize) {
        let mut state = self.state.lock().unwrap();
        let lost: Vec<u64> = state
            .unsettled
            .iter()
            .filter(|(_, (owner, ..))| *owner == process)
            .map(|(tag, _)| *tag)
            .collect();
        for tag in lost {
            let (_, lane, message) = state.unsettled.remove(&tag).unwrap();
            state.lanes.entry(lane).or_default().push_front((message, true));
        }
        drop(state);
        self.news.notify_waiters();
    }

    pub(crate) fn is_empty(&self) -> bool {
        let state = self.state.lock().unwrap();
        state.unsettled.is_empty() && state.lanes.values().all(VecDeque::is_empty)
    }
}

/// The connection of one process.
pub(crate) struct Line {
    pub(crate) broker: Arc<Model>,
    pub(crate) process: usize,
    pub(crate) life: Arc<Life>,
}

struct Lanes(Arc<Model>, usize, Arc<Life>, Lane);
struct Tag(Arc<Model>, u64, Arc<Life>);

#[async_trait]
impl Settle for Tag {
    async fn ack(self: Box<Self>) -> Result<(), BrokerError> {
        self.2.step().await;
        self.0.state.lock().unwrap().unsettled.remove(&self.1);
        Ok(())
    }

    async fn requeue(self: Box<Self>) -> Result<(), BrokerError> {
        self.2.step().await;
        let mut state = self.0.state.lock().unwrap();
        if let Some((_, lane, message)) = state.unsettled.remove(&self.1) {
            state.lanes.entry(lane).or_default().push_front((message, true));
        }
        drop(state);
        self.0.news.notify_waiters();
        Ok(())
    }
}

#[async_trait]
impl Consumer for Lanes {
    async fn next(&mut self) -> Option<Delivery> {
        let Lanes(broker, process, life, lane) = self;
        loop {
            let news = broker.news.notified();
            {
                let mut state = broker.state.lock().unwrap();
                let waiting = state.lanes.entry(*lane).or_default();
                let found = if life.is_over() { None } else { waiting.pop_front() };
                if let Some((message, redelivered)) = found {
                    state.next += 1;
                    let tag = state.next;
                    state.unsettled.insert(tag, (*process, *lane, message.clone()));
                    return Some(Delivery {
                        message,
                        lane: *lane,
                        redelivered,
                        delivery_count: u32::from(redelivered),
                        settle: Box::new(Tag(Arc::clone(broker), tag, Arc::clone(life))),
                    });
                }
            }
            if life.is_over() {
                std::future::pending::<()>().await;
            }
            news.await;
        }
    }

    async fn cancel(self: Box<Self>) {}
}

#[async_trait]
impl Broker for Line {
    async fn declare(&self) -> Result<(), BrokerError> {
        Ok(())
    }

    async fn publish_all(&self, all: Vec<Publication>) -> Vec<Result<(), PublishError>> {
        self.life.step().await;
        all.into_iter()
            .map(|publication| {
                if let Target::Retry(_) | Target::Commands = publication.target {
                    self.broker.send(publication.message);
                }
                Ok(())
            })
            .collect()
    }

    async fn consume(&self, lane: Lane, _: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        self.life.step().await;
        let broker = Arc::clone(&self.broker);
        Ok(Box::new(Lanes(broker, self.process, Arc::clone(&self.life), lane)))
    }

    async fn consume_thrown_out(&self, _: Lane, _: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        Err(BrokerError::Away("the model throws nothing out".to_owned()))
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, BrokerError> {
        Err(BrokerError::Away("the model has no replies".to_owned()))
    }

    async fn check(&self) -> Result<(), BrokerError> {
        Ok(())
    }
}
