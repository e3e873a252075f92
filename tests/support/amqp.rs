//! A producer and a consumer as the CRM would write them: publishes commands with confirms, and
//! reads what is bound to the result events. Declares nothing of the program's.

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, ConfirmSelectOptions,
    QueueBindOptions, QueueDeclareOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties, Consumer};
use serde_json::Value;
use std::time::Duration;

use super::eventually;

const COMMANDS: &str = "payments.commands";
const EVENTS: &str = "payments.events";
/// The longest that a test waits for one message.
const PATIENCE: Duration = Duration::from_secs(60);

/// A connection to the broker beside the program's own.
pub(crate) struct Queues {
    connection: Connection,
    publishing: Channel,
}

impl Queues {
    pub(crate) async fn connect(url: &str) -> Self {
        // A vhost is there a moment after it was asked for.
        let connection = eventually("a connection to RabbitMQ", async || {
            Connection::connect(url, ConnectionProperties::default()).await.ok()
        })
        .await;
        let publishing = connection.create_channel().await.unwrap();
        publishing.confirm_select(ConfirmSelectOptions::default()).await.unwrap();
        Self { connection, publishing }
    }

    /// Publishes a command as the CRM does, and returns once the broker has it.
    pub(crate) async fn command(&self, routing_key: &str, message_id: &str, body: &Value) {
        let properties = BasicProperties::default()
            .with_message_id(message_id.into())
            .with_content_type("application/json".into())
            .with_delivery_mode(2);
        self.publish(COMMANDS, routing_key, body.to_string().as_bytes(), properties).await;
    }

    /// Publishes anything, mandatory, and returns once the broker has it.
    pub(crate) async fn publish(
        &self,
        exchange: &str,
        routing_key: &str,
        body: &[u8],
        properties: BasicProperties,
    ) {
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirm = self
            .publishing
            .basic_publish(exchange.into(), routing_key.into(), options, body, properties)
            .await
            .unwrap();
        let confirmation = confirm.await.unwrap();
        assert!(matches!(confirmation, Confirmation::Ack(None)), "{confirmation:?}");
    }

    /// Everything that is published on `payments.events` from now on; `#` for every key.
    pub(crate) async fn events(&self, binding: &str) -> Tap {
        let channel = self.connection.create_channel().await.unwrap();
        let queue = exclusive_queue(&channel).await;
        channel
            .queue_bind(
                queue.as_str().into(),
                EVENTS.into(),
                binding.into(),
                QueueBindOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        Tap::new(channel, queue).await
    }

    /// A queue for direct replies; its name goes into `reply_to`.
    pub(crate) async fn replies(&self) -> Tap {
        let channel = self.connection.create_channel().await.unwrap();
        let queue = exclusive_queue(&channel).await;
        Tap::new(channel, queue).await
    }
}

async fn exclusive_queue(channel: &Channel) -> String {
    let options = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let queue = channel.queue_declare("".into(), options, FieldTable::default()).await.unwrap();
    queue.name().as_str().to_owned()
}

/// A consumer's end of a queue of its own.
pub(crate) struct Tap {
    pub(crate) queue: String,
    consumer: Consumer,
    _channel: Channel,
}

impl Tap {
    async fn new(channel: Channel, queue: String) -> Self {
        let consumer = channel
            .basic_consume(
                queue.as_str().into(),
                "".into(),
                BasicConsumeOptions::default(),
                FieldTable::default(),
            )
            .await
            .unwrap();
        Self { queue, consumer, _channel: channel }
    }

    /// The next message, as it came.
    pub(crate) async fn delivery(&mut self) -> Delivery {
        let next = tokio::time::timeout(PATIENCE, self.consumer.next()).await;
        let delivery = next.expect("no message came").expect("the queue is gone").unwrap();
        delivery.ack(BasicAckOptions::default()).await.unwrap();
        delivery
    }

    /// The next event.
    pub(crate) async fn event(&mut self) -> Value {
        let delivery = self.delivery().await;
        serde_json::from_slice(&delivery.data).expect("an event is JSON")
    }

    /// The next event that is asked for; those before it are passed over.
    pub(crate) async fn event_where(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let event = self.event().await;
            if wanted(&event) {
                return event;
            }
        }
    }
}
