//! What is done to a payment after the sale: captures, refunds, cancels. Each lives in its
//! payment's row and is driven under its payment's lease; the payment itself stays what it is until
//! Amazon's word.
//!
//! `admission` judges a command, `turn` says whose turn it is, `decide` is the one total function
//! over (phase, input), with `capture`, `refund` and `cancel` for what the answers mean.

pub mod admission;
mod cancel;
mod capture;
pub mod decide;
mod refund;
mod standing;
mod state;
#[cfg(test)]
mod tests;
pub mod turn;

pub(super) use refund::is_ours;
pub use state::{Operation, OperationPhase};
