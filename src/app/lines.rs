//! Calls to Amazon at once: fewer than payments in hand, because each needs a connection, and a
//! connection needs more memory than the payment itself. Who finds no line waits its turn in hand.
//! No seller account holds more lines than it leaves free, so that one whose calls hang slows no
//! other (invariant I12). Never repeats or changes a call.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::oneshot;

use crate::domain::gateway::{Effect, Fault};
use crate::domain::ids::ReferenceId;
use crate::ports::gateway::{Account, BuyerDetails, BuyerError, Exchange, Gateway};

/// Lines of a process, however many payments it may have in hand: at 50 ms a call they carry
/// 7,000 calls a second.
const LINES_MAX: usize = 384;
/// What an account may hold although it leaves less: this part of all.
const QUARTER: usize = 4;

/// A gateway that makes only so many calls at once.
pub struct Lines {
    inner: Arc<dyn Gateway>,
    exchange: Arc<Exchanges>,
}

#[derive(Debug)]
struct Exchanges {
    size: usize,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    taken: usize,
    held: HashMap<String, usize>,
    waiting: VecDeque<Waiting>,
}

#[derive(Debug)]
struct Waiting {
    account: String,
    line: oneshot::Sender<Line>,
}

/// A line in use, free again when it is dropped.
#[derive(Debug)]
struct Line {
    exchange: Arc<Exchanges>,
    account: String,
}

impl Lines {
    /// For so many payments in hand at once.
    #[must_use]
    pub fn new(inner: Arc<dyn Gateway>, payments: usize) -> Self {
        // A payment may use two, while its buyer's details are read beside the authorization.
        let size = payments.saturating_mul(2).clamp(2, LINES_MAX);
        let exchange = Exchanges { size, state: Mutex::default() };
        Self { inner, exchange: Arc::new(exchange) }
    }
}

impl Exchanges {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn may(&self, state: &State, account: &str) -> bool {
        let free = self.size - state.taken;
        let most = free.max(self.size / QUARTER).max(1);
        free > 0 && state.held.get(account).is_none_or(|held| *held < most)
    }

    fn take(self: &Arc<Self>, state: &mut State, account: String) -> Line {
        state.taken += 1;
        *state.held.entry(account.clone()).or_default() += 1;
        Line { exchange: Arc::clone(self), account }
    }

    /// Waits for a line; with `first`, before all who wait already.
    async fn enter(self: &Arc<Self>, account: String, first: bool) -> Option<Line> {
        let line = {
            let mut state = self.state();
            if self.may(&state, &account) {
                return Some(self.take(&mut state, account));
            }
            let (sender, line) = oneshot::channel();
            let waiting = Waiting { account, line: sender };
            if first {
                state.waiting.push_front(waiting);
            } else {
                state.waiting.push_back(waiting);
            }
            line
        };
        line.await.ok()
    }

    /// Gives what is free to those who wait, the first one first whose account may have it.
    fn serve(self: &Arc<Self>) {
        loop {
            let (line, waiting) = {
                let mut state = self.state();
                let next = state.waiting.iter().position(|one| self.may(&state, &one.account));
                let Some(waiting) = next.and_then(|place| state.waiting.remove(place)) else {
                    return;
                };
                let line = self.take(&mut state, waiting.account);
                (line, waiting.line)
            };
            // Who has gone meanwhile leaves the line to the next: dropping it serves again.
            drop(waiting.send(line));
        }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        {
            let mut state = self.exchange.state();
            state.taken -= 1;
            if let Some(held) = state.held.get_mut(&self.account) {
                *held -= 1;
                if *held == 0 {
                    state.held.remove(&self.account);
                }
            }
        }
        self.exchange.serve();
    }
}

#[async_trait]
impl Gateway for Lines {
    async fn call(&self, account: &Account, effect: &Effect) -> Exchange {
        let _line = self.exchange.enter(account.merchant.seller_account(), false).await;
        self.inner.call(account, effect).await
    }

    /// Before others: an authorization that is answered waits for them, and there are never more
    /// of these than of those.
    async fn buyer(
        &self,
        account: &Account,
        reference: &ReferenceId,
        token: Option<&SecretString>,
    ) -> Result<BuyerDetails, BuyerError> {
        let _line = self.exchange.enter(account.merchant.seller_account(), true).await;
        self.inner.buyer(account, reference, token).await
    }

    async fn probe(&self, account: &Account) -> Result<(), Fault> {
        self.inner.probe(account).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exchange(size: usize) -> Arc<Exchanges> {
        Arc::new(Exchanges { size, state: Mutex::default() })
    }

    async fn taken(exchange: &Arc<Exchanges>, account: &str, count: usize) -> Vec<Line> {
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(exchange.enter(account.to_owned(), false).await.unwrap());
        }
        lines
    }

    fn waiting(
        exchange: &Arc<Exchanges>,
        account: &'static str,
        first: bool,
    ) -> tokio::task::JoinHandle<Option<Line>> {
        let exchange = Arc::clone(exchange);
        tokio::spawn(async move { exchange.enter(account.to_owned(), first).await })
    }

    #[tokio::test]
    async fn an_account_whose_calls_hang_leaves_lines_to_others() {
        let exchange = exchange(8);
        let hanging = taken(&exchange, "slow", 4).await;
        let more = waiting(&exchange, "slow", false);
        tokio::task::yield_now().await;
        assert!(!more.is_finished());
        // Behind one who waits, but there is room for it.
        let other = taken(&exchange, "other", 2).await;
        drop(other);
        tokio::task::yield_now().await;
        assert!(!more.is_finished());
        drop(hanging);
        assert!(more.await.unwrap().is_some());
    }

    #[tokio::test]
    async fn who_waits_is_served_in_order_but_for_buyers() {
        let exchange = exchange(2);
        let (one, two) = (taken(&exchange, "a", 1).await, taken(&exchange, "b", 1).await);
        let later = waiting(&exchange, "c", false);
        tokio::task::yield_now().await;
        let buyer = waiting(&exchange, "d", true);
        tokio::task::yield_now().await;
        drop(one);
        let buyer = buyer.await.unwrap();
        assert!(!later.is_finished());
        drop(buyer);
        let later = later.await.unwrap();
        drop((two, later));
        assert_eq!(exchange.state().taken, 0);
        assert!(exchange.state().held.is_empty());
    }

    #[tokio::test]
    async fn a_line_for_somebody_who_has_gone_is_not_lost() {
        let exchange = exchange(1);
        let held = taken(&exchange, "a", 1).await;
        let gone = waiting(&exchange, "b", false);
        let next = waiting(&exchange, "c", false);
        tokio::task::yield_now().await;
        gone.abort();
        tokio::task::yield_now().await;
        drop(held);
        assert!(next.await.unwrap().is_some());
        assert_eq!(exchange.state().taken, 0);
    }
}
