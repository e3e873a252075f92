//! What a group of commits writes, gathered by table, and which commits may be in a group: two
//! that touch the same row never are, because one statement would see only one of them.

use std::collections::BTreeSet;

use sea_orm::Value;

use super::entity::{audit, dead_letter, inbox, journal, mandate, outbox, payment, waiter};
use super::rows::Rows;
use super::statements::Section;
use crate::domain::mandate::{Mandate, mandate_id};
use crate::domain::payment::Payment;
use crate::ports::mandates::{LookAt, MandateWrite};
use crate::ports::store::{Commit, PaymentWrite};

/// The rows of a group of commits.
pub(super) struct Batch {
    rows: [Rows; Section::ALL.len()],
}

impl Batch {
    pub(super) fn of<'a>(commits: impl IntoIterator<Item = &'a Commit>) -> Self {
        let mut batch = Self { rows: [const { Rows::new() }; Section::ALL.len()] };
        for commit in commits {
            batch.add(commit);
        }
        batch
    }

    /// The sections that have rows, in order.
    pub(super) fn into_sections(self) -> Vec<(Section, Rows)> {
        let sections = Section::ALL.into_iter().zip(self.rows);
        sections.filter(|(_, rows)| rows.count() > 0).collect()
    }

    fn rows(&mut self, section: Section) -> &mut Rows {
        &mut self.rows[section as usize]
    }

    fn add(&mut self, commit: &Commit) {
        if let Some(write) = &commit.payment {
            self.add_payment(write);
        }
        match &commit.mandate {
            None => {}
            Some(MandateWrite::Insert(mandate)) => {
                self.rows(Section::InsertMandate).push(mandate::Model::from(mandate));
            }
            Some(MandateWrite::Update { mandate, expected }) => {
                let more = [(Section::EXPECTED, Some(*expected))];
                let model = mandate::Model::from(mandate);
                self.rows(Section::UpdateMandate).push_with(model, &more);
            }
        }
        for look in &commit.look_at {
            self.rows(Section::LookAt).push(mandate::Model::from(&to_look_at(look)));
        }
        for entry in &commit.inbox {
            self.rows(Section::Inbox).push(inbox::Model::from(entry));
        }
        for entry in &commit.journal {
            self.rows(Section::Journal).push(journal::Model::from(entry));
        }
        for entry in &commit.outbox {
            self.rows(Section::Outbox).push(outbox::Model::from(entry));
        }
        if let Some(join) = &commit.join {
            let values = [("id", text(&join.payment_id)), ("opener", text(&join.opener))];
            self.rows(Section::Join).push_values(&values);
        }
        self.add_waiters(commit);
        // One id is one letter, however often it is written: several of a message's waiters are
        // rejected by one event.
        let mut once = BTreeSet::new();
        for letter in commit.dead_letters.iter().filter(|letter| once.insert(&letter.id)) {
            self.rows(Section::DeadLetters).push(dead_letter::Model::from(letter));
        }
        for change in &commit.dead_letter_changes {
            let values = [("id", text(&change.id)), ("to", text(change.to.as_str()))];
            self.rows(Section::CloseDeadLetter).push_values(&values);
        }
        for payment_id in &commit.settled {
            let values = [("payment_id", text(payment_id))];
            self.rows(Section::CloseLettersOf).push_values(&values);
        }
        for entry in &commit.audit {
            self.rows(Section::Audit).push(audit::Model::from(entry));
        }
        self.add_rejected(commit);
        for (waits, message_id) in &commit.forget {
            let values = [("payment_id", text(waits)), ("message_id", text(message_id))];
            self.rows(Section::Forget).push_values(&values);
        }
    }

    fn add_rejected(&mut self, commit: &Commit) {
        let payment_id = commit.payment.as_ref().map(PaymentWrite::id);
        for (message_id, event_id) in &commit.rejected {
            let values = [("message_id", text(message_id)), ("event_id", text(event_id))];
            self.rows(Section::Rejected).push_values(&values);
            if let Some(payment_id) = &payment_id {
                let values = [("payment_id", text(payment_id)), ("message_id", text(message_id))];
                self.rows(Section::Forget).push_values(&values);
            }
        }
    }

    fn add_payment(&mut self, write: &PaymentWrite) {
        match write {
            PaymentWrite::Insert(payment) => {
                self.rows(Section::InsertPayment).push(payment::Model::from(payment));
            }
            PaymentWrite::Update { payment, expected } => {
                self.update_payment(payment, *expected, None);
            }
            PaymentWrite::Restore { payment, expected, joins } => {
                self.update_payment(payment, *expected, Some(*joins));
            }
            PaymentWrite::Delete { id, expected, joins } => {
                let version = (Section::EXPECTED, (*expected).into());
                let values = [("id", text(id)), version, (Section::JOINS, (*joins).into())];
                self.rows(Section::DeletePayment).push_values(&values);
            }
        }
    }

    fn update_payment(&mut self, payment: &Payment, expected: i64, joins: Option<i64>) {
        let more = [(Section::EXPECTED, Some(expected)), (Section::JOINS, joins)];
        self.rows(Section::UpdatePayment).push_with(payment::Model::from(payment), &more);
    }

    fn add_waiters(&mut self, commit: &Commit) {
        let mut once = BTreeSet::new();
        for waiter in &commit.waiters {
            let reply = waiter.reply.as_ref();
            let reply = reply.map(|reply| (&*reply.reply_to, reply.correlation_id.as_deref()));
            if once.insert((&*waiter.payment_id, &*waiter.message_id, reply)) {
                self.rows(Section::Waiters).push(waiter::Model::from(waiter));
            }
        }
    }
}

/// The row that is made where there is none.
fn to_look_at(look: &LookAt) -> Mandate {
    Mandate {
        declined_at: look.declined.then_some(look.at),
        due_at: Some(look.at),
        version: 1,
        ..Mandate::new(&look.seller_account, &look.reference, &look.mid, look.at)
    }
}

fn text(text: &str) -> Value {
    text.into()
}

/// The rows that a group of commits has touched.
#[derive(Default)]
pub(super) struct Touched(BTreeSet<(Table, String)>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Table {
    Payments,
    Inbox,
    DeadLetters,
    Mandates,
}

impl Touched {
    /// Takes the commit's rows in, unless one of them is there already.
    pub(super) fn take(&mut self, commit: &Commit) -> bool {
        let keys = keys(commit);
        if keys.iter().any(|key| self.0.contains(key)) {
            return false;
        }
        self.0.extend(keys);
        true
    }
}

fn keys(commit: &Commit) -> BTreeSet<(Table, String)> {
    let payment = commit.payment.iter().map(PaymentWrite::id);
    let joined = commit.join.iter().map(|join| join.payment_id.clone());
    let waited = commit.waiters.iter().map(|waiter| waiter.payment_id.clone());
    let payments = payment.chain(joined).chain(waited).map(|id| (Table::Payments, id));
    let new = commit.inbox.iter().map(|entry| &entry.message_id);
    let inbox = new.chain(commit.rejected.iter().map(|(message_id, _)| message_id));
    let inbox = inbox.map(|id| (Table::Inbox, id.clone()));
    let new = commit.dead_letters.iter().map(|letter| &letter.id);
    let letters = new.chain(commit.dead_letter_changes.iter().map(|change| &change.id));
    let letters = letters.map(|id| (Table::DeadLetters, id.clone()));
    let written = commit.mandate.iter().map(|write| write.mandate().id());
    let looked = commit.look_at.iter();
    let looked = looked.map(|look| mandate_id(&look.seller_account, &look.reference));
    let mandates = written.chain(looked).map(|id| (Table::Mandates, id));
    payments.chain(inbox).chain(letters).chain(mandates).collect()
}
