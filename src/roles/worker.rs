//! The worker role: takes deliveries of its lanes, has so many payments in hand at once, beats its
//! heart, sweeps, and drains when it is told to stop. It decides nothing about a payment.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;

use crate::app::engine::{DEAD_AFTER_MS, Engine};
use crate::ports::broker::{Broker, BrokerError, Consumer, Delivery, Lane};
use crate::telemetry::fields;
use crate::telemetry::trace::continue_from;

/// Between two signs of life.
const HEARTBEAT: Duration = Duration::from_millis(1_000);

/// Lanes that the worker takes, and how much of its room each may fill.
const LANES: [(Lane, usize); 6] = [
    (Lane::Checkout, 1),
    (Lane::Operations, 4),
    (Lane::Recurring, 4),
    (Lane::Notifications, 8),
    (Lane::Suspect, usize::MAX),
    (Lane::Unroutable, 8),
];

/// Of what the broker threw out there is little, or much that is in no hurry.
const THROWN_OUT: u16 = 8;

/// Which queue of a lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Source {
    Lane,
    ThrownOut,
}

/// The worker role.
pub struct Worker {
    /// What its payments share.
    pub engine: Arc<Engine>,
    /// Where its messages come from.
    pub broker: Arc<dyn Broker>,
}

impl Worker {
    /// Works until `stop`, then finishes what is in hand within `drain`; whatever is not finished
    /// by then is found again by the next claim.
    pub async fn run(self, stop: CancellationToken, drain: Duration) {
        let tasks = TaskTracker::new();
        let services = TaskTracker::new();
        let heart = CancellationToken::new();
        services.spawn(beat(Arc::clone(&self.engine), heart.clone()));
        services.spawn(Arc::clone(&self.engine).sweep(stop.clone(), tasks.clone()));
        services.spawn(Arc::clone(&self.engine).watch_mandates(stop.clone()));
        services.spawn(Arc::clone(&self.engine).take_up_notifications(stop.clone()));
        services.spawn(Arc::clone(&self.engine).look_around(stop.clone()));
        services.spawn(Arc::clone(&self.engine).close_references(stop.clone()));
        for (lane, share) in LANES {
            let room = (self.engine.slots.size() / share).max(1);
            let prefetch = u16::try_from(room).unwrap_or(u16::MAX);
            for (source, prefetch) in [(Source::Lane, prefetch), (Source::ThrownOut, THROWN_OUT)] {
                services.spawn(consume(
                    Arc::clone(&self.engine),
                    Arc::clone(&self.broker),
                    (lane, source),
                    prefetch,
                    stop.clone(),
                    tasks.clone(),
                ));
            }
        }
        stop.cancelled().await;
        tasks.close();
        if tokio::time::timeout(drain, tasks.wait()).await.is_err() {
            let left = tasks.len();
            tracing::warn!(left, "{left} payments were still in hand when the time to drain ended");
        }
        heart.cancel();
        services.close();
        let _late = tokio::time::timeout(Duration::from_secs(2), services.wait()).await;
        if let Err(error) = self.engine.store.farewell(&self.engine.worker).await {
            tracing::warn!(%error, "the worker left without a farewell; its leases run out");
        }
    }
}

/// Signs of life; they also tell the governor among how many workers Amazon's quota is shared.
async fn beat(engine: Arc<Engine>, stop: CancellationToken) {
    let mut away = false;
    loop {
        let now = engine.clock.now_ms();
        match engine.store.heartbeat(&engine.worker, now, now - DEAD_AFTER_MS).await {
            Ok(alive) => {
                away = false;
                engine.governor.workers(alive.max(1));
                engine.metrics.workers(alive);
            }
            Err(error) if !away => {
                away = true;
                tracing::warn!(%error, "the worker's sign of life could not be written");
            }
            Err(_) => {}
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(HEARTBEAT) => {}
        }
    }
}

/// Consumes a lane for ever: a lost connection is consumed again.
async fn consume(
    engine: Arc<Engine>,
    broker: Arc<dyn Broker>,
    (lane, source): (Lane, Source),
    prefetch: u16,
    stop: CancellationToken,
    tasks: TaskTracker,
) {
    let mut told = false;
    while !stop.is_cancelled() {
        let consumer = match source {
            Source::Lane => broker.consume(lane, prefetch).await,
            // It is a message like any other: known, it is only acknowledged; new, it is taken.
            Source::ThrownOut => broker.consume_thrown_out(lane, prefetch).await,
        };
        match consumer {
            Ok(consumer) => {
                told = false;
                if take(&engine, &broker, consumer, &stop, &tasks).await {
                    return;
                }
            }
            Err(BrokerError::Away(_)) if told => {}
            Err(error) => {
                told = true;
                let queue = lane.queue();
                tracing::warn!(lane = queue, %error, "lane {queue} cannot be consumed now");
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = tokio::time::sleep(Duration::from_millis(500)) => {}
        }
    }
}

/// Takes deliveries until the connection is lost (false) or the role is stopped (true).
async fn take(
    engine: &Arc<Engine>,
    broker: &Arc<dyn Broker>,
    mut consumer: Box<dyn Consumer>,
    stop: &CancellationToken,
    tasks: &TaskTracker,
) -> bool {
    loop {
        let delivery = tokio::select! {
            biased;
            () = stop.cancelled() => {
                consumer.cancel().await;
                return true;
            }
            delivery = consumer.next() => delivery,
        };
        let Some(delivery) = delivery else { return false };
        // Room is waited for with the delivery in hand, so that an idle lane holds none of it.
        let place = tokio::select! {
            biased;
            () = stop.cancelled() => {
                give_back(delivery).await;
                consumer.cancel().await;
                return true;
            }
            place = engine.slots.enter() => place,
        };
        let engine = Arc::clone(engine);
        let broker = Arc::clone(broker);
        let in_hand = engine.metrics.take_in_hand();
        let span = span_of(&delivery, broker.system());
        let handled = async move {
            engine.handle(delivery, broker.as_ref()).await;
            drop((place, in_hand));
        };
        tasks.spawn(handled.instrument(span));
    }
}

async fn give_back(delivery: Delivery) {
    if let Err(error) = delivery.settle.requeue().await {
        // The broker gives it back by itself when the connection ends.
        tracing::debug!(%error, "a delivery was not given back");
    }
}

/// The span of a delivery: a child of the producer's, so that one trace leads from the lander's
/// request to Amazon's request id.
fn span_of(delivery: &Delivery, system: &'static str) -> tracing::Span {
    let message = &delivery.message;
    let span = tracing::info_span!(
        "process",
        { fields::LANE } = delivery.lane.queue(),
        { fields::ROUTING_KEY } = message.routing_key.as_str(),
        { fields::MESSAGE } = message.message_id.as_deref().unwrap_or_default(),
        "messaging.system" = system,
        "messaging.operation.type" = "process",
    );
    let header = |name: &str| message.headers.get(name).map(String::as_str);
    continue_from(&span, header("traceparent"), header("tracestate"));
    span
}
