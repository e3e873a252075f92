//! The benchmark's one program: the driver, and the stub and the bare loop that it starts as
//! processes of their own. Run it by `./bench`; docs/benchmarks.md says what the figures mean.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a benchmark reads clocks, prints, and ends where something is not as it must be"
)]

mod bare;
mod drain;
mod embedded;
mod meter;
mod orders;
mod peers;
mod process;
mod pss;
mod queues;
mod report;
mod run;
mod sign;
mod stub;
mod world;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;

use crate::queues::Subject;
use crate::report::{Kind, Report, Who};
use crate::run::Plan;
use crate::world::{Places, World};

/// Milliseconds that Amazon's stub takes for a call.
const LATENCIES_MS: [u64; 2] = [0, 50];
/// Where memory is looked at, Amazon is so slow that all orders are in hand before one is done.
const SLOW_MS: u64 = 2_000;
const IN_HAND: usize = 1_000;
/// Room for them: no account may fill what it leaves free for the others, so some stays free.
const ROOM: u16 = 1_200;
/// Of that half load lasts in a run for latency.
const STEADY_S: f64 = 8.0;

/// Who stands on RabbitMQ and PostgreSQL, each after the other in every round.
const SUBJECTS: [(Subject, Who); 3] = [
    (Subject::Worker, Who::Worker),
    (Subject::WorkerV2, Who::WorkerV2),
    (Subject::Bare, Who::Bare),
];

#[derive(clap::Parser)]
enum Cli {
    /// Answers for Amazon.
    Stub {
        /// Where it listens, on loopback.
        port: u16,
        /// How long each answer takes.
        latency_ms: u64,
    },
    /// The work of an order without anything around it.
    BareLoop(bare::Options),
    /// Runs everything and prints the tables.
    Drive(Drive),
}

#[derive(clap::Args)]
struct Drive {
    #[command(flatten)]
    places: Places,
    /// Over how many rounds medians are taken; by default 3, with --quick 1.
    #[arg(long)]
    rounds: Option<usize>,
    /// Fewer orders and less time.
    #[arg(long)]
    quick: bool,
    /// Payments in hand at once, for the worker and the bare loop alike.
    #[arg(long, default_value_t = 256)]
    concurrency: u16,
    /// Only runs whose name contains this: throughput, latency, memory, drain.
    #[arg(long, default_value = "")]
    only: String,
    /// Orders per second in the runs for latency, in place of half of what was measured before.
    #[arg(long)]
    rate: Option<f64>,
    /// Only over RabbitMQ and PostgreSQL.
    #[arg(long)]
    no_embedded: bool,
    /// A directory of peers, made ready.
    #[arg(long)]
    peers: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> ExitCode {
    // Fails only where it is there already.
    drop(rustls::crypto::ring::default_provider().install_default());
    match Cli::parse() {
        Cli::Stub { port, latency_ms } => stub::serve(port, latency_ms).await,
        Cli::BareLoop(options) => bare::run(options).await,
        Cli::Drive(drive) => {
            let folder = drive.places.folder.clone();
            let stop = tokio::signal::ctrl_c();
            let mut ended =
                tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                    .expect("a signal handler");
            // Dropping the driver ends its children.
            let report = tokio::select! {
                report = drive.run() => report,
                _ = stop => return ExitCode::FAILURE,
                _ = ended.recv() => return ExitCode::FAILURE,
            };
            let tables = report.tables();
            println!("{tables}");
            fs::write(folder.join("results.md"), &tables).expect("a file");
            fs::write(folder.join("results.json"), report.json().to_string()).expect("a file");
            if !report.is_whole() {
                eprintln!("a run was void: its logs are in {}", folder.display());
                return ExitCode::FAILURE;
            }
        }
    }
    ExitCode::SUCCESS
}

impl Drive {
    async fn run(self) -> Report {
        let mut world = World::new(self.places.clone()).await;
        let mut report = Report::default();
        let rounds = self.rounds.unwrap_or(if self.quick { 1 } else { 3 });
        for round in 1..=rounds {
            // In rounds, so that a drift of the machine meets everybody alike.
            for latency_ms in LATENCIES_MS {
                self.throughputs(&mut world, &mut report, latency_ms).await;
            }
            for latency_ms in LATENCIES_MS {
                self.latencies(&mut world, &mut report, latency_ms).await;
            }
            self.memories(&mut world, &mut report).await;
            if let Some(folder) = self.peers.as_ref().filter(|_| self.wants("throughput")) {
                peers::round(folder, &LATENCIES_MS, &mut report);
            }
            eprintln!("round {round} of {rounds} is done");
        }
        if self.wants("drain") {
            report.drain = Some(drain::drain(&mut world, self.drain_plan()).await);
        }
        report
    }

    fn wants(&self, what: &str) -> bool {
        what.contains(&self.only)
    }

    fn plan(&self, subject: Subject, latency_ms: u64) -> Plan {
        Plan {
            subject,
            latency_ms,
            orders: if self.quick { 2_000 } else { 4_000 },
            concurrency: self.concurrency,
            patience: Duration::from_secs(if self.quick { 3 } else { 10 }),
        }
    }

    fn drain_plan(&self) -> drain::Plan {
        let plan = self.plan(Subject::Worker, 0);
        let (charges, drains, calm_s) = if self.quick { (1_500, 1, 15) } else { (5_000, 2, 56) };
        drain::Plan {
            charges,
            drains,
            calm: Duration::from_secs(calm_s),
            concurrency: plan.concurrency,
            patience: plan.patience,
        }
    }

    async fn throughputs(&self, world: &mut World, report: &mut Report, latency_ms: u64) {
        if !self.wants("throughput") {
            return;
        }
        report.signatures.get_or_insert_with(pss::cost_of_1000);
        for (subject, who) in SUBJECTS {
            let figures = run::throughput(world, self.plan(subject, latency_ms)).await;
            self.note(report, Kind::Throughput, latency_ms, who, figures);
        }
        if !self.no_embedded {
            let figures = embedded::throughput(world, self.plan(Subject::Worker, latency_ms)).await;
            self.note(report, Kind::Throughput, latency_ms, Who::Embedded, figures);
        }
    }

    async fn latencies(&self, world: &mut World, report: &mut Report, latency_ms: u64) {
        if !self.wants("latency") {
            return;
        }
        let steadily = |rate: f64, subject| Plan {
            orders: (rate * if self.quick { STEADY_S / 2.0 } else { STEADY_S }) as usize,
            ..self.plan(subject, latency_ms)
        };
        // Without a throughput there is no half of it; then at a rate that every machine bears.
        let half = |report: &Report, who| {
            self.rate.unwrap_or_else(|| report.rate(latency_ms, who).unwrap_or(200.0) / 2.0)
        };
        let by_mws = half(report, &Who::Worker);
        let by_v2 = half(report, &Who::WorkerV2);
        for (subject, who) in SUBJECTS {
            let rate = if who == Who::WorkerV2 { by_v2 } else { by_mws };
            let figures = run::latency(world, steadily(rate, subject), rate).await;
            self.note(report, Kind::Latency, latency_ms, who, figures);
        }
        if !self.no_embedded {
            let rate = half(report, &Who::Embedded);
            let plan = steadily(rate, Subject::Worker);
            let figures = embedded::latency(world, plan, rate).await;
            self.note(report, Kind::Latency, latency_ms, Who::Embedded, figures);
        }
    }

    async fn memories(&self, world: &mut World, report: &mut Report) {
        if !self.wants("memory") {
            return;
        }
        let in_hand =
            |subject| Plan { orders: IN_HAND, concurrency: ROOM, ..self.plan(subject, SLOW_MS) };
        for (subject, who) in [(Subject::Worker, Who::Worker), (Subject::Bare, Who::Bare)] {
            let figures = run::memory(world, in_hand(subject)).await;
            self.note(report, Kind::Memory, SLOW_MS, who, figures);
        }
        if !self.no_embedded {
            let figures = embedded::memory(world, in_hand(Subject::Worker)).await;
            self.note(report, Kind::Memory, SLOW_MS, Who::Embedded, figures);
        }
    }

    fn note(&self, report: &mut Report, kind: Kind, ms: u64, who: Who, figures: meter::Figures) {
        let result = match (&figures.void, kind) {
            (Some(why), _) => format!("void: {why}"),
            (None, Kind::Throughput) => format!("{:.0} orders/s", figures.orders_per_s),
            (None, Kind::Latency) => format!("p50 {:.1}, p99 {:.1} ms", figures.p50, figures.p99),
            (None, Kind::Memory) => format!("{:.0} MiB", figures.peak_mib),
        };
        let (cpu, foreign) = (figures.cpu, figures.foreign * 100.0);
        eprintln!(
            "{kind:?} {who:?} {ms} ms: {result}, {cpu:.2} CPU s / 1,000, foreign {foreign:.0} %"
        );
        report.add(kind, ms, who, figures);
    }
}
