//! What a user would run instead: the workers of a directory of peers, by its own `bench.py`, on
//! the same services and the same kind of queue, each once in every round.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::meter::Figures;
use crate::report::{Kind, Report, Who};

/// The set-ups that came out best where all were tried: which of them wins depends on the machine
/// and on the latency.
const SET_UPS: [&str; 5] = [
    "celery-prefork-8-session",
    "celery-gevent-100-session",
    "node-100",
    "node-50-agent",
    "node-50x2-agent",
];

/// One round over the set-ups, with the results taken into the report.
pub(crate) fn round(folder: &Path, latencies_ms: &[u64], report: &mut Report) {
    let results = folder.join("results.jsonl");
    for &latency_ms in latencies_ms {
        for name in SET_UPS {
            fs::remove_file(&results).ok();
            let ended = Command::new(folder.join(".venv/bin/python"))
                .arg(folder.join("bench.py"))
                .args(["--runs", "1", "--max-foreign", "1", "--only", name])
                .args(["--lat", &latency_ms.to_string()])
                .env("PEER_QTYPE", "quorum")
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .status();
            let text = fs::read_to_string(&results).unwrap_or_default();
            let figures = match (ended, serde_json::from_str(text.trim())) {
                (Ok(ended), Ok(line)) if ended.success() => figures(&line),
                (ended, _) => Figures::void(format!("bench.py ended with {ended:?}")),
            };
            report.add(Kind::Throughput, latency_ms, Who::Peer(name.to_owned()), figures);
        }
    }
}

fn figures(line: &Value) -> Figures {
    if let Some(why) = line.get("void") {
        return Figures::void(why.to_string());
    }
    let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
    let cpu = |of: &str| number(&line["cpu_s_per_1000"][of]);
    Figures {
        orders_per_s: number(&line["orders_per_s"]),
        cpu: cpu("worker"),
        rabbitmq_cpu: cpu("rabbitmq"),
        postgres_cpu: cpu("postgres"),
        stub_cpu: cpu("stub"),
        foreign: line["foreign_share"].as_f64().unwrap_or(0.0),
        peak_mib: number(&line["peak_rss_mb"]),
        ..Figures::default()
    }
}
