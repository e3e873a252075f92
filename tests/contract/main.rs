//! The queue's contract: commands, events and the schemas in the repository, held together.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

mod asyncapi;
mod commands;
mod events;
mod fakes;
mod junk;
mod samples;
mod schemas;
