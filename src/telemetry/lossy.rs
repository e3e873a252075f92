//! Export that loses rather than waits: full queues and collectors that are away cost spans or a
//! report, and each loss is counted. Never a payment's time.

use std::fmt::Debug;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use opentelemetry::KeyValue;
use opentelemetry::metrics::Meter;
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkResult;
use opentelemetry_sdk::metrics::Temporality;
use opentelemetry_sdk::metrics::data::ResourceMetrics;
use opentelemetry_sdk::metrics::exporter::PushMetricExporter;
use opentelemetry_sdk::runtime::{Runtime, RuntimeChannel, Tokio, TrySend, TrySendError};
use opentelemetry_sdk::trace::{SpanData, SpanExporter};

/// What telemetry lost.
#[derive(Debug, Default)]
pub(super) struct Lost {
    /// Spans.
    traces: AtomicU64,
    /// Reports of metrics; the next one makes up for it.
    metrics: AtomicU64,
}

impl Lost {
    /// Shows the losses as a metric.
    pub(super) fn observe(self: &Arc<Self>, meter: &Meter) {
        let lost = Arc::clone(self);
        meter
            .u64_observable_counter("amazon_pay.telemetry.lost")
            .with_description("spans, and reports of metrics, that reached no collector")
            .with_callback(move |observer| {
                let shown = [("traces", &lost.traces), ("metrics", &lost.metrics)];
                for (signal, count) in shown {
                    let labels = [KeyValue::new("signal", signal)];
                    observer.observe(count.load(Ordering::Relaxed), &labels);
                }
            })
            .build();
    }

    fn spans(&self, count: usize) {
        self.traces.fetch_add(u64::try_from(count).unwrap_or(0), Ordering::Relaxed);
    }
}

/// Tokio, with every span counted that its queue did not take.
#[derive(Clone)]
pub(super) struct CountingTokio(pub(super) Arc<Lost>);

impl Runtime for CountingTokio {
    fn spawn<F>(&self, future: F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        Tokio.spawn(future);
    }

    fn delay(&self, duration: Duration) -> impl Future<Output = ()> + Send + 'static {
        Tokio.delay(duration)
    }
}

impl RuntimeChannel for CountingTokio {
    type Receiver<T: Debug + Send> = <Tokio as RuntimeChannel>::Receiver<T>;
    type Sender<T: Debug + Send> = CountingSender<T>;

    fn batch_message_channel<T: Debug + Send>(
        &self,
        capacity: usize,
    ) -> (Self::Sender<T>, Self::Receiver<T>) {
        let (sender, receiver) = Tokio.batch_message_channel(capacity);
        (CountingSender { sender, lost: Arc::clone(&self.0) }, receiver)
    }
}

/// The sending end of the queue of spans.
#[derive(Debug)]
pub(super) struct CountingSender<T> {
    sender: tokio::sync::mpsc::Sender<T>,
    lost: Arc<Lost>,
}

impl<T: Send> TrySend for CountingSender<T> {
    type Message = T;

    fn try_send(&self, item: T) -> Result<(), TrySendError> {
        TrySend::try_send(&self.sender, item).inspect_err(|_| self.lost.spans(1))
    }
}

/// An exporter whose failures are counted.
#[derive(Debug)]
pub(super) struct Counting<E> {
    pub(super) inner: E,
    pub(super) lost: Arc<Lost>,
}

impl<E: SpanExporter> SpanExporter for Counting<E> {
    async fn export(&self, batch: Vec<SpanData>) -> OTelSdkResult {
        let count = batch.len();
        self.inner.export(batch).await.inspect_err(|_| self.lost.spans(count))
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn set_resource(&mut self, resource: &Resource) {
        self.inner.set_resource(resource);
    }
}

impl<E: PushMetricExporter> PushMetricExporter for Counting<E> {
    async fn export(&self, metrics: &ResourceMetrics) -> OTelSdkResult {
        self.inner.export(metrics).await.inspect_err(|_| {
            self.lost.metrics.fetch_add(1, Ordering::Relaxed);
        })
    }

    fn force_flush(&self) -> OTelSdkResult {
        self.inner.force_flush()
    }

    fn shutdown_with_timeout(&self, timeout: Duration) -> OTelSdkResult {
        self.inner.shutdown_with_timeout(timeout)
    }

    fn temporality(&self) -> Temporality {
        self.inner.temporality()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_full_queue_does_not_take_is_counted() {
        let lost = Arc::new(Lost::default());
        let (sender, _receiver) = CountingTokio(Arc::clone(&lost)).batch_message_channel::<u8>(1);
        assert!(TrySend::try_send(&sender, 1).is_ok());
        assert!(TrySend::try_send(&sender, 2).is_err());
        assert_eq!(lost.traces.load(Ordering::Relaxed), 1);
    }
}
