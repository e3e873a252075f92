//! From judged fields to a confirmed message, and on to its verdict where somebody waits. The
//! message id follows from client and key, so that a repeated request is the same message.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::http::HeaderMap;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::Ingest;
use super::access::{Caller, hex};
use super::gate::header;
use super::refusal::{Away, Refusal};
use super::remembered::Key;
use super::verdict::Verdict;
use crate::contract::Validated;
use crate::contract::command::{Biller, Command};
use crate::domain::command::PaymentKey;
use crate::domain::decline::FieldError;
use crate::domain::ids::MessageId;
use crate::ports::broker::{Broker, Message, Publication, PublishError, Target};
use crate::ports::store::KnownQuery;
use crate::telemetry::trace;

/// Before the same message is published again.
const AGAIN: Duration = Duration::from_millis(250);
/// One question to the store that an answer does not depend on.
pub(super) const ASIDE: Duration = Duration::from_secs(1);
/// The header that makes a request repeatable.
pub(super) const KEY: &str = "Idempotency-Key";

/// What is to be published, and how.
pub(super) struct Submission<'a> {
    pub(super) caller: &'a Caller,
    pub(super) command: Validated,
    /// The client's own key.
    pub(super) key: Option<String>,
    /// How long to wait for the verdict.
    pub(super) wait: Option<Duration>,
    pub(super) headers: &'a HeaderMap,
}

/// What became of it.
pub(super) struct Submitted {
    pub(super) message_id: MessageId,
    pub(super) verdict: Option<Verdict>,
}

impl Ingest {
    /// Publishes, and waits as long as it is asked to.
    ///
    /// # Errors
    /// The key was used for something else, or the broker does not confirm.
    pub(super) async fn submit(&self, asked: Submission<'_>) -> Result<Submitted, Refusal> {
        let message_id = self.message_id(asked.caller, asked.key.as_deref())?;
        if asked.key.is_some() {
            self.check_key(&message_id, &asked.command).await?;
        }
        let mut message = asked.command.into_message(&message_id, &*self.ports.vault);
        let now = self.ports.clock.now_ms();
        message.timestamp = u64::try_from(now / 1000).ok();
        message.headers = self.trace(asked.headers);
        let correlation_id = self.ports.clock.random_hex(16);
        let ticket = match asked.wait {
            Some(time) => {
                let ticket = self.verdicts.expect(&correlation_id, time);
                tokio::time::timeout_at(asked.caller.due, ticket).await.ok().flatten()
            }
            None => None,
        };
        if let Some(ticket) = &ticket {
            message.reply_to = Some(ticket.reply_to.clone());
            message.correlation_id = Some(correlation_id);
        }
        // A task of its own: a caller that hangs up must not cut a publication in two.
        let broker = Arc::clone(&self.ports.broker);
        let due = asked.caller.due;
        let published = tokio::spawn(async move { publish(&*broker, message, due).await });
        if !published.await.unwrap_or(false) {
            return Err(Refusal::Unavailable(Away::Broker));
        }
        let verdict = match (ticket, asked.wait) {
            (Some(ticket), Some(time)) => ticket.wait(time).await,
            _ => None,
        };
        Ok(Submitted { message_id, verdict })
    }

    fn message_id(&self, caller: &Caller, key: Option<&str>) -> Result<MessageId, Refusal> {
        let text = match key {
            None => format!("ingest-{}", self.ports.clock.random_hex(16)),
            Some(key) => {
                let mut hash = Sha256::new();
                for part in [caller.login(), key] {
                    // Lengths in front, so that two parts never run together into others.
                    hash.update((part.len() as u64).to_be_bytes());
                    hash.update(part.as_bytes());
                }
                format!("ingest-key-{}", hex(&hash.finalize()))
            }
        };
        MessageId::new(text).map_err(|error| Refusal::field(KEY, error.to_string()))
    }

    /// The same key with another body is refused where the first is known.
    async fn check_key(&self, id: &MessageId, command: &Validated) -> Result<(), Refusal> {
        let other = || Refusal::field(KEY, "was used before with another body");
        let digest = command.fingerprint(id);
        if self.remembered.look(id.as_str(), &digest) == Key::New {
            let query = KnownQuery {
                message_id: id.to_string(),
                payment_id: payment_id(command),
                reference: None,
            };
            let known = tokio::time::timeout(ASIDE, self.ports.store.known(&query)).await;
            if let Ok(Ok(known)) = known
                && known.message.is_some_and(|first| first.fingerprint != digest)
            {
                return Err(other());
            }
        }
        match self.remembered.keep(id.as_str(), &digest) {
            Key::New | Key::Same => Ok(()),
            Key::Other => Err(other()),
        }
    }

    /// The caller's trace goes on; where there is none, one begins here.
    fn trace(&self, headers: &HeaderMap) -> BTreeMap<String, String> {
        let sent = header(headers, "traceparent");
        let begun = || {
            let clock = &self.ports.clock;
            format!("00-{}-{}-01", clock.random_hex(16), clock.random_hex(8))
        };
        let parent = trace::traceparent(Some(sent)).unwrap_or_else(begun);
        let mut carried = BTreeMap::from([("traceparent".to_owned(), parent)]);
        let state = header(headers, "tracestate");
        if trace::is_valid(sent) && !state.is_empty() && state.len() <= 512 {
            carried.insert("tracestate".to_owned(), state.to_owned());
        }
        carried
    }
}

/// The client's key: the header, or `messageId` of the body.
///
/// # Errors
/// It is no key, or the two differ.
pub(super) fn key(headers: &HeaderMap, body: Option<&str>) -> Result<Option<String>, FieldError> {
    let wrong = |message: &str| Err(FieldError::new(KEY, message));
    let mut found = body;
    for value in headers.get_all(KEY) {
        let Ok(value) = value.to_str() else { return wrong("must be 1 to 128 characters") };
        match found {
            Some(other) if other != value => {
                return wrong("differs from messageId or is sent twice");
            }
            _ => found = Some(value),
        }
    }
    match found {
        None => Ok(None),
        Some(key) => match MessageId::new(key) {
            Ok(key) => Ok(Some(key.to_string())),
            Err(error) => wrong(&error.to_string()),
        },
    }
}

/// Row id of the payment that a command is about; empty where it is not known yet.
pub(super) fn payment_id(command: &Validated) -> String {
    match command.command() {
        Command::Sale(sale) => match &sale.biller {
            Biller::Named(mid) => {
                let subject = sale.draft.subject.clone();
                PaymentKey { mid: mid.clone(), subject }.event_subject()
            }
            Biller::OfOrder { .. } => String::new(),
        },
        Command::Charge(charge) => charge.key.event_subject(),
        Command::Operation(operation) => operation.key.event_subject(),
        Command::CloseAgreement(_) => String::new(),
    }
}

/// Publishes until the broker confirms; false where it does not in time. Every try bears the same
/// message id, so that two of them are one message.
async fn publish(broker: &dyn Broker, message: Message, due: Instant) -> bool {
    let tries = async {
        loop {
            let publication = Publication { target: Target::Commands, message: message.clone() };
            match broker.publish_all(vec![publication]).await.pop() {
                Some(Ok(())) => return,
                Some(Err(PublishError::Unroutable)) => {
                    // A lane is missing, so declare it; what fails now is seen by the next try.
                    broker.declare().await.ok();
                }
                Some(Err(PublishError::Refused | PublishError::Unconfirmed(_))) | None => {}
            }
            tokio::time::sleep(AGAIN).await;
        }
    };
    let confirmed = tokio::time::timeout_at(due, tries).await.is_ok();
    if !confirmed {
        tracing::warn!("the broker did not confirm a command in time");
    }
    confirmed
}
