//! Verdicts as direct replies: one exclusive queue of this process, and who waits for which
//! correlation id. While the queue is lost nobody is answered, which is no error: they are told
//! that the command is on its way.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::Value;
use serde_json::value::RawValue;
use tokio::sync::{oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::domain::decline::FieldError;
use crate::ports::broker::{Broker, Message};
use crate::telemetry::fields;

/// Before the queue is opened again.
const REOPEN: Duration = Duration::from_secs(1);
/// Who comes before the queue is open waits this long for it.
const OPENED: Duration = Duration::from_secs(2);
/// What those who wait have left once the process is told to stop, looked at so often.
const FAREWELL_LOOKS: u32 = 30;
const FAREWELL_LOOK: Duration = Duration::from_millis(100);

/// Results that a command is done with.
const DONE: [&str; 10] = [
    "paid",
    "authorized",
    "declined",
    "failed",
    "canceled",
    "rejected",
    "refunded",
    "refund_declined",
    "operation_rejected",
    "operation_failed",
];

/// The event that a command is done with.
pub(super) struct Verdict {
    /// The document, byte for byte.
    pub(super) event: Box<RawValue>,
    /// The result behind the kind: `paid`, `declined`, `rejected` …
    pub(super) result: String,
    /// Its `data`.
    pub(super) data: Value,
}

impl Verdict {
    /// Reads an event; none where it is no news of a command that is done.
    fn read(body: &[u8]) -> Option<Self> {
        let event: Box<RawValue> = serde_json::from_slice(body).ok()?;
        let document: Value = serde_json::from_str(event.get()).ok()?;
        let result = document["type"].as_str()?.rsplit('.').next()?.to_owned();
        if !DONE.contains(&result.as_str()) {
            return None;
        }
        let data = document["data"].clone();
        Some(Self { event, result, data })
    }

    /// The machine's code of what was declined, failed or rejected.
    pub(super) fn code(&self) -> &str {
        self.data["decline"]["code"].as_str().unwrap_or_default()
    }

    /// What is told to the customer.
    pub(super) fn message(&self) -> &str {
        self.data["decline"]["message"].as_str().unwrap_or_default()
    }

    /// The fields at fault.
    pub(super) fn errors(&self) -> Vec<FieldError> {
        let errors = self.data["decline"]["errors"].as_array();
        let read = |error: &Value| {
            Some(FieldError::new(error["field"].as_str()?, error["message"].as_str()?))
        };
        errors.into_iter().flatten().filter_map(read).collect()
    }
}

type Waiting = HashMap<String, oneshot::Sender<Verdict>>;

/// Who waits for what.
#[derive(Default)]
pub(super) struct Verdicts {
    /// The reply queue's name, while there is one.
    queue: watch::Sender<Option<String>>,
    by_correlation: Mutex<Waiting>,
    stopping: CancellationToken,
}

/// A place among those who wait, given up when it is dropped.
pub(super) struct Ticket<'a> {
    /// The queue that the verdict comes to.
    pub(super) reply_to: String,
    verdicts: &'a Verdicts,
    correlation_id: String,
    verdict: oneshot::Receiver<Verdict>,
}

impl Verdicts {
    /// Waits for the replies with this correlation id; none where there is no queue even after a
    /// moment, which is not longer than `time`.
    pub(super) async fn expect(&self, correlation_id: &str, time: Duration) -> Option<Ticket<'_>> {
        let mut queue = self.queue.subscribe();
        let open = tokio::time::timeout(OPENED.min(time), queue.wait_for(Option::is_some));
        let reply_to = open.await.ok()?.ok()?.clone()?;
        let (sender, verdict) = oneshot::channel();
        self.waiting().insert(correlation_id.to_owned(), sender);
        let correlation_id = correlation_id.to_owned();
        Some(Ticket { reply_to, verdicts: self, correlation_id, verdict })
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.by_correlation.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hands replies to those who wait, until it is told to stop.
    pub(super) async fn listen(&self, broker: &dyn Broker, stop: &CancellationToken) {
        let farewell = async {
            stop.cancelled().await;
            // Who waits now may still be answered, where it is quick.
            for _ in 0..FAREWELL_LOOKS {
                tokio::time::sleep(FAREWELL_LOOK).await;
                if self.waiting().is_empty() {
                    break;
                }
            }
        };
        tokio::select! {
            () = self.receive(broker) => {}
            () = farewell => {}
        }
        self.stopping.cancel();
    }

    async fn receive(&self, broker: &dyn Broker) {
        let mut told = false;
        loop {
            match broker.replies().await {
                Ok(mut replies) => {
                    told = false;
                    self.set_queue(Some(replies.queue()));
                    while let Some(message) = replies.next().await {
                        self.hand_over(&message);
                        self.set_queue(Some(replies.queue()));
                    }
                    tracing::info!("the reply queue is lost and opened again");
                }
                Err(error) if !told => {
                    told = true;
                    tracing::warn!({ fields::ERROR } = %error, "there is no reply queue");
                }
                Err(_) => {}
            }
            self.set_queue(None);
            tokio::time::sleep(REOPEN).await;
        }
    }

    fn set_queue(&self, queue: Option<String>) {
        self.queue.send_if_modified(|known| {
            let differs = *known != queue;
            *known = queue;
            differs
        });
    }

    fn hand_over(&self, message: &Message) {
        let Some(correlation_id) = &message.correlation_id else { return };
        let mut waiting = self.waiting();
        if !waiting.contains_key(correlation_id) {
            return;
        }
        if let Some(verdict) = Verdict::read(&message.body)
            && let Some(sender) = waiting.remove(correlation_id)
        {
            // Who has stopped waiting meanwhile needs no answer.
            sender.send(verdict).ok();
        }
    }
}

impl Ticket<'_> {
    /// The verdict, if it comes in time.
    pub(super) async fn wait(mut self, time: Duration) -> Option<Verdict> {
        tokio::select! {
            verdict = tokio::time::timeout(time, &mut self.verdict) => verdict.ok()?.ok(),
            () = self.verdicts.stopping.cancelled() => None,
        }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.verdicts.waiting().remove(&self.correlation_id);
    }
}

#[cfg(test)]
mod tests {
    use async_trait::async_trait;

    use super::*;
    use crate::ports::broker::{BrokerError, Consumer, Lane, Publication, PublishError, Replies};

    /// A reply queue to which nothing comes.
    struct Silent;

    #[async_trait]
    impl Replies for Silent {
        fn queue(&self) -> String {
            "reply.1".to_owned()
        }

        async fn next(&mut self) -> Option<Message> {
            std::future::pending().await
        }
    }

    #[async_trait]
    impl Broker for Silent {
        async fn declare(&self) -> Result<(), BrokerError> {
            Ok(())
        }

        async fn publish_all(&self, _: Vec<Publication>) -> Vec<Result<(), PublishError>> {
            Vec::new()
        }

        async fn consume(&self, _: Lane, _: u16) -> Result<Box<dyn Consumer>, BrokerError> {
            Err(BrokerError::Away("not asked for".to_owned()))
        }

        async fn consume_thrown_out(
            &self,
            lane: Lane,
            prefetch: u16,
        ) -> Result<Box<dyn Consumer>, BrokerError> {
            self.consume(lane, prefetch).await
        }

        async fn replies(&self) -> Result<Box<dyn Replies>, BrokerError> {
            Ok(Box::new(Silent))
        }

        async fn check(&self) -> Result<(), BrokerError> {
            Ok(())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_told_to_stop_stays_only_for_those_who_wait() {
        let second = Duration::from_secs(1);
        let stopped = CancellationToken::new();
        stopped.cancel();
        let verdicts = Verdicts::default();
        let ended = tokio::time::timeout(second, verdicts.listen(&Silent, &stopped)).await;
        assert!(ended.is_ok(), "nobody waits");

        let verdicts = Verdicts::default();
        verdicts.set_queue(Some("reply.1".to_owned()));
        let ticket = verdicts.expect("c-1", second).await.unwrap();
        let listening = verdicts.listen(&Silent, &stopped);
        let mut listening = std::pin::pin!(listening);
        assert!(tokio::time::timeout(second, &mut listening).await.is_err(), "somebody waits");
        drop(ticket);
        assert!(tokio::time::timeout(second, &mut listening).await.is_ok());
    }
}
