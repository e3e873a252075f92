//! The imperative shell around the core: load, judge, commit, act, repeat. Sees ports, never an
//! adapter; decides nothing that the domain could decide.

mod agreements;
mod beside;
pub mod breaker;
mod charges;
mod claiming;
mod closing;
pub mod credentials;
mod dead_letters;
pub mod desk;
pub mod engine;
pub mod governor;
pub mod handover;
mod intake;
pub mod lines;
mod look;
pub mod merchants;
mod metering;
pub mod notified;
mod operations;
mod parking;
mod process;
mod references;
mod rejection;
pub mod retention;
mod settle;
pub mod slots;
mod sweep;
mod telling;
pub mod trail;

pub use dead_letters::{may_be_discarded, operation_may_be_discarded};
pub use process::Claimed;
