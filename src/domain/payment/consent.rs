//! What follows from the kind of consent that a payment is made on: whose it is, what is waited for
//! first, and from where on money may move.

use super::phase::Phase;
use super::state::Payment;
use crate::domain::command::{Kind, Sale};
use crate::domain::ids::ReferenceId;

impl Payment {
    /// Whether it is made on a standing consent, which other payments share.
    #[must_use]
    pub fn on_agreement(&self) -> bool {
        self.charged().is_some_and(ReferenceId::is_recurring)
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
            Phase::Inspecting | Phase::SettingDetails | Phase::Confirming => !self.on_agreement(),
            Phase::WaitingForOrder
            | Phase::Completing
            | Phase::Authorizing
            | Phase::LookingUp
            | Phase::AuthorizationPending
            | Phase::Capturing
            | Phase::CapturePending
            | Phase::ClosingAuthorization
            | Phase::Authorized
            | Phase::Paid
            | Phase::Declined
            | Phase::Failed
            | Phase::Canceled => true,
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
