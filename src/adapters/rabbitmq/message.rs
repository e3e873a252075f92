//! Our messages as RabbitMQ's and back. What is sent carries our own headers and no other, so that
//! traces of an earlier death (`x-death` and its kin) are never published again.

use lapin::BasicProperties;
use lapin::types::{AMQPValue, FieldTable, ShortString};

use crate::ports::broker::{COMMANDS, EVENTS, Message, Publication, Target};

/// Carries the routing key of what goes to a queue by name, where AMQP's own holds the queue.
const ROUTING_KEY: &str = "routing-key";
/// Says how often a quorum queue delivered the message before.
const DELIVERY_COUNT: &str = "x-delivery-count";
/// The broker's own history of a message, the latest death first.
const DEATHS: &str = "x-death";
const PERSISTENT: u8 = 2;

/// A text that does not fit into AMQP's 255 bytes: no broker can take it.
#[derive(Debug)]
pub(super) struct TooLong;

fn short(text: &str) -> Result<ShortString, TooLong> {
    ShortString::try_new(text).map_err(|_| TooLong)
}

/// Headers that the broker writes, or that steer it: none of ours, in neither direction.
fn is_foreign(name: &str) -> bool {
    ["x-death", "x-first-death", "x-last-death", "x-delivery-count", "x-acquired-count"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
        || matches!(name, "CC" | "BCC" | ROUTING_KEY)
}

/// Where a publication goes, in the broker's words.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Address {
    pub(super) exchange: ShortString,
    pub(super) routing_key: ShortString,
    /// Whether it comes back when no queue takes it. Nobody needs to listen to events.
    pub(super) mandatory: bool,
}

pub(super) fn address(publication: &Publication) -> Result<Address, TooLong> {
    let key = publication.message.routing_key.as_str();
    let (exchange, routing_key, mandatory) = match &publication.target {
        Target::Commands => (COMMANDS, key, true),
        Target::Events => (EVENTS, key, false),
        Target::Queue(queue) => ("", queue.as_str(), true),
        Target::Retry(tier) => (tier.name(), key, true),
    };
    Ok(Address { exchange: short(exchange)?, routing_key: short(routing_key)?, mandatory })
}

pub(super) fn properties(publication: &Publication) -> Result<BasicProperties, TooLong> {
    let Publication { target, message } = publication;
    let mut properties = BasicProperties::default().with_delivery_mode(PERSISTENT);
    if let Some(text) = &message.message_id {
        properties = properties.with_message_id(short(text)?);
    }
    if let Some(text) = &message.content_type {
        properties = properties.with_content_type(short(text)?);
    }
    if let Some(text) = &message.kind {
        properties = properties.with_type(short(text)?);
    }
    if let Some(text) = &message.correlation_id {
        properties = properties.with_correlation_id(short(text)?);
    }
    if let Some(text) = &message.reply_to {
        properties = properties.with_reply_to(short(text)?);
    }
    if let Some(seconds) = message.timestamp {
        properties = properties.with_timestamp(seconds);
    }
    let mut headers = FieldTable::default();
    for (name, value) in message.headers.iter().filter(|(name, _)| !is_foreign(name)) {
        headers.insert(short(name)?, AMQPValue::LongString(value.as_str().into()));
    }
    if matches!(target, Target::Queue(queue) if *queue != message.routing_key) {
        let key = AMQPValue::LongString(message.routing_key.as_str().into());
        headers.insert(short(ROUTING_KEY)?, key);
    }
    if !headers.inner().is_empty() {
        properties = properties.with_headers(headers);
    }
    Ok(properties)
}

/// What came out of a queue, and how often it was delivered before.
pub(super) fn received(delivery: &mut lapin::message::Delivery) -> (Message, u32) {
    let properties = &delivery.properties;
    let text = |text: &Option<ShortString>| text.as_ref().map(ToString::to_string);
    let mut message = Message {
        routing_key: delivery.routing_key.to_string(),
        body: std::mem::take(&mut delivery.data),
        message_id: text(properties.message_id()),
        content_type: text(properties.content_type()),
        kind: text(properties.kind()),
        correlation_id: text(properties.correlation_id()),
        reply_to: text(properties.reply_to()),
        timestamp: *properties.timestamp(),
        headers: std::collections::BTreeMap::new(),
    };
    let mut count = 0;
    let (mut named, mut before_death) = (None, None);
    let by_name = delivery.exchange.as_str().is_empty();
    for (name, value) in properties.headers().iter().flat_map(|table| table.inner()) {
        let name = name.as_str();
        if name == DELIVERY_COUNT {
            count = number(value);
        }
        if name == DEATHS {
            before_death = key_before_death(value);
        }
        let Some(value) = header_text(value) else { continue };
        if name == ROUTING_KEY && by_name {
            named = Some(value);
        } else if !is_foreign(name) {
            message.headers.insert(name.to_owned(), value);
        }
    }
    // Our own word for it is stronger: what was in a queue by name died under that name.
    if by_name && let Some(key) = named.or(before_death) {
        message.routing_key = key;
    }
    (message, count)
}

/// The routing key that a message had before the broker threw it out of its lane, under the name
/// of the queue for what is thrown out.
fn key_before_death(deaths: &AMQPValue) -> Option<String> {
    let AMQPValue::FieldArray(deaths) = deaths else { return None };
    let AMQPValue::FieldTable(latest) = deaths.as_slice().first()? else { return None };
    let AMQPValue::FieldArray(keys) = latest.inner().get("routing-keys")? else { return None };
    header_text(keys.as_slice().first()?)
}

fn header_text(value: &AMQPValue) -> Option<String> {
    match value {
        AMQPValue::LongString(text) => String::from_utf8(text.as_bytes().to_vec()).ok(),
        AMQPValue::ShortString(text) => Some(text.to_string()),
        _ => None,
    }
}

fn number(value: &AMQPValue) -> u32 {
    let number = match value {
        AMQPValue::ShortShortInt(n) => i64::from(*n),
        AMQPValue::ShortShortUInt(n) => i64::from(*n),
        AMQPValue::ShortInt(n) => i64::from(*n),
        AMQPValue::ShortUInt(n) => i64::from(*n),
        AMQPValue::LongInt(n) => i64::from(*n),
        AMQPValue::LongUInt(n) => i64::from(*n),
        AMQPValue::LongLongInt(n) => *n,
        _ => 0,
    };
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use lapin::message::Delivery;

    fn publication(target: Target) -> Publication {
        let headers = [
            ("traceparent", "00-1-2-03"),
            ("x-death", "old"),
            ("x-first-death-queue", "old"),
            ("CC", "elsewhere"),
        ];
        let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let message = Message {
            routing_key: "order.import".to_owned(),
            body: b"{}".to_vec(),
            message_id: Some("m-1".to_owned()),
            content_type: Some("application/json".to_owned()),
            kind: Some("order.import".to_owned()),
            correlation_id: Some("c-1".to_owned()),
            reply_to: Some("q-1".to_owned()),
            timestamp: Some(1_700_000_000),
            headers: headers.into(),
        };
        Publication { target, message }
    }

    fn round_trip(publication: &Publication) -> Message {
        let address = address(publication).unwrap();
        let body = publication.message.body.clone();
        let mut delivery = Delivery::mock(1, address.exchange, address.routing_key, false, body);
        delivery.properties = properties(publication).unwrap();
        received(&mut delivery).0
    }

    #[test]
    fn traces_of_an_earlier_death_are_not_published_again() {
        for target in [Target::Commands, Target::Queue("lane.suspect.v1".to_owned())] {
            let sent = publication(target);
            let mut expected = sent.message.clone();
            expected.headers.retain(|name, _| name == "traceparent");
            assert_eq!(round_trip(&sent), expected);
        }
    }

    #[test]
    fn a_text_beyond_255_bytes_is_told_apart_before_it_is_sent() {
        let mut publication = publication(Target::Commands);
        publication.message.message_id = Some("x".repeat(256));
        assert!(properties(&publication).is_err());
    }

    #[test]
    fn what_was_thrown_out_has_the_routing_key_that_it_had_before() {
        let dead_under = |key: &str| {
            let mut death = FieldTable::default();
            let keys = vec![AMQPValue::LongString(key.into())];
            death.insert("routing-keys".into(), AMQPValue::FieldArray(keys.into()));
            AMQPValue::FieldArray(vec![AMQPValue::FieldTable(death)].into())
        };
        let of = |exchange: &str, headers: &[(&str, AMQPValue)]| {
            let key = "lane.checkout.v1.dlq";
            let mut delivery = Delivery::mock(1, exchange.into(), key.into(), false, Vec::new());
            let mut table = FieldTable::default();
            for (name, value) in headers {
                table.insert((*name).into(), value.clone());
            }
            delivery.properties = BasicProperties::default().with_headers(table);
            received(&mut delivery).0.routing_key
        };
        let deaths = ("x-death", dead_under("order.import"));
        assert_eq!(of("", std::slice::from_ref(&deaths)), "order.import");
        // From a retry tier it comes under its own key, whatever it died of there.
        assert_eq!(of(COMMANDS, &[deaths]), "lane.checkout.v1.dlq");
        // It was in its lane by name, and died under that.
        let by_name = ("x-death", dead_under("lane.suspect.v1"));
        let ours = (ROUTING_KEY, AMQPValue::LongString("refund.request".into()));
        assert_eq!(of("", &[by_name, ours]), "refund.request");
    }

    #[test]
    fn a_routing_key_in_a_header_counts_only_where_amqp_lost_it() {
        let mut delivery =
            Delivery::mock(1, COMMANDS.into(), "order.import".into(), false, Vec::new());
        let mut headers = FieldTable::default();
        headers.insert(ROUTING_KEY.into(), AMQPValue::LongString("refund.request".into()));
        delivery.properties = BasicProperties::default().with_headers(headers);
        let (message, _) = received(&mut delivery);
        assert_eq!(message.routing_key, "order.import");
        assert!(message.headers.is_empty());
    }
}
