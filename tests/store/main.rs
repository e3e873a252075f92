//! The store's conformance suite: each test on SQLite and on PostgreSQL. It speaks to the ports
//! alone, so that whatever stands behind them one day keeps the same promises.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

#[path = "../support/mod.rs"]
mod support;

mod broken;
mod commits;
mod desk;
mod fixtures;
mod notifications;
mod people;
mod races;
mod relay;
mod schema;
mod sweep;
mod unreadable;
mod waiters;
