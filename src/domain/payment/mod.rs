//! The life of one payment: its state, what is decided about it, what must always be true of it.

pub mod admission;
#[cfg(test)]
mod agreement_tests;
mod answers;
mod calls;
mod consent;
pub mod decide;
pub mod invariants;
pub mod lookout;
#[cfg(test)]
mod lookout_tests;
mod lookup;
pub mod operations;
pub mod order_gate;
#[cfg(test)]
mod permission_tests;
mod phase;
#[cfg(test)]
mod recovery_tests;
mod rejecting;
mod session;
#[cfg(test)]
mod session_tests;
mod spent_key;
mod state;
#[cfg(test)]
mod tests;

pub use calls::authorization_key;
pub use lookout::{Found, Lookout};
pub use lookup::{metered, over_the_month};
pub use operations::{Operation, OperationPhase};
pub use phase::{DeadLetterReason, Exposure, OperationOutcome, Outcome, Phase, Told};
pub use rejecting::object;
pub use state::{Effort, Lease, Payment, Prior, Sealed};
