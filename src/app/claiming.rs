//! The commit by which a message's payment is this process's to drive, with the intent that it
//! allows.

use super::engine::Engine;
use super::governor::{Ask, Traffic};
use super::intake::Taken;
use super::process::Claimed;
use super::trail::Trail;
use crate::contract::command::Parsed;
use crate::domain::gateway::CHARGES;
use crate::domain::payment::admission::Known;
use crate::domain::payment::decide::Run;
use crate::domain::payment::operations::turn::Focus;
use crate::domain::payment::{DeadLetterReason, Exposure, Payment, Phase};
use crate::ports::gateway::Account;
use crate::ports::mandates::MandateWrite;
use crate::ports::store::{Commit, PaymentWrite, StoreError};

impl Engine {
    /// Commits the claim: payment with its intent, message id, journal. Without room for its
    /// account it is parked, and the sweep takes it when there is some.
    pub(super) async fn claim_new(
        &self,
        parsed: &Parsed,
        mut payment: Payment,
        expected: Option<i64>,
        account: &Account,
        fence: Option<MandateWrite>,
    ) -> Result<Taken, StoreError> {
        let now = payment.effort.since;
        let mut trail = Trail::default();
        let message = parsed.asker.message_id.as_str();
        trail.step(now, "message", &parsed.ids.routing_key, serde_json::json!({ "id": message }));
        payment.version = expected.map_or(1, |version| version + 1);
        payment.updated_at = now;
        let mut commit = Commit {
            inbox: vec![self.accepted(parsed, &payment.id(), now)],
            mandate: fence,
            ..Commit::default()
        };
        let far = self.slot_far_away(&payment, account, now);
        let now_due = payment.phase != Phase::Scheduled && far.is_none();
        let seat = (account.merchant.enabled && now_due)
            .then(|| self.slots.sit(&payment.seller_account, payment.key.subject.kind()))
            .flatten();
        let drive = seat.is_some();
        if !account.merchant.enabled {
            let mut run = Run { rule: "mid_disabled", ..Run::default() };
            let detail = "the merchant account is disabled".to_owned();
            let reason = DeadLetterReason::Configuration;
            let letter = self.lay_down(&mut payment, &mut run, reason, detail, now);
            commit.dead_letters.push(letter);
            for outcome in run.told {
                let entry = self.tell(&mut payment, outcome, now);
                commit.outbox.push(entry);
            }
        } else if drive {
            payment.lease = Some(self.lease(now));
            if payment.may_move_money() {
                payment.exposure = Exposure::Open;
                trail.intent(now, &payment);
            }
        } else if let Some(at) = far {
            payment.effort.quota_wait_ms += at - now;
            payment.due_at = Some(at);
            trail.decision(now, "quota", payment.phase.as_str(), 0);
        } else if payment.phase != Phase::Scheduled {
            payment.due_at = Some(now + 250);
        }
        commit.journal = trail.take(&payment.id(), now);
        commit.payment = Some(match expected {
            None => PaymentWrite::Insert(payment.clone()),
            Some(expected) => PaymentWrite::Update { payment: payment.clone(), expected },
        });
        match self.commit(commit).await {
            Err(StoreError::Away(why)) if !self.was_committed(&payment).await? => {
                return Err(StoreError::Away(why));
            }
            Err(StoreError::Away(_)) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        if !drive {
            return Ok(Taken::Done);
        }
        Ok(Taken::Drive(Box::new(Claimed { payment, seat, focus: Focus::Payment })))
    }

    /// When a charge gets its turn by Amazon's quota, where that is far away: it is claimed for
    /// then and not taken in hand, because thousands that come at once would each only hear it.
    fn slot_far_away(&self, payment: &Payment, account: &Account, now: i64) -> Option<i64> {
        let traffic = Traffic::of(payment.key.subject.kind());
        if traffic != Traffic::Recurring || payment.phase != Phase::Metering {
            return None;
        }
        if !account.merchant.enabled {
            return None;
        }
        let ask = Ask {
            account: &payment.seller_account,
            sandbox: account.merchant.sandbox,
            api: payment.api,
            operation: CHARGES,
            who: &payment.id(),
            traffic,
        };
        self.governor.put_off(&ask, now)
    }

    /// Whether a claim that nobody confirmed is in the store: then this process has to drive it,
    /// because to everybody else it has an owner who is alive.
    pub(super) async fn was_committed(&self, claim: &Payment) -> Result<bool, StoreError> {
        let stored = self.store.payment(&claim.id()).await?;
        Ok(stored.is_some_and(|stored| {
            stored.version == claim.version
                && stored.lease == claim.lease
                && stored.opener.message_id == claim.opener.message_id
                && stored.operations == claim.operations
        }))
    }
}

/// What of the agreement must not have changed since it was looked at: whether a charge for the
/// same thing is authorized again by itself is decided with it in the same commit.
pub(super) fn fence(known: &Known, now: i64) -> Option<MandateWrite> {
    let mandate = known.mandate.as_ref()?;
    Some(MandateWrite::after(Some(mandate), mandate.clone(), now))
}
