//! Runs over RabbitMQ and PostgreSQL: how many orders a second, how much memory, how long from
//! publish to event. A run counts only if every order has exactly one `order.paid` event and the
//! stub saw exactly one authorization for each.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::Consumer;

use crate::meter::{Figures, Meter, percentiles};
use crate::orders::{command, order_id};
use crate::process::{Child, quiet};
use crate::queues::{Queues, Subject, confirmed};
use crate::world::{Ground, World};

/// The longest that a run may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);
/// Confirms that may be due while the queue is filled.
const IN_FLIGHT: usize = 200;
/// Orders that open connections before latency is measured.
const WARM_UP: usize = 100;

/// A run of the benchmark.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) subject: Subject,
    pub(crate) latency_ms: u64,
    pub(crate) orders: usize,
    pub(crate) concurrency: u16,
    /// How long a disturbed machine is waited for.
    pub(crate) patience: Duration,
}

/// How fast a full queue is worked off, measured from the first finished order to the last.
pub(crate) async fn throughput(world: &mut World, plan: Plan) -> Figures {
    let ground = world.ground(plan.subject, plan.latency_ms, false).await;
    fill(&world.queues, plan, ground.run).await;
    quiet(plan.patience).await;
    let mut child = world.start(plan.subject, &ground, plan.concurrency);
    let figures = work_off(world, plan, &ground, &mut child).await;
    finish(world, ground, child, figures).await
}

/// The most memory with every order in hand at once: a slow stub, and room for all of them.
pub(crate) async fn memory(world: &mut World, plan: Plan) -> Figures {
    let ground = world.ground(plan.subject, plan.latency_ms, true).await;
    fill(&world.queues, plan, ground.run).await;
    let mut child = world.start(plan.subject, &ground, plan.concurrency);
    let mut figures = work_off(world, plan, &ground, &mut child).await;
    let in_hand = ground.stub.stats().await["in_hand_max"].as_u64().unwrap_or(0);
    if figures.void.is_none() && (in_hand as usize) < plan.orders {
        figures = Figures::void(format!("only {in_hand} orders were in hand at once"));
    }
    finish(world, ground, child, figures).await
}

async fn finish(world: &World, ground: Ground, child: Child, figures: Figures) -> Figures {
    child.stop().await;
    world.clear(ground, figures.void.is_some()).await;
    figures
}

async fn fill(queues: &Queues, plan: Plan, run: u32) {
    let mut due = std::collections::VecDeque::new();
    for number in 0..plan.orders {
        let id = format!("bench-{}", order_id(run, number));
        due.push_back(queues.publish(plan.subject, &id, &command(plan.subject, run, number)).await);
        if due.len() >= IN_FLIGHT
            && let Some(first) = due.pop_front()
        {
            confirmed(first).await;
        }
    }
    for confirm in due {
        confirmed(confirm).await;
    }
}

async fn work_off(world: &World, plan: Plan, ground: &Ground, child: &mut Child) -> Figures {
    let meter = Meter::new(child.id(), ground, Some(&world.places));
    let begun = Instant::now();
    let mut first = None;
    let last = loop {
        let done = world.queues.waiting().await;
        if first.is_none() && done > 0 {
            first = Some(meter.look(done));
        }
        if done >= plan.orders {
            break meter.look(done);
        }
        if begun.elapsed() > PATIENCE || !child.is_running() {
            return Figures::void(format!("stalled at {done} of {}", plan.orders));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    let mut figures = meter.between(&first.unwrap_or(last), &last);
    let bodies = world.queues.take(plan.orders).await;
    let ids: Vec<_> = bodies.iter().filter_map(|body| paid_order(body)).collect();
    figures.calls = ground.stub.calls().await as f64 / plan.orders as f64;
    let more = world.queues.waiting().await;
    figures.void = complaint(ground, plan.subject, plan.orders, ids, more).await;
    figures
}

/// The order that an event says is paid.
fn paid_order(body: &[u8]) -> Option<String> {
    let event: serde_json::Value = serde_json::from_slice(body).ok()?;
    let order = event["data"]["orderId"].as_str()?;
    (event["type"] == "payments.order.paid").then(|| order.to_owned())
}

/// What is wrong with the events of a run, or with what the stub saw.
pub(crate) async fn complaint(
    ground: &Ground,
    subject: Subject,
    orders: usize,
    paid: Vec<String>,
    more: usize,
) -> Option<String> {
    let mut times: HashMap<String, usize> = HashMap::new();
    for id in paid {
        *times.entry(id).or_default() += 1;
    }
    let once = (0..orders).filter(|&number| times.get(&order_id(ground.run, number)) == Some(&1));
    let once = once.count();
    if once != orders || times.len() != orders || more != 0 {
        return Some(format!(
            "{once} of {orders} orders have exactly one event of having been paid"
        ));
    }
    ground.stub.complaint(subject, orders).await
}

/// From publish to event while commands come at a steady rate, whatever becomes of them.
pub(crate) async fn latency(world: &mut World, plan: Plan, rate: f64) -> Figures {
    let ground = world.ground(plan.subject, plan.latency_ms, false).await;
    quiet(plan.patience).await;
    let mut child = world.start(plan.subject, &ground, plan.concurrency);
    let mut events = world.queues.events().await;
    let total = WARM_UP + plan.orders;
    let mut seen = HashMap::with_capacity(total);

    let warm_up = Plan { orders: WARM_UP, ..plan };
    fill(&world.queues, warm_up, ground.run).await;
    collect(&mut events, &mut seen, WARM_UP, &mut child).await;

    let meter = Meter::new(child.id(), &ground, Some(&world.places));
    let from = meter.look(seen.len());
    let publishing = publish_steadily(&world.queues, plan, ground.run, rate);
    let collecting = collect(&mut events, &mut seen, total, &mut child);
    let (published, ()) = tokio::join!(publishing, collecting);
    let to = meter.look(seen.len());
    drop(events);

    let ids = seen.keys().cloned().collect();
    let times = published.iter().filter_map(|(id, at)| Some(*seen.get(id)? - *at)).collect();
    let (p50, p99) = percentiles(times);
    let void = complaint(&ground, plan.subject, total, ids, 0).await;
    let calls = ground.stub.calls().await as f64 / total as f64;
    let figures = Figures { calls, p50, p99, void, ..meter.between(&from, &to) };
    finish(world, ground, child, figures).await
}

async fn publish_steadily(
    queues: &Queues,
    plan: Plan,
    run: u32,
    rate: f64,
) -> Vec<(String, Instant)> {
    let begun = Instant::now();
    let mut published = Vec::with_capacity(plan.orders);
    let mut due = Vec::with_capacity(plan.orders);
    for number in 0..plan.orders {
        let at = begun + Duration::from_secs_f64(number as f64 / rate);
        tokio::time::sleep_until(at.into()).await;
        let number = WARM_UP + number;
        let (id, body) = (order_id(run, number), command(plan.subject, run, number));
        published.push((id.clone(), Instant::now()));
        due.push(queues.publish(plan.subject, &format!("bench-{id}"), &body).await);
    }
    for confirm in due {
        confirmed(confirm).await;
    }
    published
}

/// Takes events until so many orders are paid, or no more come.
async fn collect(
    events: &mut Consumer,
    seen: &mut HashMap<String, Instant>,
    orders: usize,
    child: &mut Child,
) {
    while seen.len() < orders && child.is_running() {
        let next = tokio::time::timeout(PATIENCE / 3, events.next()).await;
        let Ok(Some(Ok(delivery))) = next else { return };
        let at = Instant::now();
        if let Some(id) = paid_order(&delivery.data) {
            seen.entry(id).or_insert(at);
        }
    }
}
