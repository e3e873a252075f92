//! Thousands of charges at once, under production quotas, beside buyers who wait: what becomes of
//! a checkout's latency, how much of the quota the charges use, how many calls are throttled.
//! Blocks without and with charges follow one another in one process; buyers come all the time.

mod findings;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use lapin::Consumer;
use serde_json::{Value, json};
use tokio::time::sleep;

pub(crate) use self::findings::Findings;
use crate::meter::Meter;
use crate::orders::{live_merchant, live_merchant_id, order, order_id, total};
use crate::process::{Child, quiet};
use crate::queues::{Queues, Subject, confirmed};
use crate::world::{Ground, World};

/// Seller accounts that buyers come to.
const MIDS: usize = 60;
/// Those of them that have charges to make.
const CHARGED: usize = 50;
/// Checkouts in a second, over all accounts.
const RATE: f64 = 10.0;
const LATENCY_MS: u64 = 50;
/// The longest that one drain or what is made ready for it may take.
const PATIENCE: Duration = Duration::from_secs(300);
/// Buyers of so long open connections before anything is measured.
const WARM_UP: Duration = Duration::from_secs(5);
/// A checkout that begins so shortly before the charges may end beside them.
const EDGE: Duration = Duration::from_secs(1);
/// Confirms that may be due at once.
const IN_FLIGHT: usize = 100;

/// How much of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// In each drain.
    pub(crate) charges: usize,
    pub(crate) drains: usize,
    /// Before each of them.
    pub(crate) calm: Duration,
    pub(crate) concurrency: u16,
    /// How long a disturbed machine is waited for.
    pub(crate) patience: Duration,
}

/// Events, as they come.
#[derive(Default)]
struct Seen {
    agreed: usize,
    orders: HashMap<String, Instant>,
    charges: HashMap<String, usize>,
    strange: Vec<String>,
}

/// When a block began, when its charges came, when the last of them was paid.
#[derive(Clone, Copy)]
struct Block {
    began: Instant,
    charges: Instant,
    ended: Instant,
}

type Log = Arc<Mutex<Seen>>;

fn lock(log: &Log) -> MutexGuard<'_, Seen> {
    log.lock().expect("whole")
}

/// The whole of it.
pub(crate) async fn drain(world: &mut World, plan: Plan) -> Findings {
    let ground = world.ground(Subject::Worker, LATENCY_MS, true).await;
    world.add_merchants(&ground, (0..MIDS).map(live_merchant));
    let mut child = world.start(Subject::Worker, &ground, plan.concurrency);
    let log = Log::default();
    let listening = tokio::spawn(listen(world.queues.events().await, Arc::clone(&log)));
    let mut findings = match agree(world, plan, &ground, &log, &mut child).await {
        Ok(()) => measure(world, plan, &ground, &log, &mut child).await,
        Err(why) => Findings { void: Some(why), ..Findings::default() },
    };
    listening.abort();
    findings.charges = plan.charges;
    child.stop().await;
    world.clear(ground, findings.void.is_some()).await;
    findings
}

async fn listen(mut events: Consumer, log: Log) {
    while let Some(Ok(delivery)) = events.next().await {
        let at = Instant::now();
        let event: Value = serde_json::from_slice(&delivery.data).expect("an event");
        let id = |name: &str| event["data"][name].as_str().unwrap_or_default().to_owned();
        let mut seen = lock(&log);
        match event["type"].as_str().unwrap_or_default() {
            "payments.order.paid" => {
                if seen.orders.insert(id("orderId"), at).is_some() {
                    seen.strange.push(format!("{} paid twice", id("orderId")));
                }
            }
            "payments.order.authorized" => seen.agreed += 1,
            "payments.charge.paid" => *seen.charges.entry(id("chargeId")).or_default() += 1,
            _ => seen.strange.push(event.to_string()),
        }
    }
}

/// Agreements with the buyers' consent, taken by the worker as they would be: orders without a
/// first charge. Amazon's quotas are not kept yet.
async fn agree(
    world: &World,
    plan: Plan,
    ground: &Ground,
    log: &Log,
    child: &mut Child,
) -> Result<(), String> {
    let mut due = std::collections::VecDeque::new();
    for number in 0..plan.charges {
        let (id, merchant) = (format!("a{}-{number:06}", ground.run), charged(number));
        let mut body = order(&id, &merchant, &agreement(ground.run, number), "1.99");
        body["recurring"] = json!({ "initialCharge": false });
        let id = format!("bench-{id}");
        due.push_back(world.queues.publish(Subject::Worker, &id, &body.to_string()).await);
        if due.len() >= IN_FLIGHT
            && let Some(first) = due.pop_front()
        {
            confirmed(first).await;
        }
    }
    for confirm in due {
        confirmed(confirm).await;
    }
    until(child, || lock(log).agreed >= plan.charges).await
}

/// Waits until it is so.
async fn until(child: &mut Child, is_so: impl Fn() -> bool) -> Result<(), String> {
    let begun = Instant::now();
    while !is_so() {
        if begun.elapsed() > PATIENCE || !child.is_running() {
            return Err("it stalled".to_owned());
        }
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}

/// The account of a charge: they take turns, as where a scheduler asks for what is due by time.
fn charged(number: usize) -> String {
    live_merchant_id(number % CHARGED)
}

fn agreement(run: u32, number: usize) -> String {
    format!("B01-{run:07}-{number:07}")
}

async fn measure(
    world: &World,
    plan: Plan,
    ground: &Ground,
    log: &Log,
    child: &mut Child,
) -> Findings {
    let mut findings = Findings { least: 1.0, ..Findings::default() };
    quiet(plan.patience).await;
    let stop = Arc::new(AtomicBool::new(false));
    let queues = Queues::connect(&world.places.amqp).await;
    let buyers = tokio::spawn(buy(queues, ground.run, Arc::clone(&stop)));
    sleep(WARM_UP).await;
    let meter = Meter::new(child.id(), ground, Some(&world.places));
    let mut blocks = Vec::new();
    for drain in 0..plan.drains {
        let began = Instant::now();
        ground.stub.keep_quotas().await;
        sleep(plan.calm).await;
        let from = meter.look(0);
        let charges = Instant::now();
        ground.stub.keep_quotas().await;
        charge(world, plan, ground.run, drain).await;
        let wanted = (drain + 1) * plan.charges;
        if let Err(why) = until(child, || lock(log).charges.len() >= wanted).await {
            findings.void = Some(why);
            break;
        }
        let ended = Instant::now();
        blocks.push(Block { began, charges, ended });
        findings.drains.push(ended - charges);
        let used = meter.between(&from, &meter.look(plan.charges));
        findings.cpu += used.cpu / plan.drains as f64;
        findings.foreign = findings.foreign.max(used.foreign);
        findings.add_quotas(&ground.stub.stats().await["quotas"]);
        eprintln!("drain {}: {:.1} s", drain + 1, (ended - charges).as_secs_f64());
    }
    stop.store(true, Ordering::Relaxed);
    let published = buyers.await.expect("the buyers");
    let all = published.len();
    let ended = until(child, || lock(log).orders.len() >= all).await;
    findings.void = findings.void.or(ended.err());
    sort_times(&mut findings, &published, &blocks, &lock(log));
    findings.void = findings.void.or(complaint(plan, ground, log, all).await);
    findings
}

/// Checkouts at a steady rate, whatever becomes of them, until told to stop.
async fn buy(queues: Queues, run: u32, stop: Arc<AtomicBool>) -> Vec<(String, Instant)> {
    let begun = Instant::now();
    let (mut published, mut due) = (Vec::new(), Vec::new());
    for number in 0.. {
        let at = begun + Duration::from_secs_f64(number as f64 / RATE);
        tokio::time::sleep_until(at.into()).await;
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (id, merchant) = (order_id(run, number), live_merchant_id(number % MIDS));
        let reference = format!("P01-{run:07}-{number:07}");
        let body = order(&id, &merchant, &reference, &total(number)).to_string();
        published.push((id.clone(), Instant::now()));
        due.push(queues.publish(Subject::Worker, &format!("bench-{id}"), &body).await);
    }
    for confirm in due {
        confirmed(confirm).await;
    }
    published
}

/// Everything that is to be charged this time, as fast as the broker takes it.
async fn charge(world: &World, plan: Plan, run: u32, drain: usize) {
    let mut due = std::collections::VecDeque::new();
    for number in 0..plan.charges {
        let id = format!("c{run}-{drain}-{number:06}");
        let body = json!({
            "chargeId": id,
            "amazonBillerId": charged(number),
            "amazonBillingAgreementId": agreement(run, number),
            "orderId": format!("a{run}-{number:06}"),
            "cycle": format!("{}", drain + 1),
            "amount": "1.99",
            "currency": "USD",
        });
        let id = format!("bench-{id}");
        due.push_back(world.queues.publish_charge(&id, &body.to_string()).await);
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

async fn complaint(plan: Plan, ground: &Ground, log: &Log, orders: usize) -> Option<String> {
    let charges = plan.charges * plan.drains;
    let seen = {
        let seen = lock(log);
        let once = seen.charges.values().filter(|times| **times == 1).count();
        let whole = once == charges && seen.orders.len() == orders && seen.strange.is_empty();
        (!whole).then(|| {
            let (first, more) = (seen.strange.first(), seen.strange.len());
            format!("{once} of {charges} charges paid by one event each; {more} more: {first:?}")
        })
    };
    if seen.is_some() {
        return seen;
    }
    let stats = ground.stub.stats().await;
    let whole = stats["charges_captured"] == charges && stats["charges_captured_twice"] == 0;
    if !whole {
        return Some(format!("the stub saw {stats} for {charges} charges"));
    }
    ground.stub.complaint(Subject::Worker, orders).await
}

/// To which kind of block each checkout belongs.
fn sort_times(
    findings: &mut Findings,
    published: &[(String, Instant)],
    blocks: &[Block],
    seen: &Seen,
) {
    for (id, at) in published {
        let Some(done) = seen.orders.get(id) else { continue };
        let took = *done - *at;
        for block in blocks {
            if (block.began..block.charges - EDGE).contains(at) {
                findings.without.push(took);
            } else if (block.charges..block.ended).contains(at) {
                findings.with.push((*at - block.charges, took));
            }
        }
    }
}
