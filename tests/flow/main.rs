//! The main job from outside: commands in over HTTP and AMQP, Amazon played by the simulator,
//! events out, and the ledger as the judge of what was really charged. Nothing here knows more than
//! the public contract. Each topic runs on every combination of broker and store that is there.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

#[path = "../support/mod.rs"]
mod support;

mod accounts;
mod after_sale;
mod agreements;
mod amqp;
mod asked_again;
mod bad_input;
mod canaries;
mod collector;
mod declines;
mod faults;
mod forgeries;
mod mws;
mod notifications;
mod processes;
mod readings;
mod sales;
mod tls;
mod upsells;
mod v2;
mod world;
