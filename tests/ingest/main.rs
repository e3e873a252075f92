//! Ingest over models of its ports: every encoding, every amount rule, every row of the table of
//! errors, and what happens while something is away. Time is paused, so that no wait takes any.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

mod access;
mod amounts;
mod encodings;
mod notifications;
mod openapi;
mod ports;
mod problems;
mod reading;
mod repeats;
mod secrets;
mod upsales;
mod verdicts;
mod wire;
mod world;
