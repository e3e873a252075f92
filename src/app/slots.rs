//! Room in a worker process: so many payments in hand at once, and no seller account more than
//! what it leaves free for the others, so that a slow one cannot fill the house (invariant I12).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// What an account may hold however full the house is.
const FLOOR: usize = 2;

/// Into how many parts the house is divided, of which an account may always hold one.
const QUARTER: usize = 4;

/// The room of a worker process.
#[derive(Debug)]
pub struct Slots {
    all: Arc<Semaphore>,
    size: usize,
    held: Mutex<HashMap<String, usize>>,
}

/// A payment's place in a seller account's room; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    slots: Arc<Slots>,
    account: String,
}

impl Slots {
    /// Room for `size` payments in hand.
    #[must_use]
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(size)),
            size,
            held: Mutex::new(HashMap::new()),
        })
    }

    /// How many payments may be in hand at once.
    #[must_use]
    pub const fn size(&self) -> usize {
        self.size
    }

    /// How many more may be taken in hand now.
    #[must_use]
    pub fn free(&self) -> usize {
        self.all.available_permits()
    }

    /// Waits for room for one.
    ///
    /// # Errors
    /// Never in practice: the semaphore is not closed while the process lives.
    pub async fn enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).acquire_owned().await.ok()
    }

    /// Takes one if there is room now.
    #[must_use]
    pub fn try_enter(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.all).try_acquire_owned().ok()
    }

    /// Waits until nothing else is in hand; the permit keeps it so.
    pub async fn enter_alone(&self) -> Option<OwnedSemaphorePermit> {
        let all = u32::try_from(self.size).unwrap_or(u32::MAX);
        Arc::clone(&self.all).acquire_many_owned(all).await.ok()
    }

    /// A seat for the account, unless it holds as much as it leaves free for others.
    #[must_use]
    pub fn sit(self: &Arc<Self>, account: &str) -> Option<Seat> {
        let most = self.most();
        let mut held = self.held.lock().unwrap_or_else(|broken| broken.into_inner());
        let mine = held.get(account).copied().unwrap_or(0);
        if mine >= most {
            return None;
        }
        *held.entry(account.to_owned()).or_default() += 1;
        Some(Seat { slots: Arc::clone(self), account: account.to_owned() })
    }

    /// What an account may hold now: as much as it leaves free, so that one alone gets half of the
    /// house. A quarter it may hold in any case: a house that is full because all are busy is no
    /// reason to put anybody off, and each that is put off costs a commit more.
    fn most(&self) -> usize {
        self.free().max(self.size / QUARTER).max(FLOOR)
    }

    /// Accounts that would be refused a seat now.
    #[must_use]
    pub fn full(&self) -> Vec<String> {
        let most = self.most();
        let held = self.held.lock().unwrap_or_else(|broken| broken.into_inner());
        held.iter().filter(|(_, mine)| **mine >= most).map(|(account, _)| account.clone()).collect()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.slots.held.lock().unwrap_or_else(|broken| broken.into_inner());
        if let Some(mine) = held.get_mut(&self.account) {
            *mine -= 1;
            if *mine == 0 {
                held.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_account_leaves_half_of_the_house_to_others() {
        let slots = Slots::new(8);
        let mut taken = Vec::new();
        while let Some(seat) = slots.sit("slow") {
            taken.push((seat, slots.enter().await.unwrap()));
        }
        assert_eq!(taken.len(), 4);
        assert_eq!(slots.full(), ["slow"]);
        assert!(slots.sit("other").is_some());
        taken.pop();
        assert!(slots.sit("slow").is_some());
    }

    #[tokio::test]
    async fn a_house_full_of_many_accounts_puts_none_of_them_off() {
        let slots = Slots::new(40);
        let mut taken = Vec::new();
        for seat in 0..40 {
            let place = slots.enter().await.unwrap();
            taken.push((slots.sit(&format!("account {}", seat % 5)).unwrap(), place));
        }
        assert!(slots.full().is_empty());
    }
}
