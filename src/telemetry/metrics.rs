//! Everything that is counted, as one set of OpenTelemetry instruments: the Prometheus page and
//! OTLP show the same numbers. What an alert may ask for is there at 0 from the start. Labels come
//! from small fixed sets, never from what somebody sent.

use std::sync::Arc;

use opentelemetry::KeyValue;
use opentelemetry::metrics::{Counter, Gauge, Histogram, Meter, MeterProvider, UpDownCounter};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::SdkMeterProvider;
use opentelemetry_sdk::metrics::reader::MetricReader;
use prometheus::{Encoder, Registry, TextEncoder};

use super::lossy::Lost;
use crate::domain::command::Kind;
use crate::domain::payment::DeadLetterReason;
use crate::ports::broker::Lane;

/// The numbers of the invariants (ARCHITECTURE.md).
pub const INVARIANTS: [&str; 12] =
    ["I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I11", "I12"];

/// What becomes of payments, as the events name it.
const OUTCOMES: [&str; 6] = ["paid", "authorized", "declined", "failed", "canceled", "pending"];

/// What becomes of notifications that nobody should have to look into.
const NOTIFICATIONS: [&str; 5] = ["kept", "known", "malformed", "forged", "unverifiable"];

/// Where rows are looked for that are due.
const TABLES: [&str; 3] = ["payments", "mandates", "outbox"];

/// Bounds of the histograms in seconds; Amazon answers in tenths of a second, or in many.
const SECONDS: [f64; 12] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 20.0];

/// The instruments of this process.
pub struct Metrics {
    registry: Registry,
    provider: SdkMeterProvider,
    payments: Counter<u64>,
    calls: Counter<u64>,
    call_duration: Histogram<f64>,
    messages: Counter<u64>,
    events: Counter<u64>,
    replies_lost: Counter<u64>,
    dead_letters: Counter<u64>,
    retries: Counter<u64>,
    throttles: Counter<u64>,
    broken: Counter<u64>,
    notifications: Counter<u64>,
    requests: Counter<u64>,
    request_duration: Histogram<f64>,
    outbox_backlog: Gauge<u64>,
    outbox_age: Gauge<f64>,
    due_backlog: Gauge<u64>,
    unreadable: Counter<u64>,
    in_hand: UpDownCounter<i64>,
    workers: Gauge<u64>,
    refused: Gauge<u64>,
}

impl Metrics {
    /// Instruments that nobody collects but the page.
    ///
    /// # Errors
    /// The SDK's own.
    pub fn local() -> Result<Arc<Self>, OTelSdkError> {
        let reader: Option<opentelemetry_sdk::metrics::ManualReader> = None;
        Self::new(Resource::builder_empty().build(), reader, &Arc::default())
    }

    pub(super) fn new(
        resource: Resource,
        reader: Option<impl MetricReader>,
        lost: &Arc<Lost>,
    ) -> Result<Arc<Self>, OTelSdkError> {
        let registry = Registry::new();
        let page = opentelemetry_prometheus::exporter().with_registry(registry.clone()).build()?;
        let mut builder = SdkMeterProvider::builder().with_resource(resource).with_reader(page);
        if let Some(reader) = reader {
            builder = builder.with_reader(reader);
        }
        let provider = builder.build();
        let meter = provider.meter("amazon-pay-worker");
        lost.observe(&meter);
        let metrics = Self::instruments(registry, provider, &meter);
        metrics.begin_at_zero();
        Ok(Arc::new(metrics))
    }

    fn instruments(registry: Registry, provider: SdkMeterProvider, meter: &Meter) -> Self {
        let counter = |name: &'static str, what: &'static str| {
            meter.u64_counter(name).with_description(what).build()
        };
        let gauge = |name: &'static str, what: &'static str| {
            meter.u64_gauge(name).with_description(what).build()
        };
        let seconds = |name: &'static str, what: &'static str| {
            let histogram = meter.f64_histogram(name).with_description(what).with_unit("s");
            histogram.with_boundaries(SECONDS.to_vec()).build()
        };
        Self {
            payments: counter("amazon_pay.payments", "results published of payments"),
            calls: counter("amazon_pay.calls", "calls to Amazon"),
            call_duration: seconds("amazon_pay.call.duration", "how long Amazon took"),
            messages: counter("amazon_pay.messages", "deliveries, and what became of them"),
            events: counter("amazon_pay.events.published", "events confirmed by the broker"),
            replies_lost: counter("amazon_pay.replies.lost", "replies whose queue was gone"),
            dead_letters: counter("amazon_pay.dead_letters", "commands put into the dead letters"),
            retries: counter("amazon_pay.retries", "runs to be made again after transient trouble"),
            throttles: counter("amazon_pay.throttles", "calls that Amazon's quota refused"),
            broken: counter("amazon_pay.invariants.broken", "what must never be true and was"),
            notifications: counter(
                "amazon_pay.notifications",
                "notifications of Amazon, and what became of them",
            ),
            requests: counter("amazon_pay.http.requests", "HTTP requests answered"),
            request_duration: seconds("amazon_pay.http.duration", "how long answers took"),
            outbox_backlog: gauge("amazon_pay.outbox.backlog", "events not yet published"),
            outbox_age: meter
                .f64_gauge("amazon_pay.outbox.age")
                .with_description("age of the oldest event not yet published")
                .with_unit("s")
                .build(),
            due_backlog: gauge("amazon_pay.due.backlog", "payments due and not in hand"),
            unreadable: counter(
                "amazon_pay.rows.unreadable",
                "rows that this process cannot read and leaves alone",
            ),
            in_hand: meter
                .i64_up_down_counter("amazon_pay.in_hand")
                .with_description("payments that this process drives at the moment")
                .build(),
            workers: gauge("amazon_pay.workers", "workers alive, as this one sees it"),
            refused: gauge(
                "amazon_pay.mid.refused",
                "1 while a MID's credentials are refused or cannot be opened",
            ),
            registry,
            provider,
        }
    }

    fn begin_at_zero(&self) {
        for number in INVARIANTS {
            self.broken.add(0, &[KeyValue::new("number", number)]);
        }
        for reason in DeadLetterReason::ALL {
            self.dead_letters.add(0, &[KeyValue::new("reason", reason.as_str())]);
        }
        for kind in Kind::ALL {
            for outcome in OUTCOMES {
                self.payments.add(0, &labels([("kind", kind.as_str()), ("outcome", outcome)]));
            }
        }
        for lane in Lane::ALL {
            self.messages.add(0, &labels([("lane", lane.queue()), ("result", "done")]));
        }
        for result in NOTIFICATIONS {
            self.notifications.add(0, &[KeyValue::new("result", result)]);
        }
        for counter in [&self.events, &self.replies_lost, &self.retries, &self.throttles] {
            counter.add(0, &[]);
        }
        self.in_hand.add(0, &[]);
        self.outbox_backlog.record(0, &[]);
        for charges in [false, true] {
            self.due(0, charges);
        }
        for table in TABLES {
            self.unreadable.add(0, &[KeyValue::new("table", table)]);
        }
        self.outbox_age.record(0.0, &[]);
    }

    /// A result of a payment was committed.
    pub fn payment(&self, kind: Kind, outcome: &'static str) {
        self.payments.add(1, &labels([("kind", kind.as_str()), ("outcome", outcome)]));
    }

    /// Amazon `answered`, or the fault's name.
    pub fn call(&self, operation: &'static str, result: &'static str, duration_ms: i64) {
        let labels = labels([("operation", operation), ("result", result)]);
        self.calls.add(1, &labels);
        self.call_duration.record(seconds(duration_ms), &labels);
    }

    /// A delivery was judged: `done`, `claimed` (it is driven now), `later`, or `held` because the
    /// database is away.
    pub fn message(&self, lane: Lane, result: &'static str) {
        self.messages.add(1, &labels([("lane", lane.queue()), ("result", result)]));
    }

    /// Events were confirmed.
    pub fn published(&self, count: u64) {
        self.events.add(count, &[]);
    }

    /// A reply found no queue.
    pub fn reply_lost(&self) {
        self.replies_lost.add(1, &[]);
    }

    /// A command was put into the dead letters.
    pub fn dead_letter(&self, reason: DeadLetterReason) {
        self.dead_letters.add(1, &[KeyValue::new("reason", reason.as_str())]);
    }

    /// A run will be made again.
    pub fn retry(&self) {
        self.retries.add(1, &[]);
    }

    /// Amazon's quota refused a call.
    pub fn throttled(&self, operation: &'static str) {
        self.throttles.add(1, &[KeyValue::new("operation", operation)]);
    }

    /// Something was found that must never be true.
    pub fn broken(&self, number: &'static str) {
        self.broken.add(1, &[KeyValue::new("number", number)]);
    }

    /// A notification came in (`kept`, `known`, `forged` …) or was heeded (`looked`, `foreign` …).
    pub fn notification(&self, result: &'static str) {
        self.notifications.add(1, &[KeyValue::new("result", result)]);
    }

    /// A request was answered; `route` is the route's pattern, never the path that was sent.
    pub fn request(&self, route: &'static str, status: u16, duration_ms: i64) {
        let status = KeyValue::new("status", i64::from(status));
        let labels = [KeyValue::new("route", route), status];
        self.requests.add(1, &labels);
        self.request_duration.record(seconds(duration_ms), &labels);
    }

    /// How many events wait to be published, and how old the oldest is.
    pub fn outbox(&self, backlog: u64, age_ms: i64) {
        self.outbox_backlog.record(backlog, &[]);
        self.outbox_age.record(seconds(age_ms), &[]);
    }

    /// How many payments are due and in nobody's hand: charges, or all else.
    pub fn due(&self, backlog: u64, charges: bool) {
        let kind = if charges { "charge" } else { "other" };
        self.due_backlog.record(backlog, &[KeyValue::new("kind", kind)]);
    }

    /// A row was found that cannot be read.
    pub fn unreadable(&self, table: &'static str) {
        self.unreadable.add(1, &[KeyValue::new("table", table)]);
    }

    /// A payment is in hand until what is given back is dropped.
    #[must_use]
    pub fn take_in_hand(self: &Arc<Self>) -> InHand {
        self.in_hand.add(1, &[]);
        InHand(Arc::clone(self))
    }

    /// How many workers are alive.
    pub fn workers(&self, alive: u32) {
        self.workers.record(u64::from(alive), &[]);
    }

    /// Whether Amazon refuses the credentials of a MID.
    pub fn refused(&self, mid: &str, refused: bool) {
        self.refused.record(u64::from(refused), &[KeyValue::new("mid", mid.to_owned())]);
    }

    /// The page: Prometheus text.
    ///
    /// # Errors
    /// The encoder's own.
    pub fn page(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.registry.gather(), &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    pub(super) const fn provider(&self) -> &SdkMeterProvider {
        &self.provider
    }
}

/// A payment in hand.
pub struct InHand(Arc<Metrics>);

impl Drop for InHand {
    fn drop(&mut self) {
        self.0.in_hand.add(-1, &[]);
    }
}

fn labels(pairs: [(&'static str, &'static str); 2]) -> [KeyValue; 2] {
    pairs.map(|(name, value)| KeyValue::new(name, value))
}

fn seconds(duration_ms: i64) -> f64 {
    let ms = u32::try_from(duration_ms.max(0)).unwrap_or(u32::MAX);
    f64::from(ms) / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line<'a>(page: &'a str, begin: &str) -> &'a str {
        page.lines()
            .find(|line| line.starts_with(begin))
            .unwrap_or_else(|| panic!("{begin}: {page}"))
    }

    #[test]
    fn what_alerts_ask_for_is_there_at_zero() {
        let page = Metrics::local().unwrap().page().unwrap();
        for number in INVARIANTS {
            let name = format!("amazon_pay_invariants_broken_total{{number=\"{number}\"");
            assert!(line(&page, &name).ends_with(" 0"), "{number}");
        }
        for reason in DeadLetterReason::ALL {
            let name = format!("amazon_pay_dead_letters_total{{reason=\"{}\"", reason.as_str());
            assert!(line(&page, &name).ends_with(" 0"));
        }
        for name in [
            "amazon_pay_payments_total{kind=\"order\",outcome=\"paid\"",
            "amazon_pay_messages_total{lane=\"lane.checkout.v1\"",
            "amazon_pay_events_published_total",
            "amazon_pay_replies_lost_total",
            "amazon_pay_retries_total",
            "amazon_pay_throttles_total",
            "amazon_pay_outbox_backlog",
            "amazon_pay_due_backlog{kind=\"charge\"",
            "amazon_pay_due_backlog{kind=\"other\"",
            "amazon_pay_rows_unreadable_total{table=\"outbox\"",
            "amazon_pay_in_hand",
            "amazon_pay_telemetry_lost_total{signal=\"traces\"",
        ] {
            assert!(line(&page, name).ends_with(" 0"), "{name}");
        }
    }

    #[test]
    fn what_happens_is_counted_under_its_labels() {
        let metrics = Metrics::local().unwrap();
        metrics.payment(Kind::Upsell, "declined");
        metrics.call("authorize", "answered", 1500);
        metrics.broken("I4");
        let held = metrics.take_in_hand();
        let page = metrics.page().unwrap();
        let one = |begin: &str| assert!(line(&page, begin).ends_with(" 1"), "{begin}: {page}");
        one("amazon_pay_payments_total{kind=\"upsell\",outcome=\"declined\"");
        one("amazon_pay_calls_total{operation=\"authorize\",result=\"answered\"");
        one("amazon_pay_invariants_broken_total{number=\"I4\"");
        one("amazon_pay_in_hand");
        assert!(line(&page, "amazon_pay_call_duration_seconds_sum").ends_with(" 1.5"));
        drop(held);
        assert!(line(&metrics.page().unwrap(), "amazon_pay_in_hand").ends_with(" 0"));
    }
}
