//! The life of a simulated worker process. Every call of a port passes through it before and
//! after its effect; a dead process never gets past it, which is what kill -9 looks like.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// A small generator of chance that a seed reproduces.
#[derive(Debug)]
pub(crate) struct Chance(Mutex<u64>);

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Mutex::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1))
    }

    pub(crate) fn below(&self, bound: u64) -> u64 {
        let mut state = self.0.lock().unwrap();
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        (*state >> 11) % bound
    }

    pub(crate) fn percent(&self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// A worker process.
#[derive(Debug)]
pub(crate) struct Life {
    steps: AtomicU64,
    dies_at: u64,
}

impl Life {
    /// Lives for so many steps.
    pub(crate) fn of(steps: u64) -> Self {
        Self { steps: AtomicU64::new(0), dies_at: steps }
    }

    pub(crate) fn is_over(&self) -> bool {
        self.steps.load(SeqCst) >= self.dies_at
    }

    /// One step; for ever, once life is over.
    pub(crate) async fn step(&self) {
        if self.steps.fetch_add(1, SeqCst) >= self.dies_at {
            std::future::pending::<()>().await;
        }
    }
}
