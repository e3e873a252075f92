//! Consuming a lane: deliveries with a bound on how many are unsettled, each settled once by value.
//! The channel lives until the last delivery in hand is settled: closing it gives them back.

use std::sync::Arc;

use async_trait::async_trait;
use futures_util::StreamExt;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Connection};

use super::connection::away;
use super::message;
use crate::ports::broker::{BrokerError, Consumer, Delivery, Lane, Settle};

const REQUEUE: BasicNackOptions = BasicNackOptions { multiple: false, requeue: true };

/// Deliveries of one lane on one channel of their own.
pub(super) struct LaneConsumer {
    lane: Lane,
    deliveries: lapin::Consumer,
    channel: Arc<Channel>,
}

impl LaneConsumer {
    pub(super) async fn start(
        connection: &Connection,
        lane: Lane,
        queue: &str,
        prefetch: u16,
    ) -> lapin::Result<Self> {
        let channel = connection.create_channel().await?;
        channel.basic_qos(prefetch, BasicQosOptions { global: false }).await?;
        let options = BasicConsumeOptions::default();
        let (queue, arguments) = (queue.into(), FieldTable::default());
        let deliveries = channel.basic_consume(queue, "".into(), options, arguments).await?;
        Ok(Self { lane, deliveries, channel: Arc::new(channel) })
    }
}

#[async_trait]
impl Consumer for LaneConsumer {
    async fn next(&mut self) -> Option<Delivery> {
        // An error is always followed by the end; both mean that the channel or queue is gone.
        let mut delivery = self.deliveries.next().await?.ok()?;
        let (message, delivery_count) = message::received(&mut delivery);
        Some(Delivery {
            message,
            lane: self.lane,
            redelivered: delivery.redelivered,
            delivery_count,
            settle: Box::new(InHand { acker: delivery.acker, _channel: Arc::clone(&self.channel) }),
        })
    }

    async fn cancel(self: Box<Self>) {
        let Self { mut deliveries, channel, .. } = *self;
        let tag = deliveries.tag();
        if let Err(error) = channel.basic_cancel(tag, BasicCancelOptions::default()).await {
            // With the channel gone, the broker has given everything back already.
            tracing::debug!(%error, "a consumer could not be canceled");
            return;
        }
        // The broker sends no more, so the buffer has an end.
        while let Some(Ok(delivery)) = deliveries.next().await {
            if delivery.acker.nack(REQUEUE).await.is_err() {
                return;
            }
        }
    }
}

/// A delivery that is neither acknowledged nor given back.
struct InHand {
    acker: Acker,
    _channel: Arc<Channel>,
}

/// Anything but `Ok(true)` means that the channel is gone, and with it the delivery.
fn settled(result: lapin::Result<bool>) -> Result<(), BrokerError> {
    match result {
        Ok(true) => Ok(()),
        Ok(false) => {
            let text = "the delivery's channel is gone: it will come again";
            Err(BrokerError::Away(text.to_owned()))
        }
        Err(error) => Err(away(&error)),
    }
}

#[async_trait]
impl Settle for InHand {
    async fn ack(self: Box<Self>) -> Result<(), BrokerError> {
        settled(self.acker.ack(BasicAckOptions::default()).await)
    }

    async fn requeue(self: Box<Self>) -> Result<(), BrokerError> {
        settled(self.acker.nack(REQUEUE).await)
    }
}
