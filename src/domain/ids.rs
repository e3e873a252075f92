//! Identifiers as types, so that an authorization never stands where a capture belongs.
//! Each has one constructor; text that breaks its rule cannot be one.

use std::fmt;

/// Why a text is not an identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdError {
    /// The rule that was broken, for the reader of the error.
    pub rule: &'static str,
}

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.rule)
    }
}

const CRM_RULE: &str = "must be 1 to 64 of letters, digits and . _ : -";
const AMAZON_RULE: &str = "must be 1 to 64 letters, digits, dots, underscores and hyphens";

fn crm(text: &str) -> Result<(), IdError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b':' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(good) {
        Ok(())
    } else {
        Err(IdError { rule: CRM_RULE })
    }
}

fn amazon(text: &str) -> Result<(), IdError> {
    let good = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if (1..=64).contains(&text.len()) && text.bytes().all(good) {
        Ok(())
    } else {
        Err(IdError { rule: AMAZON_RULE })
    }
}

fn message(text: &str) -> Result<(), IdError> {
    if (1..=128).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        Ok(())
    } else {
        Err(IdError { rule: "must be 1 to 128 characters" })
    }
}

fn opaque(text: &str) -> Result<(), IdError> {
    if text.is_empty() { Err(IdError { rule: "must not be empty" }) } else { Ok(()) }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident by $rule:ident;)+) => { $(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(String);

        impl $name {
            /// Takes a text that keeps the rule of this identifier.
            ///
            /// # Errors
            /// The rule that it breaks.
            pub fn new(text: impl Into<String>) -> Result<Self, IdError> {
                let text = text.into();
                $rule(&text)?;
                Ok(Self(text))
            }

            /// The identifier as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )+ };
}

ids! {
    /// A merchant account of the CRM (MID): the contract's `amazonBillerId`.
    MerchantAccountId by crm;
    /// An order of the CRM.
    OrderId by crm;
    /// An upsell within an order.
    UpsellId by crm;
    /// A recurring charge of the billing scheduler.
    ChargeId by crm;
    /// One operation (capture, refund, cancel) on a payment.
    RequestId by crm;
    /// What the buyer consented to: order reference, billing agreement, checkout session or
    /// charge permission (the contract's `amazonOrderId`).
    ReferenceId by amazon;
    /// Amazon's authorization.
    AuthorizationId by opaque;
    /// Amazon's capture: the proof that money moved.
    CaptureId by opaque;
    /// Amazon's refund.
    RefundId by opaque;
    /// The idempotency key of a producer's message.
    MessageId by message;
    /// Our own deterministic key of a call that moves money, at most 32 of `[A-Za-z0-9_-]`.
    OperationKey by opaque;
}

/// What kind of consent an id of Amazon stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReferenceKind {
    /// An order reference, or a charge permission for one time.
    OneTime,
    /// A billing agreement, or a recurring charge permission: many payments share it.
    Recurring,
    /// A checkout session.
    Session,
}

impl ReferenceId {
    /// What it stands for: Amazon's ids begin with `S01-` and the like (sandbox, production, by
    /// region) where they are one-time, with `C01-` or `B01-` where they are recurring.
    #[must_use]
    pub fn kind(&self) -> ReferenceKind {
        match self.0.as_bytes() {
            [b'S' | b's' | b'P' | b'p', a, b, b'-', ..]
                if a.is_ascii_digit() && b.is_ascii_digit() =>
            {
                ReferenceKind::OneTime
            }
            [b'C' | b'c' | b'B' | b'b', a, b, b'-', ..]
                if a.is_ascii_digit() && b.is_ascii_digit() =>
            {
                ReferenceKind::Recurring
            }
            _ => ReferenceKind::Session,
        }
    }

    /// Whether many payments share it.
    #[must_use]
    pub fn is_recurring(&self) -> bool {
        self.kind() == ReferenceKind::Recurring
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_letter_of_a_reference_says_what_it_is() {
        for (id, kind) in [
            ("S01-1234567-7654321", ReferenceKind::OneTime),
            ("P03-1234567-7654321", ReferenceKind::OneTime),
            ("C01-1234567-7654321", ReferenceKind::Recurring),
            ("B02-1234567-7654321", ReferenceKind::Recurring),
            ("c01e0000-aaaa-bbbb-cccc-000000000000", ReferenceKind::Session),
            ("bd504926-f659-4ad7-a1a9-9a747aaf5275", ReferenceKind::Session),
        ] {
            assert_eq!(ReferenceId::new(id).unwrap().kind(), kind, "{id}");
        }
    }

    #[test]
    fn ids_of_the_crm_are_1_to_64_of_a_small_alphabet() {
        assert!(OrderId::new("CRM-1001.a:b_c").is_ok());
        for bad in ["", "a b", "ä", "a/b", &"x".repeat(65)] {
            assert!(OrderId::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn message_ids_are_at_most_128_characters_of_any_script() {
        assert!(MessageId::new("ü".repeat(128)).is_ok());
        assert!(MessageId::new("ü".repeat(129)).is_err());
        assert!(MessageId::new("").is_err());
        assert!(MessageId::new("a\nb").is_err());
    }

    #[test]
    fn an_empty_provider_id_cannot_exist() {
        assert!(CaptureId::new("").is_err());
    }
}
