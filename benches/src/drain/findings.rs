//! What a drain has shown, and what was wanted.

use std::time::Duration;

use serde_json::{Value, json};

use super::CHARGED;
use crate::meter::percentiles;
use crate::report::{line, row};

/// All charges have been taken in by then, about.
const FLOOD: Duration = Duration::from_secs(5);

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Findings {
    pub(super) charges: usize,
    /// Of checkouts, from publish to event.
    pub(super) without: Vec<Duration>,
    /// And how long after the charges they came.
    pub(super) with: Vec<(Duration, Duration)>,
    /// How long each drain took.
    pub(super) drains: Vec<Duration>,
    /// What the quota of charges offered while any waited, and what was taken of it.
    pub(super) offered: f64,
    pub(super) taken: f64,
    /// The account that used the least of it.
    pub(super) least: f64,
    pub(super) calls: f64,
    pub(super) throttled: f64,
    /// Processor seconds of the worker for 1,000 charges, with the checkouts beside them.
    pub(super) cpu: f64,
    pub(crate) foreign: f64,
    pub(crate) void: Option<String>,
}

impl Findings {
    /// Adds what the stub says of a drain's quotas.
    pub(super) fn add_quotas(&mut self, told: &Value) {
        self.calls += told["calls"].as_f64().unwrap_or(f64::NAN);
        let throttled = told["throttled"].as_object().into_iter().flatten();
        self.throttled += throttled.filter_map(|(_, times)| times.as_f64()).sum::<f64>();
        for account in told["accounts"].as_array().into_iter().flatten() {
            let number = |name: &str| account[name].as_f64().unwrap_or(f64::NAN);
            self.offered += number("offered");
            self.taken += number("taken");
            self.least = self.least.min(number("taken") / number("offered"));
        }
    }

    /// Checkouts beside charges, by the time since these came.
    fn beside(&self, when: impl Fn(Duration) -> bool) -> Vec<Duration> {
        let chosen = self.with.iter().filter(|(after, _)| when(*after));
        chosen.map(|(_, took)| *took).collect()
    }

    fn used(&self) -> f64 {
        self.taken / self.offered
    }

    fn share_throttled(&self) -> f64 {
        self.throttled / self.calls
    }

    /// What was found, and what was wanted.
    pub(crate) fn tables(&self, out: &mut String) {
        let head = format!("{} charges over {CHARGED} MIDs at once", self.charges);
        line(out, &format!("| {head}, 10 checkouts/s | p50 ms | p99 ms | checkouts |"));
        line(out, "| --- | --- | --- | --- |");
        let mut p99s = Vec::new();
        let rows = [
            ("without", self.without.clone()),
            ("with", self.beside(|_| true)),
            ("… in the first 5 s", self.beside(|after| after < FLOOD)),
            ("… in the 10 s after", self.beside(|after| (FLOOD..3 * FLOOD).contains(&after))),
            ("… later", self.beside(|after| after >= 3 * FLOOD)),
        ];
        for (name, times) in rows {
            let seen = times.len();
            let (p50, p99) = percentiles(times);
            p99s.push(p99);
            line(out, &format!("| {name} | {p50:.1} | {p99:.1} | {seen} |"));
        }
        let drains: Vec<String> =
            self.drains.iter().map(|took| format!("{:.1}", took.as_secs_f64())).collect();
        line(out, "");
        let (used, least) = (self.used() * 100.0, self.least * 100.0);
        line(
            out,
            &format!(
                "drains took {} s; {used:.1} % of the quota was used \
                 (by one account {least:.1} %), {:.0} of {:.0} calls were throttled; \
                 the worker's CPU s / 1,000 charges, with the checkouts: {:.2}",
                drains.join(", "),
                self.throttled,
                self.calls,
                self.cpu,
            ),
        );
        line(out, "");
        line(out, "| a backlog of charges | wanted | is | |");
        line(out, "| --- | --- | --- | --- |");
        let is = |value: f64| self.void.is_none().then_some(value);
        let most = (p99s[0] / 10.0).max(5.0);
        let what = "p99 ms of checkouts above that without";
        row(out, what, &format!("≤ {most:.1}"), is(p99s[1] - p99s[0]), |v| v <= most);
        row(out, "share of the quota that is used", "≥ 0.95", is(self.used()), |v| v >= 0.95);
        let what = "share of calls that are throttled";
        row(out, what, "< 0.01", is(self.share_throttled()), |v| v < 0.01);
        let least = self.without.len().min(self.with.len()) as f64;
        row(out, "checkouts of either kind", "≥ 1000", is(least), |v| v >= 1_000.0);
        line(out, "");
    }

    /// For programs.
    pub(crate) fn json(&self) -> Value {
        let without = percentiles(self.without.clone());
        let with = percentiles(self.beside(|_| true));
        json!({
            "run": "Drain", "charges": self.charges, "void": self.void, "foreign": self.foreign,
            "without": { "p50_ms": without.0, "p99_ms": without.1, "n": self.without.len() },
            "with": { "p50_ms": with.0, "p99_ms": with.1, "n": self.with.len() },
            "drains_s": self.drains.iter().map(Duration::as_secs_f64).collect::<Vec<_>>(),
            "used": self.used(), "least": self.least,
            "calls": self.calls, "throttled": self.throttled, "cpu_s_per_1000": self.cpu,
        })
    }
}
