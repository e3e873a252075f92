//! A model of the store: one commit or none, versions as fences, unique keys, in memory.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use amazon_pay_worker::domain::command::Kind;
use amazon_pay_worker::domain::ids::{MerchantAccountId, OrderId, ReferenceId};
use amazon_pay_worker::domain::mandate::{Mandate, mandate_id};
use amazon_pay_worker::domain::payment::admission::{Known, Seen, SeenMessage};
use amazon_pay_worker::domain::payment::invariants;
use amazon_pay_worker::domain::payment::operations::turn;
use amazon_pay_worker::domain::payment::{Payment, Phase};
use amazon_pay_worker::ports::mandates::{MandateStore, MandateWrite, RivalQuery};
use amazon_pay_worker::ports::store::{
    Commit, DeadLetter, DueQuery, KnownQuery, OutboxEntry, PaymentWrite, Store, StoreError, Waiter,
};
use async_trait::async_trait;

use super::life::{Chance, Life};

#[derive(Debug, Default, Clone)]
pub(crate) struct Rows {
    pub(crate) payments: BTreeMap<String, Payment>,
    pub(crate) inbox: HashMap<String, SeenMessage>,
    pub(crate) outbox: Vec<OutboxEntry>,
    pub(crate) waiters: Vec<Waiter>,
    joins: HashMap<String, i64>,
    pub(crate) dead_letters: Vec<DeadLetter>,
    pub(crate) mandates: BTreeMap<String, Mandate>,
    workers: HashMap<String, i64>,
    turns: HashMap<String, (String, i64)>,
    /// Who owns a seller's reference.
    owners: HashMap<(String, ReferenceId), String>,
}

/// The database.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) rows: Mutex<Rows>,
    /// What somebody else does as soon as rivals were read.
    pub(crate) after_rivals: Mutex<Option<Interloper>>,
    /// What somebody else does as soon as it was read who joined.
    pub(crate) after_waiters: Mutex<Option<Interloper>>,
}

impl Memory {
    fn interlope(&self, interloper: &Mutex<Option<Interloper>>) {
        let interloper = interloper.lock().unwrap().take();
        if let Some(interloper) = interloper {
            interloper(&mut self.rows.lock().unwrap());
        }
    }
}

pub(crate) type Interloper = Box<dyn FnOnce(&mut Rows) + Send>;

impl Rows {
    /// All of it or nothing: whatever can be refused is refused before the first row is written.
    pub(crate) fn write(&mut self, commit: &Commit) -> Result<(), StoreError> {
        self.may_write(commit)?;
        if let Some(write) = &commit.payment {
            let before = match write.payment() {
                Some(payment) => self.payments.insert(payment.id(), payment.clone()),
                None => self.payments.remove(&write.id()),
            };
            self.change_owner(before.as_ref(), write.payment());
            if write.payment().is_none() {
                self.joins.remove(&write.id());
            }
        }
        if let Some(join) = &commit.join {
            *self.joins.entry(join.payment_id.clone()).or_default() += 1;
        }
        self.write_mandates(commit);
        for entry in &commit.inbox {
            self.inbox.insert(entry.message_id.clone(), entry.seen.clone());
        }
        for (message, event) in &commit.rejected {
            if let Some(seen) = self.inbox.get_mut(message) {
                seen.seen = Seen::Rejected(event.clone());
            }
        }
        self.dead_letters.extend(commit.dead_letters.iter().cloned());
        let own = commit.payment.as_ref().map(PaymentWrite::id);
        let forgotten = |one: &Waiter| {
            let pair = (one.payment_id.clone(), one.message_id.clone());
            let rejected = commit.rejected.iter().any(|(message, _)| *message == one.message_id);
            commit.forget.contains(&pair) || (rejected && own.as_ref() == Some(&one.payment_id))
        };
        self.waiters.retain(|one| !forgotten(one));
        self.outbox.extend(commit.outbox.iter().cloned());
        self.waiters.extend(commit.waiters.iter().cloned());
        Ok(())
    }

    fn may_write(&self, commit: &Commit) -> Result<(), StoreError> {
        if let Some(write) = &commit.payment {
            self.may_write_payment(write)?;
        }
        let fenced = match &commit.mandate {
            None => true,
            Some(MandateWrite::Insert(mandate)) => !self.mandates.contains_key(&mandate.id()),
            Some(MandateWrite::Update { mandate, expected }) => {
                let before = self.mandates.get(&mandate.id());
                before.is_some_and(|before| before.version == *expected)
            }
        };
        let is_new = commit.inbox.iter().all(|entry| !self.inbox.contains_key(&entry.message_id));
        let known = |letter: &DeadLetter| self.dead_letters.iter().any(|one| one.id == letter.id);
        let may_join = commit.join.iter().all(|join| {
            let opened = |one: &Payment| one.opener.message_id.as_str() == join.opener;
            let payment = self.payments.get(&join.payment_id);
            payment.is_some_and(|one| one.in_hand() && opened(one))
        });
        if fenced && is_new && may_join && !commit.dead_letters.iter().any(known) {
            Ok(())
        } else {
            Err(StoreError::Conflict)
        }
    }

    fn may_write_payment(&self, write: &PaymentWrite) -> Result<(), StoreError> {
        let may = match write {
            PaymentWrite::Insert(payment) => {
                !self.payments.contains_key(&payment.id()) && !self.taken(payment)
            }
            PaymentWrite::Update { payment, expected }
            | PaymentWrite::Restore { payment, expected, .. } => {
                let before = self.payments.get(&payment.id()).ok_or(StoreError::Conflict)?;
                let may = before.version == *expected && !self.taken(payment);
                if may {
                    assert_eq!(invariants::check_step(before, payment), []);
                }
                may
            }
            PaymentWrite::Delete { id, expected, .. } => {
                self.payments.get(id).is_some_and(|before| before.version == *expected)
            }
        };
        let seen = match write {
            PaymentWrite::Insert(_) | PaymentWrite::Update { .. } => true,
            PaymentWrite::Restore { joins, .. } | PaymentWrite::Delete { joins, .. } => {
                *joins == self.joins.get(&write.id()).copied().unwrap_or(0)
            }
        };
        if may && seen { Ok(()) } else { Err(StoreError::Conflict) }
    }

    fn write_mandates(&mut self, commit: &Commit) {
        if let Some(write) = &commit.mandate {
            let mandate = write.mandate();
            self.mandates.insert(mandate.id(), mandate.clone());
        }
        for look in &commit.look_at {
            let fresh = Mandate::new(&look.seller_account, &look.reference, &look.mid, look.at);
            let mandate = self.mandates.entry(fresh.id()).or_insert(fresh);
            mandate.version += 1;
            mandate.polls = 0;
            if look.declined {
                mandate.declined_at = Some(look.at);
            }
            mandate.due_at = Some(mandate.due_at.map_or(look.at, |due| due.min(look.at)));
        }
    }

    fn taken(&self, payment: &Payment) -> bool {
        payment.owns_reference
            && payment.reference.as_ref().is_some_and(|reference| {
                self.owner(&payment.seller_account, reference)
                    .is_some_and(|owner| owner != payment.id())
            })
    }

    fn owner(&self, seller: &str, reference: &ReferenceId) -> Option<String> {
        self.owners.get(&(seller.to_owned(), reference.clone())).cloned()
    }

    fn change_owner(&mut self, before: Option<&Payment>, after: Option<&Payment>) {
        if let Some(owned) = before.and_then(owned) {
            self.owners.remove(&owned);
        }
        if let Some((payment, owned)) = after.and_then(|after| Some((after, owned(after)?))) {
            self.owners.insert(owned, payment.id());
        }
    }
}

fn owned(payment: &Payment) -> Option<(String, ReferenceId)> {
    let reference = payment.reference.clone().filter(|_| payment.owns_reference)?;
    Some((payment.seller_account.clone(), reference))
}

/// The line from one worker process to the database.
pub(crate) struct Line {
    pub(crate) memory: Arc<Memory>,
    pub(crate) life: Arc<Life>,
    pub(crate) chance: Arc<Chance>,
    pub(crate) trouble: u64,
}

impl Line {
    async fn reach<T>(&self, act: impl FnOnce(&mut Rows) -> T) -> Result<T, StoreError> {
        self.life.step().await;
        if self.chance.percent(self.trouble) {
            return Err(StoreError::Away("model".to_owned()));
        }
        let done = act(&mut self.memory.rows.lock().unwrap());
        if self.chance.percent(self.trouble) {
            // It was done, and nobody hears of it.
            return Err(StoreError::Away("model".to_owned()));
        }
        self.life.step().await;
        Ok(done)
    }
}

#[async_trait]
impl Store for Line {
    async fn known(&self, query: &KnownQuery) -> Result<Known, StoreError> {
        self.reach(|rows| Known {
            message: rows.inbox.get(&query.message_id).cloned(),
            payment: rows.payments.get(&query.payment_id).cloned(),
            reference_owner: query
                .reference
                .as_ref()
                .and_then(|(seller, reference)| rows.owner(seller, reference)),
            ..Known::default()
        })
        .await
    }

    async fn commit(&self, commit: Commit) -> Result<(), StoreError> {
        self.reach(|rows| rows.write(&commit)).await?
    }

    async fn payment(&self, id: &str) -> Result<Option<Payment>, StoreError> {
        self.reach(|rows| rows.payments.get(id).cloned()).await
    }

    async fn orders(
        &self,
        order: &OrderId,
        _mids: &[MerchantAccountId],
    ) -> Result<Vec<Payment>, StoreError> {
        let of = |one: &&Payment| one.key.subject.order() == Some(order);
        self.reach(|rows| rows.payments.values().filter(of).cloned().collect()).await
    }

    async fn reference_owner(
        &self,
        seller: &str,
        reference: &ReferenceId,
    ) -> Result<Option<String>, StoreError> {
        self.reach(|rows| rows.owner(seller, reference)).await
    }

    async fn due(&self, query: &DueQuery) -> Result<Vec<Payment>, StoreError> {
        self.reach(|rows| {
            let free = |one: &Payment| match &one.lease {
                None => true,
                Some(lease) => {
                    let seen = rows.workers.get(&lease.owner).copied().unwrap_or(i64::MIN);
                    lease.until < query.now || seen < query.alive_since
                }
            };
            rows.payments
                .values()
                .filter(|one| one.next_due().is_some_and(|due| due <= query.now))
                .filter(|one| one.dead_letter.is_none() || !one.operations.is_empty())
                .filter(|one| free(one))
                .filter(|one| (one.key.subject.kind() == Kind::Charge) == query.charges)
                .take(query.limit as usize)
                .cloned()
                .collect()
        })
        .await
    }

    async fn due_count(
        &self,
        now: i64,
        alive_since: i64,
        charges: bool,
    ) -> Result<u64, StoreError> {
        let query = DueQuery { now, alive_since, limit: u32::MAX, except: Vec::new(), charges };
        self.due(&query).await.map(|due| due.len() as u64)
    }

    async fn to_look_at(&self, due: i64, now: i64, limit: u32) -> Result<Vec<Payment>, StoreError> {
        let due = |one: &&Payment| {
            one.lookout.at.is_some_and(|at| at <= due)
                && one.lease.as_ref().is_none_or(|lease| lease.until < now)
        };
        self.reach(|rows| {
            rows.payments.values().filter(due).take(limit as usize).cloned().collect()
        })
        .await
    }

    async fn references_to_close(&self, now: i64, limit: u32) -> Result<Vec<Payment>, StoreError> {
        let due = |one: &&Payment| one.close_reference_at.is_some_and(|at| at <= now);
        self.reach(|rows| {
            rows.payments.values().filter(due).take(limit as usize).cloned().collect()
        })
        .await
    }

    async fn wake(&self, _mid: &MerchantAccountId, _now: i64) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn joins(&self, payment_id: &str) -> Result<i64, StoreError> {
        self.reach(|rows| rows.joins.get(payment_id).copied().unwrap_or(0)).await
    }

    async fn waiters(&self, payment_id: &str) -> Result<Vec<Waiter>, StoreError> {
        let of = |one: &&Waiter| one.payment_id == payment_id;
        let waiters = self.reach(|rows| rows.waiters.iter().filter(of).cloned().collect()).await?;
        self.memory.interlope(&self.memory.after_waiters);
        Ok(waiters)
    }

    async fn event(&self, event_id: &str) -> Result<Option<OutboxEntry>, StoreError> {
        self.reach(|rows| rows.outbox.iter().find(|one| one.event_id == event_id).cloned()).await
    }

    async fn heartbeat(&self, worker: &str, now: i64, since: i64) -> Result<u32, StoreError> {
        self.reach(|rows| {
            rows.workers.insert(worker.to_owned(), now);
            u32::try_from(rows.workers.values().filter(|seen| **seen >= since).count()).unwrap()
        })
        .await
    }

    async fn farewell(&self, worker: &str) -> Result<(), StoreError> {
        self.reach(|rows| {
            rows.workers.remove(worker);
            for payment in rows.payments.values_mut() {
                if payment.lease.as_ref().is_some_and(|lease| lease.owner == worker) {
                    turn::lose_driver(payment);
                }
            }
        })
        .await
    }

    async fn take_turn(
        &self,
        task: &str,
        worker: &str,
        now: i64,
        until: i64,
    ) -> Result<bool, StoreError> {
        self.reach(|rows| {
            let turn = rows.turns.entry(task.to_owned()).or_default();
            let free = turn.0 == worker || turn.1 < now;
            if free {
                *turn = (worker.to_owned(), until);
            }
            free
        })
        .await
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }
}

#[async_trait]
impl MandateStore for Line {
    async fn mandate(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
    ) -> Result<Option<Mandate>, StoreError> {
        self.mandate_by_id(&mandate_id(seller_account, reference)).await
    }

    async fn mandate_by_id(&self, id: &str) -> Result<Option<Mandate>, StoreError> {
        self.reach(|rows| rows.mandates.get(id).cloned()).await
    }

    async fn mandates_due(&self, now: i64, limit: u32) -> Result<Vec<Mandate>, StoreError> {
        let due = |one: &&Mandate| one.due_at.is_some_and(|at| at <= now);
        self.reach(|rows| {
            rows.mandates.values().filter(due).take(limit as usize).cloned().collect()
        })
        .await
    }

    async fn payments(&self, ids: &[String]) -> Result<Vec<Payment>, StoreError> {
        self.reach(|rows| ids.iter().filter_map(|id| rows.payments.get(id).cloned()).collect())
            .await
    }

    async fn declined_on(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
        limit: u32,
    ) -> Result<Vec<Payment>, StoreError> {
        let on = |one: &&Payment| {
            one.phase == Phase::Declined
                && one.seller_account == seller_account
                && one.reference.as_ref() == Some(reference)
        };
        self.reach(|rows| rows.payments.values().filter(on).take(limit as usize).cloned().collect())
            .await
    }

    async fn rivals(&self, query: &RivalQuery) -> Result<Vec<Payment>, StoreError> {
        let rival = |one: &&Payment| {
            one.key != query.key
                && one.seller_account == query.seller_account
                && one.reference.as_ref() == Some(&query.agreement)
                && one.of_order.as_ref() == Some(&query.order)
                && one.texts.cycle.as_ref() == Some(&query.cycle)
        };
        let rivals = self
            .reach(|rows| rows.payments.values().filter(rival).cloned().collect::<Vec<_>>())
            .await?;
        self.memory.interlope(&self.memory.after_rivals);
        Ok(rivals)
    }

    async fn look_at_mandate(
        &self,
        seller_account: &str,
        reference: &ReferenceId,
        now: i64,
    ) -> Result<(), StoreError> {
        self.reach(|rows| {
            if let Some(mandate) = rows.mandates.get_mut(&mandate_id(seller_account, reference)) {
                mandate.due_at = Some(now);
                mandate.version += 1;
            }
        })
        .await
    }
}
