//! A payment: everything that is known about it, in memory and in its row.

use super::lookout::Lookout;
use super::operations::Operation;
use super::phase::{DeadLetterReason, Exposure, Phase};
use crate::domain::command::{
    Asker, AuthorizationMode, CaptureMode, Kind, PaymentKey, Sale, Texts,
};
use crate::domain::decline::Decline;
use crate::domain::ids::{AuthorizationId, CaptureId, OrderId, ReferenceId};
use crate::domain::merchant::Api;
use crate::domain::money::Money;

/// Sealed bytes as text; only a vault opens them. Its debug form tells nothing.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed(pub String);

impl std::fmt::Debug for Sealed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Sealed(…)")
    }
}

/// Who drives a payment at the moment, and until when nobody else may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The worker's id.
    pub owner: String,
    /// Milliseconds since the epoch.
    pub until: i64,
}

/// The technical side of an epoch: tries, waits and crashes. Never part of a reference.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Effort {
    /// Runs that ended in transient trouble since the budget began.
    pub attempt: u32,
    /// When the budget began, in milliseconds since the epoch.
    pub since: i64,
    /// Waits for Amazon's quota since then, which the budget does not count, in milliseconds.
    pub quota_wait_ms: i64,
    /// Looks at something pending.
    pub polls: u32,
    /// Runs whose worker died.
    pub crashes: u32,
    /// Of those, the ones in which it was alone in hand.
    pub crashes_alone: u32,
    /// The last fault's name, for people.
    pub last_fault: Option<String>,
    /// Since when credentials have been refused, in milliseconds since the epoch.
    pub refused_since: Option<i64>,
}

impl Effort {
    /// Amazon answered: trouble is counted from here on, and what was waited is no trouble.
    pub const fn begin_anew(&mut self, now: i64) {
        self.since = now;
        self.attempt = 0;
        self.quota_wait_ms = 0;
    }
}

/// What a payment was before an epoch that may still prove unacceptable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prior {
    /// The reference of the epoch before.
    pub reference: Option<ReferenceId>,
    /// What is charged in its stead, where it was a checkout session.
    pub permission: Option<ReferenceId>,
    /// By which API.
    pub api: Api,
    /// Its amount.
    pub amount: Money,
    /// Its capture mode.
    pub capture: CaptureMode,
    /// How Amazon was asked.
    pub authorization: AuthorizationMode,
    /// Its texts.
    pub texts: Texts,
    /// The message that opened it.
    pub opener: Asker,
    /// Its number.
    pub epoch: u32,
    /// Its authorization.
    pub authorization_id: Option<AuthorizationId>,
    /// Its total at Amazon.
    pub confirmed_total: Option<Money>,
    /// Its decline.
    pub decline: Option<Decline>,
    /// What the command told about the buyer.
    pub personal: Option<Sealed>,
    /// What Amazon told about the buyer.
    pub details: Option<Sealed>,
    /// Epochs that were opened by ourselves after it.
    pub reauthorized: u32,
    /// When it was declined, in milliseconds since the epoch.
    pub declined_at: Option<i64>,
}

/// A payment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payment {
    /// Which payment, for ever.
    pub key: PaymentKey,
    /// Seller account and environment: the name space of references and quotas.
    pub seller_account: String,
    /// The buyer's consent; of an upsell, absent until its order is known.
    pub reference: Option<ReferenceId>,
    /// Of a checkout session that was completed: what is charged in its stead. To everybody else
    /// the two are one reference.
    pub permission: Option<ReferenceId>,
    /// Whether the reference is this payment's own (not an upsell on its order's, and not an
    /// agreement, which many payments share).
    pub owns_reference: bool,
    /// By which API; frozen when it begins, so that a change of the account finds nothing halfway.
    pub api: Api,
    /// How much is asked for.
    pub amount: Money,
    /// When it is captured.
    pub capture: CaptureMode,
    /// How Amazon is asked.
    pub authorization: AuthorizationMode,
    /// Whether an agreement is charged at once.
    pub initial_charge: bool,
    /// Of a charge: the order that it belongs to.
    pub of_order: Option<OrderId>,
    /// Of a charge: not before this time, in milliseconds since the epoch.
    pub not_before: Option<i64>,
    /// Texts carried through.
    pub texts: Texts,
    /// The message that opened the epoch.
    pub opener: Asker,
    /// What the command told about the buyer, with the consent token.
    pub personal: Option<Sealed>,
    /// What Amazon told about the buyer.
    pub details: Option<Sealed>,

    /// Where it stands.
    pub phase: Phase,
    /// Business counter; grows with every new authorization reference.
    pub epoch: u32,
    /// Whether this epoch's money call asks for a decision at once. Frozen by the intent.
    pub synchronous: bool,
    /// Whether money may have moved without our knowing.
    pub exposure: Exposure,
    /// When a money call of this epoch was last given up without an answer, or found to have been
    /// its dead worker's to make, in milliseconds since the epoch; only where it is `Sent`.
    pub unanswered_at: Option<i64>,
    /// Amazon's authorization of this epoch.
    pub authorization_id: Option<AuthorizationId>,
    /// Amazon's capture.
    pub capture_id: Option<CaptureId>,
    /// How much was captured.
    pub captured: Money,
    /// How much of it was refunded.
    pub refunded: Money,
    /// The total that the reference was confirmed with.
    pub confirmed_total: Option<Money>,
    /// Epochs of this command that ended in `ProcessingFailure`.
    pub processing_failures: u32,
    /// Declines of this authorization's capture.
    pub capture_declines: u32,
    /// Why it was declined or failed (or will be, once the authorization is closed).
    pub decline: Option<Decline>,
    /// When the command's first epoch was declined, in milliseconds since the epoch.
    pub declined_at: Option<i64>,
    /// Epochs that were opened by ourselves since the command, because the buyer had mended the
    /// payment method.
    pub reauthorized: u32,

    /// Number of the last published event.
    pub sequence: u32,
    /// Whether anything was published since the epoch's command.
    pub published_in_epoch: bool,
    /// Whether `pending` by Amazon was told in this epoch.
    pub told_pending_amazon: bool,
    /// Whether `pending` by the operator was told in this epoch.
    pub told_pending_operator: bool,
    /// Event id of the latest result.
    pub latest_event: Option<String>,

    /// Tries, waits, crashes.
    pub effort: Effort,
    /// When somebody must drive the payment itself next, in milliseconds since the epoch; none
    /// where nobody must. Its operations have times of their own.
    pub due_at: Option<i64>,
    /// When its reference is to be closed.
    pub close_reference_at: Option<i64>,
    /// Why it lies in the dead letters, while it does.
    pub dead_letter: Option<DeadLetterReason>,
    /// What it was before this epoch, until something is published in it.
    pub prior: Option<Box<Prior>>,
    /// Captures, refunds and cancels of it, in the order in which they were accepted.
    pub operations: Vec<Operation>,
    /// When Amazon is looked at again after the end, and what was found there.
    pub lookout: Lookout,
    /// Who drives it.
    pub lease: Option<Lease>,
    /// The fencing number: grows with every write.
    pub version: i64,
    /// When it was accepted, in milliseconds since the epoch.
    pub created_at: i64,
    /// When it was last written.
    pub updated_at: i64,
}

impl Payment {
    /// A payment just accepted: the first epoch, nothing done.
    #[must_use]
    pub fn open(sale: Sale, asker: Asker, seller_account: String, now: i64) -> Self {
        Self {
            seller_account,
            owns_reference: sale.owns_reference(),
            phase: sale.first_phase(now).unwrap_or(match sale.key.subject.kind() {
                Kind::Charge => Phase::Metering,
                Kind::Order | Kind::Upsell => Phase::SettingDetails,
            }),
            synchronous: sale.authorization.begins_synchronous(),
            captured: Money::zero(sale.amount.currency()),
            refunded: Money::zero(sale.amount.currency()),
            key: sale.key,
            reference: sale.reference,
            permission: None,
            api: Api::Mws,
            amount: sale.amount,
            capture: sale.capture,
            authorization: sale.authorization,
            initial_charge: sale.initial_charge,
            of_order: sale.of_order,
            not_before: sale.not_before,
            texts: sale.texts,
            opener: asker,
            personal: None,
            details: None,
            epoch: 1,
            exposure: Exposure::Clear,
            unanswered_at: None,
            authorization_id: None,
            capture_id: None,
            confirmed_total: None,
            processing_failures: 0,
            capture_declines: 0,
            decline: None,
            declined_at: None,
            reauthorized: 0,
            sequence: 0,
            published_in_epoch: false,
            told_pending_amazon: false,
            told_pending_operator: false,
            latest_event: None,
            effort: Effort { since: now, ..Effort::default() },
            due_at: Some(sale.not_before.filter(|at| *at > now).unwrap_or(now)),
            close_reference_at: None,
            dead_letter: None,
            prior: None,
            operations: Vec::new(),
            lookout: Lookout::default(),
            lease: None,
            version: 0,
            created_at: now,
            updated_at: now,
        }
    }

    /// A new epoch for the same payment after a soft decline; what it was is kept until something
    /// is published, because the new command may still prove unacceptable.
    pub fn reopen(&mut self, sale: Sale, asker: Asker, personal: Option<Sealed>, now: i64) {
        self.prior = Some(Box::new(Prior {
            reference: self.reference.clone(),
            permission: self.permission.clone(),
            api: self.api,
            amount: self.amount,
            capture: self.capture,
            authorization: self.authorization,
            texts: self.texts.clone(),
            opener: self.opener.clone(),
            epoch: self.epoch,
            authorization_id: self.authorization_id.take(),
            confirmed_total: self.confirmed_total,
            decline: self.decline.take(),
            personal: self.personal.take(),
            // Another reference has another buyer, and a new token may tell what the last did not.
            details: self.details.take(),
            reauthorized: self.reauthorized,
            declined_at: self.declined_at.take(),
        }));
        if sale.reference.is_some() && !self.is_on(sale.reference.as_ref()) {
            self.confirmed_total = None;
            self.permission = None;
        }
        self.phase = sale.first_phase(now).unwrap_or(Phase::Inspecting);
        self.owns_reference = sale.owns_reference();
        self.due_at = Some(sale.not_before.filter(|at| *at > now).unwrap_or(now));
        self.initial_charge = sale.initial_charge;
        self.of_order = sale.of_order;
        self.not_before = sale.not_before;
        self.reauthorized = 0;
        if sale.reference.is_none() || self.permission != sale.reference {
            self.reference = sale.reference;
        }
        self.amount = sale.amount;
        self.captured = Money::zero(sale.amount.currency());
        self.refunded = Money::zero(sale.amount.currency());
        self.capture = sale.capture;
        self.authorization = sale.authorization;
        self.texts = sale.texts;
        self.opener = asker;
        self.personal = personal;
        self.synchronous = self.authorization.begins_synchronous();
        self.begin_epoch();
        self.processing_failures = 0;
        self.published_in_epoch = false;
        self.effort = Effort { since: now, ..Effort::default() };
        self.close_reference_at = None;
    }

    /// A new epoch of our own after a soft decline that the buyer has mended: the same command
    /// again, and nothing that could be taken back.
    pub fn reauthorize(&mut self, now: i64) {
        self.phase = Phase::Inspecting;
        self.synchronous = self.authorization.begins_synchronous();
        self.decline = None;
        self.begin_epoch();
        self.processing_failures = 0;
        self.reauthorized += 1;
        self.effort = Effort { since: now, ..Effort::default() };
        self.due_at = Some(now);
        self.close_reference_at = None;
    }

    /// Takes the next number; the last one moved nothing, by Amazon's word.
    pub fn begin_epoch(&mut self) {
        self.epoch += 1;
        self.exposure = Exposure::Clear;
        self.unanswered_at = None;
        self.authorization_id = None;
        self.capture_id = None;
        self.capture_declines = 0;
        self.told_pending_amazon = false;
        self.told_pending_operator = false;
    }

    /// A money call of this epoch may be at work, and nobody hears what becomes of it.
    pub fn goes_unanswered(&mut self, now: i64) {
        self.exposure = Exposure::Sent;
        self.unanswered_at = self.unanswered_at.max(Some(now));
    }

    /// Takes back a [`Payment::reopen`] whose command proved unacceptable; false if there is
    /// nothing to go back to, so that the payment is as if never asked for.
    pub fn restore(&mut self) -> bool {
        let Some(prior) = self.prior.take() else { return false };
        self.reference = prior.reference;
        self.permission = prior.permission;
        self.api = prior.api;
        self.amount = prior.amount;
        self.captured = Money::zero(prior.amount.currency());
        self.refunded = Money::zero(prior.amount.currency());
        self.capture = prior.capture;
        self.authorization = prior.authorization;
        self.texts = prior.texts;
        self.opener = prior.opener;
        self.epoch = prior.epoch;
        self.authorization_id = prior.authorization_id;
        self.confirmed_total = prior.confirmed_total;
        self.decline = prior.decline;
        self.personal = prior.personal;
        self.details = prior.details;
        self.reauthorized = prior.reauthorized;
        self.declined_at = prior.declined_at;
        self.phase = Phase::Declined;
        self.exposure = Exposure::Clear;
        self.published_in_epoch = true;
        self.due_at = None;
        true
    }

    /// The identity of its row and the subject of its events.
    #[must_use]
    pub fn id(&self) -> String {
        self.key.event_subject()
    }

    /// Accepted, and neither at an end nor at rest.
    #[must_use]
    pub const fn in_hand(&self) -> bool {
        self.phase.in_hand()
    }

    /// Declined in a way that the buyer or time can mend.
    #[must_use]
    pub fn declined_soft(&self) -> bool {
        self.phase == Phase::Declined && self.decline.as_ref().is_some_and(Decline::is_soft)
    }
}
