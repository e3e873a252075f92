//! Amazon as the core sees it, whichever API a merchant account speaks: what is asked (effects)
//! and what is answered (views and faults). Adapters translate; they decide nothing.

use super::ids::{AuthorizationId, CaptureId, OperationKey, ReferenceId, RefundId};
use super::money::Money;

mod views;

pub use views::{
    AuthorizationState, AuthorizationView, CaptureState, CaptureView, Intent, Month,
    ReferenceState, ReferenceView, RefundState, RefundView,
};

/// The quota that charges on an agreement draw on.
pub const CHARGES: &str = "authorize_on_agreement";

/// A call to be made at Amazon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Fix the total and the seller's attributes of a reference in Draft.
    SetDetails(SetDetails),
    /// Open the reference; where the buyer opened it at Amazon, make sure that it is.
    Confirm(ReferenceId),
    /// Complete a checkout session: what its intent says happens. Moves money.
    Complete(Complete),
    /// Authorize, perhaps capture in the same call. Moves money.
    Authorize(Authorize),
    /// Read the reference.
    ReadReference(ReferenceId),
    /// Of these authorizations, read the one that bears our key.
    FindAuthorization {
        /// What Amazon lists on the reference.
        ids: Vec<AuthorizationId>,
        /// Our key.
        key: OperationKey,
    },
    /// Read one authorization.
    ReadAuthorization(AuthorizationId),
    /// Capture an open authorization. Moves money.
    Capture(Capture),
    /// Read one capture.
    ReadCapture(CaptureId),
    /// Of these captures, read the one that bears our key.
    FindCapture {
        /// What Amazon lists on the authorization.
        ids: Vec<CaptureId>,
        /// Our key.
        key: OperationKey,
    },
    /// Give captured money back. Moves money.
    Refund(Refund),
    /// Read one refund.
    ReadRefund(RefundId),
    /// Read a capture and every refund that Amazon lists on it, whoever made it.
    ReadRefunds(CaptureId),
    /// Give an open authorization back.
    CloseAuthorization(AuthorizationId),
    /// Close the reference for new authorizations.
    CloseReference(ReferenceId),
}

impl Effect {
    /// Whether money may move once the call has left this process.
    #[must_use]
    pub const fn moves_money(&self) -> bool {
        match self {
            Effect::Complete(_) | Effect::Authorize(_) | Effect::Capture(_) | Effect::Refund(_) => {
                true
            }
            Effect::SetDetails(_)
            | Effect::Confirm(_)
            | Effect::ReadReference(_)
            | Effect::FindAuthorization { .. }
            | Effect::ReadAuthorization(_)
            | Effect::ReadCapture(_)
            | Effect::FindCapture { .. }
            | Effect::ReadRefund(_)
            | Effect::ReadRefunds(_)
            | Effect::CloseAuthorization(_)
            | Effect::CloseReference(_) => false,
        }
    }

    /// Which of Amazon's quotas it draws on: an agreement's operations have their own.
    #[must_use]
    pub fn quota(&self) -> &'static str {
        match self {
            Effect::Authorize(call) if call.reference.is_recurring() => CHARGES,
            Effect::ReadReference(id) if id.is_recurring() => "read_agreement",
            Effect::SetDetails(details) if details.reference.is_recurring() => "set_agreement",
            Effect::Confirm(id) if id.is_recurring() => "confirm_agreement",
            Effect::CloseReference(id) if id.is_recurring() => "close_agreement",
            Effect::FindCapture { .. } | Effect::ReadRefunds(_) => "read_capture",
            Effect::SetDetails(_)
            | Effect::Confirm(_)
            | Effect::Complete(_)
            | Effect::Authorize(_)
            | Effect::ReadReference(_)
            | Effect::FindAuthorization { .. }
            | Effect::ReadAuthorization(_)
            | Effect::Capture(_)
            | Effect::ReadCapture(_)
            | Effect::Refund(_)
            | Effect::ReadRefund(_)
            | Effect::CloseAuthorization(_)
            | Effect::CloseReference(_) => self.name(),
        }
    }

    /// Its name in journal, logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Effect::SetDetails(_) => "set_details",
            Effect::Confirm(_) => "confirm",
            Effect::Complete(_) => "complete",
            Effect::Authorize(_) => "authorize",
            Effect::ReadReference(_) => "read_reference",
            Effect::FindAuthorization { .. } => "find_authorization",
            Effect::ReadAuthorization(_) => "read_authorization",
            Effect::Capture(_) => "capture",
            Effect::ReadCapture(_) => "read_capture",
            Effect::FindCapture { .. } => "find_capture",
            Effect::Refund(_) => "refund",
            Effect::ReadRefund(_) => "read_refund",
            Effect::ReadRefunds(_) => "read_refunds",
            Effect::CloseAuthorization(_) => "close_authorization",
            Effect::CloseReference(_) => "close_reference",
        }
    }
}

/// The seller's attributes of a reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetDetails {
    /// Which reference.
    pub reference: ReferenceId,
    /// Its total.
    pub total: Money,
    /// The CRM's id of what is paid.
    pub seller_order_id: String,
    /// The name of the store.
    pub store_name: Option<String>,
    /// Custom information.
    pub custom_information: Option<String>,
}

/// The end of a checkout. It bears no key: a session is completed once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Complete {
    /// Which session.
    pub session: ReferenceId,
    /// What the buyer agreed to; Amazon refuses any other amount.
    pub total: Money,
}

/// The money call of an epoch: every parameter frozen by the intent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorize {
    /// Which reference.
    pub reference: ReferenceId,
    /// Our deterministic key.
    pub key: OperationKey,
    /// How much.
    pub amount: Money,
    /// Capture in the same call.
    pub capture_now: bool,
    /// Decide at once instead of within a day.
    pub synchronous: bool,
    /// On the buyer's statement; only with `capture_now`.
    pub soft_descriptor: Option<String>,
    /// The authorization note.
    pub note: Option<String>,
    /// What Amazon shows of the order that an agreement's charge makes; of a one-time reference
    /// it was set before.
    pub seller: SellerAttributes,
}

/// What the seller says of what is paid.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SellerAttributes {
    /// The CRM's id of what is paid.
    pub order_id: String,
    /// The name of the store.
    pub store_name: Option<String>,
    /// Custom information.
    pub custom_information: Option<String>,
}

/// A capture on an open authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capture {
    /// Which authorization.
    pub authorization: AuthorizationId,
    /// Our deterministic key.
    pub key: OperationKey,
    /// How much.
    pub amount: Money,
    /// On the buyer's statement.
    pub soft_descriptor: Option<String>,
}

/// A refund of a capture: every parameter frozen by the operation's own commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    /// Which capture.
    pub capture: CaptureId,
    /// Our deterministic key.
    pub key: OperationKey,
    /// How much.
    pub amount: Money,
    /// On the buyer's statement.
    pub soft_descriptor: Option<String>,
}

/// An answer that is no fault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The reference after details were set, or as it was read.
    Reference(ReferenceView),
    /// Nothing to say but yes.
    Done,
    /// An authorization, made or read.
    Authorization(AuthorizationView),
    /// None of the authorizations (or captures) bears our key.
    NotFound,
    /// A capture, made or read.
    Capture(CaptureView),
    /// A refund, made or read.
    Refund(RefundView),
    /// A capture with its refunds, oldest first.
    Refunds(CaptureView, Vec<RefundView>),
}

/// Why there is no such answer, by what may be done about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Refused before execution by a quota; says nothing about an earlier try.
    Throttled {
        /// Amazon's hint, in milliseconds.
        retry_after_ms: Option<i64>,
    },
    /// The request never left: nothing can have happened.
    NotSent,
    /// Amazon answered that it failed (5xx): what happened inside is not known.
    Unavailable {
        /// Amazon's code or the HTTP status.
        code: String,
    },
    /// Sent, and no whole answer came back.
    Unknown,
    /// Keys, tokens or the account are refused.
    Credentials {
        /// Amazon's code.
        code: String,
    },
    /// Amazon's verdict on a call that moves money: no, and nothing moved.
    Declined {
        /// Amazon's reason.
        reason: String,
    },
    /// Amazon's business answer: no.
    Refused {
        /// Amazon's code.
        code: String,
    },
    /// An answer that is not in any table.
    Unexpected {
        /// What can be told of it without leaking anything.
        detail: String,
    },
}

impl Fault {
    /// Whether the call may have had its effect in spite of this fault.
    #[must_use]
    pub const fn leaves_unknown(&self) -> bool {
        match self {
            Fault::Unavailable { .. } | Fault::Unknown | Fault::Unexpected { .. } => true,
            Fault::Throttled { .. }
            | Fault::NotSent
            | Fault::Credentials { .. }
            | Fault::Declined { .. }
            | Fault::Refused { .. } => false,
        }
    }

    /// Its name in journal, logs and metrics.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Fault::Throttled { .. } => "throttled",
            Fault::NotSent => "not_sent",
            Fault::Unavailable { .. } => "unavailable",
            Fault::Unknown => "unknown",
            Fault::Credentials { .. } => "credentials",
            Fault::Declined { .. } => "declined",
            Fault::Refused { .. } => "refused",
            Fault::Unexpected { .. } => "unexpected",
        }
    }
}

/// What a call came to.
pub type Reply = Result<Answer, Fault>;
