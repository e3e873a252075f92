//! Captures, refunds and cancels on their way in: each becomes part of its payment's row, joins
//! what is open, is answered with what is known, or is rejected. Never while somebody drives the
//! payment: who drives it writes it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::engine::Engine;
use super::intake::{Taken, reply_of};
use super::process::Claimed;
use super::trail::Trail;
use crate::contract::check_region;
use crate::contract::command::{OperationCommand, Parsed};
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::operation::OperationTag;
use crate::domain::payment::admission::Known;
use crate::domain::payment::decide::Run;
use crate::domain::payment::operations::admission::{OperationAdmission, admit};
use crate::domain::payment::operations::turn::{self, Focus};
use crate::domain::payment::{DeadLetterReason, Operation, Payment};
use crate::ports::broker::{Message, Tier};
use crate::ports::gateway::Account;
use crate::ports::store::{Commit, KnownQuery, PaymentWrite, ReplyTarget, StoreError, Waiter};

/// Lost races in a row before a delivery is given back.
const RACES_MAX: u32 = 16;

/// How often, and how many times, a delivery looks again whether the payment is still driven,
/// before it is put aside.
const DRIVEN_LOOK: Duration = Duration::from_millis(100);
const DRIVEN_LOOKS: u32 = 30;

/// Since when a message waits for its payment, in milliseconds since the epoch: a header of ours.
pub(crate) const WAITING_SINCE: &str = "x-waiting-since";

impl Engine {
    pub(crate) async fn take_operation(
        &self,
        message: &Message,
        parsed: &Parsed,
        command: &OperationCommand,
    ) -> Result<Taken, StoreError> {
        let Some(account) = self.accounts.account(&command.key.mid).await? else {
            let errors = vec![FieldError::new("amazonBillerId", "no such merchant account")];
            self.reject(message, parsed, RejectionCode::UnknownMid, errors).await?;
            return Ok(Taken::Done);
        };
        let region = account.merchant.region;
        let foreign = command.wanted.currency.and_then(|one| check_region(one, region).err());
        let (mut races, mut looks) = (0, 0);
        loop {
            let query = KnownQuery {
                message_id: parsed.asker.message_id.to_string(),
                payment_id: command.key.event_subject(),
                reference: None,
            };
            let known = self.store.known(&query).await?;
            let payment = known.payment.as_ref();
            // What was asked for before is a conflict in any other currency.
            let repeats = known.message.is_some()
                || payment.is_some_and(|payment| payment.operation(&command.tag()).is_some());
            if let Some(error) = foreign.clone().filter(|_| !repeats) {
                self.reject(message, parsed, RejectionCode::Invalid, vec![error]).await?;
                return Ok(Taken::Done);
            }
            let admission = admit(command, &parsed.fingerprint, &known);
            let writes = matches!(admission, OperationAdmission::Open | OperationAdmission::Join);
            if writes && self.is_driven(&known) {
                looks += 1;
                if looks > DRIVEN_LOOKS {
                    return Ok(Taken::Later(Tier::Seconds5));
                }
                tokio::time::sleep(DRIVEN_LOOK).await;
                continue;
            }
            let acted = self.act_on_operation(message, parsed, command, (admission, known));
            match acted.await {
                Err(StoreError::Away(why)) => return Err(StoreError::Away(why)),
                Err(StoreError::Conflict) if races < RACES_MAX => races += 1,
                Ok(Acted::Claim(payment)) => {
                    match self.claim_operation(parsed, command, *payment, &account).await {
                        Err(StoreError::Conflict) if races < RACES_MAX => races += 1,
                        other => return other,
                    }
                }
                Ok(Acted::Taken(taken)) => return Ok(taken),
                Err(error) => return Err(error),
            }
        }
    }

    /// Whether a run of somebody who may be alive is under way.
    fn is_driven(&self, known: &Known) -> bool {
        let now = self.clock.now_ms();
        let lease = known.payment.as_ref().and_then(|payment| payment.lease.as_ref());
        lease.is_some_and(|lease| lease.until > now)
    }

    async fn act_on_operation(
        &self,
        message: &Message,
        parsed: &Parsed,
        command: &OperationCommand,
        (admission, known): (OperationAdmission, Known),
    ) -> Result<Acted, StoreError> {
        let taken = match (admission, &known.payment) {
            (OperationAdmission::Open, Some(payment)) => {
                return Ok(Acted::Claim(Box::new(payment.clone())));
            }
            (OperationAdmission::Join, Some(payment)) => {
                self.join_operation(parsed, &command.tag(), payment, &known).await?
            }
            (OperationAdmission::Again(event), Some(payment)) => {
                self.answer_again(parsed, event.as_deref(), &known, &payment.id()).await?
            }
            (OperationAdmission::RejectedAgain(event), _) => {
                self.answer_again(parsed, Some(&event), &known, "").await?
            }
            (OperationAdmission::Unknown, _) if self.waits_still(message) => {
                Taken::Later(Tier::Seconds5)
            }
            (OperationAdmission::Unknown, _) => {
                let field = command.payment_field();
                let errors = vec![FieldError::new(field, "no such payment is known")];
                self.reject(message, parsed, RejectionCode::UnknownReference, errors).await?;
                Taken::Done
            }
            (OperationAdmission::Reject(code, errors), _) => {
                self.reject(message, parsed, code, errors).await?;
                Taken::Done
            }
            (
                OperationAdmission::Open | OperationAdmission::Join | OperationAdmission::Again(_),
                None,
            ) => return Err(StoreError::Conflict),
        };
        Ok(Acted::Taken(taken))
    }

    /// Its payment may be in a lane behind it: it comes again until it has waited a minute.
    fn waits_still(&self, message: &Message) -> bool {
        let since = message.headers.get(WAITING_SINCE).and_then(|text| text.parse::<i64>().ok());
        let waited = since.map_or(0, |since| self.clock.now_ms() - since);
        (0..self.policy.order_unknown_ms).contains(&waited)
    }

    /// Commits the operation into its payment's row; where its turn has come and there is room, the
    /// same commit claims the payment and fixes what the operation's call will be.
    async fn claim_operation(
        &self,
        parsed: &Parsed,
        command: &OperationCommand,
        mut payment: Payment,
        account: &Account,
    ) -> Result<Taken, StoreError> {
        let now = self.clock.now_ms();
        let tag = command.tag();
        let expected = payment.version;
        let mut trail = Trail::default();
        let message = parsed.asker.message_id.as_str();
        let detail = serde_json::json!({ "id": message, "operation": tag.to_string() });
        trail.step(now, "message", &parsed.ids.routing_key, detail);
        payment.version = expected + 1;
        payment.updated_at = now;
        let mut operation = Operation::open(command, parsed.asker.clone(), now);
        operation.api = payment.api.goes_on_by(account.merchant.api);
        payment.operations.push(operation);
        let mut commit =
            Commit { inbox: vec![self.accepted(parsed, &payment.id(), now)], ..Commit::default() };
        let focus = turn::focus(&payment, now);
        let turn_is_its = focus == Some(Focus::Operation(tag.clone()));
        let seat = self.slots.sit(&payment.seller_account, payment.key.subject.kind());
        let drive = turn_is_its && account.merchant.enabled && seat.is_some();
        if !account.merchant.enabled {
            let mut run = Run { rule: "mid_disabled", ..Run::default() };
            let detail = "the merchant account is disabled".to_owned();
            let why = (DeadLetterReason::Configuration, detail);
            let letter = self.lay_operation_down(&mut payment, &tag, &mut run, why, now);
            commit.dead_letters.push(letter);
            for told in run.told {
                commit.outbox.push(self.tell(&mut payment, told, now));
            }
        } else if drive {
            turn::claim(&mut payment, &Focus::Operation(tag.clone()), now);
            payment.lease = Some(self.lease(now));
            trail.intent_of(now, &payment, &tag);
        } else {
            let budget = self.policy.budget_operations_ms;
            let wait = if turn::has_come(&payment, &tag) { 250 } else { budget };
            payment.chore(&Focus::Operation(tag.clone())).due_at.replace(now + wait);
        }
        commit.journal = trail.take(&payment.id(), now);
        commit.payment = Some(PaymentWrite::Update { payment: payment.clone(), expected });
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
        let focus = Focus::Operation(tag);
        Ok(Taken::Drive(Box::new(Claimed { payment, seat, focus })))
    }

    /// Joins an operation that is open. The payment's version grows, so that the operation cannot
    /// end in between without this being seen.
    async fn join_operation(
        &self,
        parsed: &Parsed,
        tag: &OperationTag,
        payment: &Payment,
        known: &Known,
    ) -> Result<Taken, StoreError> {
        let now = self.clock.now_ms();
        let id = payment.id();
        if payment.operation(tag).is_some_and(|one| one.asker == parsed.asker) {
            return Ok(Taken::Done);
        }
        let mut joined = payment.clone();
        joined.version += 1;
        joined.updated_at = now;
        let mut commit = Commit {
            payment: Some(PaymentWrite::Update { payment: joined, expected: payment.version }),
            waiters: vec![Waiter {
                payment_id: tag.row_id(&id),
                message_id: parsed.asker.message_id.to_string(),
                reply: reply_of(parsed),
            }],
            ..Commit::default()
        };
        if known.message.is_none() {
            commit.inbox.push(self.accepted(parsed, &id, now));
        }
        self.commit(commit).await?;
        Ok(Taken::Done)
    }

    /// An operation that is not acceptable after all is gone from its payment, and every message
    /// that asked for it is rejected.
    pub(crate) async fn drop_operation(
        &self,
        commit: &mut Commit,
        payment: &mut Payment,
        tag: &OperationTag,
        rejected: &Decline,
        now: i64,
    ) -> Result<(), StoreError> {
        let Some(at) = payment.operations.iter().position(|one| one.tag == *tag) else {
            return Ok(());
        };
        let row_id = tag.row_id(&payment.id());
        let joined = self.waiters_surely(&row_id).await?;
        let operation = payment.operations.remove(at);
        if operation.dead_letter.is_some() {
            commit.settled.push(row_id.clone());
        }
        let asker = operation.asker;
        let mut messages: BTreeMap<String, Vec<ReplyTarget>> = BTreeMap::new();
        let first = asker.message_id.to_string();
        let reply = asker
            .reply_to
            .map(|reply_to| ReplyTarget { reply_to, correlation_id: asker.correlation_id });
        messages.entry(first.clone()).or_default().extend(reply);
        for waiter in joined {
            commit.forget.push((row_id.clone(), waiter.message_id.clone()));
            messages.entry(waiter.message_id).or_default().extend(waiter.reply);
        }
        for (message_id, replies) in messages {
            let traceparent = asker.traceparent.clone().filter(|_| message_id == first);
            let of = (&*payment, tag);
            self.reject_operation(commit, of, message_id, (replies, traceparent), rejected, now);
        }
        Ok(())
    }

    /// Whoever joined an operation whose end is the payment's own result hears of it too.
    pub(crate) async fn tell_joined(
        &self,
        commit: &mut Commit,
        payment_id: &str,
        tag: &OperationTag,
    ) -> Result<(), StoreError> {
        let row_id = tag.row_id(payment_id);
        for waiter in self.waiters_surely(&row_id).await? {
            commit.forget.push((row_id.clone(), waiter.message_id.clone()));
            commit.waiters.push(Waiter { payment_id: payment_id.to_owned(), ..waiter });
        }
        Ok(())
    }
}

enum Acted {
    Taken(Taken),
    Claim(Box<Payment>),
}
