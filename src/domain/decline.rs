//! What a reason means: soft or hard, what the buyer must do, what the customer is told.
//! The one table behind every `decline` object; a reason that is not in it is never "paid".

/// Whether the buyer or time can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Softness {
    /// The buyer or time can mend it.
    Soft,
    /// Nobody can.
    Hard,
}

/// What the buyer must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BuyerAction {
    /// Mend the payment method in the Amazon account.
    UpdatePaymentMethod,
    /// Pay by something else.
    UseOtherMethod,
    /// Pass strong customer authentication.
    Authenticate,
    /// Nothing.
    None,
}

/// One field of a message that is not acceptable, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldError {
    /// The contract's name of the field.
    pub field: String,
    /// What is wrong with it, in words.
    pub message: String,
}

impl FieldError {
    /// `field` is wrong because of `message`.
    #[must_use]
    pub fn new(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self { field: field.into(), message: message.into() }
    }
}

/// Why a payment was declined, failed, or a message rejected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decline {
    /// Our code, stable for machines.
    pub code: String,
    /// Amazon's own word, where it was Amazon who refused.
    pub amazon_reason: Option<String>,
    /// Soft or hard.
    pub softness: Softness,
    /// What the buyer must do.
    pub buyer_action: BuyerAction,
    /// For the customer.
    pub message: String,
    /// What to do about it.
    pub fix: String,
    /// Whether the same thing may be asked for again.
    pub retryable: bool,
    /// When the same thing may be asked for again, in milliseconds since the epoch.
    pub retry_after: Option<i64>,
    /// The fields at fault, for rejections.
    pub errors: Vec<FieldError>,
}

const TRY_OTHER: &str = "Ask the customer to choose another payment method.";

/// Why a message is not acceptable.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RejectionCode {
    /// It cannot be read.
    Malformed,
    /// A field breaks a rule.
    Invalid,
    /// No such merchant account.
    UnknownMid,
    /// Amazon or we do not know what it refers to.
    UnknownReference,
    /// It contradicts what is known already.
    Conflict,
}

impl RejectionCode {
    /// The contract's code.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            RejectionCode::Malformed => "malformed",
            RejectionCode::Invalid => "invalid",
            RejectionCode::UnknownMid => "unknown_mid",
            RejectionCode::UnknownReference => "unknown_reference",
            RejectionCode::Conflict => "conflict",
        }
    }
}

impl Decline {
    fn of(code: &str, softness: Softness, buyer_action: BuyerAction, retryable: bool) -> Self {
        Self {
            code: code.to_owned(),
            amazon_reason: None,
            softness,
            buyer_action,
            message: String::new(),
            fix: String::new(),
            retryable,
            retry_after: None,
            errors: Vec::new(),
        }
    }

    fn told(mut self, message: &str, fix: &str) -> Self {
        message.clone_into(&mut self.message);
        fix.clone_into(&mut self.fix);
        self
    }

    pub(super) fn because(mut self, amazon_reason: &str) -> Self {
        self.amazon_reason = Some(amazon_reason.to_owned());
        self
    }

    /// The payment method no longer works, or the reference is suspended for it; `amazon_reason`
    /// is Amazon's word for it.
    #[must_use]
    pub fn invalid_payment_method(amazon_reason: &str) -> Self {
        Self::of(
            "InvalidPaymentMethod",
            Softness::Soft,
            BuyerAction::UpdatePaymentMethod,
            true,
        )
        .told(
            "The payment method in your Amazon account is no longer valid. Please make sure that \
             all payment methods in your Amazon account are valid.",
            "Customer must ensure that all payment methods inside their Amazon account are valid, \
             then send the order again.",
        )
        .because(amazon_reason)
    }

    /// Strong customer authentication is asked for or failed.
    #[must_use]
    pub fn authentication_required(amazon_reason: &str) -> Self {
        Self::of("AuthenticationRequired", Softness::Soft, BuyerAction::Authenticate, true)
            .told(
                "Your bank asks you to confirm this payment. Please try again and confirm it.",
                "Send the customer through the confirmation flow again, then send the order again.",
            )
            .because(amazon_reason)
    }

    /// Amazon refused for good.
    #[must_use]
    pub fn amazon_rejected() -> Self {
        Self::of("AmazonRejected", Softness::Hard, BuyerAction::UseOtherMethod, false)
            .told(
                "Amazon could not accept this payment. Please use another payment method.",
                TRY_OTHER,
            )
            .because("AmazonRejected")
    }

    /// Amazon failed inside, more often than it is worth asking again; `amazon_reason` is Amazon's
    /// word for it.
    #[must_use]
    pub fn processing_failure(amazon_reason: &str) -> Self {
        Self::of("ProcessingFailure", Softness::Soft, BuyerAction::None, true)
            .told(
                "Amazon could not process the payment just now. Please try again later.",
                "Send the order again later.",
            )
            .because(amazon_reason)
    }

    /// No decision in time.
    #[must_use]
    pub fn transaction_timed_out() -> Self {
        Self::of("TransactionTimedOut", Softness::Soft, BuyerAction::None, true)
            .told(
                "Amazon did not decide about the payment in time. Please try again.",
                "Send the order again, or allow asynchronous authorization.",
            )
            .because("TransactionTimedOut")
    }

    /// An upsell whose order was not paid; as soft as the order's own decline.
    #[must_use]
    pub fn order_not_paid(softness: Softness) -> Self {
        let retryable = match softness {
            Softness::Soft => true,
            Softness::Hard => false,
        };
        Self::of("OrderNotPaid", softness, BuyerAction::None, retryable).told(
            "The order that this belongs to was not paid.",
            "Settle the order first, then send the upsell again.",
        )
    }

    /// A constraint on the reference that the buyer must lift.
    #[must_use]
    pub fn constraint(id: &str) -> Self {
        let message = match id {
            "PaymentMethodNotAllowed" => {
                "The chosen payment method cannot be used for this order. Please choose another \
                 one in your Amazon account."
            }
            "PaymentPlanNotSet" => "Please choose a payment method in your Amazon account.",
            "ShippingAddressNotSet" => "Please choose a shipping address.",
            "BuyerConsentNotSet" => {
                "Please agree to the use of your payment method for future purchases."
            }
            "BuyerEqualsSeller" => "The account of the buyer is the account of the shop.",
            _ => "Please check the payment details in your Amazon account.",
        };
        Self::of(id, Softness::Soft, BuyerAction::UpdatePaymentMethod, true)
            .told(message, "Let the customer complete the Amazon widgets, then send it again.")
            .because(id)
    }

    /// Any other word of Amazon about the object: closed, canceled, expired, over its allowance.
    #[must_use]
    pub fn of_object(amazon_code: &str) -> Self {
        Self::of(amazon_code, Softness::Hard, BuyerAction::UseOtherMethod, false)
            .told(
                "This Amazon Pay order can no longer be paid. Please use another payment method.",
                TRY_OTHER,
            )
            .because(amazon_code)
    }

    /// Amazon refused to give captured money back; `amazon_reason` is its word for it.
    #[must_use]
    pub fn refund_refused(amazon_reason: &str) -> Self {
        match amazon_reason {
            "ProcessingFailure" => Self::of(amazon_reason, Softness::Soft, BuyerAction::None, true)
                .told(
                    "Amazon could not process the refund just now.",
                    "Ask for the refund again later, under another requestId.",
                ),
            "AmazonRejected" => {
                Self::of(amazon_reason, Softness::Hard, BuyerAction::UseOtherMethod, false).told(
                    "Amazon did not accept the refund.",
                    "Refund the customer by other means.",
                )
            }
            other => Self::of(other, Softness::Hard, BuyerAction::UseOtherMethod, false).told(
                "Amazon did not accept the refund.",
                "Look the payment up in Seller Central; refund the customer by other means.",
            ),
        }
        .because(amazon_reason)
    }

    /// The reference cannot be charged any more; `state` is Amazon's word for it.
    #[must_use]
    pub fn reference_over(state: &str) -> Self {
        Self::of_object("InvalidOrderReferenceStatus").because(state)
    }

    /// The agreement cannot be charged any more; `state` is Amazon's word for it.
    #[must_use]
    pub fn agreement_over(state: &str) -> Self {
        Self::of_object("InvalidBillingAgreementStatus").because(state)
    }

    /// What an agreement may be charged this month is used up; `said` is Amazon's word for it where
    /// it was Amazon who refused, `next_month` when the next month begins, in milliseconds since
    /// the epoch.
    #[must_use]
    pub fn over_the_month(said: Option<&str>, next_month: i64) -> Self {
        let mut decline =
            Self::of("BillingAgreementAmountExceeded", Softness::Soft, BuyerAction::None, true)
                .told(
                    "The amount that may be charged to your Amazon account this month is used up. \
                     The payment will be tried again next month.",
                    "Send the charge again when the next month begins, or ask the customer to \
                     pay by something else.",
                );
        decline.amazon_reason = said.map(str::to_owned);
        decline.retry_after = Some(next_month);
        decline
    }

    /// The message is not acceptable.
    #[must_use]
    pub fn rejected(code: RejectionCode, errors: Vec<FieldError>) -> Self {
        let fix = match code {
            RejectionCode::Malformed | RejectionCode::Invalid => {
                "Mend the fields named in errors and send it again with another message_id."
            }
            RejectionCode::UnknownMid => "Add the MID, or send it with one that exists.",
            RejectionCode::UnknownReference => {
                "Send it with the id that Amazon gave for this merchant account."
            }
            RejectionCode::Conflict => {
                "It contradicts what is known already: look the payment up before sending again."
            }
        };
        let mut decline = Self::of(code.as_str(), Softness::Hard, BuyerAction::None, false)
            .told("The order could not be accepted.", fix);
        decline.errors = errors;
        decline
    }

    /// An operator gave it up; `said` is the reason given.
    #[must_use]
    pub fn discarded(said: Option<&str>) -> Self {
        Self::of("discarded", Softness::Hard, BuyerAction::None, false).told(
            "The payment could not be completed.",
            said.unwrap_or("An operator gave it up; no money moved."),
        )
    }

    /// Whether the payment method is to be mended at Amazon, which Amazon then shows.
    #[must_use]
    pub fn asks_for_another_method(&self) -> bool {
        self.code == "InvalidPaymentMethod"
    }

    /// Whether the buyer or time can mend it.
    #[must_use]
    pub const fn is_soft(&self) -> bool {
        match self.softness {
            Softness::Soft => true,
            Softness::Hard => false,
        }
    }
}

impl Softness {
    /// `soft` or `hard`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Softness::Soft => "soft",
            Softness::Hard => "hard",
        }
    }
}

impl BuyerAction {
    /// The contract's word.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            BuyerAction::UpdatePaymentMethod => "update_payment_method",
            BuyerAction::UseOtherMethod => "use_other_method",
            BuyerAction::Authenticate => "authenticate",
            BuyerAction::None => "none",
        }
    }
}
