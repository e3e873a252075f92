//! The digest by which a message id's second use is told apart from its first: over the fields as
//! parsed, so that `19.9` and `19.90`, or sealed and clear, are the same.

use sha2::{Digest, Sha256};

use super::command::Command;
use super::personal::Wire;
use super::render;
use crate::domain::ids::MessageId;
use crate::ports::broker::Message;

/// Of an acceptable command.
pub(super) fn of_command(message_id: &MessageId, routing_key: &str, command: &Command) -> String {
    let fields = serde_json::Value::Object(render::fields(command)).to_string();
    digest(&[
        b"command",
        message_id.as_str().as_bytes(),
        routing_key.as_bytes(),
        fields.as_bytes(),
        &Wire::of(command).to_json(),
    ])
}

/// Of a message that is none.
pub(super) fn of_bytes(message: &Message) -> String {
    digest(&[
        b"bytes",
        message.message_id.as_deref().unwrap_or_default().as_bytes(),
        message.routing_key.as_bytes(),
        message.content_type.as_deref().unwrap_or_default().as_bytes(),
        message.kind.as_deref().unwrap_or_default().as_bytes(),
        &message.body,
    ])
}

/// SHA-256 in hex over parts that cannot run together.
pub(super) fn digest(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        for digit in [byte >> 4, byte & 15] {
            hex.push(char::from_digit(u32::from(digit), 16).unwrap_or('0'));
        }
        hex
    })
}
