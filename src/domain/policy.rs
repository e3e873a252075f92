//! The numbers behind decisions, in milliseconds; where they come from is configuration's matter.

use super::command::Kind;

/// Bounds and waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Transient trouble of orders and upsells before the dead letters.
    pub budget_checkout_ms: i64,
    /// The same for operations.
    pub budget_operations_ms: i64,
    /// The same for recurring charges.
    pub budget_recurring_ms: i64,
    /// Waits for Amazon's quota before the dead letters.
    pub budget_quota_ms: i64,
    /// For how long a call that was given up may still be at work at Amazon: many times what a
    /// call may take.
    pub call_at_work_ms: i64,
    /// Before a new attempt after `ProcessingFailure`.
    pub processing_failure_wait_ms: i64,
    /// First look at something pending.
    pub pending_poll_first_ms: i64,
    /// How long an order reference stays open after its capture.
    pub reference_open_for_ms: i64,
    /// How long an upsell waits for an order that nobody knows.
    pub order_unknown_ms: i64,
    /// No try begins at once later than this after the run began.
    pub at_once_ms: i64,
    /// How many tries a run makes of one call.
    pub at_once_tries: u32,
    /// Authorizations that may end in `ProcessingFailure` and still be followed by another.
    pub processing_failures_max: u32,
    /// Looks at something pending before an operator must look: about two days of them.
    pub polls_max: u32,
    /// First look for refunds and disputes after a payment; then growing.
    pub reconcile_first_ms: i64,
    /// How long after a payment such looks go on; 0 is never.
    pub reconcile_for_ms: i64,
    /// How long message ids are remembered.
    pub keep_messages_ms: i64,
    /// How long notifications are remembered.
    pub keep_notifications_ms: i64,
}

impl Policy {
    /// A call that is given up after so many milliseconds may be at work for ten times as long.
    pub fn give_up_calls_after(&mut self, timeout_ms: i64) {
        self.call_at_work_ms = self.call_at_work_ms.max(timeout_ms.saturating_mul(10));
    }

    /// The budget of transient trouble for a payment of this kind.
    #[must_use]
    pub const fn budget_ms(&self, kind: Kind) -> i64 {
        match kind {
            Kind::Order | Kind::Upsell => self.budget_checkout_ms,
            Kind::Charge => self.budget_recurring_ms,
        }
    }

    /// When to look again at something pending, after this many looks: growing to an hour.
    #[must_use]
    pub fn poll_after_ms(&self, polls: u32) -> i64 {
        let hour = 3_600_000;
        let grown = self.pending_poll_first_ms.saturating_mul(3i64.saturating_pow(polls.min(20)));
        // Thirds instead of halves keep the second look of a 20 s schedule within a minute.
        (grown / 2i64.saturating_pow(polls.min(20)))
            .clamp(self.pending_poll_first_ms.min(hour), hour)
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            budget_checkout_ms: 1_800_000,
            budget_operations_ms: 86_400_000,
            budget_recurring_ms: 86_400_000,
            budget_quota_ms: 86_400_000,
            call_at_work_ms: 600_000,
            processing_failure_wait_ms: 90_000,
            pending_poll_first_ms: 20_000,
            reference_open_for_ms: 86_400_000,
            order_unknown_ms: 60_000,
            at_once_ms: 5_000,
            at_once_tries: 3,
            processing_failures_max: 2,
            polls_max: 64,
            reconcile_first_ms: 86_400_000,
            reconcile_for_ms: 180 * 86_400_000,
            keep_messages_ms: 180 * 86_400_000,
            keep_notifications_ms: 30 * 86_400_000,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn polling_begins_with_the_setting_and_grows_to_an_hour() {
        let policy = Policy::default();
        let waits: Vec<i64> = (0..16).map(|polls| policy.poll_after_ms(polls)).collect();
        assert_eq!(waits[..4], [20_000, 30_000, 45_000, 67_500]);
        assert!(waits.windows(2).all(|pair| pair[0] <= pair[1]));
        assert_eq!(waits[15], 3_600_000);
        assert_eq!(policy.poll_after_ms(u32::MAX), 3_600_000);
    }
}
