//! The worker in a model of its world: broker, store and Amazon behind the same ports, processes
//! that die at any call, answers that never come, messages that come twice; all drawn from a seed,
//! in virtual time. `MODEL_SEEDS=first..last` runs others.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]
#![allow(missing_docs, reason = "nobody links against a test")]
#![allow(clippy::disallowed_methods, reason = "this test owns the time, and the machine's seeds")]

mod after_sale;
mod amazon;
mod broker;
mod bystanders;
mod joins;
mod life;
mod quiet;
mod rivals;
mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use amazon_pay_worker::adapters::vault::MasterVault;
use amazon_pay_worker::app::breaker::Breaker;
use amazon_pay_worker::app::engine::Engine;
use amazon_pay_worker::app::governor::Governor;
use amazon_pay_worker::app::slots::Slots;
use amazon_pay_worker::domain::ids::{MerchantAccountId, ReferenceId};
use amazon_pay_worker::domain::merchant::{Api, MerchantAccount, Reauthorize, Region};
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::domain::payment::admission::Seen;
use amazon_pay_worker::domain::payment::{Phase, invariants};
use amazon_pay_worker::domain::policy::Policy;
use amazon_pay_worker::ports::broker::Message;
use amazon_pay_worker::ports::clock::{Clock, Schedule};
use amazon_pay_worker::ports::gateway::{Account, Credentials, Gateway};
use amazon_pay_worker::ports::merchants::Accounts;
use amazon_pay_worker::ports::store::StoreError;
use amazon_pay_worker::roles::worker::Worker;
use amazon_pay_worker::telemetry::Metrics;
use async_trait::async_trait;
use secrecy::SecretBox;
use tokio_util::sync::CancellationToken;

use amazon::Amazon;
use life::{Chance, Life};
use store::Memory;

/// Time of the paused runtime.
struct Virtual(tokio::time::Instant);

impl Clock for Virtual {
    fn now_ms(&self) -> i64 {
        let since = tokio::time::Instant::now() - self.0;
        1_700_000_000_000 + i64::try_from(since.as_millis()).unwrap()
    }

    fn random_hex(&self, bytes: usize) -> String {
        "0".repeat(bytes * 2)
    }
}

struct Doubling;

impl Schedule for Doubling {
    fn delay(&self, attempt: u32) -> Duration {
        Duration::from_secs(2u64.pow(attempt.min(6)))
    }
}

struct One(Arc<Account>);

#[async_trait]
impl Accounts for One {
    async fn account(&self, _: &MerchantAccountId) -> Result<Option<Arc<Account>>, StoreError> {
        Ok(Some(Arc::clone(&self.0)))
    }

    async fn client_mids(&self, _: &str) -> Result<Option<Vec<MerchantAccountId>>, StoreError> {
        Ok(None)
    }
}

fn account() -> Arc<Account> {
    Arc::new(Account {
        merchant: MerchantAccount {
            id: MerchantAccountId::new("7").unwrap(),
            title: "model".to_owned(),
            soft_descriptor: None,
            mid_number: None,
            region: Region::Na,
            sandbox: true,
            api: Api::Mws,
            seller_id: "A1".to_owned(),
            enabled: true,
            reauthorize: Reauthorize { enabled: false, window_s: 0, max: 0 },
            revision: 1,
        },
        credentials: Credentials::default(),
    })
}

/// What differs between worker processes.
struct Process {
    name: String,
    line: Arc<store::Line>,
    gateway: Arc<dyn Gateway>,
    accounts: Arc<dyn Accounts>,
    vault: Arc<MasterVault>,
    clock: Arc<dyn Clock>,
    metrics: Arc<Metrics>,
    poison_after: u32,
}

impl Process {
    fn engine(self) -> Arc<Engine> {
        let Self { name, line, gateway, accounts, vault, clock, metrics, poison_after } = self;
        Arc::new(Engine {
            worker: name,
            store: Arc::clone(&line) as _,
            mandates: line,
            notifications: Arc::new(quiet::Quiet),
            vault,
            clock,
            schedule: Arc::new(Doubling),
            gateway,
            accounts,
            governor: Governor::default(),
            breaker: Breaker::default(),
            slots: Slots::new(16),
            policy: Policy::default(),
            poison_after,
            metrics,
            relay: Arc::default(),
        })
    }
}

fn vault(keys: &[u8], clock: Arc<dyn Clock>) -> Arc<MasterVault> {
    let keys: Vec<_> = keys.iter().map(|key| SecretBox::new(Box::new([*key; 32]))).collect();
    Arc::new(MasterVault::new(&keys, clock).unwrap())
}

struct World {
    chance: Arc<Chance>,
    memory: Arc<Memory>,
    amazon: Arc<Amazon>,
    broker: Arc<broker::Model>,
    clock: Arc<Virtual>,
    metrics: Arc<Metrics>,
    trouble: u64,
    born: Vec<(usize, Arc<Life>)>,
}

impl World {
    fn new(seed: u64) -> Self {
        let chance = Arc::new(Chance::new(seed));
        let trouble = [0, 2, 10, 25][chance.below(4) as usize];
        Self {
            memory: Arc::default(),
            amazon: Amazon::new(Arc::clone(&chance), trouble),
            broker: Arc::default(),
            clock: Arc::new(Virtual(tokio::time::Instant::now())),
            metrics: Metrics::local().unwrap(),
            chance,
            trouble,
            born: Vec::new(),
        }
    }

    /// A worker process that lives for so many calls of its ports.
    fn spawn(&mut self, steps: u64) -> Arc<Life> {
        let process = self.born.len() + 1;
        let life = Arc::new(Life::of(steps));
        self.born.push((process, Arc::clone(&life)));
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let line = Arc::new(store::Line {
            memory: Arc::clone(&self.memory),
            life: Arc::clone(&life),
            chance: Arc::clone(&self.chance),
            trouble: self.trouble / 5,
        });
        let engine = Process {
            name: format!("worker-{process}"),
            line,
            gateway: Arc::new(amazon::Line {
                amazon: Arc::clone(&self.amazon),
                life: Arc::clone(&life),
            }),
            accounts: Arc::new(One(account())),
            vault: vault(&[7], Arc::clone(&clock)),
            clock,
            metrics: Arc::clone(&self.metrics),
            poison_after: 1_000,
        };
        let engine = engine.engine();
        let line =
            broker::Line { broker: Arc::clone(&self.broker), process, life: Arc::clone(&life) };
        let worker = Worker { engine, broker: Arc::new(line) };
        tokio::spawn(worker.run(CancellationToken::new(), Duration::from_secs(1)));
        life
    }
}

fn order(number: u64, message: &str, cents: u64) -> Message {
    command(
        "order.import",
        message,
        serde_json::json!({
            "orderId": format!("O{number}"),
            "amazonBillerId": "7",
            "amazonOrderId": reference(number).as_str(),
            "amount": format!("{}.{:02}", cents / 100, cents % 100),
            "currency": "USD",
            "capture": if after_sale::is_manual(number) { "manual" } else { "immediate" },
        }),
    )
}

fn upsell(number: u64, message: &str) -> Message {
    command(
        "upsell.import",
        message,
        serde_json::json!({
            "orderId": format!("O{number}"),
            "upsellId": "U1",
            "amazonBillerId": "7",
            "amount": "1.00",
            "currency": "USD",
        }),
    )
}

fn command(key: &str, message: &str, body: serde_json::Value) -> Message {
    Message {
        routing_key: key.to_owned(),
        body: body.to_string().into_bytes(),
        message_id: Some(message.to_owned()),
        ..Message::default()
    }
}

fn reference(number: u64) -> ReferenceId {
    ReferenceId::new(format!("S01-0000000-{number:07}")).unwrap()
}

const ORDERS: u64 = 12;
/// More orders, whose buyers agreed to less than the CRM asks for.
const OTHERS: std::ops::Range<u64> = ORDERS..ORDERS + 4;

impl World {
    /// Orders and upsells, some of them more than once, while workers come and die.
    async fn live(&mut self) {
        for number in 0..ORDERS {
            let message = format!("m{number}");
            self.broker.send(order(number, &message, 1_000 + number));
            if self.chance.percent(30) {
                self.broker.send(order(number, &message, 1_000 + number));
            }
            if self.chance.percent(30) {
                self.broker.send(order(number, &format!("again{number}"), 1_000 + number));
            }
            if self.chance.percent(50) {
                self.broker.send(upsell(number, &format!("u{number}")));
            }
        }
        for number in OTHERS {
            let agreed = Money::from_minor(900, Currency::USD);
            self.amazon.open_with(&reference(number), agreed);
            self.broker.send(order(number, &format!("m{number}"), 1_000));
            if self.chance.percent(50) {
                self.broker.send(order(number, &format!("again{number}"), 1_000));
            }
        }
        self.die_and_come().await;
        self.settle().await;
        self.ask_after_the_sale().await;
        // The buyers mend their methods, and the CRM sends the order again.
        for number in 0..ORDERS {
            self.amazon.mend(&reference(number));
            self.broker.send(order(number, &format!("mended{number}"), 1_000 + number));
        }
        self.settle().await;
    }

    /// Workers that die, and one that stays.
    async fn die_and_come(&mut self) {
        for _ in 0..self.chance.below(8) {
            let steps = 5 + self.chance.below(300);
            let life = self.spawn(steps);
            let patience = Duration::from_secs(1 + self.chance.below(60));
            let _over = tokio::time::timeout(patience, async {
                while !life.is_over() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            })
            .await;
            self.bury();
        }
        self.spawn(u64::MAX);
    }

    /// The connections of the dead end.
    fn bury(&self) {
        for (process, _) in self.born.iter().filter(|(_, life)| life.is_over()) {
            self.broker.bury(*process);
        }
    }

    /// Until nothing is on its way any more, or three days have gone by.
    async fn settle(&self) {
        for _ in 0..60_000 {
            self.bury();
            let rows = self.memory.rows.lock().unwrap().payments.clone();
            let busy = |one: &&amazon_pay_worker::domain::payment::Payment| {
                let open = |one: &&amazon_pay_worker::domain::payment::Operation| {
                    one.phase.is_open() && one.dead_letter.is_none()
                };
                (one.in_hand() && one.dead_letter.is_none())
                    || one.operations.iter().filter(open).count() > 0
            };
            if self.broker.is_empty() && rows.values().filter(busy).count() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_secs(5)).await;
        }
        panic!("something never ends: {:?}", self.memory.rows.lock().unwrap().payments);
    }

    fn judge(&self) {
        let rows = self.memory.rows.lock().unwrap();
        for number in 0..ORDERS {
            let id = format!("7/order/O{number}");
            let payment = rows.payments.get(&id).unwrap_or_else(|| panic!("{id} vanished"));
            let of_order: Vec<_> = rows
                .payments
                .values()
                .filter(|one| one.key.subject.order() == payment.key.subject.order())
                .collect();
            let ledger = self.amazon.captured(&reference(number));
            let paid = of_order.iter().filter(|one| one.phase == Phase::Paid).count();
            let unknown = of_order.iter().filter(|one| one.dead_letter.is_some()).count();
            assert!(
                ledger.len() >= paid && ledger.len() <= paid + unknown,
                "{id}: {paid} paid, {unknown} unknown, the ledger has {ledger:?}"
            );
            self.judge_refunds(number, &of_order);
            for one in of_order {
                assert_eq!(invariants::check(one), [], "{one:?}");
                if one.phase == Phase::Paid {
                    assert!(one.captured.minor() <= one.amount.minor());
                    assert!(ledger.contains(&one.captured), "{one:?} is not in {ledger:?}");
                }
            }
            assert!(
                rows.inbox.contains_key(&format!("m{number}")),
                "message m{number} left no trace: {payment:?} {:?}",
                rows.dead_letters
            );
        }
        for number in OTHERS {
            assert_eq!(self.amazon.captured(&reference(number)), [], "O{number} was rejected");
            assert!(!rows.payments.contains_key(&format!("7/order/O{number}")));
            let seen = rows.inbox.get(&format!("m{number}")).map(|message| &message.seen);
            assert!(matches!(seen, Some(Seen::Rejected(_))), "O{number}: {seen:?}");
        }
        let mut told: HashMap<&str, &amazon_pay_worker::domain::payment::Sealed> = HashMap::new();
        for entry in rows.outbox.iter().filter(|entry| !entry.replay) {
            let before = told.insert(&entry.event_id, &entry.body);
            assert!(before.is_none(), "event {} was told twice", entry.event_id);
        }
    }
}

fn seeds() -> std::ops::Range<u64> {
    let named = std::env::var("MODEL_SEEDS").ok();
    let named = named.as_deref().and_then(|text| text.split_once(".."));
    named.map_or(0..40, |(first, last)| first.parse().unwrap()..last.parse().unwrap())
}

#[test]
fn whatever_dies_or_stays_silent_every_order_ends_once_and_nothing_is_captured_twice() {
    for seed in seeds() {
        eprintln!("seed {seed}");
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        let shown = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            runtime.block_on(async {
                let mut world = World::new(seed);
                world.live().await;
                world.judge();
            });
        }));
        if let Err(panic) = shown {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
