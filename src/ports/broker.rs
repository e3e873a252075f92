//! The message broker: publish with confirm and mandatory routing, consume with prefetch, settle
//! each delivery exactly once by value. RabbitMQ and the embedded broker pass one suite over it.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;

/// Exchange that commands are published to.
pub const COMMANDS: &str = "payments.commands";
/// Alternate exchange of [`COMMANDS`].
pub const UNROUTABLE: &str = "payments.unroutable";
/// Exchange that result events are published to.
pub const EVENTS: &str = "payments.events";

/// Every routing key that names a command.
pub const COMMAND_KEYS: [&str; 7] = [
    "order.import",
    "upsell.import",
    "charge.recurring",
    "capture.request",
    "refund.request",
    "cancel.request",
    "agreement.close",
];

/// A lasting queue of ours, with its own consumers and prefetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Orders and upsells: a buyer waits.
    Checkout,
    /// Capture, refund, cancel, close.
    Operations,
    /// Thousands at midnight.
    Recurring,
    /// Hints from Amazon.
    Notifications,
    /// One at a time, alone in hand.
    Suspect,
    /// What no lane takes.
    Unroutable,
}

impl Lane {
    /// Every lane.
    pub const ALL: [Lane; 6] = [
        Lane::Checkout,
        Lane::Operations,
        Lane::Recurring,
        Lane::Notifications,
        Lane::Suspect,
        Lane::Unroutable,
    ];

    /// The name of its queue.
    #[must_use]
    pub const fn queue(self) -> &'static str {
        match self {
            Lane::Checkout => "lane.checkout.v1",
            Lane::Operations => "lane.operations.v1",
            Lane::Recurring => "lane.recurring.v1",
            Lane::Notifications => "lane.notifications.v1",
            Lane::Suspect => "lane.suspect.v1",
            Lane::Unroutable => "lane.unroutable.v1",
        }
    }

    /// Where the broker puts what it throws out of the lane by itself: over the limit of
    /// deliveries, or too old for a policy that somebody set.
    #[must_use]
    pub fn thrown_out(self) -> String {
        format!("{}.dlq", self.queue())
    }

    /// The routing keys bound to it on [`COMMANDS`].
    #[must_use]
    pub const fn keys(self) -> &'static [&'static str] {
        match self {
            Lane::Checkout => &["order.import", "upsell.import"],
            Lane::Operations => {
                &["capture.request", "refund.request", "cancel.request", "agreement.close"]
            }
            Lane::Recurring => &["charge.recurring"],
            Lane::Notifications => &["notification.*"],
            Lane::Suspect | Lane::Unroutable => &[],
        }
    }
}

/// A step of the retry tiers, for what could not be claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tier {
    /// 5 s.
    Seconds5,
    /// 30 s.
    Seconds30,
    /// 2 min.
    Minutes2,
}

impl Tier {
    /// Every tier, shortest first.
    pub const ALL: [Tier; 3] = [Tier::Seconds5, Tier::Seconds30, Tier::Minutes2];

    /// The name of its exchange and queue.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Tier::Seconds5 => "retry.5s.v1",
            Tier::Seconds30 => "retry.30s.v1",
            Tier::Minutes2 => "retry.2m.v1",
        }
    }

    /// How long a message stays in it before it returns to its lane under its routing key.
    #[must_use]
    pub const fn delay(self) -> Duration {
        match self {
            Tier::Seconds5 => Duration::from_secs(5),
            Tier::Seconds30 => Duration::from_secs(30),
            Tier::Minutes2 => Duration::from_secs(120),
        }
    }
}

/// Where a publication goes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// [`COMMANDS`], under the message's routing key. What no lane takes ends in
    /// [`Lane::Unroutable`], and counts as published.
    Commands,
    /// [`EVENTS`], under the message's routing key. Nobody listening is fine.
    Events,
    /// A queue by name through the default exchange. Gone is [`PublishError::Unroutable`].
    Queue(String),
    /// A retry tier; the message comes back to its lane under its routing key.
    Retry(Tier),
}

/// A message with the properties that we use.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message {
    /// Routing key.
    pub routing_key: String,
    /// Body, as it was published.
    pub body: Vec<u8>,
    /// `message_id`.
    pub message_id: Option<String>,
    /// `content_type`.
    pub content_type: Option<String>,
    /// `type`.
    pub kind: Option<String>,
    /// `correlation_id`.
    pub correlation_id: Option<String>,
    /// `reply_to`.
    pub reply_to: Option<String>,
    /// `timestamp`, in seconds since the epoch.
    pub timestamp: Option<u64>,
    /// Text headers (`traceparent`, `tracestate` and ours); others are not carried on.
    pub headers: BTreeMap<String, String>,
}

/// A message and where it goes. Always persistent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publication {
    /// Where to.
    pub target: Target,
    /// What.
    pub message: Message,
}

/// Why a publication does not count.
#[derive(Debug, Clone, thiserror::Error)]
pub enum PublishError {
    /// The broker took it and no queue did.
    #[error("no queue takes the message")]
    Unroutable,
    /// The broker said no: it certainly does not have it.
    #[error("the broker refused the message")]
    Refused,
    /// No confirm: the broker may have it or not; publish again under the same message id.
    #[error("the broker did not confirm: {0}")]
    Unconfirmed(String),
}

/// The broker is away, or a queue is not what it should be.
#[derive(Debug, Clone, thiserror::Error)]
pub enum BrokerError {
    /// Try again later.
    #[error("the broker is away: {0}")]
    Away(String),
    /// An operator must act: which queue and which argument.
    #[error("the broker's topology differs: {0}")]
    Topology(String),
}

/// A delivery settled by value. Dropped unsettled, it is given back when its consumer ends.
#[async_trait]
pub trait Settle: Send + Sync {
    /// The effect is committed.
    async fn ack(self: Box<Self>) -> Result<(), BrokerError>;
    /// Give it back to the queue.
    async fn requeue(self: Box<Self>) -> Result<(), BrokerError>;
}

/// A message in hand.
pub struct Delivery {
    /// The message.
    pub message: Message,
    /// The queue that it came from.
    pub lane: Lane,
    /// Whether it was delivered before.
    pub redelivered: bool,
    /// The broker's own count of earlier deliveries: a hint, never a budget.
    pub delivery_count: u32,
    /// Settles it.
    pub settle: Box<dyn Settle>,
}

/// Deliveries of one lane.
#[async_trait]
pub trait Consumer: Send {
    /// The next delivery; `None` when the connection is lost: consume again.
    async fn next(&mut self) -> Option<Delivery>;

    /// Takes no more; deliveries in hand can still be settled. Unsettled ones in the buffer are
    /// given back.
    async fn cancel(self: Box<Self>);
}

/// Direct replies to this process.
#[async_trait]
pub trait Replies: Send {
    /// The name to put into `reply_to`. It changes with the connection: ask before each use.
    fn queue(&self) -> String;

    /// The next reply; `None` when the connection is lost: open again.
    async fn next(&mut self) -> Option<Message>;
}

/// The broker. Implementations reconnect and redeclare by themselves; calls fail while it is away.
#[async_trait]
pub trait Broker: Send + Sync {
    /// What OpenTelemetry calls it (`messaging.system`).
    fn system(&self) -> &'static str {
        "rabbitmq"
    }

    /// Declares the whole topology; every role does so when it starts.
    ///
    /// # Errors
    /// The broker is away, or a queue exists with other arguments.
    async fn declare(&self) -> Result<(), BrokerError>;

    /// Publishes all, confirms awaited together; one result each, in order.
    async fn publish_all(&self, all: Vec<Publication>) -> Vec<Result<(), PublishError>>;

    /// Takes deliveries of a lane, at most `prefetch` unsettled at once.
    ///
    /// # Errors
    /// The broker is away.
    async fn consume(&self, lane: Lane, prefetch: u16) -> Result<Box<dyn Consumer>, BrokerError>;

    /// Takes deliveries of what the broker threw out of a lane, as deliveries of that lane.
    ///
    /// # Errors
    /// The broker is away.
    async fn consume_thrown_out(
        &self,
        lane: Lane,
        prefetch: u16,
    ) -> Result<Box<dyn Consumer>, BrokerError>;

    /// Opens this process's own exclusive reply queue.
    ///
    /// # Errors
    /// The broker is away.
    async fn replies(&self) -> Result<Box<dyn Replies>, BrokerError>;

    /// Whether it can be reached now.
    ///
    /// # Errors
    /// Why it cannot.
    async fn check(&self) -> Result<(), BrokerError>;

    /// This process asks for nothing more: what it has of the broker's files is put in order.
    async fn close(&self) {}
}
