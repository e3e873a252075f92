//! One look at all clocks at once, and what two looks say about the time between them.

use std::time::{Duration, Instant};

use crate::process::{busy_s, cores, cpu_s, peak_mib, tree_cpu_s};
use crate::world::{Ground, Places};

/// Whose processor time is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Meter {
    subject: u32,
    stub: u32,
    /// None of these for the embedded defaults.
    services: Option<(u32, u32)>,
}

/// A look.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Look {
    at: Instant,
    done: usize,
    subject: f64,
    stub: f64,
    rabbitmq: f64,
    postgres: f64,
    driver: f64,
    busy: f64,
}

/// What a run came to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Figures {
    pub(crate) orders_per_s: f64,
    /// Processor seconds for 1,000 orders.
    pub(crate) cpu: f64,
    pub(crate) rabbitmq_cpu: f64,
    pub(crate) postgres_cpu: f64,
    pub(crate) stub_cpu: f64,
    pub(crate) driver_cpu: f64,
    /// The part of the machine that programs outside of the benchmark used.
    pub(crate) foreign: f64,
    pub(crate) peak_mib: f64,
    /// Calls to Amazon for an order.
    pub(crate) calls: f64,
    /// From publish to event, in milliseconds.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Why none of this counts.
    pub(crate) void: Option<String>,
}

impl Figures {
    pub(crate) fn void(why: impl Into<String>) -> Self {
        Self { void: Some(why.into()), ..Self::default() }
    }
}

impl Meter {
    pub(crate) fn new(subject: u32, ground: &Ground, services: Option<&Places>) -> Self {
        let services = services.map(|places| (places.rabbitmq_pid, places.postgres_pid));
        Self { subject, stub: ground.stub.child.id(), services }
    }

    pub(crate) fn look(&self, done: usize) -> Look {
        let (rabbitmq, postgres) = self.services.unzip();
        Look {
            at: Instant::now(),
            done,
            subject: cpu_s(self.subject),
            stub: cpu_s(self.stub),
            rabbitmq: rabbitmq.map_or(0.0, cpu_s),
            postgres: postgres.map_or(0.0, tree_cpu_s),
            driver: cpu_s(std::process::id()),
            busy: busy_s(),
        }
    }

    /// The time between two looks.
    pub(crate) fn between(&self, from: &Look, to: &Look) -> Figures {
        let seconds = (to.at - from.at).as_secs_f64();
        let orders = to.done.saturating_sub(from.done) as f64;
        let known = (to.subject - from.subject)
            + (to.stub - from.stub)
            + (to.rabbitmq - from.rabbitmq)
            + (to.postgres - from.postgres)
            + (to.driver - from.driver);
        let per = |used: f64| used / orders * 1_000.0;
        Figures {
            orders_per_s: orders / seconds,
            cpu: per(to.subject - from.subject),
            rabbitmq_cpu: per(to.rabbitmq - from.rabbitmq),
            postgres_cpu: per(to.postgres - from.postgres),
            stub_cpu: per(to.stub - from.stub),
            driver_cpu: per(to.driver - from.driver),
            foreign: ((to.busy - from.busy - known) / (seconds * cores())).max(0.0),
            peak_mib: peak_mib(self.subject),
            ..Figures::default()
        }
    }
}

/// Median and 99th percentile of times, in milliseconds.
pub(crate) fn percentiles(mut times: Vec<Duration>) -> (f64, f64) {
    times.sort_unstable();
    let at = |part: usize| {
        let place = (times.len() * part / 100).min(times.len().saturating_sub(1));
        times.get(place).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0)
    };
    (at(50), at(99))
}
