//! The words for where a payment stands, what is told of it, and why it lies still: closed lists
//! without a default, each with one table between word and text.

use super::lookout::Found;
use crate::domain::operation::OperationTag;

macro_rules! phases {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// Where a payment stands.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Phase { $($(#[$doc])* $name),+ }

        impl Phase {
            /// Every phase.
            pub const ALL: &'static [Phase] = &[$(Phase::$name),+];
            /// The one word for it in rows, journal and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Phase::$name => $word),+ }
            }
            /// Reads [`Phase::as_str`] back.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|phase| phase.as_str() == text)
            }
        }
    };
}

phases! {
    /// A charge that may not be made before its time.
    Scheduled = "scheduled",
    /// An upsell that waits for its order to reach an end or rest.
    WaitingForOrder = "waiting_for_order",
    /// The reference is read first: it may be in any state.
    Inspecting = "inspecting",
    /// Total and attributes are set on the reference.
    SettingDetails = "setting_details",
    /// The reference is opened.
    Confirming = "confirming",
    /// Whether it fits into what an agreement may be charged this month is judged, and its part of
    /// that is taken in the commit that allows the money call.
    Metering = "metering",
    /// The checkout session is completed: the money call of the epoch, where its intent says so.
    Completing = "completing",
    /// The money call of the epoch is made or repeated.
    Authorizing = "authorizing",
    /// What became of the money call is looked up at Amazon.
    LookingUp = "looking_up",
    /// Amazon has not decided about the authorization.
    AuthorizationPending = "authorization_pending",
    /// An open authorization is captured.
    Capturing = "capturing",
    /// A capture exists and its own state is read.
    CapturePending = "capture_pending",
    /// The authorization is given back before a decline is told.
    ClosingAuthorization = "closing_authorization",
    /// At rest: authorized, to be captured by a later request.
    Authorized = "authorized",
    /// End: the money was captured.
    Paid = "paid",
    /// End of the epoch: Amazon said no.
    Declined = "declined",
    /// End: it will not happen, though Amazon did not say no.
    Failed = "failed",
    /// End: canceled by the CRM or by Amazon.
    Canceled = "canceled",
}

impl Phase {
    /// Accepted, and neither at an end nor at rest.
    #[must_use]
    pub const fn in_hand(self) -> bool {
        match self {
            Phase::Scheduled
            | Phase::WaitingForOrder
            | Phase::Inspecting
            | Phase::SettingDetails
            | Phase::Confirming
            | Phase::Metering
            | Phase::Completing
            | Phase::Authorizing
            | Phase::LookingUp
            | Phase::AuthorizationPending
            | Phase::Capturing
            | Phase::CapturePending
            | Phase::ClosingAuthorization => true,
            Phase::Authorized | Phase::Paid | Phase::Declined | Phase::Failed | Phase::Canceled => {
                false
            }
        }
    }
}

impl Phase {
    /// Whether the next step is Amazon's, and it is only looked at now and then.
    #[must_use]
    pub const fn waits_for_amazon(self) -> bool {
        matches!(self, Phase::AuthorizationPending | Phase::CapturePending | Phase::Authorized)
    }
}

/// Whether money may have moved without our knowing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exposure {
    /// No run is open and every money call is accounted for.
    Clear,
    /// A run may make the money call; if its worker dies, it counts as sent.
    Open,
    /// A money call was sent and Amazon's word is missing.
    Sent,
}

/// The result of a payment, as the events name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// The money was captured.
    Paid,
    /// Authorized and at rest.
    Authorized,
    /// Amazon said no.
    Declined,
    /// It will not happen.
    Failed,
    /// Canceled.
    Canceled,
    /// On the way, Amazon decides.
    PendingAmazon,
    /// On the way, an operator decides.
    PendingOperator,
}

impl Outcome {
    /// The contract's result word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Outcome::Paid => "paid",
            Outcome::Authorized => "authorized",
            Outcome::Declined => "declined",
            Outcome::Failed => "failed",
            Outcome::Canceled => "canceled",
            Outcome::PendingAmazon | Outcome::PendingOperator => "pending",
        }
    }

    /// Whether a command is done with it (an end or the rest).
    #[must_use]
    pub const fn is_done(self) -> bool {
        match self {
            Outcome::Paid
            | Outcome::Authorized
            | Outcome::Declined
            | Outcome::Failed
            | Outcome::Canceled => true,
            Outcome::PendingAmazon | Outcome::PendingOperator => false,
        }
    }
}

/// The result of an operation alone, as the events name it: the payment is as it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OperationOutcome {
    /// The money went back.
    Refunded,
    /// Amazon refused to give it back.
    RefundDeclined,
    /// It will not happen, though Amazon did not say no.
    Failed,
    /// On the way, Amazon decides.
    PendingAmazon,
    /// On the way, an operator decides.
    PendingOperator,
}

impl OperationOutcome {
    /// The contract's result word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            OperationOutcome::Refunded => "refunded",
            OperationOutcome::RefundDeclined => "refund_declined",
            OperationOutcome::Failed => "operation_failed",
            OperationOutcome::PendingAmazon | OperationOutcome::PendingOperator => {
                "operation_pending"
            }
        }
    }

    /// Whether the operation is done with it.
    #[must_use]
    pub const fn is_done(self) -> bool {
        match self {
            OperationOutcome::Refunded
            | OperationOutcome::RefundDeclined
            | OperationOutcome::Failed => true,
            OperationOutcome::PendingAmazon | OperationOutcome::PendingOperator => false,
        }
    }
}

/// What is told by one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told {
    /// A result of the payment itself.
    Payment(Outcome),
    /// A result of the payment that is this operation's end too.
    By(Outcome, OperationTag),
    /// A result of an operation alone.
    Operation(OperationTag, OperationOutcome),
    /// Money that went back without us.
    Found(Found),
}

impl From<Outcome> for Told {
    fn from(outcome: Outcome) -> Self {
        Told::Payment(outcome)
    }
}

impl Told {
    /// The operation that it is about, or that brought it about.
    #[must_use]
    pub const fn tag(&self) -> Option<&OperationTag> {
        match self {
            Told::Payment(_) | Told::Found(_) => None,
            Told::By(_, tag) | Told::Operation(tag, _) => Some(tag),
        }
    }

    /// Whether a command is done with it.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        match self {
            Told::Payment(outcome) | Told::By(outcome, _) => outcome.is_done(),
            Told::Operation(_, outcome) => outcome.is_done(),
            Told::Found(_) => false,
        }
    }

    /// The contract's result word.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Told::Payment(outcome) | Told::By(outcome, _) => outcome.as_str(),
            Told::Operation(_, outcome) => outcome.as_str(),
            Told::Found(Found { dispute: true, .. }) => "opened",
            Told::Found(Found { dispute: false, .. }) => OperationOutcome::Refunded.as_str(),
        }
    }
}

/// Why a command lies in the dead letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeadLetterReason {
    /// The message was not acceptable.
    Rejected,
    /// Transient trouble outlasted the budget.
    Exhausted,
    /// Amazon never told us; money may have moved.
    UnknownOutcome,
    /// Credentials refused, or the merchant account is disabled.
    Configuration,
    /// It crashed the worker, alone in hand.
    Poison,
}

impl DeadLetterReason {
    /// Every reason.
    pub const ALL: [DeadLetterReason; 5] = [
        DeadLetterReason::Rejected,
        DeadLetterReason::Exhausted,
        DeadLetterReason::UnknownOutcome,
        DeadLetterReason::Configuration,
        DeadLetterReason::Poison,
    ];

    /// The contract's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            DeadLetterReason::Rejected => "rejected",
            DeadLetterReason::Exhausted => "exhausted",
            DeadLetterReason::UnknownOutcome => "unknown_outcome",
            DeadLetterReason::Configuration => "configuration",
            DeadLetterReason::Poison => "poison",
        }
    }

    /// Reads [`DeadLetterReason::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.as_str() == text)
    }
}
