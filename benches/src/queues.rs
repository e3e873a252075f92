//! The driver's side of RabbitMQ: commands in, persistent and confirmed, and result events out,
//! through a durable quorum queue as a CRM would have one.

use futures_util::StreamExt;
use lapin::options::{
    BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions, ExchangeDeclareOptions,
    QueueBindOptions, QueueDeclareOptions, QueueDeleteOptions,
};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{
    BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer,
    ExchangeKind, PublisherConfirm,
};

/// The bare loop's queue.
pub(crate) const BARE_ORDERS: &str = "bench.bare.orders";
/// The bare loop's exchange.
pub(crate) const BARE_EVENTS: &str = "bench.bare.events";
/// Where the worker takes its commands from.
const COMMANDS: &str = "payments.commands";
/// Where every event ends up.
const EVENTS: &str = "bench.events";

/// Who is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    /// The worker, by MWS.
    Worker,
    /// The worker, by API v2.
    WorkerV2,
    /// The bare loop.
    Bare,
}

impl Subject {
    fn commands(self) -> (&'static str, &'static str) {
        match self {
            Subject::Worker | Subject::WorkerV2 => (COMMANDS, "order.import"),
            Subject::Bare => ("", BARE_ORDERS),
        }
    }

    fn events(self) -> &'static str {
        match self {
            Subject::Worker | Subject::WorkerV2 => "payments.events",
            Subject::Bare => BARE_EVENTS,
        }
    }

    /// The one call of an order that moves its money, as the stub counts it.
    pub(crate) fn money_call(self) -> &'static str {
        match self {
            Subject::Worker | Subject::Bare => "Authorize",
            Subject::WorkerV2 => "CompleteCheckoutSession",
        }
    }
}

/// A connection to the broker.
pub(crate) struct Queues {
    connection: Connection,
    publishing: Channel,
}

impl Queues {
    pub(crate) async fn connect(url: &str) -> Self {
        let connection = Connection::connect(url, ConnectionProperties::default()).await;
        let connection = connection.expect("the broker");
        let publishing = connection.create_channel().await.expect("a channel");
        publishing.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
        Self { connection, publishing }
    }

    /// Whether the worker has declared its topology.
    pub(crate) async fn has_topology(&self) -> bool {
        let channel = self.connection.create_channel().await.expect("a channel");
        let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let (name, kind) = ("payments.events".into(), ExchangeKind::Topic);
        channel.exchange_declare(name, kind, passive, FieldTable::default()).await.is_ok()
    }

    /// Empty queues for a run.
    pub(crate) async fn prepare(&self, subject: Subject) {
        let channel = self.connection.create_channel().await.expect("a channel");
        for queue in [EVENTS, BARE_ORDERS] {
            let gone = channel.queue_delete(queue.into(), QueueDeleteOptions::default()).await;
            gone.expect("a queue deleted");
            let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            let mut arguments = FieldTable::default();
            let quorum = AMQPValue::LongString("quorum".into());
            arguments.insert("x-queue-type".into(), quorum);
            channel.queue_declare(queue.into(), durable, arguments).await.expect("a queue");
        }
        if subject == Subject::Bare {
            let durable =
                ExchangeDeclareOptions { durable: true, ..ExchangeDeclareOptions::default() };
            let (name, kind) = (BARE_EVENTS.into(), ExchangeKind::Topic);
            let declared = channel.exchange_declare(name, kind, durable, FieldTable::default());
            declared.await.expect("an exchange");
        }
        let (queue, exchange) = (EVENTS.into(), subject.events().into());
        let options = QueueBindOptions::default();
        let bound = channel.queue_bind(queue, exchange, "#".into(), options, FieldTable::default());
        bound.await.expect("a binding");
    }

    /// Hands an order over; its confirm is still to come.
    pub(crate) async fn publish(
        &self,
        subject: Subject,
        message_id: &str,
        body: &str,
    ) -> PublisherConfirm {
        let (exchange, key) = subject.commands();
        self.hand_over(exchange, key, message_id, body).await
    }

    /// Hands a charge of an agreement over.
    pub(crate) async fn publish_charge(&self, message_id: &str, body: &str) -> PublisherConfirm {
        self.hand_over(COMMANDS, "charge.recurring", message_id, body).await
    }

    async fn hand_over(
        &self,
        exchange: &str,
        key: &str,
        message_id: &str,
        body: &str,
    ) -> PublisherConfirm {
        let properties = BasicProperties::default()
            .with_message_id(message_id.into())
            .with_content_type("application/json".into())
            .with_delivery_mode(2);
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        self.publishing
            .basic_publish(exchange.into(), key.into(), options, body.as_bytes(), properties)
            .await
            .expect("a publish")
    }

    /// How many events wait. Asking costs the broker next to nothing, and the driver nothing.
    pub(crate) async fn waiting(&self) -> usize {
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        let queue = self.publishing.queue_declare(EVENTS.into(), passive, FieldTable::default());
        usize::try_from(queue.await.expect("the events").message_count()).unwrap_or(usize::MAX)
    }

    /// Events as they come.
    pub(crate) async fn events(&self) -> Consumer {
        let channel = self.connection.create_channel().await.expect("a channel");
        let no_ack = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
        let consumer =
            channel.basic_consume(EVENTS.into(), "".into(), no_ack, FieldTable::default());
        consumer.await.expect("a consumer")
    }

    /// Takes what is there, which must be so many at least.
    pub(crate) async fn take(&self, count: usize) -> Vec<Vec<u8>> {
        let mut events = self.events().await;
        let mut bodies = Vec::with_capacity(count);
        while bodies.len() < count {
            bodies.push(events.next().await.expect("an event").expect("an event").data);
        }
        bodies
    }
}

/// Waits for a confirm; a command that came back or was refused ends the benchmark.
pub(crate) async fn confirmed(confirm: PublisherConfirm) {
    let confirmation = confirm.await.expect("a confirm");
    assert!(matches!(confirmation, Confirmation::Ack(None)), "{confirmation:?}");
}
