//! Amazon's quotas as this process has learnt them: a bucket per seller account and operation,
//! ungoverned until Amazon throttles it for the first time.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::domain::command::Kind;

/// Whose call it is: checkout goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// A buyer waits.
    Checkout,
    /// Thousands at midnight.
    Recurring,
}

impl Traffic {
    /// The traffic that payments of a kind are.
    #[must_use]
    pub const fn of(kind: Kind) -> Self {
        match kind {
            Kind::Order | Kind::Upsell => Traffic::Checkout,
            Kind::Charge => Traffic::Recurring,
        }
    }
}

/// Whether a call may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Admit {
    /// Now.
    Go,
    /// At this time, in milliseconds since the epoch; the slot is this caller's.
    WaitUntil(i64),
}

/// The learnt quotas.
#[derive(Debug, Default)]
pub struct Governor {
    next: Mutex<HashMap<(String, &'static str), i64>>,
}

impl Governor {
    /// Asks for a call of `operation` on the account's quota.
    pub fn admit(
        &self,
        account: &str,
        sandbox: bool,
        operation: &'static str,
        _traffic: Traffic,
        now: i64,
    ) -> Admit {
        let mut next = self.next.lock().unwrap_or_else(|broken| broken.into_inner());
        let Some(at) = next.get_mut(&(account.to_owned(), operation)) else { return Admit::Go };
        let slot = (*at).max(now);
        *at = slot + spacing(sandbox);
        if slot <= now { Admit::Go } else { Admit::WaitUntil(slot) }
    }

    /// Amazon throttled a call; when the next one may go.
    pub fn throttled(
        &self,
        account: &str,
        sandbox: bool,
        operation: &'static str,
        retry_after_ms: Option<i64>,
        now: i64,
    ) -> i64 {
        let mut next = self.next.lock().unwrap_or_else(|broken| broken.into_inner());
        let at = next.entry((account.to_owned(), operation)).or_insert(now);
        let slot = (*at).max(now + retry_after_ms.unwrap_or_else(|| spacing(sandbox)));
        *at = slot + spacing(sandbox);
        slot
    }

    /// Among how many workers the quota is shared.
    pub fn workers(&self, _alive: u32) {}
}

const fn spacing(sandbox: bool) -> i64 {
    if sandbox { 2_000 } else { 1_000 }
}
