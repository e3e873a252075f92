//! Room in a worker process: so many payments in hand at once, and no seller account more than
//! what it leaves free for the others, so that a slow one cannot fill the house (invariant I12).

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::domain::command::Kind;

/// What an account may hold however full the house is.
const FLOOR: usize = 2;

/// Into how many parts the house is divided, of which an account may always hold one.
const QUARTER: usize = 4;

/// Into how many parts the house is divided, of which charges may fill one at once while they are
/// taken in or taken up: they come by thousands, and database and processor are the buyers' too.
const HANDFULS: usize = 32;

/// And at least so many.
const HANDFUL_MIN: usize = 4;

/// After a charge was taken in, its turn rests so many times as long as that took, and twice that
/// where it is driven at once, because that costs as much again. What comes by thousands at
/// midnight has minutes.
const REST: u32 = 12;

/// The longest rest.
const REST_MAX: Duration = Duration::from_millis(200);

/// Where no buyer came for so long, nobody rests.
const BUYERS_MS: i64 = 60_000;

/// The room of a worker process.
#[derive(Debug)]
pub struct Slots {
    all: Arc<Semaphore>,
    charges_coming: Arc<Semaphore>,
    /// When the last buyer came.
    buyer_at: AtomicI64,
    size: usize,
    held: Mutex<Held>,
}

/// What is held: by whom, and how much of that by charges, for which nobody waits.
#[derive(Debug, Default)]
struct Held {
    accounts: HashMap<String, Mine>,
    charges: usize,
}

#[derive(Debug, Default, Clone, Copy)]
struct Mine {
    all: usize,
    charges: usize,
}

/// A payment's place in a seller account's room; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    slots: Arc<Slots>,
    account: String,
    charge: bool,
}

impl Slots {
    /// Room for `size` payments in hand.
    #[must_use]
    pub fn new(size: usize) -> Arc<Self> {
        Arc::new(Self {
            all: Arc::new(Semaphore::new(size)),
            charges_coming: Arc::new(Semaphore::new(handful(size))),
            buyer_at: AtomicI64::new(i64::MIN),
            size,
            held: Mutex::new(Held::default()),
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

    /// Waits until one more charge may be taken in.
    pub async fn let_charge_in(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.charges_coming).acquire_owned().await.ok()
    }

    /// Gives the turn of a charge that was taken in to the next one, after a rest if buyers come:
    /// the slower everything is, the more is left to them.
    pub fn rest(&self, turn: OwnedSemaphorePermit, took_ms: i64, is_driven: bool, now: i64) {
        if now.saturating_sub(self.buyer_at.load(Ordering::Relaxed)) > BUYERS_MS {
            return;
        }
        let took = Duration::from_millis(u64::try_from(took_ms).unwrap_or(0));
        let times = if is_driven { 2 * REST } else { REST };
        tokio::spawn(async move {
            tokio::time::sleep(took.saturating_mul(times).min(REST_MAX)).await;
            drop(turn);
        });
    }

    /// A buyer waits for what came now.
    pub fn buyer_came(&self, now: i64) {
        self.buyer_at.fetch_max(now, Ordering::Relaxed);
    }

    /// How many charges are taken up at once.
    #[must_use]
    pub fn handful(&self) -> usize {
        handful(self.size)
    }

    /// Waits until nothing else is in hand; the permit keeps it so.
    pub async fn enter_alone(&self) -> Option<OwnedSemaphorePermit> {
        let all = u32::try_from(self.size).unwrap_or(u32::MAX);
        Arc::clone(&self.all).acquire_many_owned(all).await.ok()
    }

    /// A seat for the account, unless it holds as much as it leaves free for others; of charges
    /// it may have half of that, and all accounts together a quarter of the house.
    #[must_use]
    pub fn sit(self: &Arc<Self>, account: &str, kind: Kind) -> Option<Seat> {
        let charge = kind == Kind::Charge;
        let most = self.most();
        let mut held = self.held.lock().unwrap_or_else(|broken| broken.into_inner());
        let mine = held.accounts.get(account).copied().unwrap_or_default();
        let full = mine.all >= most
            || (charge && (held.charges >= self.charges_max() || mine.charges >= most / 2));
        if full {
            return None;
        }
        let mine = held.accounts.entry(account.to_owned()).or_default();
        mine.all += 1;
        if charge {
            mine.charges += 1;
            held.charges += 1;
        }
        Some(Seat { slots: Arc::clone(self), account: account.to_owned(), charge })
    }

    fn charges_max(&self) -> usize {
        (self.size / QUARTER).max(1)
    }

    /// How many charges more may be taken in hand now.
    #[must_use]
    pub fn free_for_charges(&self) -> usize {
        let held = self.held.lock().unwrap_or_else(|broken| broken.into_inner());
        self.free().min(self.charges_max().saturating_sub(held.charges))
    }

    /// What an account may hold now: as much as it leaves free, so that one alone gets half of the
    /// house. A quarter it may hold in any case: a house that is full because all are busy is no
    /// reason to put anybody off, and each that is put off costs a commit more.
    fn most(&self) -> usize {
        self.free().max(self.size / QUARTER).max(FLOOR)
    }

    /// Accounts that would be refused a seat now, for charges or for anything else.
    #[must_use]
    pub fn full(&self, charges: bool) -> Vec<String> {
        let most = self.most();
        let held = self.held.lock().unwrap_or_else(|broken| broken.into_inner());
        let full = |mine: &Mine| mine.all >= most || (charges && mine.charges >= most / 2);
        let accounts = held.accounts.iter().filter(|(_, mine)| full(mine));
        accounts.map(|(account, _)| account.clone()).collect()
    }
}

fn handful(size: usize) -> usize {
    (size / HANDFULS).max(HANDFUL_MIN)
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut held = self.slots.held.lock().unwrap_or_else(|broken| broken.into_inner());
        held.charges -= usize::from(self.charge);
        if let Some(mine) = held.accounts.get_mut(&self.account) {
            mine.all -= 1;
            mine.charges -= usize::from(self.charge);
            if mine.all == 0 {
                held.accounts.remove(&self.account);
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
        while let Some(seat) = slots.sit("slow", Kind::Order) {
            taken.push((seat, slots.enter().await.unwrap()));
        }
        assert_eq!(taken.len(), 4);
        assert_eq!(slots.full(false), ["slow"]);
        assert!(slots.sit("other", Kind::Order).is_some());
        taken.pop();
        assert!(slots.sit("slow", Kind::Order).is_some());
    }

    #[tokio::test]
    async fn a_house_full_of_many_accounts_puts_none_of_them_off() {
        let slots = Slots::new(40);
        let mut taken = Vec::new();
        for seat in 0..40 {
            let place = slots.enter().await.unwrap();
            let account = format!("account {}", seat % 5);
            taken.push((slots.sit(&account, Kind::Order).unwrap(), place));
        }
        assert!(slots.full(false).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn charges_are_taken_in_by_the_handful_and_with_rests() {
        let slots = Slots::new(256);
        let mut turns = Vec::new();
        for _ in 0..slots.handful() {
            turns.push(slots.let_charge_in().await.unwrap());
        }
        assert_eq!((slots.handful(), Slots::new(1).handful()), (8, 4));
        let within = async |milliseconds: u64| {
            let time = Duration::from_millis(milliseconds);
            tokio::time::timeout(time, slots.let_charge_in()).await.ok().flatten()
        };
        slots.rest(turns.pop().unwrap(), 5, true, 0);
        let turn = within(1).await.expect("no buyer ever came");
        slots.buyer_came(0);
        slots.rest(turn, 5, false, BUYERS_MS);
        assert!(within(59).await.is_none());
        let turn = within(2).await.unwrap();
        slots.rest(turn, 5, true, BUYERS_MS);
        assert!(within(119).await.is_none());
        let turn = within(2).await.unwrap();
        slots.rest(turn, 60_000, false, BUYERS_MS);
        assert!(within(199).await.is_none());
        let turn = within(2).await.expect("a bound");
        slots.rest(turn, 60_000, false, BUYERS_MS + 1);
        assert!(within(1).await.is_some(), "the last buyer came long ago");
    }

    #[tokio::test]
    async fn charges_leave_room_to_buyers_who_wait() {
        let slots = Slots::new(64);
        let mut taken = Vec::new();
        while let Some(seat) = slots.sit("busy", Kind::Charge) {
            taken.push((seat, slots.enter().await.unwrap()));
        }
        assert_eq!((taken.len(), slots.free_for_charges()), (16, 0));
        assert!(slots.full(false).is_empty());
        assert!(slots.sit("busy", Kind::Order).is_some());
        taken.clear();
        assert_eq!(slots.free_for_charges(), 16);
    }
}
