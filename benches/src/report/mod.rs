//! The table: medians and spread over the rounds, and the ratios that count. Absolute figures move
//! with the machine; what may be compared is what one run of the benchmark shows side by side.

mod per_call;

use std::collections::BTreeMap;
use std::fmt::Write;

use serde_json::{Value, json};

use crate::drain::Findings;
use crate::meter::Figures;

/// What was run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// A full queue worked off.
    Throughput,
    /// Half of that, steadily.
    Latency,
    /// All in hand at once.
    Memory,
}

/// Everybody who is measured.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Who {
    /// The worker on RabbitMQ and PostgreSQL, by MWS.
    Worker,
    /// The same by API v2.
    WorkerV2,
    /// The bare loop on the same.
    Bare,
    /// The worker on its embedded defaults.
    Embedded,
    /// Another's worker, by its name.
    Peer(String),
}

impl Who {
    fn name(&self) -> &str {
        match self {
            Who::Worker => "worker, RabbitMQ quorum + PostgreSQL",
            Who::WorkerV2 => "worker by API v2, RabbitMQ quorum + PostgreSQL",
            Who::Bare => "bare loop, RabbitMQ quorum + PostgreSQL",
            Who::Embedded => "worker, embedded + SQLite",
            Who::Peer(name) => name,
        }
    }
}

/// One cell of the plan: what, with which latency at Amazon, of whom.
type Cell = (Kind, u64, Who);

/// All results.
#[derive(Debug, Default)]
pub(crate) struct Report {
    runs: BTreeMap<Cell, Vec<Figures>>,
    /// What 1,000 signatures of API v2 cost by themselves, in processor seconds.
    pub(crate) signatures: Option<f64>,
    pub(crate) drain: Option<Findings>,
}

#[derive(Debug, Clone, Copy)]
struct Spread {
    median: f64,
    min: f64,
    max: f64,
}

impl Spread {
    fn show(self, digits: usize) -> String {
        let Self { median, min, max } = self;
        format!("{median:.digits$} ({min:.digits$}–{max:.digits$})")
    }
}

/// A figure of a run.
type Part = fn(&Figures) -> f64;

impl Report {
    pub(crate) fn add(&mut self, kind: Kind, latency_ms: u64, who: Who, figures: Figures) {
        self.runs.entry((kind, latency_ms, who)).or_default().push(figures);
    }

    /// Whether every run counts.
    pub(crate) fn is_whole(&self) -> bool {
        self.runs.values().flatten().all(|figures| figures.void.is_none())
            && self.drain.as_ref().is_none_or(|drain| drain.void.is_none())
    }

    fn spread(&self, kind: Kind, latency_ms: u64, who: &Who, part: Part) -> Option<Spread> {
        let runs = self.runs.get(&(kind, latency_ms, who.clone()))?;
        let good = runs.iter().filter(|figures| figures.void.is_none());
        let mut values: Vec<f64> = good.map(part).collect();
        values.sort_unstable_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            1 => values[middle],
            _ => f64::midpoint(values[middle - 1], values[middle]),
        };
        Some(Spread { median, min, max })
    }

    /// The rate that half load is half of.
    pub(crate) fn rate(&self, latency_ms: u64, who: &Who) -> Option<f64> {
        self.spread(Kind::Throughput, latency_ms, who, |f| f.orders_per_s).map(|rate| rate.median)
    }

    fn rows(&self, kind: Kind) -> impl Iterator<Item = (u64, &Who)> {
        let cells = self.runs.keys().filter(move |(of, ..)| *of == kind);
        cells.map(|(_, latency_ms, who)| (*latency_ms, who))
    }

    pub(crate) fn tables(&self) -> String {
        let mut out = String::new();
        self.throughput(&mut out);
        self.latency(&mut out);
        self.memory(&mut out);
        self.ratios(&mut out);
        per_call::table(self, &mut out);
        if let Some(drain) = &self.drain {
            drain.tables(&mut out);
        }
        for ((kind, latency_ms, who), runs) in &self.runs {
            for why in runs.iter().filter_map(|figures| figures.void.as_ref()) {
                line(&mut out, &format!("VOID {kind:?}, {latency_ms} ms, {}: {why}", who.name()));
            }
        }
        let foreign = self.runs.values().flatten().map(|figures| figures.foreign);
        let foreign = foreign.chain(self.drain.as_ref().map(|drain| drain.foreign));
        let foreign = foreign.fold(0.0, f64::max) * 100.0;
        line(&mut out, &format!("other programs used at most {foreign:.0} % of the machine"));
        out
    }

    fn throughput(&self, out: &mut String) {
        let head = [
            "a full queue worked off",
            "Amazon",
            "orders/s",
            "its CPU s / 1,000",
            "peak MiB",
            "RabbitMQ / PostgreSQL / stub / driver CPU s / 1,000",
            "runs",
        ];
        self.table(out, Kind::Throughput, &head, |latency_ms, who| {
            let show = |part: Part, digits: usize| {
                let spread = self.spread(Kind::Throughput, latency_ms, who, part);
                spread.map_or_else(|| "void".to_owned(), |spread| spread.show(digits))
            };
            let median = |part: Part| {
                let spread = self.spread(Kind::Throughput, latency_ms, who, part);
                spread.map_or(f64::NAN, |spread| spread.median)
            };
            let beside = [
                median(|f| f.rabbitmq_cpu),
                median(|f| f.postgres_cpu),
                median(|f| f.stub_cpu),
                median(|f| f.driver_cpu),
            ];
            vec![
                show(|f| f.orders_per_s, 0),
                show(|f| f.cpu, 2),
                show(|f| f.peak_mib, 0),
                beside.map(|cpu| format!("{cpu:.2}")).join(" / "),
            ]
        });
    }

    fn latency(&self, out: &mut String) {
        let head = [
            "publish to event at half load",
            "Amazon",
            "orders/s",
            "p50 ms",
            "p99 ms",
            "its CPU s / 1,000",
            "runs",
        ];
        self.table(out, Kind::Latency, &head, |latency_ms, who| {
            let show = |part: Part, digits: usize| {
                let spread = self.spread(Kind::Latency, latency_ms, who, part);
                spread.map_or_else(|| "void".to_owned(), |spread| spread.show(digits))
            };
            vec![
                show(|f| f.orders_per_s, 0),
                show(|f| f.p50, 1),
                show(|f| f.p99, 1),
                show(|f| f.cpu, 2),
            ]
        });
    }

    fn memory(&self, out: &mut String) {
        let head = ["1,000 orders in hand at once", "Amazon", "peak MiB", "runs"];
        self.table(out, Kind::Memory, &head, |latency_ms, who| {
            let spread = self.spread(Kind::Memory, latency_ms, who, |f| f.peak_mib);
            vec![spread.map_or_else(|| "void".to_owned(), |spread| spread.show(0))]
        });
    }

    fn table(
        &self,
        out: &mut String,
        kind: Kind,
        head: &[&str],
        cells: impl Fn(u64, &Who) -> Vec<String>,
    ) {
        if self.rows(kind).next().is_none() {
            return;
        }
        line(out, &format!("| {} |", head.join(" | ")));
        line(out, &format!("|{}", " --- |".repeat(head.len())));
        for (latency_ms, who) in self.rows(kind) {
            let runs = &self.runs[&(kind, latency_ms, who.clone())];
            let good = runs.iter().filter(|figures| figures.void.is_none()).count();
            let mut row = vec![who.name().to_owned(), format!("{latency_ms} ms")];
            row.extend(cells(latency_ms, who));
            row.push(format!("{good} of {}", runs.len()));
            line(out, &format!("| {} |", row.join(" | ")));
        }
        line(out, "");
    }

    /// What is asked for, beside what came of it.
    fn ratios(&self, out: &mut String) {
        if self.rows(Kind::Throughput).chain(self.rows(Kind::Memory)).next().is_none() {
            return;
        }
        line(out, "| worker, RabbitMQ + PostgreSQL | wanted | is | |");
        line(out, "| --- | --- | --- | --- |");
        for (latency_ms, _) in self.rows(Kind::Throughput).filter(|(_, who)| **who == Who::Worker) {
            self.ratios_at(out, latency_ms);
        }
        let memory =
            self.runs.keys().find(|(kind, _, who)| *kind == Kind::Memory && *who == Who::Worker);
        if let Some((_, latency_ms, _)) = memory {
            let peak = self.spread(Kind::Memory, *latency_ms, &Who::Worker, |f| f.peak_mib);
            row(out, "peak MiB with 1,000 in hand", "≤ 64", peak.map(|p| p.median), |v| {
                v <= 64.0
            });
        }
        line(out, "");
    }

    fn ratios_at(&self, out: &mut String, latency_ms: u64) {
        let at = |what: &str| format!("{what}, {latency_ms} ms a call");
        let rate = self.rate(latency_ms, &Who::Worker);
        let over = |other: Option<f64>| Some(rate? / other?);
        let ratio = over(self.rate(latency_ms, &Who::Bare));
        row(out, &at("orders/s over the bare loop's"), "≥ 0.7", ratio, |v| v >= 0.7);
        for (family, wanted) in [("celery", 5.0), ("node", 1.7)] {
            let names = self.rows(Kind::Throughput).filter(|(at, who)| {
                *at == latency_ms && matches!(who, Who::Peer(name) if name.starts_with(family))
            });
            let rates = names.filter_map(|(_, who)| self.rate(latency_ms, who));
            let best = rates
                .fold(None, |best: Option<f64>, rate| Some(best.map_or(rate, |b| b.max(rate))));
            if let Some(ratio) = over(best) {
                let what = at(&format!("orders/s over {family}'s best"));
                row(out, &what, &format!("≥ {wanted}"), Some(ratio), |v| v >= wanted);
            }
        }
        let cpu = self.spread(Kind::Throughput, latency_ms, &Who::Worker, |f| f.cpu);
        let what = at("its CPU s for 1,000 orders");
        row(out, &what, "≤ 0.6", cpu.map(|cpu| cpu.median), |v| v <= 0.6);
        let apart = |part: Part| {
            let of = |who: &Who| self.spread(Kind::Latency, latency_ms, who, part);
            Some(of(&Who::Worker)?.median - of(&Who::Bare)?.median)
        };
        let what = at("p50 ms above the bare loop's, half load");
        row(out, &what, "≤ 5", apart(|f| f.p50), |v| v <= 5.0);
        let what = at("p99 ms above the bare loop's, half load");
        row(out, &what, "≤ 25", apart(|f| f.p99), |v| v <= 25.0);
    }

    /// Every run, for programs.
    pub(crate) fn json(&self) -> Value {
        let runs = self.runs.iter().flat_map(|((kind, latency_ms, who), runs)| {
            runs.iter().map(move |f| {
                json!({
                    "run": format!("{kind:?}"), "who": who.name(), "latency_ms": latency_ms,
                    "orders_per_s": f.orders_per_s, "cpu_s_per_1000": f.cpu, "calls": f.calls,
                    "rabbitmq_cpu": f.rabbitmq_cpu, "postgres_cpu": f.postgres_cpu,
                    "stub_cpu": f.stub_cpu, "driver_cpu": f.driver_cpu, "foreign": f.foreign,
                    "peak_mib": f.peak_mib, "p50_ms": f.p50, "p99_ms": f.p99, "void": f.void,
                })
            })
        });
        let drain = self.drain.as_ref().map(Findings::json);
        let signatures = self.signatures.map(|cpu| json!({ "signatures_cpu_s_per_1000": cpu }));
        runs.chain(drain).chain(signatures).collect()
    }
}

pub(crate) fn line(out: &mut String, text: &str) {
    writeln!(out, "{text}").expect("a string takes whatever is written");
}

pub(crate) fn row(
    out: &mut String,
    what: &str,
    wanted: &str,
    is: Option<f64>,
    good: impl Fn(f64) -> bool,
) {
    let (is, verdict) = match is {
        Some(value) => (format!("{value:.2}"), if good(value) { "ok" } else { "MISSED" }),
        None => ("void".to_owned(), "MISSED"),
    };
    line(out, &format!("| {what} | {wanted} | {is} | {verdict} |"));
}
