//! The command line as a user meets it: exit codes, what is printed where, every mistake at once,
//! no secret anywhere, and the operators' acts on a running program.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

#[path = "../support/mod.rs"]
mod support;

mod demo;
mod desk;
mod people;
mod roles;
mod shell;
mod telemetry;
mod usage;
