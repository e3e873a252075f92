//! Messages that are not acceptable: each ends in an event that names its fields, and in a dead
//! letter with the whole message, sealed. It neither creates, ends nor changes a payment.

use std::collections::BTreeMap;

use super::dead_letters::letter_id;
use super::engine::Engine;
use super::intake::reply_of;
use crate::contract::command::{Biller, Parsed, Rejection, SaleCommand};
use crate::contract::{ReadableIds, event};
use crate::domain::command::{Asker, Sale};
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::ids::MessageId;
use crate::domain::mandate::{Closing, Mandate};
use crate::domain::operation::OperationTag;
use crate::domain::payment::admission::{Seen, SeenMessage};
use crate::domain::payment::{DeadLetterReason, Payment};
use crate::ports::broker::Message;
use crate::ports::store::{
    Commit, DeadLetter, InboxEntry, OutboxEntry, ReplyTarget, StoreError, Waiter,
};

/// What a sale turns out to be once its merchant account is known.
pub(crate) enum Resolved {
    /// It names a payment.
    Sale(Box<Sale>),
    /// It was rejected, and that is committed.
    Rejected,
    /// Its order may still come.
    Later,
}

/// A rejection to be filed.
struct Filing<'a> {
    ids: &'a ReadableIds,
    decline: &'a Decline,
    fingerprint: &'a str,
    replies: Vec<ReplyTarget>,
    traceparent: Option<String>,
    now: i64,
}

impl Engine {
    /// Files what could not even be parsed; sent again, it is answered again.
    pub(crate) async fn file_rejection(
        &self,
        message: &Message,
        rejection: &Rejection,
    ) -> Result<(), StoreError> {
        let decline = rejection.decline();
        let replies = rejection.reply_to.clone().map(|reply_to| ReplyTarget {
            reply_to,
            correlation_id: rejection.correlation_id.clone(),
        });
        let filing = Filing {
            ids: &rejection.ids,
            decline: &decline,
            fingerprint: &rejection.fingerprint,
            replies: replies.into_iter().collect(),
            traceparent: rejection.traceparent.clone(),
            now: self.clock.now_ms(),
        };
        let mut commit = Commit::default();
        let event = self.file(&mut commit, &filing, Some(message));
        let readable = rejection.ids.message_id.as_ref();
        if let Some(id) = readable.filter(|id| MessageId::new(id.as_str()).is_ok()) {
            commit.inbox.push(InboxEntry {
                message_id: id.clone(),
                seen: SeenMessage {
                    fingerprint: rejection.fingerprint.clone(),
                    seen: Seen::Rejected(event.clone()),
                },
                at: filing.now,
            });
        }
        self.commit_rejection(commit, &event, filing.replies, filing.now).await
    }

    /// A message id that stands for another message keeps its meaning; a rejection that was filed
    /// before is only told again.
    async fn commit_rejection(
        &self,
        mut commit: Commit,
        event: &str,
        replies: Vec<ReplyTarget>,
        now: i64,
    ) -> Result<(), StoreError> {
        match self.commit(commit.clone()).await {
            Err(StoreError::Conflict) => {}
            other => return other,
        }
        commit.inbox.clear();
        match self.commit(commit).await {
            Err(StoreError::Conflict) => self.repeat(event, replies, now).await,
            other => other,
        }
    }

    /// A document that was published before goes out again as it is.
    pub(crate) async fn repeat(
        &self,
        event: &str,
        replies: Vec<ReplyTarget>,
        now: i64,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.store.event(event).await? else { return Ok(()) };
        let again = replay(entry, replies, now);
        self.commit(Commit { outbox: vec![again], ..Commit::default() }).await
    }

    /// Rejects a parsed message.
    pub(crate) async fn reject(
        &self,
        message: &Message,
        parsed: &Parsed,
        code: RejectionCode,
        errors: Vec<FieldError>,
    ) -> Result<(), StoreError> {
        let now = self.clock.now_ms();
        let decline = Decline::rejected(code, errors);
        let filing = Filing {
            ids: &parsed.ids,
            decline: &decline,
            fingerprint: &parsed.fingerprint,
            replies: reply_of(parsed).into_iter().collect(),
            traceparent: parsed.asker.traceparent.clone(),
            now,
        };
        let mut commit = Commit::default();
        let event = self.file(&mut commit, &filing, Some(message));
        commit.inbox.push(InboxEntry {
            message_id: parsed.asker.message_id.to_string(),
            seen: SeenMessage {
                fingerprint: parsed.fingerprint.clone(),
                seen: Seen::Rejected(event.clone()),
            },
            at: now,
        });
        self.commit_rejection(commit, &event, filing.replies, now).await
    }

    /// Adds event and dead letter of a rejection; the event's id.
    fn file(&self, commit: &mut Commit, filing: &Filing<'_>, message: Option<&Message>) -> String {
        let ids = filing.ids;
        let now = filing.now;
        let unique = match &ids.message_id {
            Some(id) => id.clone(),
            // Without an id nothing tells a redelivery from a second one: none is lost.
            None => self.clock.random_hex(16),
        };
        let event_id = event::rejection_id(&unique, filing.fingerprint);
        let id = letter_id(&event_id, 0);
        let traceparent = filing.traceparent.as_deref();
        let event = event::render_rejected(ids, filing.decline, event_id.clone(), now, traceparent);
        if let Some(event) = event {
            commit.outbox.push(OutboxEntry {
                body: self.vault.seal(&format!("event/{event_id}"), &event.body),
                event_id: event_id.clone(),
                subject: event.subject,
                mid: ids.mid.as_ref().map(ToString::to_string),
                routing_key: event.routing_key,
                replies: filing.replies.clone(),
                payment_id: None,
                done: false,
                replay: false,
                traceparent: filing.traceparent.clone(),
                created_at: now,
            });
        }
        let detail = filing
            .decline
            .errors
            .iter()
            .map(|error| format!("{}: {}", error.field, error.message))
            .collect::<Vec<_>>()
            .join("; ");
        self.metrics.dead_letter(DeadLetterReason::Rejected);
        commit.dead_letters.push(DeadLetter {
            message: message
                .map(|message| self.vault.seal(&format!("dead-letter/{id}"), &message.body)),
            id,
            reason: DeadLetterReason::Rejected,
            message_id: ids.message_id.clone(),
            routing_key: Some(ids.routing_key.clone()),
            mid: ids.mid.as_ref().map(ToString::to_string),
            kind: ids.kind().map(|kind| kind.as_str().to_owned()),
            order_id: ids.order.as_ref().map(ToString::to_string),
            upsell_id: ids.upsell.as_ref().map(ToString::to_string),
            charge_id: ids.charge.as_ref().map(ToString::to_string),
            detail: format!("{}: {detail}", filing.decline.code),
            attempts: 0,
            since: now,
            payment_id: None,
        });
        event_id
    }

    /// The message that opened an epoch is rejected after all.
    pub(crate) fn reject_opener(
        &self,
        commit: &mut Commit,
        payment: &Payment,
        rejected: &Decline,
        now: i64,
    ) {
        let opener = &payment.opener;
        let reply = opener.reply_to.clone().map(|reply_to| ReplyTarget {
            reply_to,
            correlation_id: opener.correlation_id.clone(),
        });
        let message_id = opener.message_id.to_string();
        let traceparent = opener.traceparent.clone();
        let replies = reply.into_iter().collect();
        self.reject_known(commit, payment, message_id, replies, rejected, traceparent, now);
    }

    /// … and so is every message that joined it, once, whoever asked under it.
    pub(crate) fn reject_joined(
        &self,
        commit: &mut Commit,
        payment: &Payment,
        joined: Vec<Waiter>,
        rejected: &Decline,
        now: i64,
    ) {
        let mut messages: BTreeMap<String, Vec<ReplyTarget>> = BTreeMap::new();
        for waiter in joined {
            messages.entry(waiter.message_id).or_default().extend(waiter.reply);
        }
        for (id, replies) in messages {
            if id != payment.opener.message_id.as_str() {
                self.reject_known(commit, payment, id, replies, rejected, None, now);
                continue;
            }
            // The opener's own rejection reaches everybody who asked under its id.
            let first = commit.rejected.first().is_some_and(|(message, _)| *message == id);
            if let Some(own) = commit.outbox.first_mut().filter(|_| first) {
                own.replies.extend(replies);
            }
        }
    }

    /// A request to close an agreement is rejected after all.
    pub(super) fn reject_request(
        &self,
        commit: &mut Commit,
        mandate: &Mandate,
        closing: &Closing,
        asker: &Asker,
        rejected: &Decline,
        now: i64,
    ) {
        let ids = ReadableIds {
            message_id: Some(asker.message_id.to_string()),
            routing_key: "agreement.close".to_owned(),
            mid: Some(closing.mid.clone()),
            agreement: Some(mandate.reference.clone()),
            request: Some(closing.request.clone()),
            ..ReadableIds::default()
        };
        let reply = asker
            .reply_to
            .clone()
            .map(|reply_to| ReplyTarget { reply_to, correlation_id: asker.correlation_id.clone() });
        let filing = Filing {
            ids: &ids,
            decline: rejected,
            fingerprint: "after all",
            replies: reply.into_iter().collect(),
            traceparent: asker.traceparent.clone(),
            now,
        };
        let event = self.file(commit, &filing, None);
        commit.rejected.push((asker.message_id.to_string(), event));
    }

    /// A message that asked for an operation is rejected after all.
    pub(crate) fn reject_operation(
        &self,
        commit: &mut Commit,
        (payment, tag): (&Payment, &OperationTag),
        message_id: String,
        (replies, traceparent): (Vec<ReplyTarget>, Option<String>),
        rejected: &Decline,
        now: i64,
    ) {
        let ids = ReadableIds {
            routing_key: tag.kind.routing_key().to_owned(),
            request: Some(tag.request.clone()),
            // It names the payment alone.
            reference: None,
            agreement: None,
            order: payment.key.subject.order().cloned(),
            ..ReadableIds::of_payment(payment, &message_id)
        };
        let filing = Filing {
            ids: &ids,
            decline: rejected,
            fingerprint: "after all",
            replies,
            traceparent,
            now,
        };
        let event = self.file(commit, &filing, None);
        commit.rejected.push((message_id, event));
    }

    #[expect(clippy::too_many_arguments, reason = "two callers, each naming what it knows")]
    fn reject_known(
        &self,
        commit: &mut Commit,
        payment: &Payment,
        message_id: String,
        replies: Vec<ReplyTarget>,
        rejected: &Decline,
        traceparent: Option<String>,
        now: i64,
    ) {
        let ids = ReadableIds::of_payment(payment, &message_id);
        let filing = Filing {
            ids: &ids,
            decline: rejected,
            fingerprint: "after all",
            replies,
            traceparent,
            now,
        };
        let event = self.file(commit, &filing, None);
        commit.rejected.push((message_id, event));
    }

    /// Finds out which payment a sale names: an upsell of ingest may leave its account out.
    pub(crate) async fn resolve(
        &self,
        message: &Message,
        parsed: &Parsed,
        draft: &SaleCommand,
    ) -> Result<Resolved, StoreError> {
        let client = match &draft.biller {
            Biller::Named(mid) => {
                let sale = draft.draft.clone().through(mid.clone());
                return Ok(Resolved::Sale(Box::new(sale)));
            }
            Biller::OfOrder { client } => client,
        };
        let mids = self.accounts.client_mids(client).await?;
        let found = match (mids, draft.draft.subject.order()) {
            (Some(mids), Some(order)) => self.store.orders(order, &mids).await?,
            (None, _) | (_, None) => Vec::new(),
        };
        let why = match found.as_slice() {
            [order] => {
                let sale = draft.draft.clone().through(order.key.mid.clone());
                return Ok(Resolved::Sale(Box::new(sale)));
            }
            [] if self.still_early(message) => return Ok(Resolved::Later),
            [] => "no order with this orderId is known for this client",
            _ => "several merchant accounts of this client have this orderId",
        };
        let errors = vec![FieldError::new("amazonBillerId", why)];
        self.reject(message, parsed, RejectionCode::Invalid, errors).await?;
        Ok(Resolved::Rejected)
    }

    /// Its order may be in the lane behind it: it comes again until it has been here a minute.
    fn still_early(&self, message: &Message) -> bool {
        let now = self.clock.now_ms();
        message.timestamp.is_some_and(|seconds| {
            let at = i64::try_from(seconds).unwrap_or(i64::MAX / 2000) * 1000;
            now - at < self.policy.order_unknown_ms
        })
    }
}

/// A stored document as it is published again: no new place in the feed, nobody's end.
pub(crate) fn replay(entry: OutboxEntry, replies: Vec<ReplyTarget>, now: i64) -> OutboxEntry {
    OutboxEntry { replies, replay: true, payment_id: None, done: false, created_at: now, ..entry }
}
