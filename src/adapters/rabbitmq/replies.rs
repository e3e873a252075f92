//! Direct replies to this process, on a queue that no one else can read and that ends with the
//! connection. A reply is a convenience: what is lost with the queue is not sent again.

use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicConsumeOptions, BasicQosOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};
use lapin::{Channel, Connection};

use super::message;
use crate::ports::broker::{Message, Replies};

const PREFETCH: u16 = 256;
/// Acknowledged by the bundle: who is not acknowledged yet is only ever given back to nobody.
const BUNDLE: u16 = 64;
/// A process that reads no more must not fill the broker; the oldest replies go first.
const LENGTH_MAX: i32 = 20_000;

/// The reply queue of this process, for one connection.
pub(super) struct ReplyQueue {
    name: String,
    replies: lapin::Consumer,
    unacknowledged: u16,
    channel: Channel,
}

impl ReplyQueue {
    pub(super) async fn open(connection: &Connection) -> lapin::Result<Self> {
        let channel = connection.create_channel().await?;
        channel.basic_qos(PREFETCH, BasicQosOptions { global: false }).await?;
        let options =
            QueueDeclareOptions { exclusive: true, auto_delete: true, ..Default::default() };
        let mut arguments = FieldTable::default();
        arguments.insert("x-max-length".into(), AMQPValue::LongInt(LENGTH_MAX));
        let queue = channel.queue_declare("".into(), options, arguments).await?;
        let name = queue.name().clone();
        let options = BasicConsumeOptions { exclusive: true, ..Default::default() };
        let arguments = FieldTable::default();
        let replies = channel.basic_consume(name.clone(), "".into(), options, arguments).await?;
        Ok(Self { name: name.to_string(), replies, unacknowledged: 0, channel })
    }
}

#[async_trait]
impl Replies for ReplyQueue {
    fn queue(&self) -> String {
        self.name.clone()
    }

    async fn next(&mut self) -> Option<Message> {
        let mut delivery = self.replies.next().await?.ok()?;
        self.unacknowledged += 1;
        if self.unacknowledged == BUNDLE {
            self.unacknowledged = 0;
            let options = BasicAckOptions { multiple: true };
            self.channel.basic_ack(delivery.delivery_tag, options).await.ok()?;
        }
        Some(message::received(&mut delivery).0)
    }
}
