//! The life of one payment: its state, what is decided about it, what must always be true of it.

pub mod admission;
pub mod decide;
pub mod invariants;
mod lookup;
pub mod order_gate;
pub mod state;
#[cfg(test)]
mod tests;

pub use state::{
    DeadLetterReason, Effort, Exposure, Lease, Outcome, Payment, Phase, Prior, Sealed,
};
