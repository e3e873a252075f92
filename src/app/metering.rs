//! A payment takes its part of what its agreement may be charged this month, in the same commit
//! that allows its money call: two workers cannot both take the last of it, and what was allowed
//! once is never judged again.

use super::process::Course;
use crate::domain::gateway::Effect;
use crate::domain::mandate::{Asked, Before, Fate, Mandate, Verdict, judge, reckon_in};
use crate::domain::payment::decide::{Next, Wait};
use crate::domain::payment::{Exposure, Payment, metered, over_the_month};
use crate::ports::mandates::MandateWrite;
use crate::ports::store::{Commit, PaymentWrite, StoreError};

/// Lost races in a row before the payment is let go.
const RACES_MAX: u32 = 16;

/// Looks at charges whose outcome is not known yet, each after a longer wait; then what they take
/// counts as taken.
const LOOKS_MAX: u32 = 40;
const LOOK_AFTER_MS: i64 = 250;
const LOOK_AFTER_MAX_MS: i64 = 5_000;

impl Course<'_> {
    /// Judges and takes. `None` means go on with `start`: it is committed.
    pub(super) async fn meter(&mut self) -> Result<Option<Next>, StoreError> {
        for _ in 0..RACES_MAX {
            let Some(reference) = self.payment.charged().cloned() else { break };
            let seller = self.payment.seller_account.clone();
            let known = self.engine.mandates.mandate(&seller, &reference).await?;
            let fates = self.fates(known.as_ref()).await?;
            let now = self.engine.clock.now_ms();
            let (seen, before) = (self.run.seen.as_ref(), self.run.before.as_ref());
            let asked = Asked { payment: &self.payment, seen, before, now };
            match judge(asked, known.as_ref(), &fates) {
                Verdict::Read => {
                    self.run.before = Some(Before::of(known.as_ref(), &fates));
                    return Ok(Some(Next::Call(Effect::ReadReference(reference))));
                }
                Verdict::Wait if self.payment.effort.polls < LOOKS_MAX => {
                    self.payment.effort.polls += 1;
                    self.run.rule = "month_undecided";
                    let wait = LOOK_AFTER_MS * i64::from(self.payment.effort.polls);
                    let until = now + wait.min(LOOK_AFTER_MAX_MS);
                    return Ok(Some(Next::Settle(Wait::Until(until))));
                }
                Verdict::Wait => {
                    let month = known.and_then(|mandate| mandate.month);
                    let ends = month.map_or(now, |month| month.ends);
                    return Ok(Some(self.over(ends)));
                }
                Verdict::Over(ends) => return Ok(Some(self.over(ends))),
                Verdict::Take(mandate) => match self.take(known.as_ref(), *mandate, now).await {
                    Err(StoreError::Conflict) => {
                        if self.is_taken().await? {
                            return Ok(None);
                        }
                    }
                    Err(error) => return Err(error),
                    Ok(next) => return Ok(next),
                },
            }
        }
        Err(StoreError::Conflict)
    }

    /// Commits what a checkout session has become. Where its own intent has charged an agreement,
    /// that counts in the mandate's month from here on: before, there was no mandate to ask.
    pub(super) async fn adopt_session(&mut self) -> Result<(), StoreError> {
        for _ in 0..RACES_MAX {
            let write = self.reckoned_in().await?;
            match self.checkpoint(write).await {
                // Lost over the mandate, unless the payment is no longer ours.
                Err(StoreError::Conflict) => {
                    if self.is_taken().await? {
                        return Ok(());
                    }
                }
                other => return other,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn reckoned_in(&self) -> Result<Option<MandateWrite>, StoreError> {
        let payment = &self.payment;
        let charged = payment.on_agreement() && payment.authorization_id.is_some();
        let Some(reference) = payment.charged().filter(|_| charged) else { return Ok(None) };
        let known = self.engine.mandates.mandate(&payment.seller_account, reference).await?;
        let fates = self.fates(known.as_ref()).await?;
        let now = self.engine.clock.now_ms();
        let counted = reckon_in(payment, known.as_ref(), &fates, now);
        Ok(counted.map(|mandate| MandateWrite::after(known.as_ref(), mandate, now)))
    }

    fn over(&mut self, next_month: i64) -> Next {
        over_the_month(&mut self.payment, &mut self.run, None, next_month)
    }

    /// What has become of the charges that are held, in order.
    async fn fates(&self, mandate: Option<&Mandate>) -> Result<Vec<Fate>, StoreError> {
        let held = mandate.map_or(&[][..], |mandate| &mandate.held);
        if held.is_empty() {
            return Ok(Vec::new());
        }
        let ids: Vec<String> = held.iter().map(|held| held.payment.clone()).collect();
        let payments = self.engine.mandates.payments(&ids).await?;
        let of = |id: &str| payments.iter().find(|payment| payment.id() == id);
        Ok(held.iter().map(|held| held.fate(of(&held.payment))).collect())
    }

    /// Commits the intent and what it takes of the month, or the rest of an agreement that is not
    /// charged yet (which is settled by whoever called).
    async fn take(
        &mut self,
        known: Option<&Mandate>,
        mut mandate: Mandate,
        now: i64,
    ) -> Result<Option<Next>, StoreError> {
        let mut payment = self.payment.clone();
        if !payment.initial_charge {
            let id = payment.id();
            mandate.held.retain(|held| held.payment != id);
            let write = MandateWrite::after(known, mandate, now);
            self.engine.commit(Commit { mandate: Some(write), ..Commit::default() }).await?;
            return Ok(metered(&mut self.payment, &mut self.run, now));
        }
        let next = metered(&mut payment, &mut self.run, now);
        payment.version = self.expected + 1;
        payment.exposure = Exposure::Open;
        payment.updated_at = now;
        payment.lease = Some(self.engine.lease(now));
        self.trail.intent(now, &payment);
        let commit = Commit {
            payment: Some(PaymentWrite::Update {
                payment: payment.clone(),
                expected: self.expected,
            }),
            mandate: Some(MandateWrite::after(known, mandate, now)),
            journal: self.trail.clone().take(&payment.id(), now),
            ..Commit::default()
        };
        self.engine.commit(commit).await?;
        self.adopt(payment);
        Ok(next)
    }

    fn adopt(&mut self, payment: Payment) {
        self.trail = super::trail::Trail::default();
        self.expected = payment.version;
        self.payment = payment;
    }

    /// A lost race: over the mandate, which is judged anew, or, where nobody confirmed our own
    /// commit, over what is ours already. Any other writer of the payment has it now.
    async fn is_taken(&mut self) -> Result<bool, StoreError> {
        let stored = self.engine.store.payment(&self.payment.id()).await?;
        match stored {
            Some(stored) if stored.version == self.expected => Ok(false),
            Some(stored)
                if stored.version == self.expected + 1
                    && stored.exposure == Exposure::Open
                    && stored
                        .lease
                        .as_ref()
                        .is_some_and(|lease| lease.owner == self.engine.worker) =>
            {
                self.adopt(stored);
                Ok(true)
            }
            Some(_) | None => Err(StoreError::Conflict),
        }
    }
}
