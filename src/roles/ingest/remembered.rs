//! The latest idempotency keys with the digest of what was asked under them, so that the same key
//! with another body is refused even while the store is away. Bounded: the oldest is forgotten.

use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};

/// What the contract promises.
const LATEST: usize = 100_000;

#[derive(Default)]
struct Memory {
    digests: HashMap<String, String>,
    order: VecDeque<String>,
}

/// Message ids that follow from a client's key, and the digest of the fields behind each.
#[derive(Default)]
pub(super) struct Remembered(Mutex<Memory>);

/// What is known of a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Not among the latest.
    New,
    /// Asked before with the same fields.
    Same,
    /// Asked before with other fields.
    Other,
}

impl Remembered {
    /// What is known of this message id.
    pub(super) fn look(&self, message_id: &str, digest: &str) -> Key {
        let memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        judge(&memory, message_id, digest)
    }

    /// Remembers it, unless it is known: the first one counts, of two at the same time too.
    pub(super) fn keep(&self, message_id: &str, digest: &str) -> Key {
        let mut memory = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = judge(&memory, message_id, digest);
        if known == Key::New {
            memory.digests.insert(message_id.to_owned(), digest.to_owned());
            memory.order.push_back(message_id.to_owned());
            if memory.order.len() > LATEST
                && let Some(oldest) = memory.order.pop_front()
            {
                memory.digests.remove(&oldest);
            }
        }
        known
    }
}

fn judge(memory: &Memory, message_id: &str, digest: &str) -> Key {
    match memory.digests.get(message_id) {
        None => Key::New,
        Some(known) if known == digest => Key::Same,
        Some(_) => Key::Other,
    }
}
