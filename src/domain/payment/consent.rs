//! What follows from the kind of consent that a payment is made on: whose it is, what is waited for
//! first, and from where on money may move.

use super::phase::Phase;
use super::state::Payment;
use crate::domain::command::{CaptureMode, Kind, Sale};
use crate::domain::ids::{ReferenceId, ReferenceKind};
use crate::domain::merchant::{Api, MerchantAccount};

impl Payment {
    /// Whether it is made on a standing consent, which other payments share.
    #[must_use]
    pub fn on_agreement(&self) -> bool {
        self.charged().is_some_and(ReferenceId::is_recurring)
    }

    /// Freezes by which API it goes from here on; a permission that v2 made stays v2's.
    pub fn begin_by(&mut self, now: Api) {
        let before = if self.permission.is_some() { self.api } else { Api::Mws };
        self.api = before.goes_on_by(now);
        if self.phase == Phase::SettingDetails {
            self.phase = self.first_phase();
        }
    }

    /// What buyers read on their statement is the account's where the command says nothing.
    pub fn describe_by(&mut self, account: &MerchantAccount) {
        let descriptor = &mut self.texts.soft_descriptor;
        *descriptor = descriptor.take().or_else(|| account.soft_descriptor.clone());
    }

    /// Whether the money is to be taken with the authorization or right after it. Where nothing is
    /// to be charged at first, what a consent for one time allows rests authorized.
    #[must_use]
    pub fn captures_at_once(&self) -> bool {
        self.capture == CaptureMode::Immediate && (self.initial_charge || self.on_agreement())
    }

    /// Where a payment on a consent of its own begins: one that may be open is read first.
    #[must_use]
    pub fn first_phase(&self) -> Phase {
        let open = self.api.references_come_open() || self.is_uncompleted();
        if open || self.epoch > 1 { Phase::Inspecting } else { Phase::SettingDetails }
    }

    /// Whether its reference is a checkout session that nobody completed yet, as far as we know.
    #[must_use]
    pub fn is_uncompleted(&self) -> bool {
        let reference = self.reference.as_ref();
        self.permission.is_none()
            && reference.is_some_and(|reference| match reference.kind() {
                ReferenceKind::Session => true,
                ReferenceKind::OneTime | ReferenceKind::Recurring => false,
            })
    }

    /// Whether nobody else will use the reference that was charged: then it is closed.
    #[must_use]
    pub fn ends_reference(&self) -> bool {
        self.owns_reference && !self.on_agreement() && !self.is_uncompleted()
    }

    /// Whether this names its reference: a checkout session and its permission are one.
    #[must_use]
    pub fn is_on(&self, named: Option<&ReferenceId>) -> bool {
        named == self.reference.as_ref() || (named.is_some() && named == self.permission.as_ref())
    }

    /// The reference that is charged.
    #[must_use]
    pub fn charged(&self) -> Option<&ReferenceId> {
        self.permission.as_ref().or(self.reference.as_ref())
    }

    /// Whether this epoch was opened by ourselves.
    #[must_use]
    pub const fn by_itself(&self) -> bool {
        self.reauthorized > 0
    }

    /// Whether a run that begins where it stands may get as far as its money call without another
    /// commit. On an agreement that call is first allowed by the commit that takes its part of the
    /// month, and before its time a charge is not made at all.
    #[must_use]
    pub fn may_move_money(&self) -> bool {
        match self.phase {
            Phase::Scheduled | Phase::Metering => false,
            // At rest or at an end it is only looked at.
            Phase::Authorized | Phase::Paid | Phase::Declined | Phase::Failed | Phase::Canceled => {
                false
            }
            Phase::Inspecting | Phase::SettingDetails | Phase::Confirming | Phase::LookingUp => {
                !self.on_agreement()
            }
            Phase::WaitingForOrder
            | Phase::Completing
            | Phase::Authorizing
            | Phase::AuthorizationPending
            | Phase::Capturing
            | Phase::CapturePending
            | Phase::ClosingAuthorization => true,
        }
    }
}

impl Sale {
    /// Whether the reference that it names becomes this payment's own.
    #[must_use]
    pub fn owns_reference(&self) -> bool {
        match self.key.subject.kind() {
            Kind::Order => !self.reference.as_ref().is_some_and(ReferenceId::is_recurring),
            Kind::Upsell | Kind::Charge => false,
        }
    }

    /// What it waits for before anything is asked of Amazon.
    pub(super) fn first_phase(&self, now: i64) -> Option<Phase> {
        match self.key.subject.kind() {
            Kind::Upsell => Some(Phase::WaitingForOrder),
            Kind::Charge if self.not_before.is_some_and(|at| at > now) => Some(Phase::Scheduled),
            Kind::Order | Kind::Charge => None,
        }
    }
}
