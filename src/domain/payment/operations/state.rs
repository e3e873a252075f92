//! An operation: everything that is known about a capture, refund or cancel of a payment, in
//! memory and in the payment's row. Amounts are fixed in the payment's own commits, so two
//! operations never count the same money.

use crate::domain::command::Asker;
use crate::domain::decline::Decline;
use crate::domain::ids::RefundId;
use crate::domain::merchant::Api;
use crate::domain::money::Money;
use crate::domain::operation::{OperationCommand, OperationKind, OperationTag, Wanted};
use crate::domain::payment::phase::{DeadLetterReason, Exposure};
use crate::domain::payment::state::{Effort, Payment};

macro_rules! phases {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// Where an operation stands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum OperationPhase { $($(#[$doc])* $name),+ }

        impl OperationPhase {
            /// Every phase.
            pub const ALL: &'static [OperationPhase] = &[$(OperationPhase::$name),+];
            /// The one word for it in rows and journal.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(OperationPhase::$name => $word),+ }
            }
            /// Reads [`OperationPhase::as_str`] back.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|phase| phase.as_str() == text)
            }
        }
    };
}

phases! {
    /// The payment is in hand, or another operation goes first.
    Waiting = "waiting",
    /// What Amazon has refunded already is read, before the amount is fixed.
    Inspecting = "inspecting",
    /// The call is made or repeated.
    Calling = "calling",
    /// Amazon has not decided.
    Pending = "pending",
    /// The money went back; what that makes in all is read.
    Counting = "counting",
    /// The authorization is given back before a decline is told.
    ClosingAuthorization = "closing_authorization",
    /// End: it had its effect.
    Done = "done",
    /// End: Amazon said no.
    Declined = "declined",
    /// End: it will not happen, though Amazon did not say no.
    Failed = "failed",
}

impl OperationPhase {
    /// Neither waiting for its turn nor at an end.
    #[must_use]
    pub const fn is_begun(self) -> bool {
        match self {
            OperationPhase::Inspecting
            | OperationPhase::Calling
            | OperationPhase::Pending
            | OperationPhase::Counting
            | OperationPhase::ClosingAuthorization => true,
            OperationPhase::Waiting
            | OperationPhase::Done
            | OperationPhase::Declined
            | OperationPhase::Failed => false,
        }
    }

    /// At no end.
    #[must_use]
    pub const fn is_open(self) -> bool {
        match self {
            OperationPhase::Waiting
            | OperationPhase::Inspecting
            | OperationPhase::Calling
            | OperationPhase::Pending
            | OperationPhase::Counting
            | OperationPhase::ClosingAuthorization => true,
            OperationPhase::Done | OperationPhase::Declined | OperationPhase::Failed => false,
        }
    }
}

/// A capture, refund or cancel of a payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Which.
    pub tag: OperationTag,
    /// The message that asked first.
    pub asker: Asker,
    /// What it asked for.
    pub wanted: Wanted,
    /// By which API; frozen when it is accepted.
    pub api: Api,
    /// How much it is, once that is fixed; never changed after that.
    pub amount: Option<Money>,
    /// The payment's epoch when it began: part of its key.
    pub epoch: u32,
    /// Where it stands.
    pub phase: OperationPhase,
    /// Whether money may have moved by it without our knowing.
    pub exposure: Exposure,
    /// Amazon's declines of it so far: part of its key.
    pub declines: u32,
    /// Amazon's refund.
    pub refund_id: Option<RefundId>,
    /// Why it was declined or failed (or will be, once the authorization is closed).
    pub decline: Option<Decline>,
    /// Whether `operation_pending` by Amazon was told.
    pub told_pending_amazon: bool,
    /// Whether `operation_pending` by the operator was told.
    pub told_pending_operator: bool,
    /// Event id of its latest result.
    pub latest_event: Option<String>,
    /// Tries and waits; crashes are counted with the payment.
    pub effort: Effort,
    /// When somebody must drive it next, in milliseconds since the epoch; none where nobody must.
    pub due_at: Option<i64>,
    /// Why it lies in the dead letters, while it does.
    pub dead_letter: Option<DeadLetterReason>,
}

impl Operation {
    /// An operation just accepted: its turn may have to come.
    #[must_use]
    pub fn open(command: &OperationCommand, asker: Asker, now: i64) -> Self {
        Self {
            tag: command.tag(),
            asker,
            wanted: command.wanted,
            api: Api::Mws,
            amount: None,
            epoch: 0,
            phase: OperationPhase::Waiting,
            exposure: Exposure::Clear,
            declines: 0,
            refund_id: None,
            decline: None,
            told_pending_amazon: false,
            told_pending_operator: false,
            latest_event: None,
            effort: Effort { since: now, ..Effort::default() },
            due_at: Some(now),
            dead_letter: None,
        }
    }

    /// Whether its amount counts as refunded, or may yet: begun and not declined.
    #[must_use]
    pub fn takes(&self) -> Option<Money> {
        let counts = match self.phase {
            OperationPhase::Inspecting
            | OperationPhase::Calling
            | OperationPhase::Pending
            | OperationPhase::Counting
            | OperationPhase::Done => true,
            OperationPhase::Waiting
            | OperationPhase::ClosingAuthorization
            | OperationPhase::Declined
            | OperationPhase::Failed => false,
        };
        self.amount.filter(|_| counts && self.tag.kind == OperationKind::Refund)
    }
}

impl Payment {
    /// An operation of this payment.
    #[must_use]
    pub fn operation(&self, tag: &OperationTag) -> Option<&Operation> {
        self.operations.iter().find(|one| one.tag == *tag)
    }

    /// An operation of this payment, to be changed.
    pub fn operation_mut(&mut self, tag: &OperationTag) -> Option<&mut Operation> {
        self.operations.iter_mut().find(|one| one.tag == *tag)
    }

    /// When somebody must drive it or one of its operations next, in milliseconds since the epoch.
    #[must_use]
    pub fn next_due(&self) -> Option<i64> {
        let operations = self.operations.iter().filter_map(|one| one.due_at);
        self.due_at.into_iter().chain(operations).min()
    }

    /// What our own refunds have given back, or may yet.
    #[must_use]
    pub fn refunds_begun(&self) -> Money {
        let sum = self.operations.iter().filter_map(Operation::takes).map(Money::minor).sum();
        Money::from_minor(sum, self.amount.currency())
    }

    /// What our own refunds have given back, by Amazon's word.
    #[must_use]
    pub fn refunds_done(&self) -> Money {
        let done =
            |one: &&Operation| matches!(one.phase, OperationPhase::Done | OperationPhase::Counting);
        let takes = self.operations.iter().filter(done).filter_map(Operation::takes);
        Money::from_minor(takes.map(Money::minor).sum(), self.amount.currency())
    }

    /// What may still be refunded: the captured amount less every refund begun and not declined,
    /// Amazon's own as far as it is sure here that they are not ours.
    #[must_use]
    pub fn left(&self) -> Money {
        // What Amazon had given back may have been ours, begun and not looked at since.
        let begun = self.refunds_begun().minor();
        let taken = begun + (self.refunded.minor() - begun).max(self.lookout.sum());
        Money::from_minor(self.captured.minor() - taken, self.amount.currency())
    }

    /// A hint that something changed at Amazon: operations that wait for its word are looked at
    /// now; true if there are any.
    pub fn poke_operations(&mut self, now: i64) -> bool {
        let mut any = false;
        for one in &mut self.operations {
            if one.phase == OperationPhase::Pending && one.dead_letter.is_none() {
                one.due_at = Some(now);
                any = true;
            }
        }
        any
    }
}
