//! Publishing: a pool of channels with confirms, one batch in flight on each, its confirms awaited
//! together. A publication counts when its confirm came and it did not come back: an ack alone is
//! no proof. What got no confirm in time is unknown, never failed.

use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;
use std::time::Duration;

use lapin::message::BasicReturnMessage;
use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{BasicProperties, Channel, Confirmation, PublisherConfirm};
use tokio::sync::Semaphore;
use tokio::time::Sleep;

use super::connection::{Link, Up, away, chain};
use super::message::{self, Address};
use crate::ports::broker::{BrokerError, Publication, PublishError};

/// Batches in flight. Single publications of a busy ingest are one batch each, so this over a slow
/// disk's confirm (20 ms) is what it can take: 3,200 per second.
const CHANNELS: usize = 64;
/// How long a publication waits for a connection that was just lost.
const RECONNECT_PATIENCE: Duration = Duration::from_secs(2);
/// From the call to the last confirm; ingest answers within 10 s.
const TIMEOUT: Duration = Duration::from_secs(6);

/// Publishes on one connection.
pub(super) struct Publisher {
    link: Arc<Link>,
    idle: Mutex<Vec<Idle>>,
    permits: Semaphore,
}

struct Idle {
    channel: Channel,
    generation: u64,
}

/// A publication in the broker's words.
struct Outgoing<'a> {
    address: Address,
    properties: BasicProperties,
    body: &'a [u8],
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>) -> Self {
        Self { link, idle: Mutex::default(), permits: Semaphore::new(CHANNELS) }
    }

    pub(super) async fn publish_all(&self, all: &[Publication]) -> Vec<Result<(), PublishError>> {
        let outgoing: Vec<_> = all.iter().map(outgoing).collect();
        let mut results = vec![Err(PublishError::Refused); all.len()];
        let sendable: Vec<_> = (0..all.len()).filter(|&i| outgoing[i].is_some()).collect();
        let batch: Vec<_> = outgoing.into_iter().flatten().collect();
        if batch.is_empty() {
            return results;
        }
        let sent = match self.send(&batch).await {
            Ok(sent) => sent,
            Err(error) => {
                let unconfirmed = Err(PublishError::Unconfirmed(error.to_string()));
                vec![unconfirmed; batch.len()]
            }
        };
        for (place, result) in sendable.into_iter().zip(sent) {
            results[place] = result;
        }
        results
    }

    async fn send(
        &self,
        batch: &[Outgoing<'_>],
    ) -> Result<Vec<Result<(), PublishError>>, BrokerError> {
        let mut deadline = pin!(tokio::time::sleep(TIMEOUT));
        let begun = async {
            // The semaphore is never closed, and a lost permit would only lift the bound.
            let permit = self.permits.acquire().await.ok();
            let up = self.link.up(RECONNECT_PATIENCE).await?;
            // What is written now would lie in this process until the alarm is over.
            up.takes_messages()?;
            Ok::<_, BrokerError>((permit, self.channel(&up).await?))
        };
        let begun = before(&mut deadline, begun).await;
        let (_permit, lent) = begun.unwrap_or_else(|| {
            Err(BrokerError::Away("no channel for publishing in time".to_owned()))
        })?;
        let confirmations = confirmed(&lent.channel, batch, &mut deadline).await;
        // A channel that still owes a confirm would mix it up with the next batch's.
        if confirmations.iter().all(Result::is_ok) {
            self.lock_idle().push(lent);
        }
        Ok(judge(batch, confirmations))
    }

    async fn channel(&self, up: &Up) -> Result<Idle, BrokerError> {
        if let Some(found) = self.idle_channel(up) {
            return Ok(found);
        }
        let open = async {
            let channel = up.connection.create_channel().await?;
            channel.confirm_select(ConfirmSelectOptions::default()).await?;
            Ok(channel)
        };
        let channel = open.await.map_err(|error: lapin::Error| away(&error))?;
        Ok(Idle { channel, generation: up.generation })
    }

    fn idle_channel(&self, up: &Up) -> Option<Idle> {
        let usable =
            |idle: &Idle| idle.generation == up.generation && idle.channel.status().connected();
        let mut idle = self.lock_idle();
        std::iter::from_fn(|| idle.pop()).find(usable)
    }

    fn lock_idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// `None` for what no broker can take.
fn outgoing(publication: &Publication) -> Option<Outgoing<'_>> {
    Some(Outgoing {
        address: message::address(publication).ok()?,
        properties: message::properties(publication).ok()?,
        body: &publication.message.body,
    })
}

/// The future's output, unless the deadline passes first.
async fn before<F: Future>(deadline: &mut Pin<&mut Sleep>, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = deadline.as_mut() => None,
    }
}

/// Publishes the batch in its order and waits for its confirms; an error for each that did not
/// come.
async fn confirmed(
    channel: &Channel,
    batch: &[Outgoing<'_>],
    deadline: &mut Pin<&mut Sleep>,
) -> Vec<Result<Confirmation, String>> {
    let mut publishing = Vec::with_capacity(batch.len());
    for outgoing in batch {
        let mut future = Box::pin(publish(channel, outgoing));
        // The first poll hands the frames over, which makes the order; all are written together.
        let first = std::future::poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await;
        publishing.push((future, first));
    }
    let mut written = Vec::with_capacity(batch.len());
    for (future, first) in publishing {
        written.push(match first {
            Poll::Ready(result) => Some(result),
            Poll::Pending => before(deadline, future).await,
        });
    }
    let mut confirmations = Vec::with_capacity(batch.len());
    for confirm in written {
        let confirmation = match confirm {
            Some(Ok(confirm)) => before(deadline, confirm).await,
            Some(Err(error)) => Some(Err(error)),
            None => None,
        };
        confirmations.push(match confirmation {
            Some(result) => result.map_err(|error| chain(&error)),
            None => Err("no confirm in time".to_owned()),
        });
    }
    confirmations
}

async fn publish(channel: &Channel, outgoing: &Outgoing<'_>) -> lapin::Result<PublisherConfirm> {
    let Address { exchange, routing_key, mandatory } = outgoing.address.clone();
    let options = BasicPublishOptions { mandatory, immediate: false };
    let properties = outgoing.properties.clone();
    channel.basic_publish(exchange, routing_key, options, outgoing.body, properties).await
}

/// With several publications on one channel a return hangs on whichever confirm came next, so the
/// returns of a batch are taken together and matched by what was sent. Each comes before its own
/// confirm: once every confirm is here, so is every return.
fn judge(
    batch: &[Outgoing<'_>],
    confirmations: Vec<Result<Confirmation, String>>,
) -> Vec<Result<(), PublishError>> {
    let complete = confirmations.iter().all(Result::is_ok);
    let mut returned = Vec::new();
    let mut results: Vec<_> = confirmations
        .into_iter()
        .map(|confirmation| match confirmation {
            Ok(Confirmation::Ack(message)) => {
                returned.extend(message);
                Ok(())
            }
            Ok(Confirmation::Nack(message)) => {
                returned.extend(message);
                Err(PublishError::Refused)
            }
            Ok(Confirmation::NotRequested) => {
                Err(PublishError::Unconfirmed("the channel does not confirm".to_owned()))
            }
            Err(reason) => Err(PublishError::Unconfirmed(reason)),
        })
        .collect();
    for message in &returned {
        let unroutable =
            (0..batch.len()).find(|&i| is_return_of(message, &batch[i]) && results[i].is_ok());
        if let Some(place) = unroutable {
            results[place] = Err(PublishError::Unroutable);
        }
    }
    if !complete {
        // Its return may hang on a confirm that never came.
        for (result, outgoing) in results.iter_mut().zip(batch) {
            if result.is_ok() && outgoing.address.mandatory {
                let reason = "confirmed beside others that were not".to_owned();
                *result = Err(PublishError::Unconfirmed(reason));
            }
        }
    }
    results
}

fn is_return_of(message: &BasicReturnMessage, sent: &Outgoing<'_>) -> bool {
    let delivery = &message.delivery;
    sent.address.mandatory
        && delivery.exchange == sent.address.exchange
        && delivery.routing_key == sent.address.routing_key
        && delivery.properties == sent.properties
        && delivery.data == sent.body
}
