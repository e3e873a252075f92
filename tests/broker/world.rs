//! A broker of a test's own, and processes that use it: each is one instance of the adapter, as in
//! a program of its own. What it waits for is bounded, and never asserted.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use amazon_pay_worker::adapters::embedded::Embedded;
use amazon_pay_worker::adapters::rabbitmq::RabbitMq;
use amazon_pay_worker::adapters::system::System;
use amazon_pay_worker::ports::broker::{
    Broker, Consumer, Delivery, Lane, Message, Publication, Replies, Target,
};
use amazon_pay_worker::ports::clock::Schedule;
use tempfile::TempDir;

use crate::support::amqp::Tap;
use crate::support::{self, eventually, services};

/// The longest that a test waits for one message.
const PATIENCE: Duration = Duration::from_secs(60);
/// Long enough that a message which should not come would have come.
const QUIET: Duration = Duration::from_millis(400);

/// Reconnects at once, so that tests need not wait.
pub(crate) struct AtOnce;

impl Schedule for AtOnce {
    fn delay(&self, _: u32) -> Duration {
        Duration::from_millis(50)
    }
}

pub(crate) enum World {
    RabbitMq(services::AmqpEnv),
    Embedded(TempDir),
}

impl World {
    pub(crate) fn new(kind: support::Broker) -> Self {
        match kind {
            support::Broker::RabbitMq => {
                Self::RabbitMq(services::amqp().expect("the macro has asked"))
            }
            support::Broker::Embedded => Self::Embedded(tempfile::tempdir().unwrap()),
        }
    }

    /// A process with everything declared.
    pub(crate) async fn process(&self) -> Arc<dyn Broker> {
        match self {
            Self::RabbitMq(amqp) => rabbit(amqp.url()).await,
            Self::Embedded(folder) => {
                let broker = embedded(folder.path());
                broker.declare().await.unwrap();
                broker
            }
        }
    }

    /// Hears the events from now on whose routing keys the pattern takes.
    pub(crate) async fn listen(&self, pattern: &str) -> Listener {
        match self {
            Self::RabbitMq(amqp) => {
                let queues = support::Queues::connect(amqp.url()).await;
                Listener::RabbitMq(Box::new(queues.events(pattern).await))
            }
            Self::Embedded(folder) => {
                let broker = embedded(folder.path());
                Listener::Embedded(broker.bind_queue("listener", pattern).await.unwrap())
            }
        }
    }
}

/// Hears events.
pub(crate) enum Listener {
    RabbitMq(Box<Tap>),
    Embedded(Box<dyn Replies>),
}

impl Listener {
    /// The id of the next event.
    pub(crate) async fn next(&mut self) -> String {
        match self {
            Self::RabbitMq(tap) => {
                tap.delivery().await.properties.message_id().clone().unwrap().to_string()
            }
            Self::Embedded(replies) => next_reply(replies).await.message_id.unwrap(),
        }
    }
}

pub(crate) fn embedded(folder: &Path) -> Arc<Embedded> {
    Arc::new(Embedded::new(folder, Arc::new(System::new())))
}

pub(crate) async fn rabbit(url: &str) -> Arc<dyn Broker> {
    let broker = RabbitMq::start(url, "test", Arc::new(AtOnce)).unwrap();
    eventually("a declared topology", async || broker.declare().await.ok()).await;
    Arc::new(broker)
}

pub(crate) async fn consume(broker: &dyn Broker, lane: Lane, prefetch: u16) -> Box<dyn Consumer> {
    eventually("a consumer", async || broker.consume(lane, prefetch).await.ok()).await
}

pub(crate) async fn replies(broker: &dyn Broker) -> Box<dyn Replies> {
    eventually("a reply queue", async || broker.replies().await.ok()).await
}

pub(crate) async fn next(consumer: &mut Box<dyn Consumer>) -> Delivery {
    let next = tokio::time::timeout(PATIENCE, consumer.next()).await;
    next.expect("no delivery came").expect("the consumer ended")
}

pub(crate) async fn ends(consumer: &mut Box<dyn Consumer>) {
    let end = async { while consumer.next().await.is_some() {} };
    tokio::time::timeout(PATIENCE, end).await.expect("the consumer did not end");
}

pub(crate) async fn next_reply(replies: &mut Box<dyn Replies>) -> Message {
    let next = tokio::time::timeout(PATIENCE, replies.next()).await;
    next.expect("no reply came").expect("the reply queue ended")
}

pub(crate) async fn is_quiet(consumer: &mut Box<dyn Consumer>) -> bool {
    tokio::time::timeout(QUIET, consumer.next()).await.is_err()
}

pub(crate) fn message(routing_key: &str, id: &str) -> Message {
    let headers = [("traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01")];
    Message {
        routing_key: routing_key.to_owned(),
        body: format!("{{\"id\":\"{id}\"}}").into_bytes(),
        message_id: Some(id.to_owned()),
        content_type: Some("application/json".to_owned()),
        kind: Some(routing_key.to_owned()),
        correlation_id: Some(format!("c-{id}")),
        reply_to: Some("somewhere".to_owned()),
        timestamp: Some(1_700_000_000),
        headers: headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into(),
    }
}

pub(crate) fn command(routing_key: &str, id: &str) -> Publication {
    Publication { target: Target::Commands, message: message(routing_key, id) }
}

pub(crate) fn to_queue(queue: &str, routing_key: &str, id: &str) -> Publication {
    Publication { target: Target::Queue(queue.to_owned()), message: message(routing_key, id) }
}

/// Publishes, and again until it is confirmed: for tests of something else.
pub(crate) async fn publish(broker: &dyn Broker, publication: &Publication) {
    eventually("a confirm", async || {
        let results = broker.publish_all(vec![publication.clone()]).await;
        results.into_iter().next().unwrap().ok()
    })
    .await;
}

pub(crate) fn id(delivery: &Delivery) -> &str {
    delivery.message.message_id.as_deref().unwrap()
}
