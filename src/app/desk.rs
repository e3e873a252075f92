//! What operators do with dead letters: send them back to work, or give them up. Each act is one
//! commit with a line in the audit log. Nothing is given up while money may have moved, and a
//! redrive never changes payment or reference.

use std::time::Duration;

use serde_json::json;

use super::engine::Engine;
use super::trail::Trail;
use super::{may_be_discarded, operation_may_be_discarded};
use crate::domain::decline::Decline;
use crate::domain::mandate::Mandate;
use crate::domain::operation::OperationTag;
use crate::domain::payment::operations::turn;
use crate::domain::payment::{
    DeadLetterReason, Effort, OperationOutcome, OperationPhase, Outcome, Payment, Phase, Told,
};
use crate::ports::desk::DeadLetterRow;
use crate::ports::store::{
    AuditEntry, Commit, DeadLetterChange, DeadLetterStatus, PaymentWrite, StoreError,
};

/// How often an act is judged anew because somebody else wrote first.
const RACES_MAX: u32 = 5;

/// How often it is looked whether the payment is still driven, and how many times.
const DRIVEN_LOOK: Duration = Duration::from_millis(200);
const DRIVEN_LOOKS: u32 = 50;

const MONEY_MAY_HAVE_MOVED: &str =
    "money may have moved: redrive it until Amazon has said what became of the call";

/// What an operator wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Back to work: the same payment under the same reference, its budget anew.
    Redrive,
    /// Given up; what the operator said of it goes into the event.
    Discard(Option<String>),
}

/// Who acts, and whether it is done or only told.
#[derive(Debug, Clone)]
pub struct Operator {
    /// Who, for the audit log.
    pub actor: String,
    /// Only say what would be done.
    pub dry_run: bool,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Done, or it would be.
    Done,
    /// Not done, and why.
    Refused(&'static str),
}

impl Act {
    const fn name(&self) -> &'static str {
        match self {
            Act::Redrive => "dead-letter.redrive",
            Act::Discard(_) => "dead-letter.discard",
        }
    }

    const fn status(&self) -> DeadLetterStatus {
        match self {
            Act::Redrive => DeadLetterStatus::Redriven,
            Act::Discard(_) => DeadLetterStatus::Discarded,
        }
    }

    /// Why it cannot be done to this letter, whatever its payment is.
    fn refusal(&self, row: &DeadLetterRow) -> Option<&'static str> {
        match row.status {
            DeadLetterStatus::Open => {}
            DeadLetterStatus::Redriven => return Some("it was redriven already"),
            DeadLetterStatus::Discarded => return Some("it was discarded already"),
        }
        match (self, row.letter.reason) {
            (Act::Redrive, DeadLetterReason::Rejected) => {
                Some("what was rejected is not redriven: mend it and send it again")
            }
            _ => None,
        }
    }
}

impl Engine {
    /// Does an operator's act to a dead letter.
    ///
    /// # Errors
    /// The store's; then nothing was done, or the next look shows that it was.
    pub async fn operate(
        &self,
        row: &DeadLetterRow,
        act: &Act,
        operator: &Operator,
    ) -> Result<Verdict, StoreError> {
        if let Some(why) = act.refusal(row) {
            return Ok(Verdict::Refused(why));
        }
        let (mut races, mut looks) = (0, 0);
        loop {
            let payment = match &row.letter.payment_id {
                Some(id) => self.store.payment(OperationTag::split(id).0).await?,
                None => None,
            };
            let mandate = match (&payment, &row.letter.payment_id) {
                (None, Some(id)) => self.mandates.mandate_by_id(id).await?,
                _ => None,
            };
            let mandate = mandate.filter(|mandate| mandate.dead_letter.is_some());
            let now = self.clock.now_ms();
            let lease = payment.as_ref().and_then(|payment| payment.lease.as_ref());
            if lease.is_some_and(|lease| lease.until > now) && looks < DRIVEN_LOOKS {
                // Another part of it is being driven, and who drives it writes it.
                looks += 1;
                tokio::time::sleep(DRIVEN_LOOK).await;
                continue;
            }
            let commit = match self.what_to_commit(row, payment, mandate, act, operator) {
                Ok(commit) => commit,
                Err(why) => return Ok(Verdict::Refused(why)),
            };
            if operator.dry_run {
                return Ok(Verdict::Done);
            }
            match self.commit(commit).await {
                Ok(()) => {
                    tracing::info!(
                        act = act.name(),
                        actor = operator.actor,
                        "dead letter {} by {}: {}",
                        row.letter.id,
                        operator.actor,
                        act.status().as_str()
                    );
                    return Ok(Verdict::Done);
                }
                Err(StoreError::Conflict) if races < RACES_MAX => races += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn what_to_commit(
        &self,
        row: &DeadLetterRow,
        payment: Option<Payment>,
        mandate: Option<Mandate>,
        act: &Act,
        operator: &Operator,
    ) -> Result<Commit, &'static str> {
        let now = self.clock.now_ms();
        let said = match act {
            Act::Redrive | Act::Discard(None) => "",
            Act::Discard(Some(said)) => said,
        };
        let mut commit = Commit {
            dead_letter_changes: vec![DeadLetterChange {
                id: row.letter.id.clone(),
                to: act.status(),
            }],
            audit: vec![AuditEntry {
                at: now,
                actor: operator.actor.clone(),
                act: act.name().to_owned(),
                object: format!("dead-letter/{}", row.letter.id),
                detail: said.to_owned(),
            }],
            ..Commit::default()
        };
        if let Some(mandate) = mandate {
            let given_up = match act {
                Act::Redrive => None,
                Act::Discard(said) => Some(said.as_deref()),
            };
            self.move_closings(&mut commit, &mandate, given_up, now);
            return Ok(commit);
        }
        let tag = row.letter.payment_id.as_deref().and_then(|id| OperationTag::split(id).1);
        let payment = payment.filter(|payment| match &tag {
            None => payment.dead_letter.is_some(),
            Some(tag) => payment.operation(tag).is_some_and(|one| one.dead_letter.is_some()),
        });
        match (act, payment) {
            // What was rejected is filed away; so is what lies still no longer.
            (Act::Discard(_), None) => Ok(commit),
            (Act::Redrive, None) => {
                Err("its payment does not lie still: there is nothing to redrive")
            }
            (_, Some(payment)) => {
                self.move_on(&mut commit, (payment, tag), act, operator, now)?;
                Ok(commit)
            }
        }
    }

    /// Moves the payment, or the operation of one, that lies still.
    fn move_on(
        &self,
        commit: &mut Commit,
        (mut payment, tag): (Payment, Option<OperationTag>),
        act: &Act,
        operator: &Operator,
        now: i64,
    ) -> Result<(), &'static str> {
        let mut trail = Trail::default();
        trail.step(now, "operator", act.name(), json!({ "actor": operator.actor }));
        let told = match &tag {
            None => payment_moved(&mut payment, act, now)?,
            Some(tag) => operation_moved(&mut payment, tag, act, now)?,
        };
        let expected = payment.version;
        turn::lose_driver(&mut payment);
        payment.version = expected + 1;
        payment.updated_at = now;
        if let Some(told) = told {
            let entry = self.tell(&mut payment, told, now);
            trail.decision(now, "discarded", payment.phase.as_str(), payment.effort.attempt);
            trail.step(now, "event", &entry.routing_key, json!({ "id": entry.event_id }));
            commit.outbox.push(entry);
        }
        turn::wake_waiting(&mut payment, now);
        self.watch(&payment);
        commit.journal = trail.take(&payment.id(), now);
        commit.payment = Some(PaymentWrite::Update { payment, expected });
        Ok(())
    }
}

/// Sends a payment back to work or gives it up; what is told of that.
fn payment_moved(payment: &mut Payment, act: &Act, now: i64) -> Result<Option<Told>, &'static str> {
    match act {
        Act::Redrive => {
            payment.due_at = Some(now);
            payment.effort = Effort { since: now, ..Effort::default() };
            payment.dead_letter = None;
            Ok(None)
        }
        Act::Discard(_) if !may_be_discarded(payment) => Err(MONEY_MAY_HAVE_MOVED),
        Act::Discard(said) => {
            payment.phase = Phase::Failed;
            payment.decline = Some(Decline::discarded(said.as_deref()));
            payment.due_at = None;
            payment.dead_letter = None;
            Ok(Some(Told::Payment(Outcome::Failed)))
        }
    }
}

/// The same with an operation; the payment is as it was.
fn operation_moved(
    payment: &mut Payment,
    tag: &OperationTag,
    act: &Act,
    now: i64,
) -> Result<Option<Told>, &'static str> {
    let may_be_discarded = operation_may_be_discarded(payment, tag);
    let Some(operation) = payment.operation_mut(tag) else { return Ok(None) };
    match act {
        Act::Redrive => {
            operation.due_at = Some(now);
            operation.effort = Effort { since: now, ..Effort::default() };
            operation.dead_letter = None;
            Ok(None)
        }
        Act::Discard(_) if !may_be_discarded => Err(MONEY_MAY_HAVE_MOVED),
        Act::Discard(said) => {
            operation.phase = OperationPhase::Failed;
            operation.decline = Some(Decline::discarded(said.as_deref()));
            operation.due_at = None;
            operation.dead_letter = None;
            Ok(Some(Told::Operation(tag.clone(), OperationOutcome::Failed)))
        }
    }
}
