//! What a run depends on lies in the store and cannot be read by this process, because a newer
//! version wrote it: the run is let go and tried again, since another process may know the words,
//! within the same budget as any other trouble. Nobody crashed.

use super::dead_letters::reason_of;
use super::engine::Engine;
use super::process::Course;
use super::trail::Trail;
use crate::domain::payment::decide::{Run, Wait};
use crate::domain::payment::operations::turn::Focus;
use crate::domain::payment::{DeadLetterReason, Exposure, Payment};
use crate::ports::store::{Commit, PaymentWrite, StoreError};

/// Between two tries while the account cannot be read.
const ACCOUNT_REST_MS: i64 = 15_000;

impl Engine {
    fn budget_of(&self, payment: &Payment, focus: &Focus) -> i64 {
        match focus {
            Focus::Payment => self.policy.budget_ms(payment.key.subject.kind()),
            Focus::Operation(_) => self.policy.budget_operations_ms,
        }
    }

    /// The row of its account cannot be read: it waits as for credentials.
    pub(super) async fn wait_for_account(
        &self,
        mut payment: Payment,
        focus: &Focus,
        now: i64,
    ) -> Result<(), StoreError> {
        let (expected, budget) = (payment.version, self.budget_of(&payment, focus));
        payment.version = expected + 1;
        payment.updated_at = now;
        payment.lease = None;
        let chore = payment.chore(focus);
        let since = *chore.effort.refused_since.get_or_insert(now);
        *chore.due_at = Some(now + ACCOUNT_REST_MS);
        if *chore.exposure == Exposure::Open {
            // Nothing was asked of Amazon.
            *chore.exposure = Exposure::Clear;
        }
        let mut run = Run { rule: "account_unreadable", ..Run::default() };
        let mut commit = Commit::default();
        if now - since > budget {
            let detail = "the merchant account cannot be read".to_owned();
            let why = (DeadLetterReason::Configuration, detail);
            commit.dead_letters.push(self.lay_focus_down(&mut payment, focus, &mut run, why, now));
        }
        for told in run.told {
            commit.outbox.push(self.tell(&mut payment, told, now));
        }
        let mut trail = Trail::default();
        trail.decided(now, run.rule, &payment, focus);
        commit.journal = trail.take(&payment.id(), now);
        commit.payment = Some(PaymentWrite::Update { payment, expected });
        self.commit(commit).await
    }
}

impl Course<'_> {
    /// Something else cannot be read: later again, and in the end a matter for people.
    pub(super) fn wait_for_readers(&mut self, focus: &Focus, why: &str) -> Wait {
        let now = self.engine.clock.now_ms();
        let budget = self.engine.budget_of(&self.payment, focus);
        self.run.rule = "unreadable";
        let chore = self.payment.chore(focus);
        if now - chore.effort.since - chore.effort.quota_wait_ms <= budget {
            return Wait::Backoff;
        }
        Wait::Operator(reason_of(*chore.exposure), format!("a stored row cannot be read: {why}"))
    }
}
