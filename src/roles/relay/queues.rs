//! What the relay has in hand: one queue for each subject, whose head may be published when what
//! went before was confirmed, and the names of all rows that need not be read again. Decides about
//! nothing but order, and asks nobody.

use std::collections::{HashMap, HashSet, VecDeque};

use crate::ports::broker::Message;
use crate::ports::relay::RowKey;
use crate::ports::store::ReplyTarget;

/// A row and the message that it is published as.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) key: RowKey,
    pub(super) event_id: String,
    pub(super) subject: String,
    /// The waiters that hear of it.
    pub(super) payment_id: Option<String>,
    /// Whether they are done with it.
    pub(super) done: bool,
    pub(super) replies: Vec<ReplyTarget>,
    pub(super) message: Message,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Queued, in flight, or confirmed and not marked yet.
    InHand,
    /// Marked in the outbox, after so many looks at it had begun: one that began before may still
    /// bring it.
    Marked(u64),
}

/// Rows of one subject, in order.
#[derive(Debug, Default)]
struct Subject {
    waiting: VecDeque<Ready>,
    in_flight: bool,
}

/// What is in hand.
#[derive(Debug, Default)]
pub(super) struct Queues {
    subjects: HashMap<String, Subject>,
    /// Subjects whose head may go, in the order in which they came.
    heads: VecDeque<String>,
    known: HashMap<RowKey, Stage>,
    /// Subjects of which nothing is taken in.
    blocked: HashSet<String>,
    waiting: usize,
    in_flight: usize,
}

impl Queues {
    /// Whether the row is to be taken in: it is not known yet, and nothing blocks its subject.
    pub(super) fn wants(&self, key: &RowKey, subject: &str) -> bool {
        !self.known.contains_key(key) && !self.blocked.contains(subject)
    }

    /// Takes in a row that is wanted, behind those of its subject.
    pub(super) fn add(&mut self, ready: Ready) {
        self.known.insert(ready.key.clone(), Stage::InHand);
        self.waiting += 1;
        let subject = self.subjects.entry(ready.subject.clone()).or_default();
        if subject.waiting.is_empty() && !subject.in_flight {
            self.heads.push_back(ready.subject.clone());
        }
        subject.waiting.push_back(ready);
    }

    /// Takes in nothing of a subject: what follows must not overtake what cannot be published.
    pub(super) fn block(&mut self, subject: String) {
        self.blocked.insert(subject);
    }

    /// It is tried again.
    pub(super) fn unblock(&mut self, subject: &str) {
        self.blocked.remove(subject);
    }

    /// The next to be published, one for each subject; they are in flight from now on.
    pub(super) fn take(&mut self, most: usize) -> Vec<Ready> {
        let mut taken = Vec::new();
        while taken.len() < most
            && let Some(name) = self.heads.pop_front()
        {
            let Some(subject) = self.subjects.get_mut(&name) else { continue };
            if let Some(ready) = subject.waiting.pop_front() {
                subject.in_flight = true;
                taken.push(ready);
            }
        }
        self.waiting -= taken.len();
        self.in_flight += taken.len();
        taken
    }

    /// A row in flight was confirmed: the next of its subject may go.
    pub(super) fn confirmed(&mut self, name: &str) {
        self.in_flight -= 1;
        if let Some(subject) = self.subjects.get_mut(name) {
            subject.in_flight = false;
            if subject.waiting.is_empty() {
                self.subjects.remove(name);
            } else {
                self.heads.push_back(name.to_owned());
            }
        }
    }

    /// A row in flight was not confirmed: it and what waits behind it are forgotten, and will be
    /// read again in their order.
    pub(super) fn failed(&mut self, ready: &Ready) {
        self.in_flight -= 1;
        self.known.remove(&ready.key);
        if let Some(subject) = self.subjects.remove(&ready.subject) {
            self.forget(subject);
        }
    }

    /// Somebody else publishes now: all that waits is forgotten. What is in flight comes back.
    pub(super) fn let_go(&mut self) {
        self.heads.clear();
        let subjects = std::mem::take(&mut self.subjects);
        for (name, subject) in subjects {
            let in_flight = subject.in_flight;
            self.forget(subject);
            if in_flight {
                self.subjects.insert(name, Subject { in_flight, ..Subject::default() });
            }
        }
    }

    fn forget(&mut self, subject: Subject) {
        self.waiting -= subject.waiting.len();
        for ready in subject.waiting {
            self.known.remove(&ready.key);
        }
    }

    /// Confirmed rows were marked; so many looks at the outbox had begun by then.
    pub(super) fn marked<'a>(&mut self, keys: impl IntoIterator<Item = &'a RowKey>, looks: u64) {
        for key in keys {
            self.known.insert(key.clone(), Stage::Marked(looks));
        }
    }

    /// The look of this number is over. What was marked two looks ago comes no more, neither from
    /// the outbox nor late by hand.
    pub(super) fn looked(&mut self, number: u64) {
        self.known.retain(|_, stage| match stage {
            Stage::Marked(looks) => *looks + 1 >= number,
            Stage::InHand => true,
        });
    }

    /// Rows that wait.
    pub(super) const fn waiting(&self) -> usize {
        self.waiting
    }

    /// Rows whose confirm is awaited.
    pub(super) const fn in_flight(&self) -> usize {
        self.in_flight
    }
}
