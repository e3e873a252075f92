//! Who waits for news of which queue: a commit wakes the consumers of the queues that it brought
//! something to, and no others.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// Counts, for each queue that somebody consumes, what may have brought something new.
#[derive(Default)]
pub(super) struct News {
    queues: Mutex<HashMap<String, watch::Sender<u64>>>,
}

impl News {
    /// The news of a queue from now on.
    pub(super) fn of(&self, queue: &str) -> watch::Receiver<u64> {
        let mut queues = self.queues();
        // Queues end, and nobody says so: who has no reader any more makes room.
        queues.retain(|_, sender| sender.receiver_count() > 0);
        queues.entry(queue.to_owned()).or_default().subscribe()
    }

    /// Something came into these queues.
    pub(super) fn tell<'a>(&self, queues: impl IntoIterator<Item = &'a String>) {
        let known = self.queues();
        for queue in queues {
            if let Some(sender) = known.get(queue) {
                sender.send_modify(|count| *count += 1);
            }
        }
    }

    /// Something may have come into any.
    pub(super) fn everywhere(&self) {
        self.queues().values().for_each(|sender| sender.send_modify(|count| *count += 1));
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, watch::Sender<u64>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_meant_is_woken() {
        let news = News::default();
        let (mut one, mut other) = (news.of("one"), news.of("other"));
        news.tell([&"one".to_owned(), &"nobody's".to_owned()]);
        assert!(one.has_changed().unwrap() && !other.has_changed().unwrap());
        one.mark_unchanged();
        news.everywhere();
        assert!(one.has_changed().unwrap() && other.has_changed().unwrap());
        other.mark_unchanged();
        drop(one);
        drop(news.of("third"));
        news.tell([&"other".to_owned()]);
        assert!(other.has_changed().unwrap());
    }
}
