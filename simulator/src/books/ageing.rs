//! What happens by itself: one queue of everything that falls due. A timer is never withdrawn;
//! it looks at the object when its time has come, and does nothing where that has moved on.

use super::{
    AgreementAt, AuthorizationAt, AuthorizationState, Books, CaptureAt, CaptureState, OrderAt,
    OrderState, Reason, RefundAt, RefundState,
};
use crate::clock::Millis;

/// What falls due.
#[derive(Debug, Clone, Copy)]
pub(super) enum Due {
    /// A draft that nobody confirmed.
    Stale(OrderAt),
    /// A reference that has lived its time.
    Expired(OrderAt),
    /// A confirmed reference whose immediate authorization never came.
    Unused(OrderAt),
    /// The buyer mends the payment method.
    Mended(OrderAt),
    /// An agreement that nobody confirmed.
    StaleAgreement(AgreementAt),
    /// The buyer mends the payment method of an agreement.
    MendedAgreement(AgreementAt),
    /// Amazon has decided.
    Authorized(AuthorizationAt),
    /// An authorization that nobody captured, or that a note closes.
    Closed(AuthorizationAt, Reason),
    Captured(CaptureAt),
    /// Amazon closes a capture, as a note asked.
    CaptureClosed(CaptureAt),
    Refunded(RefundAt),
}

impl Books {
    pub(super) fn set_timer(&mut self, at: Millis, due: Due) {
        self.timers_set += 1;
        self.timers.insert((at, self.timers_set), due);
    }

    /// Lets everything happen that is due by `now`, each thing at its own time.
    pub(crate) fn settle(&mut self, now: Millis) {
        while let Some(entry) = self.timers.first_entry() {
            let (at, _) = *entry.key();
            if at > now {
                break;
            }
            let due = entry.remove();
            self.now = self.now.max(at);
            self.happen(due);
        }
        self.now = self.now.max(now);
    }

    fn happen(&mut self, due: Due) {
        match due {
            Due::Stale(at) => {
                if self[at].state == OrderState::Draft {
                    self.end_canceled(at, Reason::Stale, None);
                }
            }
            Due::Expired(at) => {
                if matches!(self[at].state, OrderState::Open | OrderState::Suspended) {
                    self.turn_order(at, OrderState::Closed, Some(Reason::Expired));
                }
            }
            Due::Unused(at) => {
                let unused = self[at].authorizations.is_empty();
                if unused && self[at].state == OrderState::Open {
                    self.turn_order(at, OrderState::Closed, Some(Reason::AmazonClosed));
                }
            }
            Due::Mended(at) => self.change_method(at, true),
            Due::StaleAgreement(at) => {
                if self[at].state == OrderState::Draft {
                    self.end_agreement(at, OrderState::Canceled, Reason::Stale, None);
                }
            }
            Due::MendedAgreement(at) => self.change_agreement_method(at, true),
            Due::Authorized(at) => {
                if self[at].state == AuthorizationState::Pending {
                    self.decide_authorization(at);
                }
            }
            Due::Closed(at, reason) => {
                if self[at].state == AuthorizationState::Open && !self.is_being_captured(at) {
                    self.close_and_release(at, reason);
                }
            }
            Due::Captured(at) => {
                if self[at].state == CaptureState::Pending {
                    self.decide_capture(at);
                }
            }
            Due::CaptureClosed(at) => {
                if self[at].state == CaptureState::Completed {
                    self.turn_capture(at, CaptureState::Closed, Some(Reason::AmazonClosed));
                }
            }
            Due::Refunded(at) => {
                if self[at].state == RefundState::Pending {
                    self.decide_refund(at);
                }
            }
        }
    }
}
