//! The sweep: payments whose time has come and that no delivery drives. It is what makes a wait,
//! a poll or a crashed worker's payment go on (invariant I2).

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::engine::{DEAD_AFTER_MS, Engine};
use super::process::Claimed;
use crate::domain::payment::decide::Run;
use crate::domain::payment::operations::turn::{self, Focus};
use crate::domain::payment::{DeadLetterReason, Exposure, Lease, Payment};
use crate::ports::store::{Commit, DueQuery, PaymentWrite, StoreError};

/// Between two looks while nothing is due.
const IDLE: Duration = Duration::from_millis(250);

/// Between two while something is, and while that is charges alone: those whose turn comes together
/// are taken up by the handful, because a buyer who comes meanwhile would wait behind all of them.
const BUSY: Duration = Duration::from_millis(20);
const CHARGES_ALONE: Duration = Duration::from_millis(40);

/// For so long after the last charge the next one is looked for as often: with pauses of [`IDLE`]
/// between them, those that came due meanwhile would be a crowd again.
const CHARGES_GO_ON_MS: i64 = 1_000;

/// Crashes of its worker before a payment is handled alone in hand.
const SUSPECT_AFTER: u32 = 3;

/// How long the turn of handling suspects holds, and how often it is renewed.
const SUSPECT_TURN_MS: i64 = 10_000;
const SUSPECT_RENEW: Duration = Duration::from_secs(3);

/// Between two counts of all that is due.
const COUNT_EVERY_MS: i64 = 5_000;

/// How many due payments are fetched at once.
const BATCH: usize = 200;

impl Engine {
    /// Drives due payments until told to stop; those in hand are tracked by `tasks`.
    pub async fn sweep(self: Arc<Self>, stop: CancellationToken, tasks: TaskTracker) {
        let (mut counted_at, mut charges_at) = (i64::MIN, i64::MIN);
        loop {
            let now = self.clock.now_ms();
            if now.saturating_sub(counted_at) >= COUNT_EVERY_MS {
                counted_at = now;
                self.count_due(now).await;
            }
            let pause = match self.sweep_once(&tasks).await {
                Ok((0, 0)) if now.saturating_sub(charges_at) > CHARGES_GO_ON_MS => IDLE,
                Ok((0, charges)) => {
                    if charges > 0 {
                        charges_at = now;
                    }
                    CHARGES_ALONE
                }
                Ok((_, _)) => BUSY,
                Err(error) => {
                    tracing::warn!(%error, "the sweep cannot look for due payments");
                    IDLE
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Counts all that is due, of which a look takes only so many.
    async fn count_due(&self, now: i64) {
        for charges in [false, true] {
            // Whoever cannot be counted cannot be looked for either: that is told there.
            if let Ok(due) = self.store.due_count(now, now - DEAD_AFTER_MS, charges).await {
                self.metrics.due(due, charges);
            }
        }
    }

    /// Those for whom a buyer may wait come first. Says how many there were, and how many charges.
    async fn sweep_once(
        self: &Arc<Self>,
        tasks: &TaskTracker,
    ) -> Result<(usize, usize), StoreError> {
        let now = self.clock.now_ms();
        let first = self.sweep_some(tasks, now, false).await?;
        Ok((first, self.sweep_some(tasks, now, true).await?))
    }

    async fn sweep_some(
        self: &Arc<Self>,
        tasks: &TaskTracker,
        now: i64,
        charges: bool,
    ) -> Result<usize, StoreError> {
        let room = match charges {
            true => self.slots.free_for_charges().min(self.slots.handful()),
            false => self.slots.free(),
        };
        let room = room.min(BATCH);
        if room == 0 {
            return Ok(0);
        }
        let query = DueQuery {
            now,
            alive_since: now - DEAD_AFTER_MS,
            limit: u32::try_from(room).unwrap_or(1),
            except: self.slots.full(charges),
            charges,
        };
        let mut due = self.store.due(&query).await?;
        due.retain(|payment| !is_held(payment.lease.as_ref(), &self.worker, now));
        let mut driven = 0;
        for payment in due {
            if payment.effort.crashes >= SUSPECT_AFTER {
                Box::pin(self.drive_alone(payment)).await;
                driven += 1;
                continue;
            }
            let kind = payment.key.subject.kind();
            let Some(seat) = self.slots.sit(&payment.seller_account, kind) else { continue };
            let Some(place) = self.slots.try_enter() else { break };
            driven += 1;
            let engine = Arc::clone(self);
            let in_hand = self.metrics.take_in_hand();
            tasks.spawn(async move {
                engine.drive_due(payment, false).await;
                drop((seat, place, in_hand));
            });
        }
        Ok(driven)
    }

    /// Claims a due payment and drives it. A lost race is somebody else's run.
    pub(crate) async fn drive_due(&self, payment: Payment, alone: bool) {
        let id = payment.id();
        let outcome = match self.claim(payment, alone).await {
            Ok(Some(claimed)) => Box::pin(self.drive(claimed)).await,
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        match outcome {
            Ok(()) | Err(StoreError::Conflict) => {}
            Err(error) => {
                tracing::warn!(payment = %id, %error, "payment {id} could not be driven now");
            }
        }
    }

    /// Takes the lease. A run that never settled counts as sent; one whose worker died counts as
    /// a crash. What crashed the worker too often, alone in hand, is poison.
    async fn claim(
        &self,
        mut payment: Payment,
        alone: bool,
    ) -> Result<Option<Claimed>, StoreError> {
        let now = self.clock.now_ms();
        let expected = payment.version;
        payment.version += 1;
        payment.updated_at = now;
        let Some(focus) = turn::focus(&payment, now) else {
            return self.look_later(payment, expected, now).await.map(|()| None);
        };
        if turn::lose_driver(&mut payment) {
            payment.effort.crashes = payment.effort.crashes.saturating_add(1);
            if payment.effort.crashes > SUSPECT_AFTER {
                payment.effort.crashes_alone = payment.effort.crashes_alone.saturating_add(1);
            }
        }
        turn::claim(&mut payment, &focus, now);
        if alone && payment.effort.crashes_alone >= self.poison_after {
            self.lay_down_poison(payment, &focus, expected, now).await?;
            return Ok(None);
        }
        payment.lease = Some(self.lease(now));
        let commit = Commit {
            payment: Some(PaymentWrite::Update { payment: payment.clone(), expected }),
            ..Commit::default()
        };
        match self.commit(commit).await {
            Err(StoreError::Away(why)) if !self.was_committed(&payment).await? => {
                Err(StoreError::Away(why))
            }
            Err(StoreError::Away(_)) | Ok(()) => Ok(Some(Claimed { payment, seat: None, focus })),
            Err(error) => Err(error),
        }
    }

    /// Nothing of it can be driven now, although its row says so.
    async fn look_later(
        &self,
        mut payment: Payment,
        expected: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        turn::nothing_to_do(&mut payment, now);
        turn::lose_driver(&mut payment);
        let commit = Commit {
            payment: Some(PaymentWrite::Update { payment, expected }),
            ..Commit::default()
        };
        self.commit(commit).await
    }

    async fn lay_down_poison(
        &self,
        mut payment: Payment,
        focus: &Focus,
        expected: i64,
        now: i64,
    ) -> Result<(), StoreError> {
        let mut run = Run { rule: "poison", ..Run::default() };
        let exposure = payment.chore(focus).exposure;
        if *exposure == Exposure::Open {
            *exposure = Exposure::Clear;
        }
        let crashes = payment.effort.crashes;
        let detail = format!("it crashed the worker {crashes} times, at last alone in hand");
        let why = (DeadLetterReason::Poison, detail);
        let letter = self.lay_focus_down(&mut payment, focus, &mut run, why, now);
        let mut outbox = Vec::new();
        for told in run.told {
            outbox.push(self.tell(&mut payment, told, now));
        }
        let commit = Commit {
            payment: Some(PaymentWrite::Update { payment, expected }),
            outbox,
            dead_letters: vec![letter],
            ..Commit::default()
        };
        self.commit(commit).await
    }

    /// A suspect is handled with nothing else in hand, here and by whoever else has a suspect.
    async fn drive_alone(&self, payment: Payment) {
        if !self.take_suspect_turn(SUSPECT_TURN_MS).await {
            return;
        }
        let id = payment.id();
        tracing::warn!(payment = %id, "payment {id} crashed its worker before: handled alone");
        let alone = async {
            if let Some(_house) = self.slots.enter_alone().await {
                self.drive_due(payment, true).await;
            }
        };
        // Short and renewed, so that the turn of a process that dies of it is soon free.
        let renewing = async {
            loop {
                tokio::time::sleep(SUSPECT_RENEW).await;
                self.take_suspect_turn(SUSPECT_TURN_MS).await;
            }
        };
        tokio::select! {
            () = alone => {}
            () = renewing => {}
        }
        self.take_suspect_turn(0).await;
    }

    async fn take_suspect_turn(&self, for_ms: i64) -> bool {
        let now = self.clock.now_ms();
        match self.store.take_turn("suspect", &self.worker, now, now + for_ms).await {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, "no turn for the suspect lane");
                false
            }
        }
    }
}

/// Whether this very process has it in hand. Its own signs of life may be late where it has much to
/// do, and taking up again what it is doing would only give it more.
fn is_held(lease: Option<&Lease>, worker: &str, now: i64) -> bool {
    lease.is_some_and(|lease| lease.owner == worker && now < lease.until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_late_with_its_signs_of_life_takes_nothing_from_itself() {
        let lease = |owner: &str| Lease { owner: owner.to_owned(), until: 100 };
        assert!(is_held(Some(&lease("me")), "me", 99));
        assert!(!is_held(Some(&lease("me")), "me", 100), "what it lost goes on");
        assert!(!is_held(Some(&lease("other")), "me", 99), "others may be dead");
        assert!(!is_held(None, "me", 99));
    }
}
