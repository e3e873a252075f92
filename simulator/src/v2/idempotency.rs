//! Idempotency keys: whoever sends the same request under the same key again gets what he got.

use std::collections::HashMap;

use serde_json::Value;

use super::errors::Error;
use crate::books::{Environment, SellerAt};

/// What a key was used for, and what was answered.
#[derive(Debug, Clone, PartialEq)]
struct Kept {
    asked: (String, Value),
    answer: (u16, Value),
}

/// One key of one seller.
pub(super) type Key = (SellerAt, Environment, String);

/// All keys. They are kept for ever, as Amazon keeps them.
#[derive(Debug, Default)]
pub(crate) struct Keys {
    kept: HashMap<Key, Kept>,
}

impl Keys {
    /// What was answered under this key before.
    ///
    /// # Errors
    /// It was used for another request.
    pub(super) fn answered(
        &self,
        key: &Key,
        operation: &str,
        body: &Value,
    ) -> Result<Option<(u16, Value)>, Error> {
        match self.kept.get(key) {
            None => Ok(None),
            Some(kept) if kept.asked.0 == operation && kept.asked.1 == *body => {
                Ok(Some(kept.answer.clone()))
            }
            Some(_) => {
                let message = "The idempotency key was used for another request.";
                Err(Error::new(400, "DuplicateIdempotencyKey", message))
            }
        }
    }

    pub(super) fn keep(&mut self, key: Key, asked: (String, Value), answer: (u16, Value)) {
        self.kept.insert(key, Kept { asked, answer });
    }
}

/// A key as it must be written.
///
/// # Errors
/// It is longer, or of other letters.
pub(super) fn check(key: &str) -> Result<(), Error> {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if key.len() <= 32 && key.bytes().all(fits) {
        return Ok(());
    }
    let message = "x-amz-pay-idempotency-key: at most 32 of letters, digits, _ and -";
    Err(Error::new(400, "InvalidHeaderValue", message))
}
