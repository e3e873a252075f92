//! RabbitMQ behind the broker's port, with lapin. Two connections, one for publishing and one for
//! consuming, so that a broker that blocks publishers still lets the worker finish and acknowledge.

mod connection;
mod consumer;
mod message;
mod publisher;
mod replies;
mod tls;
mod topology;

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use lapin::uri::AMQPUri;

use self::connection::{Link, Opening, Up, away};
use self::consumer::LaneConsumer;
use self::publisher::Publisher;
use self::replies::ReplyQueue;
use crate::ports::broker::{
    Broker, BrokerError, Consumer, Lane, Publication, PublishError, Replies, Target,
};
use crate::ports::clock::Schedule;

/// How long a call waits for a connection that was just lost.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long the broker may take to answer a call of the consuming side.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long the broker may take to show that it is alive.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// Why an URL cannot be a broker's. Never says the URL, which holds a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an AMQP URL: {0}")]
pub struct UrlError(String);

/// RabbitMQ. Reconnects and declares by itself until it is dropped.
pub struct RabbitMq {
    publishing: Arc<Link>,
    consuming: Link,
    publisher: Publisher,
    declaring: Arc<tokio::sync::Mutex<()>>,
}

impl RabbitMq {
    /// Starts connecting in the background; needs a running Tokio runtime. `name` is what operators
    /// see in the broker's list of connections; `schedule` spaces the tries to connect, at an
    /// eighth of its waits and up to its fifth step.
    ///
    /// # Errors
    /// The URL is not one of AMQP.
    pub fn start(url: &str, name: &str, schedule: Arc<dyn Schedule>) -> Result<Self, UrlError> {
        let uri: AMQPUri = url.parse().map_err(UrlError)?;
        let declaring = Arc::new(tokio::sync::Mutex::new(()));
        let opening = |role: &str| Opening {
            uri: connection::with_defaults(uri.clone()),
            name: format!("{name} {role}"),
            schedule: Arc::clone(&schedule),
            declaring: Arc::clone(&declaring),
        };
        let publishing = Arc::new(Link::start(opening("publishing")));
        let consuming = Link::start(opening("consuming"));
        let publisher = Publisher::new(Arc::clone(&publishing));
        Ok(Self { publishing, consuming, publisher, declaring })
    }

    /// Whether a broker lets us in there now. Nothing is left running and nothing is declared.
    ///
    /// # Errors
    /// Why it does not, or the URL is not one of AMQP.
    pub async fn look(url: &str, name: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
        let uri: AMQPUri = url.parse().map_err(UrlError)?;
        let looked = connection::look(connection::with_defaults(uri), name);
        Ok(answered(ANSWER_TIMEOUT, looked).await?)
    }

    async fn consume_on(
        &self,
        up: &Up,
        lane: Lane,
        queue: &str,
        prefetch: u16,
    ) -> Result<LaneConsumer, BrokerError> {
        {
            let _alone = self.declaring.lock().await;
            match topology::declare_lane(&up.connection, lane).await {
                // An operator was told when the connection was opened; the lane works as it is.
                Ok(()) | Err(BrokerError::Topology(_)) => {}
                Err(error) => return Err(error),
            }
        }
        let started = LaneConsumer::start(&up.connection, lane, queue, prefetch).await;
        started.map_err(|error| away(&error))
    }
}

/// Whether the target is a queue that we declare.
fn is_ours(target: &Target) -> bool {
    match target {
        Target::Retry(_) => true,
        Target::Queue(name) => Lane::ALL.iter().any(|lane| lane.queue() == name),
        Target::Commands | Target::Events => false,
    }
}

async fn answered<T>(
    within: Duration,
    call: impl Future<Output = Result<T, BrokerError>>,
) -> Result<T, BrokerError> {
    let late = || BrokerError::Away("the broker does not answer".to_owned());
    tokio::time::timeout(within, Box::pin(call)).await.unwrap_or_else(|_| Err(late()))
}

#[async_trait]
impl Broker for RabbitMq {
    async fn declare(&self) -> Result<(), BrokerError> {
        let up = self.publishing.up(PATIENCE).await?;
        let _alone = self.declaring.lock().await;
        answered(ANSWER_TIMEOUT, topology::declare(&up.connection)).await
    }

    async fn publish_all(&self, all: Vec<Publication>) -> Vec<Result<(), PublishError>> {
        let mut results = self.publisher.publish_all(&all).await;
        let missing = |place: &usize| {
            matches!(results[*place], Err(PublishError::Unroutable)) && is_ours(&all[*place].target)
        };
        let places: Vec<_> = (0..all.len()).filter(missing).collect();
        // Somebody deleted a queue of ours: it must be there, so it is made and asked again.
        if !places.is_empty() && self.declare().await.is_ok() {
            let again: Vec<_> = places.iter().map(|&place| all[place].clone()).collect();
            let published = self.publisher.publish_all(&again).await;
            for (place, result) in places.into_iter().zip(published) {
                results[place] = result;
            }
        }
        results
    }

    async fn consume(&self, lane: Lane, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError> {
        let up = self.consuming.up(PATIENCE).await?;
        let started = self.consume_on(&up, lane, lane.queue(), prefetch);
        Ok(Box::new(answered(ANSWER_TIMEOUT, started).await?))
    }

    async fn consume_thrown_out(
        &self,
        lane: Lane,
        prefetch: u16,
    ) -> Result<Box<dyn Consumer>, BrokerError> {
        let up = self.consuming.up(PATIENCE).await?;
        let queue = lane.thrown_out();
        let started = self.consume_on(&up, lane, &queue, prefetch);
        Ok(Box::new(answered(ANSWER_TIMEOUT, started).await?))
    }

    async fn replies(&self) -> Result<Box<dyn Replies>, BrokerError> {
        let up = self.consuming.up(PATIENCE).await?;
        let open = async { ReplyQueue::open(&up.connection).await.map_err(|error| away(&error)) };
        Ok(Box::new(answered(ANSWER_TIMEOUT, open).await?))
    }

    async fn check(&self) -> Result<(), BrokerError> {
        for link in [&*self.publishing, &self.consuming] {
            let up = link.up(Duration::ZERO).await?;
            up.differs.clone()?;
            up.takes_messages()?;
            let probe = async {
                let channel = up.connection.create_channel().await;
                channel.map(|_| ()).map_err(|error| away(&error))
            };
            answered(CHECK_TIMEOUT, probe).await?;
        }
        Ok(())
    }
}
