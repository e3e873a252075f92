//! What a notification of Amazon's is about. It is a hint where to look, never news by itself:
//! whatever state it names is not taken from it.

macro_rules! abouts {
    ($($(#[$doc:meta])* $name:ident = $word:literal),+ $(,)?) => {
        /// What kind of object a notification is about.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum About { $($(#[$doc])* $name),+ }

        impl About {
            /// Every kind.
            pub const ALL: &'static [About] = &[$(About::$name),+];
            /// The one word for it in rows, routing keys and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(About::$name => $word),+ }
            }
            /// Reads [`About::as_str`] back.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|about| about.as_str() == text)
            }
        }
    };
}

abouts! {
    /// A consent for one time: an order reference or a charge permission.
    Reference = "reference",
    /// A consent for many: a billing agreement or a recurring charge permission.
    Agreement = "agreement",
    /// An authorization.
    Authorization = "authorization",
    /// A capture.
    Capture = "capture",
    /// A charge of API v2, which is an authorization and its capture in one.
    Charge = "charge",
    /// A refund, whoever made it.
    Refund = "refund",
    /// A chargeback or a claim under Amazon's guarantee.
    Chargeback = "chargeback",
    /// Something that no payment of ours depends on.
    Other = "other",
}

/// A notification whose signature was verified, without anything personal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// The id that repeats of it share.
    pub message_id: String,
    /// Amazon's id of the seller account.
    pub seller_id: String,
    /// Sandbox or live, where it says so.
    pub sandbox: Option<bool>,
    /// What kind of object.
    pub about: About,
    /// Amazon's id of the object.
    pub object_id: String,
    /// The consent that the object belongs to, as far as that can be told.
    pub reference: Option<String>,
}

/// The consent in front of Amazon's id of what belongs to it: `S01-1234567-1234567` of
/// `S01-1234567-1234567-C123456`; none where the id has no such form.
#[must_use]
pub fn consent_of(id: &str) -> Option<&str> {
    const LENGTH: usize = 19;
    let consent = id.get(..LENGTH)?;
    let rest = &id[LENGTH..];
    let form = consent.bytes().enumerate().all(|(at, byte)| match at {
        0 => matches!(byte, b'P' | b'S' | b'B' | b'C'),
        3 | 11 => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    (form && (rest.is_empty() || rest.starts_with('-'))).then_some(consent)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_consent_is_in_front_of_every_id() {
        let consent = "S01-1234567-7654321";
        for id in [consent, "S01-1234567-7654321-A012345", "S01-1234567-7654321-R072290"] {
            assert_eq!(consent_of(id), Some(consent), "{id}");
        }
        assert_eq!(consent_of("B02-0000000-0000000-C000001"), Some("B02-0000000-0000000"));
        for other in ["", "S01-1234567-765432", "X01-1234567-7654321", "S01-1234567-7654321A01"] {
            assert_eq!(consent_of(other), None, "{other}");
        }
        assert_eq!(consent_of("S01-1234567-765432ä-A0"), None);
        assert_eq!(consent_of("ABCDEFGHIJKLM"), None);
    }

    #[test]
    fn every_word_is_read_back() {
        for about in About::ALL {
            assert_eq!(About::parse(about.as_str()), Some(*about));
        }
        assert_eq!(About::parse("elephant"), None);
    }
}
