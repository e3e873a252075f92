//! API v2 beside MWS, by the call: an order takes more of them by v2, so orders are no measure.

use super::{Kind, Part, Report, Who, line, row};

/// Of the calls of an order those that follow one another; the buyer's details are read beside.
const IN_A_ROW: [(Who, f64); 2] = [(Who::Worker, 3.0), (Who::WorkerV2, 4.0)];

pub(super) fn table(report: &Report, out: &mut String) {
    let rows = report.rows(Kind::Throughput).filter(|(_, who)| **who == Who::WorkerV2);
    let latencies: Vec<u64> = rows.map(|(latency_ms, _)| latency_ms).collect();
    let (Some(signatures), Some(_)) = (report.signatures, latencies.first()) else { return };
    line(out, "| API v2 by the call, over MWS | MWS | v2 | wanted | is | |");
    line(out, "| --- | --- | --- | --- | --- | --- |");
    for latency_ms in latencies {
        let at = |what: &str| format!("{what}, {latency_ms} ms a call");
        let both = |kind: Kind, part: Part| {
            let [(mws, _), (v2, _)] = &IN_A_ROW;
            let of = |who: &Who| Some(report.spread(kind, latency_ms, who, part)?.median);
            (of(mws), of(v2))
        };
        let rates = both(Kind::Throughput, |f| f.orders_per_s * f.calls);
        compare(out, &at("calls/s"), rates, 0, "≥ 0.85", |v| v >= 0.85);
        let cpu = both(Kind::Throughput, |f| f.cpu / f.calls);
        compare(out, &at("its CPU s / 1,000 calls"), cpu, 3, "≤ 1.15", |v| v <= 1.15);
        let besides = (cpu.0, cpu.1.map(|cpu| cpu - signatures));
        let what = at("the same less the RSA of 1,000 signatures");
        compare(out, &what, besides, 3, "≤ 1.15", |v| v <= 1.15);
        let times = both(Kind::Latency, |f| f.p50);
        let [(_, by_mws), (_, by_v2)] = IN_A_ROW;
        let times = (times.0.map(|ms| ms / by_mws), times.1.map(|ms| ms / by_v2));
        let what = at("p50 ms of an order by its calls in a row, half load");
        compare(out, &what, times, 2, "≤ 1.15", |v| v <= 1.15);
    }
    line(out, "");
    line(out, &format!("1,000 signatures of API v2 alone: {signatures:.2} CPU s"));
    line(out, "");
}

fn compare(
    out: &mut String,
    what: &str,
    (mws, v2): (Option<f64>, Option<f64>),
    digits: usize,
    wanted: &str,
    good: impl Fn(f64) -> bool,
) {
    let (Some(mws), Some(v2)) = (mws, v2) else { return };
    let beside = format!("{what} | {mws:.digits$} | {v2:.digits$}");
    row(out, &beside, wanted, Some(v2 / mws), good);
}
