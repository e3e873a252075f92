//! What is declared: exchanges, lanes, their dead-letter queues, retry tiers. Everything that lasts
//! is a quorum queue, and every argument is written out, because the broker's defaults change
//! between versions and the arguments of an existing queue never do: the names carry a version.

use lapin::options::{ExchangeDeclareOptions, QueueBindOptions, QueueDeclareOptions};
use lapin::protocol::{AMQPErrorKind, AMQPSoftError};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection, ErrorKind, ExchangeKind};

use super::connection::away;
use crate::ports::broker::{BrokerError, COMMANDS, EVENTS, Lane, Tier, UNROUTABLE};

/// Higher than any message ever comes, since from 4.0 the default of 20 would drop it; the budget
/// of retries is the store's. Minus one, which means none, is refused by older versions.
const DELIVERY_LIMIT: i32 = 1_000_000;

enum Item {
    Exchange { name: &'static str, kind: ExchangeKind, arguments: FieldTable },
    Queue { name: String, arguments: FieldTable },
    Binding { queue: &'static str, exchange: &'static str, key: &'static str },
}

fn text(value: &str) -> AMQPValue {
    AMQPValue::LongString(value.into())
}

fn table<const N: usize>(entries: [(&str, AMQPValue); N]) -> FieldTable {
    let mut table = FieldTable::default();
    for (name, value) in entries {
        table.insert(name.into(), value);
    }
    table
}

fn quorum() -> FieldTable {
    table([
        ("x-queue-type", text("quorum")),
        ("x-delivery-limit", AMQPValue::LongInt(DELIVERY_LIMIT)),
    ])
}

/// At-least-once needs a queue that refuses rather than drops.
fn dead_lettering(exchange: &str) -> FieldTable {
    let mut arguments = quorum();
    arguments.insert("x-dead-letter-exchange".into(), text(exchange));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
    arguments.insert("x-overflow".into(), text("reject-publish"));
    arguments
}

fn exchanges() -> Vec<Item> {
    let alternate = table([("alternate-exchange", text(UNROUTABLE))]);
    let none = FieldTable::default;
    let mut items = vec![
        Item::Exchange { name: UNROUTABLE, kind: ExchangeKind::Fanout, arguments: none() },
        Item::Exchange { name: COMMANDS, kind: ExchangeKind::Topic, arguments: alternate },
        Item::Exchange { name: EVENTS, kind: ExchangeKind::Topic, arguments: none() },
    ];
    items.extend(Tier::ALL.map(|tier| {
        // A fanout keeps the routing key, by which the message finds back to its lane.
        Item::Exchange { name: tier.name(), kind: ExchangeKind::Fanout, arguments: none() }
    }));
    items
}

fn lane(lane: Lane) -> Vec<Item> {
    let mut arguments = dead_lettering("");
    arguments.insert("x-dead-letter-routing-key".into(), text(&lane.thrown_out()));
    if lane == Lane::Suspect {
        arguments.insert("x-single-active-consumer".into(), AMQPValue::Boolean(true));
    }
    let mut items = vec![
        Item::Queue { name: lane.thrown_out(), arguments: quorum() },
        Item::Queue { name: lane.queue().to_owned(), arguments },
    ];
    let bindings = lane.keys().iter();
    items.extend(bindings.map(|&key| Item::Binding {
        queue: lane.queue(),
        exchange: COMMANDS,
        key,
    }));
    if lane == Lane::Unroutable {
        items.push(Item::Binding { queue: lane.queue(), exchange: UNROUTABLE, key: "" });
    }
    items
}

fn tier(tier: Tier) -> Vec<Item> {
    let mut arguments = dead_lettering(COMMANDS);
    let delay = i32::try_from(tier.delay().as_millis()).unwrap_or(i32::MAX);
    arguments.insert("x-message-ttl".into(), AMQPValue::LongInt(delay));
    vec![
        Item::Queue { name: tier.name().to_owned(), arguments },
        Item::Binding { queue: tier.name(), exchange: tier.name(), key: "" },
    ]
}

/// Declares everything. What exists with other arguments does not keep the rest from being
/// declared; the first such queue or exchange is the error.
pub(super) async fn declare(connection: &Connection) -> Result<(), BrokerError> {
    let mut items = exchanges();
    items.extend(Lane::ALL.into_iter().flat_map(lane));
    items.extend(Tier::ALL.into_iter().flat_map(tier));
    declare_all(connection, &items).await
}

/// Declares what one lane needs before it is consumed, if somebody deleted it.
pub(super) async fn declare_lane(connection: &Connection, of: Lane) -> Result<(), BrokerError> {
    let mut items = exchanges();
    items.extend(lane(of));
    declare_all(connection, &items).await
}

async fn declare_all(connection: &Connection, items: &[Item]) -> Result<(), BrokerError> {
    let mut channel = connection.create_channel().await.map_err(|error| away(&error))?;
    let mut differs = Ok(());
    for item in items {
        let Err(error) = declare_item(&channel, item).await else { continue };
        let Some(reason) = operators_matter(&error) else { return Err(away(&error)) };
        if differs.is_ok() {
            differs = Err(BrokerError::Topology(reason));
        }
        // The error closed the channel.
        channel = connection.create_channel().await.map_err(|error| away(&error))?;
    }
    differs
}

/// The broker's own words where waiting does not help: they name the queue and the argument.
fn operators_matter(error: &lapin::Error) -> Option<String> {
    let ErrorKind::ProtocolError(error) = error.kind() else { return None };
    let matter = [AMQPSoftError::PRECONDITIONFAILED, AMQPSoftError::ACCESSREFUSED];
    let AMQPErrorKind::Soft(kind) = error.kind() else { return None };
    matter.contains(kind).then(|| error.get_message().to_string())
}

async fn declare_item(channel: &Channel, item: &Item) -> lapin::Result<()> {
    match item {
        Item::Exchange { name, kind, arguments } => {
            let options = ExchangeDeclareOptions { durable: true, ..Default::default() };
            let name = (*name).into();
            channel.exchange_declare(name, kind.clone(), options, arguments.clone()).await
        }
        Item::Queue { name, arguments } => {
            let options = QueueDeclareOptions { durable: true, ..Default::default() };
            let name = name.as_str().into();
            channel.queue_declare(name, options, arguments.clone()).await.map(|_| ())
        }
        Item::Binding { queue, exchange, key } => {
            let (queue, exchange, key) = ((*queue).into(), (*exchange).into(), (*key).into());
            let options = QueueBindOptions::default();
            channel.queue_bind(queue, exchange, key, options, FieldTable::default()).await
        }
    }
}
