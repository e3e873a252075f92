//! Messages, events and what else belongs to a payment, as rows and back.

use super::entity::{audit, dead_letter, inbox, journal, outbox, waiter};
use super::error::{Corrupt, corrupt};
use super::payment_rows::count;
use super::wire;
use crate::domain::payment::DeadLetterReason;
use crate::domain::payment::admission::{Seen, SeenMessage};
use crate::ports::desk::DeadLetterRow;
use crate::ports::relay::OutboxRow;
use crate::ports::store::{
    AuditEntry, DeadLetter, DeadLetterStatus, InboxEntry, JournalEntry, OutboxEntry, ReplyTarget,
    StoreError, Waiter,
};
use crate::ports::vault::Sealed;

impl From<&JournalEntry> for journal::Model {
    fn from(entry: &JournalEntry) -> Self {
        let JournalEntry { payment_id, at, kind, name, detail } = entry.clone();
        Self { number: 0, payment_id, at, kind, name, detail }
    }
}

impl From<&AuditEntry> for audit::Model {
    fn from(entry: &AuditEntry) -> Self {
        let AuditEntry { at, actor, act, object, detail } = entry.clone();
        Self { number: 0, at, actor, act, object, detail }
    }
}

impl From<&InboxEntry> for inbox::Model {
    fn from(entry: &InboxEntry) -> Self {
        let InboxEntry { message_id, seen, at } = entry.clone();
        let (payment_id, event_id) = match seen.seen {
            Seen::Accepted(payment_id) => (Some(payment_id), None),
            Seen::Rejected(event_id) => (None, Some(event_id)),
        };
        Self { message_id, fingerprint: seen.fingerprint, payment_id, event_id, at }
    }
}

impl From<&Waiter> for waiter::Model {
    fn from(waiter: &Waiter) -> Self {
        let Waiter { payment_id, message_id, reply } = waiter.clone();
        let (reply_to, correlation_id) = match reply {
            Some(reply) => (Some(reply.reply_to), reply.correlation_id),
            None => (None, None),
        };
        Self { number: 0, payment_id, message_id, reply_to, correlation_id }
    }
}

impl From<&OutboxEntry> for outbox::Model {
    fn from(entry: &OutboxEntry) -> Self {
        Self {
            number: 0,
            event_id: entry.event_id.clone(),
            subject: entry.subject.clone(),
            mid: entry.mid.clone(),
            routing_key: entry.routing_key.clone(),
            body: entry.body.0.clone(),
            replies: wire::replies_text(&entry.replies),
            payment_id: entry.payment_id.clone(),
            done: entry.done,
            replay: entry.replay,
            traceparent: entry.traceparent.clone(),
            created_at: entry.created_at,
            published_at: None,
            position: None,
        }
    }
}

impl From<&DeadLetter> for dead_letter::Model {
    fn from(letter: &DeadLetter) -> Self {
        Self {
            id: letter.id.clone(),
            reason: letter.reason.as_str().to_owned(),
            status: DeadLetterStatus::Open.as_str().to_owned(),
            message_id: letter.message_id.clone(),
            routing_key: letter.routing_key.clone(),
            mid: letter.mid.clone(),
            kind: letter.kind.clone(),
            order_id: letter.order_id.clone(),
            upsell_id: letter.upsell_id.clone(),
            charge_id: letter.charge_id.clone(),
            detail: letter.detail.clone(),
            attempts: i64::from(letter.attempts),
            since: letter.since,
            payment_id: letter.payment_id.clone(),
            message: letter.message.as_ref().map(|sealed| sealed.0.clone()),
        }
    }
}

impl inbox::Model {
    pub(in super::super) fn seen(self) -> Result<SeenMessage, StoreError> {
        let seen = match (self.payment_id, self.event_id) {
            (Some(payment_id), _) => Seen::Accepted(payment_id),
            (None, Some(event_id)) => Seen::Rejected(event_id),
            (None, None) => return Err(corrupt("payment_id").of("inbox", &self.message_id)),
        };
        Ok(SeenMessage { fingerprint: self.fingerprint, seen })
    }
}

impl From<journal::Model> for JournalEntry {
    fn from(row: journal::Model) -> Self {
        let journal::Model { number: _, payment_id, at, kind, name, detail } = row;
        Self { payment_id, at, kind, name, detail }
    }
}

impl From<waiter::Model> for Waiter {
    fn from(row: waiter::Model) -> Self {
        let waiter::Model { number: _, payment_id, message_id, reply_to, correlation_id } = row;
        let reply = reply_to.map(|reply_to| ReplyTarget { reply_to, correlation_id });
        Self { payment_id, message_id, reply }
    }
}

impl outbox::Model {
    pub(in super::super) fn row(self) -> Result<OutboxRow, StoreError> {
        let number = self.number;
        let replies = match self.replies.as_deref().map(wire::replies).transpose() {
            Ok(replies) => replies.unwrap_or_default(),
            Err(corrupt) => return Err(corrupt.of("outbox", &number.to_string())),
        };
        let entry = OutboxEntry {
            event_id: self.event_id,
            subject: self.subject,
            mid: self.mid,
            routing_key: self.routing_key,
            body: Sealed(self.body),
            replies,
            payment_id: self.payment_id,
            done: self.done,
            replay: self.replay,
            traceparent: self.traceparent,
            created_at: self.created_at,
        };
        Ok(OutboxRow { number, entry })
    }
}

impl dead_letter::Model {
    pub(in super::super) fn row(self) -> Result<DeadLetterRow, StoreError> {
        let id = self.id.clone();
        self.read().map_err(|corrupt| corrupt.of("dead letter", &id))
    }

    fn read(self) -> Result<DeadLetterRow, Corrupt> {
        let letter = DeadLetter {
            id: self.id,
            reason: DeadLetterReason::parse(&self.reason).ok_or(corrupt("reason"))?,
            message_id: self.message_id,
            routing_key: self.routing_key,
            mid: self.mid,
            kind: self.kind,
            order_id: self.order_id,
            upsell_id: self.upsell_id,
            charge_id: self.charge_id,
            detail: self.detail,
            attempts: count(self.attempts, "attempts")?,
            since: self.since,
            payment_id: self.payment_id,
            message: self.message.map(Sealed),
        };
        let status = DeadLetterStatus::parse(&self.status).ok_or(corrupt("status"))?;
        Ok(DeadLetterRow { letter, status })
    }
}
