//! Starts telemetry once for the process: log lines to standard error, and, where a collector is
//! named, traces and metrics by OTLP over HTTP. A collector that is away stops nothing.

use std::sync::Arc;
use std::time::Duration;

use opentelemetry::trace::TracerProvider;
use opentelemetry::{Key, Value};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::metrics::periodic_reader_with_async_runtime::PeriodicReader;
use opentelemetry_sdk::runtime::Tokio;
use opentelemetry_sdk::trace::SdkTracerProvider;
use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
use tracing::Level;
use tracing_subscriber::filter::{FilterExt, Targets, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry};

use super::lossy::{Counting, CountingTokio, Lost};
use super::metrics::Metrics;
use super::trace;
use crate::config;
use crate::config::LogFormat;

/// How long the last spans and numbers may take to leave.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why telemetry cannot start: a variable of OpenTelemetry's that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum InitError {
    /// An exporter cannot be made.
    #[error("the OTLP exporter cannot be made")]
    Exporter(#[from] opentelemetry_otlp::ExporterBuildError),
    /// The SDK refuses.
    #[error("the metrics cannot be set up")]
    Sdk(#[from] OTelSdkError),
}

/// Telemetry of this process, while it lives.
pub struct Telemetry {
    /// The instruments.
    pub metrics: Arc<Metrics>,
    tracer: Option<SdkTracerProvider>,
}

/// Starts telemetry; within a Tokio runtime, after the TLS provider is installed.
///
/// # Errors
/// See [`InitError`].
pub fn init(config: &config::Telemetry) -> Result<Telemetry, InitError> {
    let lost = Arc::new(Lost::default());
    let reader = if config.metrics { Some(reader(&lost)?) } else { None };
    let metrics = Metrics::new(resource(), reader, &lost)?;
    let tracer = if config.traces { Some(tracer(&lost)?) } else { None };
    let spans = tracer.as_ref().map(|provider| {
        let layer = tracing_opentelemetry::layer()
            .with_tracer(provider.tracer("amazon-pay-worker"))
            .with_location(false)
            .with_threads(false);
        layer.with_filter(Targets::new().with_target("amazon_pay_worker", Level::INFO))
    });
    let subscriber = tracing_subscriber::registry().with(lines(config)).with(spans);
    // A second start in one process (tests) keeps the first subscriber.
    drop(subscriber.try_init());
    Ok(Telemetry { metrics, tracer })
}

fn lines(config: &config::Telemetry) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    // lapin writes whole messages into its lines; what matters of it is told by the adapter. No
    // line is written within a call to Amazon: its span is for traces, and costs nothing here.
    let ours = filter_fn(|metadata| {
        !metadata.target().starts_with("lapin") && metadata.name() != trace::AMAZON_CALL
    });
    let filter = config.filter.clone().and(ours);
    match config.format {
        LogFormat::Text => layer.with_ansi(false).with_filter(filter).boxed(),
        LogFormat::Json => layer
            .json()
            .flatten_event(true)
            .with_current_span(true)
            .with_span_list(false)
            .with_filter(filter)
            .boxed(),
    }
}

fn resource() -> Resource {
    let resource = Resource::builder().build();
    let key = Key::from_static_str("service.name");
    match resource.get(&key) {
        // The SDK's own word for "nobody said": OTEL_SERVICE_NAME is stronger than ours.
        Some(Value::String(name)) if !name.as_str().starts_with("unknown_service") => resource,
        _ => Resource::builder().with_service_name("amazon-pay-worker").build(),
    }
}

fn reader(
    lost: &Arc<Lost>,
) -> Result<PeriodicReader<Counting<opentelemetry_otlp::MetricExporter>>, InitError> {
    let inner = opentelemetry_otlp::MetricExporter::builder().with_http().build()?;
    let exporter = Counting { inner, lost: Arc::clone(lost) };
    Ok(PeriodicReader::builder(exporter, Tokio).build())
}

fn tracer(lost: &Arc<Lost>) -> Result<SdkTracerProvider, InitError> {
    let inner = opentelemetry_otlp::SpanExporter::builder().with_http().build()?;
    let exporter = Counting { inner, lost: Arc::clone(lost) };
    let processor = BatchSpanProcessor::builder(exporter, CountingTokio(Arc::clone(lost))).build();
    let provider = SdkTracerProvider::builder().with_resource(resource());
    Ok(provider.with_span_processor(processor).build())
}

impl Telemetry {
    /// Sends what is left, within a bound.
    pub async fn shutdown(self) {
        let last = tokio::task::spawn_blocking(move || {
            let traces = self.tracer.map(|tracer| tracer.shutdown_with_timeout(FAREWELL));
            (traces, self.metrics.provider().shutdown_with_timeout(FAREWELL))
        });
        // The SDK blocks for longer than it is told where the collector hangs.
        drop(tokio::time::timeout(FAREWELL, last).await);
    }
}
