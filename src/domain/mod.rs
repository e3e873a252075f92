//! The core: what a payment is and what happens to it next. No I/O, no clock, no chance, no serde;
//! imports nothing of ours (`tests/tidy.rs` holds it to that).
#![deny(clippy::wildcard_enum_match_arm)]

pub mod command;
pub mod decline;
pub mod gateway;
pub mod ids;
pub mod mandate;
pub mod merchant;
pub mod notification;
pub mod operation;
pub mod payment;
pub mod policy;
pub mod reference;

// A crate of its own: the simulator counts in the same money and shares nothing else.
pub use amazon_pay_money as money;
