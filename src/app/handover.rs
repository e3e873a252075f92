//! Events that this process has just committed, handed to its own relay, which then need not read
//! them. Only a short cut: what is not taken here lies in the outbox and is found there.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::contract::event::event_id;
use crate::ports::store::{Commit, OutboxEntry, PaymentWrite};

/// How many may lie here; beyond it the relay reads them.
const ROOM: usize = 1_000;

/// From the engine to the relay of its process.
#[derive(Debug, Default)]
pub struct Handover {
    shelf: Mutex<Shelf>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Shelf {
    open: bool,
    look: bool,
    fresh: Vec<OutboxEntry>,
}

impl Handover {
    /// From now on somebody takes what is handed over.
    pub fn open(&self) {
        let mut shelf = self.shelf();
        shelf.open = true;
        shelf.look = true;
    }

    /// Nobody does any more.
    pub fn close(&self) {
        *self.shelf() = Shelf::default();
    }

    /// What was committed since the last call, in the order of commits, and whether there may be
    /// more in the outbox that did not come this way.
    pub fn take(&self) -> (Vec<OutboxEntry>, bool) {
        let mut shelf = self.shelf();
        (std::mem::take(&mut shelf.fresh), std::mem::take(&mut shelf.look))
    }

    /// Comes when there is something to take.
    pub async fn news(&self) {
        self.news.notified().await;
    }

    /// What of a commit may go this way once it is written: the first events of a payment. Of
    /// later ones it is not known here whether what went before was published.
    pub(crate) fn of(&self, commit: &Commit) -> Vec<OutboxEntry> {
        let written = commit.payment.as_ref().and_then(PaymentWrite::payment);
        let Some(payment) = written else { return Vec::new() };
        if self.shelf().open && begins(&payment.id(), &commit.outbox) {
            commit.outbox.clone()
        } else {
            Vec::new()
        }
    }

    /// Hands over what was written; with nothing in it, the outbox is to be looked at.
    pub(crate) fn hand(&self, fresh: Vec<OutboxEntry>) {
        {
            let mut shelf = self.shelf();
            if !shelf.open {
                return;
            }
            if fresh.is_empty() || shelf.fresh.len() + fresh.len() > ROOM {
                shelf.look = true;
            } else {
                shelf.fresh.extend(fresh);
            }
        }
        self.news.notify_one();
    }

    fn shelf(&self) -> MutexGuard<'_, Shelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether these are the first events of the payment, and no others.
fn begins(payment_id: &str, outbox: &[OutboxEntry]) -> bool {
    let Some(first) = outbox.first() else { return false };
    let ours = |entry: &OutboxEntry| {
        !entry.replay
            && entry.payment_id.as_deref() == Some(payment_id)
            && entry.subject == first.subject
    };
    first.event_id == event_id(payment_id, 1) && outbox.iter().all(ours)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::vault::Sealed;

    fn entry(sequence: u32) -> OutboxEntry {
        OutboxEntry {
            event_id: event_id("7/order/A", sequence),
            subject: "7/order/A".to_owned(),
            mid: None,
            routing_key: "order.paid".to_owned(),
            body: Sealed(String::new()),
            replies: Vec::new(),
            payment_id: Some("7/order/A".to_owned()),
            done: true,
            replay: false,
            traceparent: None,
            created_at: 0,
        }
    }

    #[test]
    fn only_a_payments_first_events_go_without_a_look_at_what_went_before() {
        let begins = |outbox: &[OutboxEntry]| begins("7/order/A", outbox);
        assert!(begins(&[entry(1)]));
        assert!(begins(&[entry(1), entry(2)]));
        assert!(!begins(&[]));
        assert!(!begins(&[entry(2)]));
        assert!(!begins(&[OutboxEntry { replay: true, ..entry(1) }]));
        let rejection = OutboxEntry { payment_id: None, ..entry(3) };
        assert!(!begins(std::slice::from_ref(&rejection)));
        assert!(!begins(&[entry(1), rejection]));
    }

    #[test]
    fn what_nobody_takes_is_not_kept() {
        let handover = Handover::default();
        handover.hand(vec![entry(1)]);
        assert_eq!(handover.take(), (Vec::new(), false));
        handover.open();
        assert_eq!(handover.take(), (Vec::new(), true), "what was committed before is looked for");
        handover.hand(vec![entry(1)]);
        assert_eq!(handover.take(), (vec![entry(1)], false));
        handover.hand((0..2_000).map(|_| entry(1)).collect());
        assert_eq!(handover.take(), (Vec::new(), true), "too many are read");
        handover.hand(vec![entry(1)]);
        handover.close();
        assert_eq!(handover.take(), (Vec::new(), false));
    }
}
