//! The adapters of Amazon over real sockets: what they send byte for byte, what they make of every
//! answer, and a whole sale at the simulator.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

mod agreements;
mod answers;
mod buyer;
mod codes;
mod delegated;
mod fixtures;
mod line;
mod notifications;
mod quiet;
mod requests;
mod sale;
mod server;
mod simulated;
mod v2;
