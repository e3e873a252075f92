//! What the black-box tests stand on: private services, the matrix of brokers and stores, the real
//! program as processes, its simulator and its queues. Each `tests/<name>/main.rs` takes it in by
//! `#[path = "../support/mod.rs"] mod support;`. It knows the public contract and nothing else.
#![allow(dead_code, unused_imports, unused_macros, reason = "no test binary uses all of it")]

pub(crate) mod amqp;
pub(crate) mod app;
pub(crate) mod buyer;
pub(crate) mod chance;
pub(crate) mod http;
pub(crate) mod matrix;
pub(crate) mod process;
pub(crate) mod services;
pub(crate) mod sim;
pub(crate) mod v2;

pub(crate) use amqp::Queues;
pub(crate) use app::{App, AppBuilder};
pub(crate) use matrix::{Api, Broker, Combination, Store};
pub(crate) use matrix::{
    on_every_api, on_every_broker, on_every_combination, on_every_queue, on_every_store,
};

use std::time::Duration;

/// How often a wait looks, and how many times: a bound, so that a test ends, and never what is
/// asserted. Generous, because the machine may be busy with other tests; and what takes long is
/// looked at less often, because these are many.
const LOOKS: usize = 600;
const SHORT_LOOKS: usize = 20;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
const BETWEEN_LATE_LOOKS: Duration = Duration::from_millis(250);

/// Looks until there is something, or fails with the name of what did not come.
pub(crate) async fn eventually<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    for number in 0..LOOKS {
        if let Some(found) = look().await {
            return found;
        }
        let is_late = number >= SHORT_LOOKS;
        let pause = if is_late { BETWEEN_LATE_LOOKS } else { BETWEEN_LOOKS };
        tokio::time::sleep(pause).await;
    }
    panic!("it never came: {what}")
}
