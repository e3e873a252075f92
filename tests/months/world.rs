//! The worker in one process with a clock that the test moves: its real core, vault and client of
//! MWS, and the whole of Amazon's simulator behind loopback HTTP; the store and the broker are the
//! model's, because a debug build over SQLite takes minutes for ten months. Worker and Amazon see
//! the same time, so neither can tell that a month took seconds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, MutexGuard};
use std::time::Duration;

use amazon_pay_simulator::Simulator;
use amazon_pay_worker::adapters::amazon::{AmazonGateway, AmazonOptions};
use amazon_pay_worker::adapters::schedule::ExponentialSchedule;
use amazon_pay_worker::adapters::system::System;
use amazon_pay_worker::adapters::vault::MasterVault;
use amazon_pay_worker::app::breaker::Breaker;
use amazon_pay_worker::app::engine::Engine;
use amazon_pay_worker::app::governor::Governor;
use amazon_pay_worker::app::lines::Lines;
use amazon_pay_worker::app::slots::Slots;
use amazon_pay_worker::domain::ids::MerchantAccountId;
use amazon_pay_worker::domain::mandate::Mandate;
use amazon_pay_worker::domain::merchant::{Api, MerchantAccount, Reauthorize, Region};
use amazon_pay_worker::domain::policy::Policy;
use amazon_pay_worker::ports::broker::Message;
use amazon_pay_worker::ports::clock::Clock;
use amazon_pay_worker::ports::gateway::{Account, Credentials};
use amazon_pay_worker::ports::merchants::Accounts;
use amazon_pay_worker::ports::store::StoreError;
use amazon_pay_worker::ports::vault::Vault;
use amazon_pay_worker::roles::worker::Worker;
use amazon_pay_worker::telemetry::Metrics;
use async_trait::async_trait;
use secrecy::SecretBox;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::broker::{self, Model};
use crate::life::{Chance, Life};
use crate::quiet::Quiet;
use crate::store::{Line, Memory, Rows};
use crate::support::http::Server;
use crate::support::v2;

/// Payments in hand at once.
const ROOM: usize = 256;
/// Nothing that is pending is looked at sooner, so that what is due within a minute is in hand.
const POLL_FIRST_MS: i64 = 300_000;
/// Longer than a look at an agreement holds its claim.
const A_LOOK_MS: i64 = 61_000;
/// Looks for calm, and between two of them: a bound, so that a test ends.
const LOOKS: usize = 20_000;
const BETWEEN_LOOKS: Duration = Duration::from_millis(25);
/// Looks that found nothing but agreements which are soon due: then a minute goes by.
const SOON: usize = 8;

/// The machine's clock, moved on by the test.
pub(crate) struct Moved {
    machine: System,
    ahead: AtomicI64,
}

impl Clock for Moved {
    fn now_ms(&self) -> i64 {
        self.machine.now_ms() + self.ahead.load(Ordering::SeqCst)
    }

    fn random_hex(&self, bytes: usize) -> String {
        self.machine.random_hex(bytes)
    }
}

/// One MID.
pub(crate) struct Mid {
    pub(crate) id: String,
    /// Whether it authorizes again by itself; every other one does.
    pub(crate) reauthorizes: bool,
    pub(crate) by_v2: bool,
}

impl Mid {
    pub(crate) fn new(number: usize) -> Self {
        Self { id: format!("mid-{number}"), reauthorizes: number.is_multiple_of(2), by_v2: false }
    }

    pub(crate) fn store_id(&self) -> String {
        format!("amzn1.application-oa2-client.{}", self.seller())
    }

    pub(crate) fn key_id(&self) -> String {
        format!("LIVE-{}", self.seller())
    }

    pub(crate) fn seller(&self) -> String {
        format!("A{}", self.id.to_uppercase().replace('-', ""))
    }

    fn account(&self) -> Account {
        let seller = self.seller();
        Account {
            credentials: Credentials {
                access_key: Some(format!("AK{seller}")),
                secret_key: Some(format!("secret-of-{seller}").into()),
                client_id: Some(self.store_id()),
                public_key_id: Some(self.key_id()),
                private_key: Some(v2::PRIVATE_KEY.into()),
                store_id: Some(self.store_id()),
                ..Credentials::default()
            },
            merchant: MerchantAccount {
                id: MerchantAccountId::new(&self.id).unwrap(),
                title: self.id.clone(),
                soft_descriptor: None,
                mid_number: None,
                region: Region::Na,
                sandbox: false,
                api: if self.by_v2 { Api::V2 } else { Api::Mws },
                seller_id: seller,
                enabled: true,
                reauthorize: Reauthorize {
                    enabled: self.reauthorizes,
                    window_s: crate::REAUTHORIZED_WITHIN_S,
                    max: 2,
                },
                revision: 1,
            },
        }
    }
}

struct Known(HashMap<MerchantAccountId, Arc<Account>>);

#[async_trait]
impl Accounts for Known {
    async fn account(&self, id: &MerchantAccountId) -> Result<Option<Arc<Account>>, StoreError> {
        Ok(self.0.get(id).cloned())
    }

    async fn client_mids(&self, _: &str) -> Result<Option<Vec<MerchantAccountId>>, StoreError> {
        Ok(None)
    }
}

/// The program and its surroundings.
pub(crate) struct World {
    pub(crate) clock: Arc<Moved>,
    pub(crate) amazon: Server,
    metrics: Arc<Metrics>,
    memory: Arc<Memory>,
    broker: Arc<Model>,
    vault: Arc<dyn Vault>,
    /// How many events were read.
    read: usize,
    stop: CancellationToken,
}

impl World {
    /// Everything running, at this time.
    pub(crate) async fn start(seed: u64, mids: &[Mid], begins: i64) -> Self {
        let machine = System::new();
        let ahead = AtomicI64::new(begins - machine.now_ms());
        let clock = Arc::new(Moved { machine, ahead });
        let shown: Arc<dyn Clock> = Arc::<Moved>::clone(&clock);
        let stop = CancellationToken::new();
        let amazon = amazon(seed, &clock, stop.clone()).await;
        let key = SecretBox::new(Box::new([7; 32]));
        let vault = Arc::new(MasterVault::new(&[key], Arc::clone(&shown)).unwrap());
        let (memory, metrics) = (Arc::<Memory>::default(), Metrics::local().unwrap());
        let (chance, life) = (Arc::new(Chance::new(seed)), Arc::new(Life::of(u64::MAX)));
        let line =
            Line { memory: Arc::clone(&memory), life: Arc::clone(&life), chance, trouble: 0 };
        let line = Arc::new(line);
        let gateway = AmazonGateway::new(AmazonOptions {
            mws_override: Some(amazon.base().to_owned()),
            v2_override: Some(amazon.base().to_owned()),
            profile_override: Some(amazon.base().to_owned()),
            timeout: Duration::from_secs(20),
            clock: Arc::clone(&shown),
        });
        let engine = Engine {
            worker: "worker".to_owned(),
            store: Arc::clone(&line) as _,
            mandates: line,
            notifications: Arc::new(Quiet),
            vault: Arc::clone(&vault) as _,
            clock: shown,
            schedule: Arc::new(ExponentialSchedule),
            gateway: Arc::new(Lines::new(Arc::new(gateway.unwrap()), ROOM)),
            accounts: Arc::new(known(&amazon, mids).await),
            governor: Governor::default(),
            breaker: Breaker::default(),
            slots: Slots::new(ROOM),
            policy: Policy {
                pending_poll_first_ms: POLL_FIRST_MS,
                // Looks for what others gave back would be most of the work; none did.
                reconcile_for_ms: 0,
                ..Policy::default()
            },
            poison_after: 3,
            metrics: Arc::clone(&metrics),
            relay: Arc::default(),
        };
        let broker = Arc::<Model>::default();
        let connection = broker::Line { broker: Arc::clone(&broker), process: 1, life };
        let worker = Worker { engine: Arc::new(engine), broker: Arc::new(connection) };
        tokio::spawn(worker.run(stop.clone(), Duration::from_secs(1)));
        Self { clock, amazon, metrics, memory, broker, vault, read: 0, stop }
    }

    /// Publishes a command as the CRM and the billing scheduler do.
    pub(crate) fn send(&self, key: &str, message: String, body: &Value) {
        self.broker.send(Message {
            routing_key: key.to_owned(),
            body: body.to_string().into_bytes(),
            message_id: Some(message),
            ..Message::default()
        });
    }

    /// A call under `/_sim` that must succeed.
    pub(crate) async fn play(&self, path: &str, body: &Value) -> Value {
        let reply = self.amazon.post(&format!("/_sim{path}"), body).await;
        assert!((200..300).contains(&reply.status), "{path}: {} {}", reply.status, reply.text);
        reply.json()
    }

    /// Time goes by, for everybody.
    pub(crate) async fn wait(&self, seconds: i64) {
        self.clock.ahead.fetch_add(seconds * 1_000, Ordering::SeqCst);
        self.calm().await;
    }

    /// Time goes by until then.
    pub(crate) async fn wait_until(&self, at: i64) {
        let by = at - self.clock.now_ms();
        assert!(by > 0, "time only goes on: {at} is {by} ms away");
        self.wait(by / 1_000 + 1).await;
    }

    fn rows(&self) -> MutexGuard<'_, Rows> {
        self.memory.rows.lock().unwrap()
    }

    /// The events that came since they were last read, in the order of their commits.
    pub(crate) fn heard(&mut self) -> Vec<String> {
        let new = self.rows().outbox[self.read..].to_vec();
        self.read += new.len();
        let open = |id: &str, body| self.vault.open(&format!("event/{id}"), body).unwrap();
        new.iter()
            .map(|entry| String::from_utf8(open(&entry.event_id, &entry.body)).unwrap())
            .collect()
    }

    /// The mandate of an agreement, as it is in the store.
    pub(crate) fn mandate(&self, reference: &str) -> Option<Mandate> {
        let rows = self.rows();
        rows.mandates.values().find(|one| one.reference.as_str() == reference).cloned()
    }

    /// In which epoch a payment is, told already or not.
    pub(crate) fn epoch(&self, id: &str) -> u64 {
        let (rows, last) = (self.rows(), format!("/{id}"));
        let found = rows.payments.iter().find(|(key, _)| key.ends_with(&last));
        found.map_or(0, |(_, payment)| payment.epoch.into())
    }

    /// Waits until whatever can be done now is done.
    pub(crate) async fn calm(&self) {
        let mut soon = 0;
        for _ in 0..LOOKS {
            match self.look() {
                Look::Busy => soon = 0,
                Look::Soon => soon += 1,
                Look::Calm => return,
            }
            if soon == SOON {
                soon = 0;
                self.clock.ahead.fetch_add(A_LOOK_MS, Ordering::SeqCst);
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        panic!("it never came to rest: {}", self.metrics.page().unwrap());
    }

    /// A delivery is unsettled and a payment has a lease for as long as somebody is at it.
    fn look(&self) -> Look {
        let now = self.clock.now_ms();
        if !self.broker.is_empty() {
            return Look::Busy;
        }
        let rows = self.rows();
        let mut payments = rows.payments.values();
        if payments.any(|one| one.lease.is_some() || one.next_due().is_some_and(|at| at <= now)) {
            return Look::Busy;
        }
        // Whoever looks at an agreement has put its next look off for a minute.
        let due = rows.mandates.values().filter_map(|one| one.due_at).min();
        match due {
            Some(due) if due <= now => Look::Busy,
            Some(due) if due <= now + A_LOOK_MS => Look::Soon,
            Some(_) | None => Look::Calm,
        }
    }

    /// The sum of a metric's lines that have this label.
    pub(crate) fn count(&self, name: &str, label: &str) -> usize {
        let page = self.metrics.page().unwrap();
        let lines = page.lines().filter(|line| line.starts_with(name) && line.contains(label));
        lines.map(|line| line.rsplit(' ').next().unwrap().parse::<usize>().unwrap()).sum()
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

enum Look {
    Busy,
    Soon,
    Calm,
}

async fn amazon(seed: u64, clock: &Arc<Moved>, stop: CancellationToken) -> Server {
    let clock = Arc::clone(clock);
    let config = amazon_pay_simulator::Config::default().seed(seed).machine(move || clock.now_ms());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let simulator = Simulator::new(config);
    tokio::spawn(async move { simulator.serve(listener, stop.cancelled()).await.unwrap() });
    Server::new(format!("http://{address}"))
}

/// The MIDs, known to Amazon too.
async fn known(amazon: &Server, mids: &[Mid]) -> Known {
    let mut known = HashMap::new();
    for mid in mids {
        let account = mid.account();
        let seller = &account.merchant.seller_id;
        let body = json!({
            "merchantId": seller,
            "accessKey": account.credentials.access_key,
            "secretKey": format!("secret-of-{seller}"),
            "clientId": account.credentials.client_id,
            "publicKeyId": mid.key_id(),
            "publicKey": v2::PUBLIC_KEY,
            "storeId": mid.store_id(),
        });
        amazon.post("/_sim/sellers", &body).await.expect(201);
        known.insert(account.merchant.id.clone(), Arc::new(account));
    }
    Known(known)
}
