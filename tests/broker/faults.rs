//! What goes wrong with RabbitMQ: lost connections, a restart, deleted queues, a queue that is not
//! what it should be, an alarm. The role goes on, or says what an operator must do.

use std::process::Command;
use std::sync::Arc;

use amazon_pay_worker::adapters::rabbitmq::RabbitMq;
use amazon_pay_worker::ports::broker::{Broker, BrokerError, Lane, PublishError, Target, Tier};
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use tempfile::TempDir;

use crate::support::eventually;
use crate::support::services::{self, AmqpEnv};
use crate::world::{
    AtOnce, command, consume, ends, id, message, next, publish, rabbit, replies, to_queue,
};

macro_rules! on_rabbitmq {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            // A test that waits for a command must not keep the heartbeats waiting.
            #[tokio::test(flavor = "multi_thread", worker_threads = 1)]
            async fn on_rabbitmq() {
                use crate::support::matrix::{Broker, Store, available};
                if available(Broker::RabbitMq, Store::Sqlite).is_some() {
                    Box::pin(super::$name()).await;
                }
            }
        }
    )+};
}

on_rabbitmq!(
    closed_connections_come_back,
    a_restart_loses_nothing,
    a_deleted_lane_is_declared_again,
    a_deleted_tier_is_declared_again,
    what_the_broker_threw_out_is_there,
    another_argument_is_an_operators_matter,
    a_publish_under_an_alarm_is_unknown,
    an_url_that_is_none_is_refused,
);

fn own_vhost() -> AmqpEnv {
    services::amqp().expect("the macro has asked")
}

async fn closed_connections_come_back() {
    let amqp = own_vhost();
    let broker = rabbit(amqp.url()).await;
    publish(&*broker, &command("order.import", "m-1")).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    let in_hand = next(&mut consumer).await;
    let mut mine = replies(&*broker).await;
    amqp.close_connections();
    ends(&mut consumer).await;
    assert!(mine.next().await.is_none());
    assert!(matches!(in_hand.settle.ack().await, Err(BrokerError::Away(_))));
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    let again = next(&mut consumer).await;
    assert_eq!(id(&again), "m-1");
    assert!(again.redelivered);
    again.settle.ack().await.unwrap();
    publish(&*broker, &command("order.import", "m-2")).await;
    assert_eq!(id(&next(&mut consumer).await), "m-2");
    let other = replies(&*broker).await;
    assert_ne!(other.queue(), mine.queue());
    eventually("a good check", async || broker.check().await.ok()).await;
}

async fn a_deleted_lane_is_declared_again() {
    let amqp = own_vhost();
    let broker = rabbit(amqp.url()).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    amqp.delete_queue(Lane::Checkout.queue());
    ends(&mut consumer).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    publish(&*broker, &command("order.import", "m-1")).await;
    assert_eq!(id(&next(&mut consumer).await), "m-1");
}

async fn a_deleted_tier_is_declared_again() {
    let amqp = own_vhost();
    let broker = rabbit(amqp.url()).await;
    amqp.delete_queue(Tier::Seconds5.name());
    let mut retried = command("refund.request", "m-1");
    retried.target = Target::Retry(Tier::Seconds5);
    publish(&*broker, &retried).await;
}

async fn what_the_broker_threw_out_is_there() {
    let amqp = own_vhost();
    let broker = rabbit(amqp.url()).await;
    // A mistake that is easily made: everything becomes too old at once.
    amqp.limit_age(r"^lane\.[a-z]*\.v1$", 0);
    let mut consumer =
        eventually("a consumer", async || broker.consume_thrown_out(Lane::Checkout, 10).await.ok())
            .await;
    publish(&*broker, &command("upsell.import", "m-1")).await;
    let delivery = next(&mut consumer).await;
    assert_eq!((id(&delivery), delivery.lane), ("m-1", Lane::Checkout));
    assert_eq!(delivery.message, message("upsell.import", "m-1"));
    delivery.settle.ack().await.unwrap();
}

async fn another_argument_is_an_operators_matter() {
    let amqp = own_vhost();
    let broker = rabbit(amqp.url()).await;
    amqp.delete_queue(Lane::Recurring.queue());
    declare_classic(&amqp, Lane::Recurring.queue()).await;
    let error = broker.declare().await.unwrap_err();
    let BrokerError::Topology(text) = error else { panic!("{error:?}") };
    assert!(text.contains(Lane::Recurring.queue()), "{text}");
    assert!(text.contains("x-"), "no argument is named: {text}");
    // A new process says so too, and everything else works.
    let other = RabbitMq::start(amqp.url(), "test", Arc::new(AtOnce)).unwrap();
    eventually("the check to say so", async || {
        matches!(other.check().await, Err(BrokerError::Topology(_))).then_some(())
    })
    .await;
    publish(&other, &command("order.import", "m-1")).await;
    let mut consumer = consume(&other, Lane::Checkout, 10).await;
    assert_eq!(id(&next(&mut consumer).await), "m-1");
}

async fn declare_classic(amqp: &AmqpEnv, queue: &str) {
    let properties = ConnectionProperties::default();
    let connection = Connection::connect(amqp.url(), properties).await.unwrap();
    let channel = connection.create_channel().await.unwrap();
    let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(queue.into(), options, FieldTable::default()).await.unwrap();
}

async fn an_url_that_is_none_is_refused() {
    let started = RabbitMq::start("http://user:secret@localhost", "test", Arc::new(AtOnce));
    let error = started.err().unwrap();
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// A node that a test may break.
struct Node {
    folder: TempDir,
}

impl Node {
    fn start() -> Self {
        let node = Self { folder: tempfile::tempdir().unwrap() };
        node.services("start", &["--fast", "--only", "amqp"]);
        node
    }

    fn services(&self, act: &str, args: &[&str]) -> String {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services.sh");
        let output = Command::new(script).arg(act).arg(self.folder.path()).args(args).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{act}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn url(&self) -> String {
        let env = self.services("env", &[]);
        let line = env.lines().find(|line| line.contains("AMQP_URL")).unwrap();
        line.split('\'').nth(1).unwrap().to_owned()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.services("stop", &[]);
    }
}

async fn a_restart_loses_nothing() {
    let node = Node::start();
    let broker = rabbit(&node.url()).await;
    for n in 0..3 {
        publish(&*broker, &command("order.import", &n.to_string())).await;
    }
    let mut consumer = consume(&*broker, Lane::Checkout, 1).await;
    let in_hand = next(&mut consumer).await;
    for kill in [false, true] {
        if kill {
            node.services("kill", &["amqp"]);
        } else {
            node.services("rabbitmqctl", &["-q", "stop_app"]);
        }
        ends(&mut consumer).await;
        assert!(broker.check().await.is_err());
        let lost = broker.publish_all(vec![command("order.import", "lost")]).await;
        assert!(matches!(lost[0], Err(PublishError::Unconfirmed(_))), "{lost:?}");
        if kill {
            node.services("start", &["--fast", "--only", "amqp"]);
        } else {
            node.services("rabbitmqctl", &["-q", "start_app"]);
        }
        consumer = consume(&*broker, Lane::Checkout, 1).await;
    }
    assert!(in_hand.settle.ack().await.is_err());
    for n in 0..3 {
        let delivery = next(&mut consumer).await;
        assert_eq!(id(&delivery), n.to_string());
        delivery.settle.ack().await.unwrap();
    }
    publish(&*broker, &command("order.import", "after")).await;
    assert_eq!(id(&next(&mut consumer).await), "after");
}

async fn a_publish_under_an_alarm_is_unknown() {
    let node = Node::start();
    let broker = rabbit(&node.url()).await;
    publish(&*broker, &command("order.import", "m-1")).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 1).await;
    node.services("rabbitmqctl", &["-q", "set_vm_memory_high_watermark", "0.00001"]);
    let late = broker.publish_all(vec![command("order.import", "m-2")]).await;
    assert!(matches!(late[0], Err(PublishError::Unconfirmed(_))), "{late:?}");
    assert!(matches!(broker.check().await, Err(BrokerError::Away(_))));
    // The next is not even sent.
    let refused = broker.publish_all(vec![command("order.import", "not sent")]).await;
    assert!(matches!(refused[0], Err(PublishError::Unconfirmed(_))), "{refused:?}");
    // Who consumes goes on.
    next(&mut consumer).await.settle.ack().await.unwrap();
    node.services("rabbitmqctl", &["-q", "set_vm_memory_high_watermark", "0.9"]);
    let unknown = next(&mut consumer).await;
    assert_eq!(id(&unknown), "m-2", "what was unknown was there after all");
    unknown.settle.ack().await.unwrap();
    publish(&*broker, &to_queue(Lane::Checkout.queue(), "order.import", "m-3")).await;
    assert_eq!(id(&next(&mut consumer).await), "m-3");
    eventually("a good check", async || broker.check().await.ok()).await;
}
