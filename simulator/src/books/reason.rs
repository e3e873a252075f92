//! Amazon's reason codes, each with its one spelling.

macro_rules! reasons {
    ($($name:ident),+ $(,)?) => {
        /// Why an object is in the state that it is in.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Reason { $($name),+ }

        impl Reason {
            const ALL: &'static [Reason] = &[$(Reason::$name),+];

            /// Amazon's word for it.
            pub(crate) const fn text(self) -> &'static str {
                match self { $(Reason::$name => stringify!($name)),+ }
            }
        }
    };
}

reasons! {
    AmazonCanceled,
    AmazonClosed,
    AmazonRejected,
    BuyerClosed,
    Expired,
    ExpiredUnused,
    InvalidPaymentMethod,
    MaxAmountCharged,
    MaxAmountRefunded,
    MaxAuthorizationsCaptured,
    MaxAuthorizationsProcessed,
    MaxCapturesProcessed,
    MaxRefundsProcessed,
    OrderReferenceCanceled,
    ProcessingFailure,
    SellerCanceled,
    SellerClosed,
    Stale,
    TransactionTimedOut,
}

impl Reason {
    /// Reads Amazon's word.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|reason| reason.text() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_from_its_text() {
        for reason in Reason::ALL {
            assert_eq!(Reason::parse(reason.text()), Some(*reason));
        }
        assert_eq!(Reason::parse("None"), None);
    }
}
