//! A message from the queue becomes a command, or a rejection that names everything that is wrong
//! with it and keeps what is readable all the same.

use super::command::Command;
use super::fingerprint;
use super::ids::ReadableIds;
use super::json::{self, BODY_MAX, Numbers, Object, Unreadable};
use super::personal::{self, SEALED, Wire};
use super::read;
use crate::domain::command::Asker;
use crate::domain::decline::{Decline, FieldError, RejectionCode};
use crate::domain::ids::MessageId;
use crate::ports::broker::Message;
use crate::ports::vault::{Vault, VaultError};

/// An acceptable message.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// Who asked.
    pub asker: Asker,
    /// For what.
    pub command: Command,
    /// Digest of message id, routing key and fields as parsed; the same whether the personal ones
    /// were sealed or in clear.
    pub fingerprint: String,
    /// Its ids, for whoever must reject it later.
    pub ids: ReadableIds,
}

/// A message that is not acceptable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// `malformed` or `invalid`.
    pub code: RejectionCode,
    /// Everything that is wrong with it.
    pub errors: Vec<FieldError>,
    /// What is readable all the same.
    pub ids: ReadableIds,
    /// Digest of the message as it was sent: a redelivery has the same.
    pub fingerprint: String,
    /// A queue for direct replies.
    pub reply_to: Option<String>,
    /// Copied into the replies.
    pub correlation_id: Option<String>,
    /// W3C trace context of the message.
    pub traceparent: Option<String>,
}

impl Rejection {
    /// What its event says.
    #[must_use]
    pub fn decline(&self) -> Decline {
        Decline::rejected(self.code, self.errors.clone())
    }
}

/// Why a message is no command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It never will be.
    Rejected(Box<Rejection>),
    /// It was sealed under a master key that this process does not have: once it has, it may be.
    KeyMissing(Box<ReadableIds>),
}

/// Reads a message.
///
/// # Errors
/// It is not acceptable, or cannot be opened yet.
pub fn parse(message: &Message, vault: &dyn Vault) -> Result<Parsed, Refusal> {
    let mut ids = ReadableIds::of_message(message);
    let mut faults = Vec::new();
    let mut errors = Vec::new();
    check_properties(message, &ids, &mut faults, &mut errors);
    let message_id = check_message_id(message, &mut errors);

    let object = match json::read(&message.body, Numbers::Kept) {
        Ok(mut object) => {
            ids.read(&object);
            faults.append(&mut object.faults);
            object
        }
        Err(unreadable) => {
            faults.push(FieldError::new("body", unreadable.to_string()));
            return Err(reject(message, ids, faults, errors));
        }
    };
    let mut wire = match open(&object, message_id.as_ref(), vault) {
        Ok(wire) => wire,
        Err(VaultError::UnknownKey) => return Err(Refusal::KeyMissing(Box::new(ids))),
        Err(VaultError::Broken) => {
            faults.push(FieldError::new(SEALED, "does not belong to this message"));
            None
        }
    };
    if message.body.len() > body_max(wire.is_some()) {
        faults.push(FieldError::new("body", Unreadable::TooLarge.to_string()));
    }
    let client = wire.as_mut().and_then(|wire| wire.client.take());
    let mut reading = read::command(&message.routing_key, &object.values, wire, client);
    errors.append(&mut reading.errors);
    match (message_id, reading.command) {
        (Some(message_id), Some(command)) if faults.is_empty() && errors.is_empty() => Ok(Parsed {
            fingerprint: fingerprint::of_command(&message_id, &message.routing_key, &command),
            asker: asker(message, message_id),
            command,
            ids,
        }),
        _ => Err(reject(message, ids, faults, errors)),
    }
}

/// What this program sealed was acceptable before, and grows by sealing.
pub(super) const fn body_max(sealed: bool) -> usize {
    if sealed { 2 * BODY_MAX } else { BODY_MAX }
}

fn check_properties(
    message: &Message,
    ids: &ReadableIds,
    faults: &mut Vec<FieldError>,
    errors: &mut Vec<FieldError>,
) {
    if !ids.is_command() {
        errors.push(FieldError::new("routing_key", "names no command"));
    }
    if message.kind.as_ref().is_some_and(|kind| *kind != message.routing_key) {
        errors.push(FieldError::new("type", "must be the routing key or absent"));
    }
    if message.content_type.as_ref().is_some_and(|found| !is_json(found)) {
        faults.push(FieldError::new("content_type", "must be application/json or absent"));
    }
}

fn is_json(content_type: &str) -> bool {
    let (media, parameter) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameter = parameter.trim().to_ascii_lowercase();
    media.trim().eq_ignore_ascii_case("application/json")
        && matches!(parameter.as_str(), "" | "charset=utf-8" | "charset=\"utf-8\"")
}

fn check_message_id(message: &Message, errors: &mut Vec<FieldError>) -> Option<MessageId> {
    let Some(text) = message.message_id.as_deref().filter(|text| !text.is_empty()) else {
        errors.push(FieldError::new("message_id", "is required"));
        return None;
    };
    MessageId::new(text)
        .map_err(|error| errors.push(FieldError::new("message_id", error.to_string())))
        .ok()
}

fn open(
    object: &Object,
    message_id: Option<&MessageId>,
    vault: &dyn Vault,
) -> Result<Option<Wire>, VaultError> {
    match (object.values.get(SEALED), message_id) {
        (Some(serde_json::Value::String(sealed)), Some(message_id)) => {
            personal::open(sealed, message_id, vault).map(Some)
        }
        _ => Ok(None),
    }
}

fn asker(message: &Message, message_id: MessageId) -> Asker {
    Asker {
        message_id,
        reply_to: clean(message.reply_to.as_ref()),
        correlation_id: clean(message.correlation_id.as_ref()),
        traceparent: traceparent(message),
    }
}

/// No queue and nobody's answer can be meant by other texts, and no database takes them.
fn clean(text: Option<&String>) -> Option<String> {
    text.filter(|text| !text.is_empty() && !text.contains('\0')).cloned()
}

fn traceparent(message: &Message) -> Option<String> {
    message.headers.get("traceparent").filter(|text| is_traceparent(text)).cloned()
}

fn is_traceparent(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let hex = |part: &str| part.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    let lengths: Vec<usize> = parts.iter().map(|part| part.len()).collect();
    let none = |part: &str| part.bytes().all(|b| b == b'0');
    lengths == [2, 32, 16, 2]
        && parts.iter().all(|part| hex(part))
        && parts[0] != "ff"
        && !none(parts[1])
        && !none(parts[2])
}

fn reject(
    message: &Message,
    ids: ReadableIds,
    mut faults: Vec<FieldError>,
    mut errors: Vec<FieldError>,
) -> Refusal {
    let code = if faults.is_empty() { RejectionCode::Invalid } else { RejectionCode::Malformed };
    faults.append(&mut errors);
    Refusal::Rejected(Box::new(Rejection {
        code,
        errors: faults,
        ids,
        fingerprint: fingerprint::of_bytes(message),
        reply_to: clean(message.reply_to.as_ref()),
        correlation_id: clean(message.correlation_id.as_ref()),
        traceparent: traceparent(message),
    }))
}
