//! One account's trouble slows no other (I12), in virtual time: closes of references that Amazon
//! does not answer, and secrets that a worker cannot open.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU32;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use amazon_pay_worker::app::credentials;
use amazon_pay_worker::app::may_be_discarded;
use amazon_pay_worker::app::merchants::AccountDirectory;
use amazon_pay_worker::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, Effect, Fault, ReferenceState, ReferenceView,
    Reply,
};
use amazon_pay_worker::domain::ids::{AuthorizationId, CaptureId, MerchantAccountId, ReferenceId};
use amazon_pay_worker::domain::merchant::MerchantAccount;
use amazon_pay_worker::domain::payment::{DeadLetterReason, Payment, Phase};
use amazon_pay_worker::ports::clock::Clock;
use amazon_pay_worker::ports::gateway::{
    Account, BuyerDetails, BuyerError, Credentials, Exchange, Gateway,
};
use amazon_pay_worker::ports::merchants::{ApiClient, MerchantRow, MerchantStore};
use amazon_pay_worker::ports::store::StoreError;
use amazon_pay_worker::roles::worker::Worker;
use amazon_pay_worker::telemetry::Metrics;
use async_trait::async_trait;
use secrecy::SecretString;
use tokio_util::sync::CancellationToken;

use crate::life::{Chance, Life};
use crate::store::{Line, Memory};
use crate::{Process, Virtual, account, broker, command, vault};

/// Tries of a call within one run.
const AT_ONCE: u32 = 3;

/// An Amazon that pays whatever it is asked for under keys that are there.
#[derive(Default)]
struct Paying {
    closed: Mutex<BTreeMap<ReferenceId, usize>>,
    /// For how long a close hangs.
    hangs: Option<Duration>,
    /// Where closes hang: calls for money of MID 7, of which the first run's fail.
    asked: AtomicU32,
    /// After what time the line breaks on which a buyer is read; an authorization takes as long.
    breaks: Option<Duration>,
    /// How often buyers were asked for.
    buyers: AtomicU32,
}

impl Paying {
    fn answer(account: &Account, effect: &Effect) -> Reply {
        if account.credentials.access_key.is_none() {
            return Err(Fault::Credentials { code: "no_access_key".to_owned() });
        }
        match effect {
            Effect::SetDetails(set) => Ok(Answer::Reference(ReferenceView {
                total: Some(set.total),
                ..ReferenceView::in_state(ReferenceState::Draft)
            })),
            Effect::Confirm(_) | Effect::CloseReference(_) => Ok(Answer::Done),
            Effect::Authorize(call) => Ok(Answer::Authorization(AuthorizationView {
                id: AuthorizationId::new(format!("{}-A000001", call.reference)).unwrap(),
                key: call.key.as_str().to_owned(),
                state: AuthorizationState::Closed,
                reason: Some("MaxCapturesProcessed".to_owned()),
                amount: Some(call.amount),
                captures: vec![CaptureId::new(format!("{}-C000001", call.reference)).unwrap()],
                shown: None,
            })),
            _ => Err(Fault::Unavailable { code: "500".to_owned() }),
        }
    }
}

#[async_trait]
impl Gateway for Paying {
    async fn call(&self, account: &Account, effect: &Effect) -> Exchange {
        if let (Effect::Authorize(_), Some(after)) = (effect, self.breaks) {
            tokio::time::sleep(after).await;
        }
        let first = || self.asked.fetch_add(1, SeqCst) < AT_ONCE;
        let reply = match (effect, self.hangs) {
            (Effect::Authorize(_), Some(_)) if account.merchant.id.as_str() == "7" && first() => {
                Err(Fault::Unavailable { code: "503".to_owned() })
            }
            (Effect::CloseReference(id), Some(timeout)) => {
                *self.closed.lock().unwrap().entry(id.clone()).or_default() += 1;
                tokio::time::sleep(timeout).await;
                Err(Fault::Unknown)
            }
            _ => Self::answer(account, effect),
        };
        Exchange { reply, request_id: None }
    }

    async fn buyer(
        &self,
        _: &Account,
        _: &ReferenceId,
        _: Option<&SecretString>,
    ) -> Result<BuyerDetails, BuyerError> {
        self.buyers.fetch_add(1, SeqCst);
        let Some(after) = self.breaks else { return Ok(BuyerDetails::default()) };
        tokio::time::sleep(after).await;
        Err(BuyerError::Fault(Fault::Unknown))
    }

    async fn probe(&self, _: &Account) -> Result<(), Fault> {
        Ok(())
    }
}

/// Accounts, each sealed by a master key of its own.
struct Sealed(Vec<MerchantRow>);

impl Sealed {
    fn under(keys: &[(&str, u8)], clock: &Arc<dyn Clock>) -> Arc<Self> {
        let rows = keys.iter().map(|(id, key)| {
            let id = MerchantAccountId::new(*id).unwrap();
            let held = Credentials { access_key: Some("AK".to_owned()), ..Credentials::default() };
            let secrets = credentials::seal(&*vault(&[*key], Arc::clone(clock)), &id, &held);
            let seller_id = format!("A{id}");
            let merchant = MerchantAccount { id, seller_id, ..account().merchant.clone() };
            MerchantRow { merchant, secrets }
        });
        Arc::new(Self(rows.collect()))
    }
}

#[async_trait]
impl MerchantStore for Sealed {
    async fn merchant(&self, id: &MerchantAccountId) -> Result<Option<MerchantRow>, StoreError> {
        Ok(self.0.iter().find(|row| row.merchant.id == *id).cloned())
    }

    async fn merchants(&self) -> Result<Vec<MerchantRow>, StoreError> {
        Ok(self.0.clone())
    }

    async fn put_merchant(&self, _: &MerchantRow) -> Result<(), StoreError> {
        Ok(())
    }

    async fn clients(&self) -> Result<Vec<ApiClient>, StoreError> {
        Ok(Vec::new())
    }

    async fn put_client(&self, _: &ApiClient) -> Result<(), StoreError> {
        Ok(())
    }
}

struct Town {
    memory: Arc<Memory>,
    broker: Arc<broker::Model>,
    amazon: Arc<Paying>,
    clock: Arc<dyn Clock>,
    accounts: Arc<Sealed>,
    metrics: Arc<Metrics>,
}

impl Town {
    fn new(amazon: Paying) -> Self {
        let clock: Arc<dyn Clock> = Arc::new(Virtual(tokio::time::Instant::now()));
        Self {
            memory: Arc::default(),
            broker: Arc::default(),
            amazon: Arc::new(amazon),
            accounts: Sealed::under(&[("7", 7), ("8", 8)], &clock),
            clock,
            metrics: Metrics::local().unwrap(),
        }
    }

    /// A worker with these master keys.
    fn spawn(&self, number: usize, keys: &[u8]) {
        let (chance, life) = (Arc::new(Chance::new(1)), Arc::new(Life::of(u64::MAX)));
        let memory = Arc::clone(&self.memory);
        let line = Line { memory, life: Arc::clone(&life), chance, trouble: 0 };
        let vault = vault(keys, Arc::clone(&self.clock));
        let directory =
            AccountDirectory::new(Arc::clone(&self.accounts) as _, Arc::clone(&vault) as _);
        let process = Process {
            name: format!("worker-{number}"),
            line: Arc::new(line),
            gateway: Arc::clone(&self.amazon) as _,
            accounts: Arc::new(directory),
            vault,
            clock: Arc::clone(&self.clock),
            metrics: Arc::clone(&self.metrics),
            poison_after: 3,
        };
        let broker = broker::Line { broker: Arc::clone(&self.broker), process: number, life };
        let worker = Worker { engine: process.engine(), broker: Arc::new(broker) };
        tokio::spawn(worker.run(CancellationToken::new(), Duration::from_secs(1)));
    }

    fn order(&self, mid: &str, name: &str, number: u64) {
        let body = serde_json::json!({
            "orderId": name,
            "amazonBillerId": mid,
            "amazonOrderId": format!("S01-000000{mid}-{number:07}"),
            "amount": "10.00",
            "currency": "USD",
        });
        self.broker.send(command("order.import", &format!("m-{mid}-{name}"), body));
    }

    fn payment(&self, id: &str) -> Payment {
        self.memory.rows.lock().unwrap().payments[id].clone()
    }

    /// Seconds until it is paid.
    async fn paid_within(&self, id: &str, seconds: u64) {
        for _ in 0..seconds * 20 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let rows = self.memory.rows.lock().unwrap();
            if rows.payments.get(id).is_some_and(|one| one.phase == Phase::Paid) {
                return;
            }
        }
        panic!("{id} was not paid within {seconds} s: {:?}", self.payment(id));
    }
}

#[tokio::test(start_paused = true)]
async fn references_whose_close_hangs_hold_up_nobody() {
    let town = Town::new(Paying { hangs: Some(Duration::from_secs(20)), ..Paying::default() });
    town.spawn(1, &[7, 8]);
    town.spawn(2, &[7, 8]);
    for number in 0..40 {
        town.order("8", &format!("c{number}"), number);
    }
    for number in 0..40 {
        town.paid_within(&format!("8/order/c{number}"), 60).await;
    }
    for payment in town.memory.rows.lock().unwrap().payments.values_mut() {
        payment.close_reference_at = Some(town.clock.now_ms());
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    town.order("7", "retried", 99);
    town.paid_within("7/order/retried", 4).await;
    assert_eq!(town.amazon.asked.load(SeqCst), AT_ONCE + 1);
    // Before any is tried again: each was called once, by one of the workers.
    tokio::time::sleep(Duration::from_secs(200)).await;
    let closed = town.amazon.closed.lock().unwrap();
    assert_eq!((closed.len(), closed.values().max()), (40, Some(&1)), "{closed:?}");
}

#[tokio::test(start_paused = true)]
async fn a_buyer_is_asked_for_again_where_the_line_broke_soon() {
    for (seconds, asked) in [(0, 2), (6, 1)] {
        let breaks = Some(Duration::from_secs(seconds));
        let town = Town::new(Paying { breaks, ..Paying::default() });
        town.spawn(1, &[7, 8]);
        town.order("8", "o", 1);
        town.paid_within("8/order/o", 8).await;
        assert_eq!(town.amazon.buyers.load(SeqCst), asked, "{seconds}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_account_whose_secrets_cannot_be_opened_ends_with_an_operator_and_stops_nobody() {
    let town = Town::new(Paying::default());
    town.spawn(1, &[7]);
    for number in 0..8 {
        town.order("8", &format!("o{number}"), number);
        town.order("7", &format!("o{number}"), number);
    }
    for number in 0..8 {
        town.paid_within(&format!("7/order/o{number}"), 2).await;
    }
    // All the while that the others wait, those of the healthy account are paid at once.
    for number in 10..50 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        town.order("7", &format!("o{number}"), number);
        town.paid_within(&format!("7/order/o{number}"), 2).await;
    }
    for number in 0..8 {
        let payment = town.payment(&format!("8/order/o{number}"));
        assert_eq!(payment.dead_letter, Some(DeadLetterReason::Configuration), "{payment:?}");
        assert_eq!((payment.effort.crashes, payment.lease.is_none()), (0, true));
        assert!(may_be_discarded(&payment));
    }
    let page = town.metrics.page().unwrap();
    assert!(page.contains("amazon_pay_mid_refused{mid=\"8\""), "{page}");
}

#[tokio::test(start_paused = true)]
async fn a_worker_with_the_key_goes_on_with_what_another_could_not_open() {
    let town = Town::new(Paying::default());
    town.spawn(1, &[7]);
    for number in 0..8 {
        town.order("8", &format!("o{number}"), number);
    }
    tokio::time::sleep(Duration::from_secs(300)).await;
    assert_eq!(town.payment("8/order/o0").dead_letter, None);
    town.spawn(2, &[8, 7]);
    for number in 0..8 {
        town.paid_within(&format!("8/order/o{number}"), 600).await;
    }
}
