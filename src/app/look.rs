//! Reconciliation of what is paid: Amazon is looked at again, soon where a notification says so and
//! ever more rarely otherwise, for refunds and disputes that we did not begin. A look moves no
//! money and takes no lease: its commit is fenced by the version, and a lost race is looked at
//! again. It gives way to whatever a buyer or the CRM waits for.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::breaker::Passage;
use super::engine::Engine;
use super::governor::{Admit, Ask, Traffic};
use super::process::by_api;
use super::trail::Trail;
use crate::domain::gateway::{Effect, Fault};
use crate::domain::payment::lookout::{self, BY_HINT};
use crate::domain::payment::{Payment, Told};
use crate::ports::gateway::Account;
use crate::ports::store::{Commit, PaymentWrite, StoreError};

/// One process looks, so that none is asked for twice; it says so this often, for so long.
const TURN: &str = "look";
const TURN_MS: i64 = 5_000;
/// Between two rounds while nothing is due, and while something is.
const IDLE: Duration = Duration::from_millis(250);
const BUSY: Duration = Duration::from_millis(20);
/// Fetched at once, and looked at side by side.
const BATCH: u32 = 32;
const AT_ONCE: usize = 8;
/// While an account is refused by Amazon, or has no quota to spare.
const REST_MS: i64 = 15_000;

impl Engine {
    /// Looks at what is due until told to stop.
    pub async fn look_around(self: Arc<Self>, stop: CancellationToken) {
        let mut away = false;
        loop {
            let pause = match self.look_once().await {
                Ok(found) => {
                    away = false;
                    if found > 0 { BUSY } else { IDLE }
                }
                Err(error) => {
                    if !away {
                        tracing::warn!(%error, "what is paid cannot be looked at again now");
                    }
                    away = true;
                    IDLE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    async fn look_once(&self) -> Result<usize, StoreError> {
        let now = self.clock.now_ms();
        if !self.store.take_turn(TURN, &self.worker, now, now + TURN_MS).await? {
            return Ok(0);
        }
        // With half the house full, only what a notification asked for.
        let crowded = self.slots.free() * 2 < self.slots.size();
        let until = if crowded { BY_HINT } else { now };
        let due = self.store.to_look_at(until, now, BATCH).await?;
        let found = due.len();
        let looks = futures_util::stream::iter(due).map(|payment| self.look(payment));
        looks.for_each_concurrent(AT_ONCE, |look| look).await;
        Ok(found)
    }

    async fn look(&self, payment: Payment) {
        let id = payment.id();
        match Box::pin(self.look_again(payment)).await {
            // Somebody else wrote meanwhile: it is still due.
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => {
                tracing::warn!(payment = %id, %error, "payment {id} could not be looked at now");
            }
        }
    }

    async fn look_again(&self, mut payment: Payment) -> Result<(), StoreError> {
        let expected = payment.version;
        let (mut trail, mut told) = (Trail::default(), Vec::new());
        match self.accounts.account(&payment.key.mid).await? {
            None => payment.lookout.at = None,
            Some(account) => {
                let account = by_api(account, payment.api);
                told = self.ask_again(&mut payment, &account, &mut trail).await;
            }
        }
        let now = self.clock.now_ms();
        payment.version = expected + 1;
        payment.updated_at = now;
        let mut commit = Commit::default();
        for told in told {
            trail.decision(now, "found_at_amazon", payment.phase.as_str(), 0);
            let entry = self.tell(&mut payment, told, now);
            trail.step(now, "event", &entry.routing_key, json!({ "id": entry.event_id }));
            commit.outbox.push(entry);
        }
        self.watch(&payment);
        if !commit.outbox.is_empty() {
            // A look that found nothing new leaves no line behind: there are millions of them.
            commit.journal = trail.take(&payment.id(), now);
        }
        commit.payment = Some(PaymentWrite::Update { payment, expected });
        self.commit(commit).await
    }

    async fn ask_again(
        &self,
        payment: &mut Payment,
        account: &Account,
        trail: &mut Trail,
    ) -> Vec<Told> {
        let now = self.clock.now_ms();
        let Some(effect) = lookout::begin(payment) else {
            payment.lookout.at = None;
            return Vec::new();
        };
        let merchant = &account.merchant;
        if let Passage::WaitUntil(at) = self.breaker.pass(merchant, now) {
            payment.lookout.at = Some(at.max(now + REST_MS));
            return Vec::new();
        }
        let (seller, who) = (merchant.seller_account(), payment.id());
        let ask = Ask {
            account: &seller,
            sandbox: merchant.sandbox,
            api: merchant.api,
            operation: effect.name(),
            who: &who,
            traffic: match payment.lookout.at {
                Some(BY_HINT) => Traffic::Notifications,
                Some(_) | None => Traffic::Recurring,
            },
        };
        if let Admit::WaitUntil(at) = self.governor.admit(&ask, now) {
            payment.lookout.at = Some(at.max(now + 1));
            return Vec::new();
        }
        let exchange = self.gateway.call(account, &effect).await;
        let after = self.clock.now_ms();
        let result = exchange.reply.as_ref().map_or_else(Fault::name, |_| "answered");
        self.metrics.call(effect.name(), result, after - now);
        if let Err(Fault::Throttled { retry_after_ms }) = exchange.reply {
            self.metrics.throttled(effect.name());
            let until = self.governor.throttled(&ask, retry_after_ms, after);
            payment.lookout.at = Some(until.max(after + 1));
            return Vec::new();
        }
        looked(trail, after, &effect, exchange.request_id.as_deref());
        lookout::on_reply(payment, exchange.reply, after, &self.policy)
    }
}

fn looked(trail: &mut Trail, now: i64, effect: &Effect, request_id: Option<&str>) {
    let detail = json!({ "result": "answered", "requestId": request_id });
    trail.step(now, "call", effect.name(), detail);
}
