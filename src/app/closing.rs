//! Requests to close an agreement: taken in with one commit, answered by whoever looks at the
//! agreement, and what operators do with those that lie still.

use super::dead_letters::letter_id;
use super::engine::Engine;
use super::intake::Taken;
use crate::contract::command::{CloseAgreement, Parsed, check_agreement};
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::mandate::{Closing, Mandate};
use crate::domain::payment::DeadLetterReason;
use crate::domain::payment::admission::{Known, Seen};
use crate::ports::broker::Message;
use crate::ports::gateway::Account;
use crate::ports::mandates::MandateWrite;
use crate::ports::store::{Commit, DeadLetter, KnownQuery, StoreError};

/// Lost races in a row before a delivery is given back.
const RACES_MAX: u32 = 16;

impl Engine {
    pub(super) async fn take_close(
        &self,
        message: &Message,
        parsed: &Parsed,
        close: &CloseAgreement,
    ) -> Result<Taken, StoreError> {
        if let Err(error) = check_agreement(&close.agreement) {
            self.reject(message, parsed, RejectionCode::Invalid, vec![error]).await?;
            return Ok(Taken::Done);
        }
        let Some(account) = self.accounts.account(&close.mid).await? else {
            let errors = vec![FieldError::new("amazonBillerId", "no such merchant account")];
            self.reject(message, parsed, RejectionCode::UnknownMid, errors).await?;
            return Ok(Taken::Done);
        };
        for _ in 0..RACES_MAX {
            match self.take_close_now(message, parsed, close, &account).await {
                Err(StoreError::Conflict) => {}
                other => return other,
            }
        }
        Err(StoreError::Conflict)
    }

    async fn take_close_now(
        &self,
        message: &Message,
        parsed: &Parsed,
        close: &CloseAgreement,
        account: &Account,
    ) -> Result<Taken, StoreError> {
        let seller = account.merchant.seller_account();
        let query = KnownQuery {
            message_id: parsed.asker.message_id.to_string(),
            payment_id: String::new(),
            reference: None,
        };
        let known = self.store.known(&query).await?;
        if let Some(seen) = &known.message {
            if seen.fingerprint != parsed.fingerprint {
                let why = "this message id was used before with other fields";
                let errors = vec![FieldError::new("messageId", why)];
                self.reject(message, parsed, RejectionCode::Conflict, errors).await?;
                return Ok(Taken::Done);
            }
            if let Seen::Rejected(event) = &seen.seen {
                return self.answer_again(parsed, Some(event), &known, "").await;
            }
        }
        let stored = self.mandates.mandate(&seller, &close.agreement).await?;
        self.add_closing(parsed, close, account, &known, stored).await
    }

    async fn add_closing(
        &self,
        parsed: &Parsed,
        close: &CloseAgreement,
        account: &Account,
        known: &Known,
        stored: Option<Mandate>,
    ) -> Result<Taken, StoreError> {
        let now = self.clock.now_ms();
        let seller = account.merchant.seller_account();
        let fresh = || Mandate::new(&seller, &close.agreement, &close.mid, now);
        let mut mandate = stored.clone().unwrap_or_else(fresh);
        let id = mandate.id();
        let asked = mandate
            .closings
            .iter_mut()
            .find(|closing| closing.request == close.request && closing.mid == close.mid);
        let mut commit = Commit::default();
        match asked {
            Some(Closing { event: Some(event), .. }) => {
                let event = event.clone();
                return self.answer_again(parsed, Some(&event), known, &id).await;
            }
            Some(closing) if closing.askers.contains(&parsed.asker) => return Ok(Taken::Done),
            Some(closing) => closing.askers.push(parsed.asker.clone()),
            None => mandate.closings.push(Closing {
                mid: close.mid.clone(),
                request: close.request.clone(),
                askers: vec![parsed.asker.clone()],
                reason: close.reason.clone(),
                since: now,
                event: None,
            }),
        }
        if known.message.is_none() {
            commit.inbox.push(self.accepted(parsed, &id, now));
        }
        if !account.merchant.enabled && mandate.dead_letter.is_none() {
            let reason = DeadLetterReason::Configuration;
            mandate.dead_letter = Some(reason);
            let detail = "the merchant account is disabled".to_owned();
            commit.dead_letters.push(self.letter_of_closing(&mandate, reason, detail, now));
        }
        if mandate.dead_letter.is_none() {
            mandate.due_at = Some(now);
        }
        let write = MandateWrite::after(stored.as_ref(), mandate, now);
        let taken = write.mandate().clone();
        commit.mandate = Some(write);
        self.commit(commit).await?;
        if taken.dead_letter.is_none() {
            // Whatever comes of it, it is due: the next look goes on.
            self.look_at(taken).await;
        }
        Ok(Taken::Done)
    }

    /// A request that was taken in and proves unacceptable.
    pub(super) fn reject_closing(
        &self,
        commit: &mut Commit,
        mandate: &Mandate,
        at: usize,
        decline: &Decline,
        now: i64,
    ) {
        let Some(closing) = mandate.closings.get(at) else { return };
        for asker in &closing.askers {
            self.reject_request(commit, mandate, closing, asker, decline, now);
        }
    }

    /// The dead letter of the requests to close an agreement.
    pub(super) fn letter_of_closing(
        &self,
        mandate: &Mandate,
        reason: DeadLetterReason,
        detail: String,
        now: i64,
    ) -> DeadLetter {
        self.metrics.dead_letter(reason);
        let id = mandate.id();
        tracing::error!(
            agreement = %id,
            reason = reason.as_str(),
            "agreement {id} lies in the dead letters: {detail}"
        );
        let first = mandate.closings.iter().find(|closing| closing.event.is_none());
        let message = first.and_then(|closing| closing.askers.first());
        DeadLetter {
            id: letter_id(&id, mandate.version),
            reason,
            message_id: message.map(|asker| asker.message_id.to_string()),
            routing_key: Some("agreement.close".to_owned()),
            mid: first.map(|closing| closing.mid.to_string()),
            kind: None,
            order_id: None,
            upsell_id: None,
            charge_id: None,
            detail,
            attempts: mandate.polls,
            since: now,
            payment_id: Some(id),
            message: None,
        }
    }

    /// Back to work, or given up: then every request that is open is told so.
    pub(super) fn move_closings(
        &self,
        commit: &mut Commit,
        before: &Mandate,
        given_up: Option<Option<&str>>,
        now: i64,
    ) {
        let mut mandate = before.clone();
        mandate.dead_letter = None;
        match given_up {
            None => {
                mandate.due_at = Some(now);
                mandate.polls = 0;
                for closing in &mut mandate.closings {
                    closing.since = now;
                }
            }
            Some(said) => {
                let decline = Decline::discarded(said);
                for at in 0..mandate.closings.len() {
                    if mandate.closings.get(at).is_some_and(|one| one.event.is_none()) {
                        self.reject_closing(commit, &mandate, at, &decline, now);
                    }
                }
                // What was rejected is filed away already: this very letter stands for it.
                commit.dead_letters.clear();
                mandate.closings.retain(|closing| closing.event.is_some());
            }
        }
        commit.mandate = Some(MandateWrite::after(Some(before), mandate, now));
    }
}
