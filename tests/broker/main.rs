//! One conformance suite over every broker behind the port: RabbitMQ and the embedded one must be
//! the same to whoever publishes and consumes. What a broker alone can do has a file of its own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

#[path = "../support/mod.rs"]
mod support;

mod consuming;
mod embedded;
mod faults;
mod publishing;
mod world;
