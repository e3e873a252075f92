//! The same runs on the embedded defaults, SQLite and the broker in the process: commands come by
//! HTTP, as they do there, and events are read from the feed or come as the answer that was waited
//! for. All roles are in the one process that is measured.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::Client;
use serde_json::Value;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::meter::{Figures, Meter, percentiles};
use crate::orders::{command, order_id};
use crate::process::{Child, free_port, quiet};
use crate::queues::Subject;
use crate::run::{PATIENCE, Plan, complaint};
use crate::world::{Ground, World};

/// Requests at once while the queue is filled.
const REQUESTS: usize = 64;
const WARM_UP: usize = 100;

#[derive(Clone)]
struct Ingest {
    client: Client,
    address: String,
    key: Arc<str>,
}

impl Ingest {
    fn new(address: &str, key: &str) -> Self {
        let client = Client::builder().http1_only().no_proxy().timeout(Duration::from_secs(60));
        let client = client.tcp_nodelay(true).tls_certs_only([]).build().expect("a client");
        Self { client, address: address.to_owned(), key: key.into() }
    }

    async fn ready(&self, child: &mut Child) -> bool {
        for _ in 0..400 {
            let url = format!("http://{}/readyz", self.address);
            match self.client.get(url).send().await {
                Ok(answer) if answer.status() == 200 => return true,
                _ if !child.is_running() => return false,
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
        false
    }

    /// Sends an order; with `wait`, the answer comes when it is done. The status of the answer.
    async fn order(&self, body: String, wait: bool) -> (u16, Value) {
        let mut request = self
            .client
            .post(format!("http://{}/v1/orders", self.address))
            .bearer_auth(&self.key)
            .header("content-type", "application/json")
            .body(body);
        if wait {
            request = request.header("prefer", "wait=30");
        }
        let answer = request.send().await.expect("an answer of ingest");
        let status = answer.status().as_u16();
        let text = answer.text().await.expect("a whole answer");
        (status, serde_json::from_str(&text).unwrap_or_default())
    }

    /// Sends orders as fast as they are taken.
    async fn fill(&self, run: u32, orders: usize) {
        let room = Arc::new(Semaphore::new(REQUESTS));
        let mut sending = JoinSet::new();
        for number in 0..orders {
            let place = Arc::clone(&room).acquire_owned().await;
            let own = self.clone();
            sending.spawn(async move {
                let (status, told) = own.order(command(Subject::Worker, run, number), false).await;
                assert_eq!(status, 202, "{told}");
                drop(place);
            });
        }
        while let Some(sent) = sending.join_next().await {
            sent.expect("an order accepted");
        }
    }

    /// The orders that the feed says are paid, behind the cursor.
    async fn paid(&self, cursor: &mut String) -> Vec<String> {
        let mut url = format!("http://{}/v1/events?limit=1000", self.address);
        if !cursor.is_empty() {
            url = format!("{url}&after={cursor}");
        }
        let answer = self.client.get(url).bearer_auth(&self.key).send().await.expect("the feed");
        let page = answer.text().await.expect("a whole page");
        let page: Value = serde_json::from_str(&page).expect("a page of events");
        let next = &page["next"];
        *cursor = next.as_str().map_or_else(|| next.to_string(), str::to_owned);
        let events = page["events"].as_array().expect("events");
        let paid = events.iter().filter(|event| event["type"] == "payments.order.paid");
        paid.filter_map(|event| event["data"]["orderId"].as_str().map(str::to_owned)).collect()
    }
}

/// How fast a full queue is worked off.
pub(crate) async fn throughput(world: &mut World, plan: Plan) -> Figures {
    work_off(world, plan, false).await
}

/// The most memory with every order in hand at once.
pub(crate) async fn memory(world: &mut World, plan: Plan) -> Figures {
    work_off(world, plan, true).await
}

async fn work_off(world: &mut World, plan: Plan, all_in_hand: bool) -> Figures {
    let ground = world.embedded(plan.latency_ms, all_in_hand).await;
    let address = format!("127.0.0.1:{}", free_port());
    let ingest = Ingest::new(&address, &world.client(&ground));
    let mut filler = world.start_embedded("ingest", &ground, &address, 1);
    if !ingest.ready(&mut filler).await {
        return finish(world, ground, filler, Figures::void("ingest did not start")).await;
    }
    ingest.fill(ground.run, plan.orders).await;
    filler.stop().await;

    quiet(plan.patience).await;
    let roles = "ingest,worker,relay";
    let mut child = world.start_embedded(roles, &ground, &address, plan.concurrency);
    if !ingest.ready(&mut child).await {
        return finish(world, ground, child, Figures::void("the worker did not start")).await;
    }
    let mut figures = measure(&ingest, plan, &ground, &mut child).await;
    let in_hand = ground.stub.stats().await["in_hand_max"].as_u64().unwrap_or(0);
    if all_in_hand && figures.void.is_none() && (in_hand as usize) < plan.orders {
        figures = Figures::void(format!("only {in_hand} orders were in hand at once"));
    }
    finish(world, ground, child, figures).await
}

async fn measure(ingest: &Ingest, plan: Plan, ground: &Ground, child: &mut Child) -> Figures {
    let meter = Meter::new(child.id(), ground, None);
    let begun = Instant::now();
    let (mut cursor, mut paid, mut first) = (String::new(), Vec::new(), None);
    while paid.len() < plan.orders {
        paid.extend(ingest.paid(&mut cursor).await);
        if first.is_none() && !paid.is_empty() {
            first = Some(meter.look(paid.len()));
        }
        if begun.elapsed() > PATIENCE || !child.is_running() {
            return Figures::void(format!("stalled at {} of {}", paid.len(), plan.orders));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let last = meter.look(paid.len());
    let mut figures = meter.between(&first.unwrap_or(last), &last);
    figures.void = complaint(ground, plan.subject, plan.orders, paid, 0).await;
    figures
}

async fn finish(world: &World, ground: Ground, child: Child, figures: Figures) -> Figures {
    child.stop().await;
    world.clear(ground, figures.void.is_some()).await;
    figures
}

/// From the request to its verdict while orders come at a steady rate.
pub(crate) async fn latency(world: &mut World, plan: Plan, rate: f64) -> Figures {
    let ground = world.embedded(plan.latency_ms, false).await;
    let address = format!("127.0.0.1:{}", free_port());
    let ingest = Ingest::new(&address, &world.client(&ground));
    let roles = "ingest,worker,relay";
    let mut child = world.start_embedded(roles, &ground, &address, plan.concurrency);
    if !ingest.ready(&mut child).await {
        return finish(world, ground, child, Figures::void("the worker did not start")).await;
    }
    quiet(plan.patience).await;
    steadily(&ingest, ground.run, 0..WARM_UP, rate).await;
    let meter = Meter::new(child.id(), &ground, None);
    let from = meter.look(WARM_UP);
    let total = WARM_UP + plan.orders;
    let ended = steadily(&ingest, ground.run, WARM_UP..total, rate).await;
    let to = meter.look(total);
    let (mut cursor, mut paid) = (String::new(), Vec::new());
    loop {
        let page = ingest.paid(&mut cursor).await;
        if page.is_empty() {
            break;
        }
        paid.extend(page);
    }
    let others: BTreeMap<_, _> =
        ended.iter().filter(|(_, (status, _))| *status != "paid").collect();
    let (p50, p99) = percentiles(ended.values().map(|(_, time)| *time).collect());
    let void = match others.first_key_value() {
        Some((id, (status, _))) => Some(format!("{id} was answered {status}")),
        None => complaint(&ground, plan.subject, total, paid, 0).await,
    };
    let figures = Figures { p50, p99, void, ..meter.between(&from, &to) };
    finish(world, ground, child, figures).await
}

/// Sends orders at a rate and waits for all verdicts: status and time of each.
async fn steadily(
    ingest: &Ingest,
    run: u32,
    numbers: std::ops::Range<usize>,
    rate: f64,
) -> BTreeMap<String, (String, Duration)> {
    let begun = Instant::now();
    let mut waiting = JoinSet::new();
    for (place, number) in numbers.enumerate() {
        let at = begun + Duration::from_secs_f64(place as f64 / rate);
        tokio::time::sleep_until(at.into()).await;
        let own = ingest.clone();
        waiting.spawn(async move {
            let sent = Instant::now();
            let (code, told) = own.order(command(Subject::Worker, run, number), true).await;
            let status = told["status"].as_str().map_or_else(|| code.to_string(), str::to_owned);
            (order_id(run, number), (status, sent.elapsed()))
        });
    }
    let mut ended = BTreeMap::new();
    while let Some(one) = waiting.join_next().await {
        ended.extend([one.expect("a verdict")]);
    }
    ended
}
