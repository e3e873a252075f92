//! The queue's contract: commands, events and the schemas in the repository, held together.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

mod commands;
mod fakes;
