//! What a run stands on: the private services, a database of its own, seller accounts added by the
//! real command line, the stub, and the processes that are measured.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};
use serde_json::Value;

use crate::bare;
use crate::orders::{ACCOUNTS, merchant, merchant_of_v2};
use crate::process::{Child, free_port};
use crate::queues::{Queues, Subject};

const TEMPLATE: &str = "bench_template";

/// Where everything is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Places {
    /// The broker, quorum queues and all.
    #[arg(long, env = "AMQP_URL")]
    pub(crate) amqp: String,
    /// PostgreSQL, durable.
    #[arg(long, env = "DATABASE_URL")]
    pub(crate) postgres: String,
    /// The process id of the broker.
    #[arg(long, env = "RABBITMQ_PID")]
    pub(crate) rabbitmq_pid: u32,
    /// The process id of PostgreSQL.
    #[arg(long, env = "POSTGRES_PID")]
    pub(crate) postgres_pid: u32,
    /// The worker, as it is shipped.
    #[arg(long)]
    pub(crate) worker: PathBuf,
    /// For logs, data and results.
    #[arg(long)]
    pub(crate) folder: PathBuf,
    /// Another stub, called with port, latency and `verify`.
    #[arg(long)]
    pub(crate) stub: Option<PathBuf>,
}

/// What outlasts a run.
pub(crate) struct World {
    pub(crate) places: Places,
    pub(crate) queues: Queues,
    server: DatabaseConnection,
    runs: u32,
}

/// What a run has for itself.
pub(crate) struct Ground {
    pub(crate) run: u32,
    pub(crate) database: String,
    pub(crate) data: PathBuf,
    pub(crate) stub: Stub,
}

/// Amazon, in a process.
pub(crate) struct Stub {
    pub(crate) child: Child,
    pub(crate) address: String,
}

impl World {
    /// Prepares a database and the topology once.
    pub(crate) async fn new(places: Places) -> Self {
        fs::create_dir_all(&places.folder).expect("the folder");
        let queues = Queues::connect(&places.amqp).await;
        let server = Database::connect(&places.postgres).await.expect("PostgreSQL");
        let world = Self { places, queues, server, runs: std::process::id() % 10_000 * 100 };
        world.drop_database(TEMPLATE).await;
        world.execute(&format!("CREATE DATABASE {TEMPLATE}")).await;
        world.furnish(&world.database_url(TEMPLATE), &world.places.folder);
        world.declare_topology().await;
        world
    }

    async fn execute(&self, text: &str) {
        self.server.execute_unprepared(text).await.expect(text);
    }

    async fn drop_database(&self, name: &str) {
        self.execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).await;
    }

    fn database_url(&self, name: &str) -> String {
        let server = self.places.postgres.rsplit_once('/').map_or("", |(server, _)| server);
        format!("{server}/{name}")
    }

    /// Schema and seller accounts, by the command line.
    fn furnish(&self, database: &str, data: &Path) {
        self.cli(&["migrate", "up"], "", database, data);
        for account in 0..ACCOUNTS {
            self.add_merchant(&merchant(account), database, data);
            self.add_merchant(&merchant_of_v2(account), database, data);
        }
    }

    fn add_merchant(&self, merchant: &Value, database: &str, data: &Path) {
        self.cli(&["mid", "add", "--file", "-"], &merchant.to_string(), database, data);
    }

    /// Adds seller accounts to the database of a run.
    pub(crate) fn add_merchants(&self, ground: &Ground, merchants: impl Iterator<Item = Value>) {
        for merchant in merchants {
            self.add_merchant(&merchant, &ground.database, &ground.data);
        }
    }

    fn cli(&self, args: &[&str], input: &str, database: &str, data: &Path) -> String {
        let mut child = self
            .worker(args, database, data)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the worker's program");
        // A command that reads no input may be gone by now.
        drop(child.stdin.take().map(|mut stdin| stdin.write_all(input.as_bytes())));
        let output = child.wait_with_output().expect("its end");
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {error}");
        String::from_utf8(output.stdout).expect("text")
    }

    /// The worker's program with nothing of our own environment: everything else is its default.
    fn worker(&self, args: &[&str], database: &str, data: &Path) -> Command {
        let mut command = Command::new(&self.places.worker);
        command.env_clear().args(args).current_dir(&self.places.folder);
        command.env("DATABASE_URL", database).env("DATA_DIR", data);
        command.env("MASTER_KEY", STANDARD.encode([7; 32]));
        command
    }

    async fn declare_topology(&self) {
        let (database, data) = (self.database_url(TEMPLATE), &self.places.folder);
        let mut command = self.worker(&["serve", "--roles", "relay"], &database, data);
        command.env("AMQP_URL", &self.places.amqp);
        command.env("METRICS_LISTEN", format!("127.0.0.1:{}", free_port()));
        let relay = Child::start(&mut command, &self.places.folder.join("topology.log"));
        for _ in 0..300 {
            if self.queues.has_topology().await {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        // The exchanges are declared first; the queues are there when it has ended in good order.
        tokio::time::sleep(Duration::from_secs(1)).await;
        relay.stop().await;
    }

    /// An empty database, empty queues and a stub.
    pub(crate) async fn ground(&mut self, subject: Subject, latency_ms: u64, own: bool) -> Ground {
        self.runs += 1;
        let run = self.runs;
        let name = format!("bench_{run}");
        self.drop_database(&name).await;
        match subject {
            Subject::Worker | Subject::WorkerV2 => {
                self.execute(&format!("CREATE DATABASE {name} TEMPLATE {TEMPLATE}")).await;
            }
            Subject::Bare => {
                self.execute(&format!("CREATE DATABASE {name}")).await;
                let own = Database::connect(self.database_url(&name)).await.expect("a database");
                own.execute_unprepared(bare::TABLES).await.expect("its tables");
                own.close().await.expect("a farewell");
            }
        }
        self.queues.prepare(subject).await;
        let data = self.places.folder.join(&name);
        fs::create_dir_all(&data).expect("a folder");
        // The peers' stub speaks MWS alone.
        let own = own || subject == Subject::WorkerV2;
        let stub = self.stub(latency_ms, own, &data).await;
        Ground { run, database: self.database_url(&name), data, stub }
    }

    /// The same without PostgreSQL and RabbitMQ.
    pub(crate) async fn embedded(&mut self, latency_ms: u64, own: bool) -> Ground {
        self.runs += 1;
        let run = self.runs;
        let data = self.places.folder.join(format!("embedded_{run}"));
        fs::create_dir_all(&data).expect("a folder");
        let database = format!("sqlite://{}/payments.db", data.display());
        self.furnish(&database, &data);
        let stub = self.stub(latency_ms, own, &data).await;
        Ground { run, database, data, stub }
    }

    /// Takes a run's database and files away; logs of a void run stay.
    pub(crate) async fn clear(&self, ground: Ground, keep: bool) {
        ground.stub.child.stop().await;
        if let Some((_, name)) = ground.database.rsplit_once('/')
            && ground.database.starts_with("postgres")
        {
            self.drop_database(name).await;
        }
        if !keep {
            fs::remove_dir_all(&ground.data).ok();
        }
    }

    async fn stub(&self, latency_ms: u64, own: bool, data: &Path) -> Stub {
        let port = free_port();
        let latency = latency_ms.to_string();
        let other = self.places.stub.as_ref().filter(|_| !own);
        let mut command = match other {
            Some(program) => Command::new(program),
            None => {
                let mut own = Command::new(std::env::current_exe().expect("this program"));
                own.arg("stub");
                own
            }
        };
        command.args([&port.to_string(), &latency]);
        if other.is_some() {
            command.arg("verify");
        }
        let child = Child::start(&mut command, &data.join("stub.log"));
        let stub = Stub { child, address: format!("127.0.0.1:{port}") };
        for _ in 0..100 {
            if stub.try_stats().await.is_some() {
                return stub;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("the stub does not answer")
    }

    /// Starts who is measured.
    pub(crate) fn start(&self, subject: Subject, ground: &Ground, concurrency: u16) -> Child {
        let concurrency = concurrency.to_string();
        let mut command = match subject {
            Subject::Worker | Subject::WorkerV2 => {
                let roles = ["serve", "--roles", "worker,relay"];
                let mut command = self.worker(&roles, &ground.database, &ground.data);
                command.env("AMQP_URL", &self.places.amqp);
                command.env("WORKER_CONCURRENCY", &concurrency);
                at_the_stub(&mut command, ground);
                command
            }
            Subject::Bare => {
                let own = std::env::current_exe().expect("this program");
                let mut command = Command::new(own);
                command.args(["bare-loop", "--amqp", &self.places.amqp, "--database"]);
                command.args([&ground.database, "--stub", &ground.stub.address]);
                command.args(["--concurrency", &concurrency]);
                command
            }
        };
        Child::start(&mut command, &ground.data.join("subject.log"))
    }

    /// Starts the worker on its embedded defaults; `ingest` is where it then listens.
    pub(crate) fn start_embedded(
        &self,
        roles: &str,
        ground: &Ground,
        ingest: &str,
        concurrency: u16,
    ) -> Child {
        let args = ["serve", "--roles", roles];
        let mut command = self.worker(&args, &ground.database, &ground.data);
        command.env("INGEST_LISTEN", ingest);
        command.env("WORKER_CONCURRENCY", concurrency.to_string());
        at_the_stub(&mut command, ground);
        Child::start(&mut command, &ground.data.join("subject.log"))
    }

    /// A client of ingest: its key.
    pub(crate) fn client(&self, ground: &Ground) -> String {
        let args = ["api-client", "add", "--name", "bench", "--json"];
        let told = self.cli(&args, "", &ground.database, &ground.data);
        let told: Value = serde_json::from_str(&told).expect("json");
        told["apiKey"].as_str().expect("a key").to_owned()
    }
}

fn at_the_stub(command: &mut Command, ground: &Ground) {
    let url = format!("http://{}", ground.stub.address);
    for of in ["AMAZON_MWS_ENDPOINT", "AMAZON_V2_ENDPOINT", "AMAZON_PROFILE_ENDPOINT"] {
        command.env(of, &url);
    }
    command.env("METRICS_LISTEN", format!("127.0.0.1:{}", free_port()));
}

impl Stub {
    async fn try_stats(&self) -> Option<Value> {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let client = client.tls_certs_only([]).build().expect("a client");
        let answer = client.get(format!("http://{}/stats", self.address)).send().await.ok()?;
        serde_json::from_str(&answer.text().await.ok()?).ok()
    }

    pub(crate) async fn stats(&self) -> Value {
        self.try_stats().await.unwrap_or_default()
    }

    /// What is wrong with what it has seen, if anything is.
    pub(crate) async fn complaint(&self, subject: Subject, orders: usize) -> Option<String> {
        let stats = self.stats().await;
        let clean = ["orders_captured_twice", "bad_sequence", "bad_signature"];
        let good = stats["orders_captured"] == orders
            && stats["ops"][subject.money_call()] == orders
            && clean.iter().all(|name| stats[name] == 0);
        (!good).then(|| format!("the stub saw {stats} for {orders} orders"))
    }

    /// How many calls it has answered.
    pub(crate) async fn calls(&self) -> u64 {
        let stats = self.stats().await;
        let calls = stats["ops"].as_object().into_iter().flat_map(|ops| ops.values());
        calls.filter_map(Value::as_u64).sum()
    }

    /// From now on it keeps Amazon's production quotas, and counts anew what becomes of them.
    pub(crate) async fn keep_quotas(&self) {
        let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
        let client = client.tls_certs_only([]).build().expect("a client");
        let asked = client.post(format!("http://{}/quotas", self.address)).send().await;
        assert_eq!(asked.expect("an answer of the stub").status(), 200);
    }
}
