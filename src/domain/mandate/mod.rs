//! A buyer's standing consent as we know it: its state, what may still be charged this month, who
//! asked to close it.

use super::command::Asker;
use super::gateway::{Month, ReferenceState, ReferenceView};
use super::ids::{MerchantAccountId, ReferenceId, RequestId};
use super::money::Money;
use super::payment::{DeadLetterReason, Payment, Phase};

mod month;
#[cfg(test)]
mod tests;
mod watch;

pub use month::{Asked, Before, Verdict, judge, month_of, reckon_in};
pub use watch::{Look, News, Step};

macro_rules! states {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// Where a mandate stands, as far as it was seen.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum MandateState { $($(#[$doc])* $name),+ }

        impl MandateState {
            /// Every state.
            pub const ALL: &'static [MandateState] = &[$(MandateState::$name),+];
            /// The one word for it in rows.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(MandateState::$name => $word),+ }
            }
            /// Reads [`MandateState::as_str`] back.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|state| state.as_str() == text)
            }
        }
    };
}

states! {
    /// Not seen yet.
    Unknown = "unknown",
    /// Takes charges.
    Open = "open",
    /// Waits for the buyer to mend the payment method.
    Suspended = "suspended",
    /// Over, for good.
    Closed = "closed",
}

/// A charge that was allowed and whose outcome is not reckoned in yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Row id of the payment.
    pub payment: String,
    /// Its epoch.
    pub epoch: u32,
    /// How much.
    pub amount: Money,
    /// The month that it was allowed in: when that began.
    pub begins: i64,
}

/// What has become of a held charge.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// Not known yet: it may be on Amazon's books or not.
    InFlight,
    /// It is on Amazon's books.
    Moved,
    /// It is not, for good.
    Nothing,
}

impl Held {
    /// What has become of it, by the row of its payment as it is now.
    #[must_use]
    pub fn fate(&self, payment: Option<&Payment>) -> Fate {
        // A new epoch only begins after Amazon's word that the last one moved nothing.
        let Some(payment) = payment.filter(|payment| payment.epoch == self.epoch) else {
            return Fate::Nothing;
        };
        match payment.phase {
            Phase::Paid | Phase::Authorized => Fate::Moved,
            Phase::Declined | Phase::Failed | Phase::Canceled => Fate::Nothing,
            Phase::Scheduled
            | Phase::WaitingForOrder
            | Phase::Inspecting
            | Phase::SettingDetails
            | Phase::Confirming
            | Phase::Completing
            | Phase::Metering
            | Phase::Authorizing
            | Phase::LookingUp
            | Phase::AuthorizationPending
            | Phase::Capturing
            | Phase::CapturePending
            | Phase::ClosingAuthorization => Fate::InFlight,
        }
    }
}

/// A request to close it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Closing {
    /// Through which merchant account.
    pub mid: MerchantAccountId,
    /// Once under this id.
    pub request: RequestId,
    /// Who asked, and who asked again.
    pub askers: Vec<Asker>,
    /// Why.
    pub reason: Option<String>,
    /// When it was asked for, or sent back to work, in milliseconds since the epoch.
    pub since: i64,
    /// The event that it ended with.
    pub event: Option<String>,
}

/// A standing consent (or, while a mended payment method is waited for, one for one time).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mandate {
    /// Seller account and environment: the name space of references.
    pub seller_account: String,
    /// Amazon's id of it.
    pub reference: ReferenceId,
    /// The merchant account through which it was used last.
    pub mid: MerchantAccountId,
    /// Where it stands.
    pub state: MandateState,
    /// Amazon's reason for that.
    pub reason: Option<String>,
    /// Whether the buyer consented to later charges, where Amazon said so.
    pub consent: Option<bool>,
    /// What is left of the month, less what is held.
    pub month: Option<Month>,
    /// Charges that were allowed and are not reckoned in yet.
    pub held: Vec<Held>,
    /// Who wants it closed.
    pub closings: Vec<Closing>,
    /// When a charge was declined because it is suspended, until that was looked into.
    pub declined_at: Option<i64>,
    /// When it was seen to be open again, until everything that waited for that was looked at.
    pub reopened_at: Option<i64>,
    /// Number of the last published event.
    pub sequence: u32,
    /// Looks since its state changed, or tries in trouble.
    pub polls: u32,
    /// When it is to be looked at, in milliseconds since the epoch.
    pub due_at: Option<i64>,
    /// Why a request to close it lies in the dead letters, while it does.
    pub dead_letter: Option<DeadLetterReason>,
    /// The fence: grows with every write.
    pub version: i64,
    /// Milliseconds since the epoch.
    pub created_at: i64,
    /// Milliseconds since the epoch.
    pub updated_at: i64,
}

/// The id of a mandate's row.
#[must_use]
pub fn mandate_id(seller_account: &str, reference: &ReferenceId) -> String {
    format!("{seller_account}/agreement/{reference}")
}

impl Mandate {
    /// A mandate that nothing is known of yet.
    #[must_use]
    pub fn new(
        seller_account: &str,
        reference: &ReferenceId,
        mid: &MerchantAccountId,
        now: i64,
    ) -> Self {
        Self {
            seller_account: seller_account.to_owned(),
            reference: reference.clone(),
            mid: mid.clone(),
            state: MandateState::Unknown,
            reason: None,
            consent: None,
            month: None,
            held: Vec::new(),
            closings: Vec::new(),
            declined_at: None,
            reopened_at: None,
            sequence: 0,
            polls: 0,
            due_at: None,
            dead_letter: None,
            version: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// The id of its row.
    #[must_use]
    pub fn id(&self) -> String {
        mandate_id(&self.seller_account, &self.reference)
    }

    /// Takes over what Amazon shows; the balance only where it gives one.
    pub fn see(&mut self, view: &ReferenceView) {
        self.state = match view.state {
            ReferenceState::Open => MandateState::Open,
            ReferenceState::Suspended => MandateState::Suspended,
            ReferenceState::Closed | ReferenceState::Canceled => MandateState::Closed,
            ReferenceState::Draft | ReferenceState::Other => self.state,
        };
        self.reason.clone_from(&view.reason);
        self.consent = view.consent.or(self.consent);
    }
}
