//! A message's properties as they lie in the table. The body lies beside them, as it was published.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::ports::broker::Message;

#[derive(Serialize, Deserialize)]
struct Properties {
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    kind: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    correlation_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply_to: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timestamp: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
}

/// The message without its body and routing key.
pub(super) fn write(message: &Message) -> Result<String, serde_json::Error> {
    serde_json::to_string(&Properties {
        message_id: message.message_id.clone(),
        content_type: message.content_type.clone(),
        kind: message.kind.clone(),
        correlation_id: message.correlation_id.clone(),
        reply_to: message.reply_to.clone(),
        timestamp: message.timestamp,
        headers: message.headers.clone(),
    })
}

/// The message again.
pub(super) fn read(
    routing_key: String,
    properties: &str,
    body: Vec<u8>,
) -> Result<Message, serde_json::Error> {
    let properties: Properties = serde_json::from_str(properties)?;
    Ok(Message {
        routing_key,
        body,
        message_id: properties.message_id,
        content_type: properties.content_type,
        kind: properties.kind,
        correlation_id: properties.correlation_id,
        reply_to: properties.reply_to,
        timestamp: properties.timestamp,
        headers: properties.headers,
    })
}
