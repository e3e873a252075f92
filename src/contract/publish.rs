//! Commands on their way out: what ingest publishes, and what the worker publishes again. Personal
//! data leaves here only sealed.

use serde_json::{Map, Value};

use super::command::Command;
use super::fingerprint;
use super::json::{BODY_MAX, Unreadable};
use super::parse::{Parsed, body_max};
use super::personal::{self, SEALED, Wire};
use super::{read, render};
use crate::domain::decline::FieldError;
use crate::domain::ids::MessageId;
use crate::ports::broker::Message;
use crate::ports::vault::Vault;

/// What becomes of fields that the command does not have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// They are ignored.
    Ignored,
    /// They are errors.
    Refused,
}

/// A command that ingest may publish.
#[derive(Debug, Clone)]
pub struct Validated {
    routing_key: String,
    command: Command,
}

/// Judges the fields of a command before there is a message. `client` is the caller's `loginId`
/// where an upsell may leave `amazonBillerId` out (the CRM's own paths).
///
/// # Errors
/// Everything that is wrong.
pub fn validate(
    routing_key: &str,
    fields: &Map<String, Value>,
    unknown: Unknown,
    client: Option<&str>,
) -> Result<Validated, Vec<FieldError>> {
    // Only this program seals: a caller's own member of that name is as unknown as any other.
    let mut fields = fields.clone();
    let claimed = fields.remove(SEALED).is_some();
    let mut reading = read::command(routing_key, &fields, None, client.map(str::to_owned));
    if unknown == Unknown::Refused {
        reading.errors.append(&mut reading.unknown);
        if claimed {
            reading.errors.push(FieldError::new(SEALED, "is not a field of this command"));
        }
    }
    match reading.command {
        Some(command) if reading.errors.is_empty() => {
            if size(&command) > body_max(true) {
                return Err(vec![FieldError::new("body", Unreadable::TooLarge.to_string())]);
            }
            Ok(Validated { routing_key: routing_key.to_owned(), command })
        }
        None if reading.errors.is_empty() => {
            Err(vec![FieldError::new("routing_key", "names no command")])
        }
        _ => Err(reading.errors),
    }
}

impl Validated {
    /// What it asks for.
    #[must_use]
    pub const fn command(&self) -> &Command {
        &self.command
    }

    /// The fingerprint that the worker will find under this message id.
    #[must_use]
    pub fn fingerprint(&self, message_id: &MessageId) -> String {
        fingerprint::of_command(message_id, &self.routing_key, &self.command)
    }

    /// The message; the caller adds `reply_to`, `correlation_id`, `timestamp` and headers.
    #[must_use]
    pub fn into_message(self, message_id: &MessageId, vault: &dyn Vault) -> Message {
        Message {
            body: body(&self.command, message_id, vault),
            message_id: Some(message_id.to_string()),
            content_type: Some("application/json".to_owned()),
            kind: Some(self.routing_key.clone()),
            routing_key: self.routing_key,
            ..Message::default()
        }
    }
}

/// The same message with nothing personal in clear, for the retry tiers and the suspect lane: same
/// properties, the fields as parsed, and no others.
#[must_use]
pub fn sealed_copy(message: &Message, parsed: &Parsed, vault: &dyn Vault) -> Message {
    Message { body: body(&parsed.command, &parsed.asker.message_id, vault), ..message.clone() }
}

fn body(command: &Command, message_id: &MessageId, vault: &dyn Vault) -> Vec<u8> {
    let mut fields = render::as_written(command);
    let personal = Wire::of(command);
    // A message that grew above the bound by being written anew proves by a seal that it is ours.
    if !personal.is_empty() || size(command) > BODY_MAX {
        let sealed = personal::seal(&personal, message_id, vault);
        fields.insert(SEALED.to_owned(), Value::String(sealed.0));
    }
    Value::Object(fields).to_string().into_bytes()
}

/// About how large the message will be: what is sealed is written in base64, with a key id, a
/// nonce and a tag.
fn size(command: &Command) -> usize {
    let fields = Value::Object(render::fields(command)).to_string().len();
    let sealed = Wire::of(command).to_json().len();
    fields + sealed.div_ceil(3) * 4 + 256
}
