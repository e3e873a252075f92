//! `bare-loop`: the work of an order and nothing else, as the bar for the worker. Takes a message,
//! makes the four calls (details beside the authorization), commits twice in PostgreSQL by one
//! statement each, publishes with confirm, acknowledges. It decides nothing, remembers nothing,
//! and survives nothing; so it must stay.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicConsumeOptions, BasicPublishOptions, BasicQosOptions,
    ConfirmSelectOptions,
};
use lapin::types::FieldTable;
use lapin::{BasicProperties, Channel, Confirmation, Connection, ConnectionProperties};
use sea_orm::{ConnectOptions, ConnectionTrait, Database, DatabaseConnection, Statement, Value};

use crate::{queues, sign};

/// Its two tables.
pub(crate) const TABLES: &str = "\
     CREATE TABLE orders (id text PRIMARY KEY, reference text NOT NULL, \
     total text NOT NULL, status text NOT NULL, authorization_id text); \
     CREATE TABLE order_events (id bigserial PRIMARY KEY, \
     order_id text NOT NULL, kind text NOT NULL)";

const BEGIN: &str = "INSERT INTO orders (id, reference, total, status) \
     VALUES ($1, $2, $3, 'PROCESSING') ON CONFLICT (id) DO NOTHING";
/// Both writes of the second commit in one round trip.
const FINISH: &str = "WITH paid AS (UPDATE orders SET status = 'PAID', authorization_id = $2 \
     WHERE id = $1 RETURNING id) \
     INSERT INTO order_events (order_id, kind) SELECT id, 'PAID' FROM paid";

/// What it works on.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The broker.
    #[arg(long)]
    amqp: String,
    /// A database with its tables.
    #[arg(long)]
    database: String,
    /// Amazon's stub, as host:port.
    #[arg(long)]
    stub: String,
    /// Orders at once.
    #[arg(long)]
    concurrency: u16,
}

struct Bare {
    database: DatabaseConnection,
    http: reqwest::Client,
    url: String,
    host: String,
    publishing: Channel,
}

/// Works until it is killed.
pub(crate) async fn run(options: Options) {
    let connection = Connection::connect(&options.amqp, ConnectionProperties::default());
    let connection = connection.await.expect("the broker");
    let publishing = connection.create_channel().await.expect("a channel");
    publishing.confirm_select(ConfirmSelectOptions::default()).await.expect("confirms");
    let channel = connection.create_channel().await.expect("a channel");
    channel.basic_qos(options.concurrency, BasicQosOptions::default()).await.expect("a prefetch");
    let mut pool = ConnectOptions::new(options.database);
    // As many connections as the worker opens for so many orders at once.
    pool.max_connections((u32::from(options.concurrency) / 4).clamp(8, 32))
        .test_before_acquire(false)
        .sqlx_logging(false);
    let http = reqwest::Client::builder()
        .http1_only()
        .no_proxy()
        .tcp_nodelay(true)
        .timeout(Duration::from_secs(20))
        .pool_max_idle_per_host(512)
        .tls_certs_only([])
        .build();
    let bare = Arc::new(Bare {
        database: Database::connect(pool).await.expect("the database"),
        http: http.expect("a client"),
        url: format!("http://{}{}", options.stub, sign::PATH),
        host: options.stub,
        publishing,
    });
    let mut deliveries = channel
        .basic_consume(
            queues::BARE_ORDERS.into(),
            "".into(),
            BasicConsumeOptions::default(),
            FieldTable::default(),
        )
        .await
        .expect("a consumer");
    while let Some(delivery) = deliveries.next().await {
        tokio::spawn(Arc::clone(&bare).one(delivery.expect("a delivery")));
    }
}

impl Bare {
    async fn one(self: Arc<Self>, delivery: Delivery) {
        let command: serde_json::Value = serde_json::from_slice(&delivery.data).expect("json");
        let text = |name: &str| command[name].as_str().expect(name);
        let (order, reference, total) = (text("orderId"), text("amazonOrderId"), text("amount"));
        self.execute(BEGIN, [order.into(), reference.into(), total.into()]).await;
        let on = ("AmazonOrderReferenceId", reference);
        let set = [
            on,
            ("OrderReferenceAttributes.OrderTotal.Amount", total),
            ("OrderReferenceAttributes.OrderTotal.CurrencyCode", "USD"),
            ("OrderReferenceAttributes.SellerOrderAttributes.SellerOrderId", order),
        ];
        self.call("SetOrderReferenceDetails", &set).await;
        self.call("ConfirmOrderReference", &[on]).await;
        let authorize = [
            on,
            ("AuthorizationReferenceId", order),
            ("AuthorizationAmount.Amount", total),
            ("AuthorizationAmount.CurrencyCode", "USD"),
            ("TransactionTimeout", "0"),
            ("CaptureNow", "true"),
        ];
        let read = [on];
        tokio::join!(
            self.call("Authorize", &authorize),
            self.call("GetOrderReferenceDetails", &read)
        );
        self.execute(FINISH, [order.into(), format!("{reference}-A000001").into()]).await;
        self.publish(&event(order, reference, total)).await;
        delivery.ack(BasicAckOptions::default()).await.expect("an ack");
    }

    async fn execute(&self, text: &str, values: impl IntoIterator<Item = Value>) {
        let backend = self.database.get_database_backend();
        let statement = Statement::from_sql_and_values(backend, text, values);
        self.database.execute_raw(statement).await.expect("a commit");
    }

    async fn call(&self, action: &str, own: &[(&str, &str)]) {
        let mut params = vec![
            ("AWSAccessKeyId", "AKIABENCH"),
            ("Action", action),
            ("SellerId", "A1BENCH"),
            ("SignatureMethod", "HmacSHA256"),
            ("SignatureVersion", "2"),
            ("Timestamp", "2026-11-20T20:00:00Z"),
            ("Version", "2013-01-01"),
        ];
        params.extend_from_slice(own);
        let body = sign::form(&self.host, sign::PATH, &mut params);
        let request = self.http.post(&self.url).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "{action}");
        answer.bytes().await.expect("a whole answer");
    }

    async fn publish(&self, body: &str) {
        let properties = BasicProperties::default()
            .with_delivery_mode(2)
            .with_content_type("application/cloudevents+json".into());
        let confirm = self
            .publishing
            .basic_publish(
                queues::BARE_EVENTS.into(),
                "order.paid".into(),
                BasicPublishOptions::default(),
                body.as_bytes(),
                properties,
            )
            .await
            .expect("a publish");
        let confirmation = confirm.await.expect("a confirm");
        assert!(matches!(confirmation, Confirmation::Ack(None)), "{confirmation:?}");
    }
}

/// Of the size that the worker's has.
fn event(order: &str, reference: &str, total: &str) -> String {
    format!(
        "{{\"specversion\":\"1.0\",\"id\":\"{order}-1\",\"source\":\"/bare-loop\",\
         \"type\":\"payments.order.paid\",\"subject\":\"bench/order/{order}\",\
         \"time\":\"2026-11-20T20:00:00.000Z\",\"datacontenttype\":\"application/json\",\
         \"data\":{{\"amazonBillerId\":\"bench\",\"kind\":\"order\",\"orderId\":\"{order}\",\
         \"status\":\"paid\",\"sequence\":1,\"epoch\":1,\"amount\":\"{total}\",\
         \"currency\":\"USD\",\"capturedAmount\":\"{total}\",\"refundedAmount\":\"0.00\",\
         \"amazonOrderId\":\"{reference}\",\"amazonAuthorizationId\":\"{reference}-A000001\",\
         \"amazonCaptureId\":\"{reference}-C000001\",\"buyer\":{{\"firstName\":\"Ada\",\
         \"lastName\":\"Lovelace\",\"emailAddress\":\"ada@example.com\"}},\
         \"shippingAddress\":{{\"name\":\"Ada Lovelace\",\"addressLine1\":\"1 Main St\",\
         \"city\":\"Reno\",\"stateOrRegion\":\"NV\",\"postalCode\":\"89501\",\
         \"countryCode\":\"US\"}}}}}}"
    )
}
