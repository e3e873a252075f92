//! The key of a call that moves money: a pure function of what is asked for (invariant I6), so
//! that the same call after a crash bears the same key and Amazon takes it for the same call.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use super::command::PaymentKey;
use super::ids::OperationKey;

/// Which call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// The authorization of an epoch.
    Authorize,
    /// A capture on it.
    Capture,
    /// A refund of that.
    Refund,
}

impl Operation {
    const fn letter(self) -> char {
        match self {
            Operation::Authorize => 'a',
            Operation::Capture => 'c',
            Operation::Refund => 'r',
        }
    }
}

/// The key of `operation` (and, of an operation asked for by its own request, that `request`) in
/// this `epoch` after this many declines of the same operation by Amazon: at most 32 of
/// `[A-Za-z0-9_-]`, unique among all calls of the seller.
#[must_use]
pub fn operation_key(
    key: &PaymentKey,
    operation: Operation,
    request: Option<&str>,
    epoch: u32,
    declines: u32,
) -> OperationKey {
    let mut hash = Sha256::new();
    let subject = key.subject.key();
    for part in
        [key.mid.as_str(), key.subject.kind().as_str(), &subject, request.unwrap_or_default()]
    {
        // Lengths in front, so that no two lists of parts run together into the same bytes.
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.update(epoch.to_be_bytes());
    hash.update(declines.to_be_bytes());
    hash.update([operation.letter() as u8]);
    let digest = hash.finalize();
    let text = URL_SAFE_NO_PAD.encode(&digest[..16]);
    let made = format!("{}{epoch}-{text}", operation.letter());
    OperationKey::new(made).unwrap_or_else(|_| unreachable!("a formatted text is never empty"))
}

#[cfg(test)]
mod tests {
    use super::super::command::Subject;
    use super::super::ids::{MerchantAccountId, OrderId, UpsellId};
    use super::*;

    fn key(order: &str, upsell: Option<&str>) -> PaymentKey {
        let order = OrderId::new(order).unwrap();
        PaymentKey {
            mid: MerchantAccountId::new("7").unwrap(),
            subject: match upsell {
                Some(upsell) => Subject::Upsell(order, UpsellId::new(upsell).unwrap()),
                None => Subject::Order(order),
            },
        }
    }

    #[test]
    fn the_same_call_has_the_same_key_for_ever() {
        let made = operation_key(&key("CRM-1001", None), Operation::Authorize, None, 1, 0);
        assert_eq!(made.as_str(), "a1-J8VC_oDZGbur8rj2OmtMxQ");
    }

    #[test]
    fn whatever_differs_gives_another_key_within_amazon_s_rule() {
        let one = key("CRM-1001", None);
        let keys = [
            operation_key(&one, Operation::Authorize, None, 1, 0),
            operation_key(&one, Operation::Authorize, None, 2, 0),
            operation_key(&one, Operation::Capture, None, 1, 0),
            operation_key(&one, Operation::Capture, None, 1, 1),
            operation_key(&one, Operation::Capture, Some("r1"), 1, 0),
            operation_key(&one, Operation::Refund, Some("r1"), 1, 0),
            operation_key(&one, Operation::Refund, Some("r1"), 1, 1),
            operation_key(&one, Operation::Refund, Some("r2"), 1, 0),
            operation_key(&key("CRM-1002", None), Operation::Authorize, None, 1, 0),
            operation_key(&key("CRM-1001", Some("u")), Operation::Authorize, None, 1, 0),
            operation_key(&one, Operation::Authorize, None, 99_999, 0),
        ];
        for (i, left) in keys.iter().enumerate() {
            assert!(left.as_str().len() <= 32);
            assert!(left.as_str().bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)));
            assert!(keys[i + 1..].iter().all(|right| left != right));
        }
    }
}
