//! The whole program on one combination of broker and store, as a user would run it: a simulator,
//! one MID, one API client, and the roles as processes. Tests see the public contract only.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::amqp::Queues;
use super::eventually;
use super::http::{Reply, Server};
use super::matrix::{Api, Broker, Combination, Store};
use super::process::{Env, Process, free_port, program};
use super::services::{self, AmqpEnv, PostgresEnv};
use super::sim::{Reference, Simulator};
use super::v2;

/// The MID that every `App` begins with.
pub(crate) const MID: &str = "mid-1";
/// Statuses after which nothing more comes by itself.
const DONE: &[&str] = &["paid", "declined", "failed", "canceled", "authorized", "rejected"];

/// What `api-client add` gave out.
#[derive(Clone, Debug)]
pub(crate) struct ApiClient {
    pub(crate) login_id: String,
    pub(crate) password: String,
    pub(crate) api_key: String,
}

/// How the program is to run.
pub(crate) struct AppBuilder {
    combination: Combination,
    processes: Vec<String>,
    env: Env,
    mid: Value,
}

impl AppBuilder {
    /// A variable of the program's environment.
    pub(crate) fn env(mut self, name: &str, value: impl ToString) -> Self {
        self.env.push((name.to_owned(), value.to_string()));
        self
    }

    /// One process for each list of roles, as `["ingest,relay", "worker"]`; of itself it is one.
    pub(crate) fn processes(mut self, roles: &[&str]) -> Self {
        self.processes = roles.iter().map(|roles| (*roles).to_owned()).collect();
        self
    }

    /// Changes of the MID (`{"region": "eu"}`) before it is added.
    pub(crate) fn mid(mut self, changes: Value) -> Self {
        for (name, value) in changes.as_object().expect("an object") {
            self.mid[name] = value.clone();
        }
        self
    }

    pub(crate) async fn start(self) -> App {
        let folder = tempfile::tempdir().unwrap();
        let sim = Simulator::start(folder.path()).await;
        let amqp = match self.combination.broker {
            Broker::Embedded => None,
            Broker::RabbitMq => services::amqp(),
        };
        let postgres = match self.combination.store {
            Store::Sqlite => None,
            Store::Postgres => services::postgres().await,
        };
        let data = folder.path().join("data");
        let mut env = vec![
            ("DATA_DIR", data.to_str().unwrap().to_owned()),
            ("MASTER_KEY", STANDARD.encode([7; 32])),
            ("AMAZON_MWS_ENDPOINT", sim.url().to_owned()),
            ("AMAZON_V2_ENDPOINT", sim.url().to_owned()),
            ("AMAZON_PROFILE_ENDPOINT", sim.url().to_owned()),
            ("IPN_CERT_HOSTS", sim.url().trim_start_matches("http://").to_owned()),
            ("RUST_LOG", "info".to_owned()),
            ("LOG_FORMAT", "text".to_owned()),
        ];
        env.extend(amqp.as_ref().map(|amqp| ("AMQP_URL", amqp.url().to_owned())));
        env.extend(postgres.as_ref().map(|postgres| ("DATABASE_URL", postgres.url().to_owned())));
        let mut env: Env = env.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        env.retain(|(name, _)| self.env.iter().all(|(changed, _)| changed != name));
        env.extend(self.env);

        let ingest = format!("127.0.0.1:{}", free_port());
        let anonymous = Server::new(format!("http://{ingest}"));
        let mut app = App {
            processes: Vec::new(),
            metrics: Vec::new(),
            api: anonymous.clone(),
            anonymous,
            client: ApiClient {
                login_id: String::new(),
                password: String::new(),
                api_key: String::new(),
            },
            sim,
            env,
            combination: self.combination,
            mid: self.mid,
            amqp,
            postgres,
            folder,
        };
        app.cli_done(&["migrate", "up"]);
        app.add_mid(&app.mid).await;
        app.client = app.add_client(&[]);
        app.api = app.anonymous.with_bearer(&app.client.api_key);
        app.start_roles(&self.processes, &ingest);
        app.ready().await;
        app
    }
}

/// A running program. What is first here is dropped first: processes before their services.
pub(crate) struct App {
    pub(crate) processes: Vec<Process>,
    /// The metrics page of each process, in the same order.
    pub(crate) metrics: Vec<Server>,
    /// Ingest, with the client's key.
    pub(crate) api: Server,
    /// Ingest, without one.
    pub(crate) anonymous: Server,
    pub(crate) client: ApiClient,
    pub(crate) sim: Simulator,
    pub(crate) env: Env,
    pub(crate) combination: Combination,
    /// The first MID, as it was added.
    pub(crate) mid: Value,
    pub(crate) amqp: Option<AmqpEnv>,
    pub(crate) postgres: Option<PostgresEnv>,
    folder: TempDir,
}

impl App {
    pub(crate) fn builder(combination: Combination) -> AppBuilder {
        AppBuilder {
            combination,
            processes: vec!["ingest,worker,relay".to_owned()],
            env: Vec::new(),
            mid: merchant_by(combination.api, MID),
        }
    }

    /// All roles in one process.
    pub(crate) async fn start(combination: Combination) -> Self {
        Self::builder(combination).start().await
    }

    fn start_roles(&mut self, processes: &[String], ingest: &str) {
        for roles in processes {
            let metrics = format!("127.0.0.1:{}", free_port());
            let mut env = self.env.clone();
            env.push(("METRICS_LISTEN".to_owned(), metrics.clone()));
            env.push(("INGEST_LISTEN".to_owned(), ingest.to_owned()));
            env.push(("CONSOLE_LISTEN".to_owned(), format!("127.0.0.1:{}", free_port())));
            let args = ["serve", "--roles", roles];
            self.processes.push(Process::start(roles, &args, &env, self.folder.path()));
            self.metrics.push(Server::new(format!("http://{metrics}")));
        }
    }

    /// Waits until every process answers, and ingest is ready.
    pub(crate) async fn ready(&mut self) {
        for (process, metrics) in self.processes.iter_mut().zip(&self.metrics) {
            let ingest = process.name().contains("ingest").then_some(&self.anonymous);
            let what = format!("{} ready", process.name());
            eventually(&what, async || {
                assert!(process.is_running(), "{} ended: {}", process.name(), process.log());
                let up = metrics.status("/metrics").await == Some(200);
                match ingest {
                    Some(ingest) => up && ingest.status("/readyz").await == Some(200),
                    None => up,
                }
                .then_some(())
            })
            .await;
        }
    }

    /// The process that has this role.
    pub(crate) fn process(&mut self, role: &str) -> &mut Process {
        let mut processes = self.processes.iter_mut();
        processes.find(|process| process.name().split(',').any(|has| has == role)).expect(role)
    }

    /// Kills the process of this role as a crash would, and starts it again.
    pub(crate) async fn crash(&mut self, role: &str) {
        let process = self.process(role);
        process.kill();
        process.start_again();
        self.ready().await;
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn data_dir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// What every process has logged until now.
    pub(crate) fn logs(&self) -> String {
        self.processes.iter().map(Process::log).collect()
    }

    /// A producer and consumer beside the program; RabbitMQ only.
    pub(crate) async fn queues(&self) -> Queues {
        Queues::connect(self.amqp.as_ref().expect("the embedded broker has no queues").url()).await
    }

    // --- the command line ---

    pub(crate) fn cli(&self, args: &[&str], input: &str) -> Output {
        let mut child = program(args, &self.env, self.folder.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A command that reads no input may be gone by now.
        child.stdin.take().unwrap().write_all(input.as_bytes()).ok();
        child.wait_with_output().unwrap()
    }

    /// A command that must succeed; what it prints.
    pub(crate) fn cli_done(&self, args: &[&str]) -> String {
        self.cli_done_with(args, "")
    }

    pub(crate) fn cli_done_with(&self, args: &[&str], input: &str) -> String {
        let output = self.cli(args, input);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{args:?}: {:?} {error}", output.status.code());
        String::from_utf8(output.stdout).unwrap()
    }

    pub(crate) fn cli_json(&self, args: &[&str]) -> Value {
        let text = self.cli_done(args);
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{args:?}: {error}: {text}"))
    }

    /// Makes the MID's seller known to the simulator, then adds the MID.
    pub(crate) async fn add_mid(&self, mid: &Value) {
        let mut seller = json!({});
        // The seller has keys of MWS, whether the MID uses them or not.
        let usual = merchant(mid["id"].as_str().unwrap_or(MID));
        for name in [
            "merchantId",
            "accessKey",
            "secretKey",
            "mwsAuthToken",
            "clientId",
            "clientSecret",
            "publicKeyId",
            "storeId",
            "region",
        ] {
            if let Some(value) = mid.get(name).or_else(|| usual.get(name)) {
                seller[name] = value.clone();
            }
        }
        if mid.get("publicKeyId").is_some() {
            seller["publicKey"] = json!(v2::PUBLIC_KEY);
        }
        self.sim.play("/sellers", &seller).await;
        self.cli_done_with(&["mid", "add", "--file", "-"], &mid.to_string());
    }

    /// A new API client, for these MIDs or, without, for all.
    pub(crate) fn add_client(&self, mids: &[&str]) -> ApiClient {
        let mut args = vec!["api-client", "add", "--name", "test", "--json"];
        for mid in mids {
            args.extend(["--mid", mid]);
        }
        let client = self.cli_json(&args);
        let text = |name: &str| client[name].as_str().expect(name).to_owned();
        ApiClient { login_id: text("loginId"), password: text("password"), api_key: text("apiKey") }
    }

    // --- orders ---

    /// A CRM call as a lander makes it: a form with the client's login.
    pub(crate) async fn crm(&self, path: &str, fields: &[(&str, &str)]) -> Value {
        let login =
            [("loginId", self.client.login_id.as_str()), ("password", &self.client.password)];
        self.anonymous.post_form(path, &[&login, fields].concat()).await.expect(200)
    }

    /// Sends a command by the way that every broker has: the project's own API.
    pub(crate) async fn submit(&self, command: &str, body: &Value) -> Reply {
        let path = match command {
            "order.import" => "/v1/orders",
            "upsell.import" => "/v1/upsells",
            "charge.recurring" => "/v1/charges",
            other => panic!("{other} has no path of its own"),
        };
        self.api.post(path, body).await
    }

    /// The payment of an order as `GET /v1/orders` shows it, once it is done.
    pub(crate) async fn done(&self, order_id: &str) -> Value {
        self.done_at(&format!("/v1/orders/{MID}/{order_id}")).await
    }

    pub(crate) async fn done_at(&self, path: &str) -> Value {
        eventually(&format!("the end of {path}"), async || {
            let reply = self.api.get(path).await;
            let payment = (reply.status == 200).then(|| reply.json())?;
            let status = payment["status"].as_str().unwrap_or_default();
            DONE.contains(&status).then_some(payment)
        })
        .await
    }

    /// Every event of the feed, from its beginning.
    pub(crate) async fn feed(&self) -> Vec<Value> {
        let (mut events, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("/v1/events?limit=1000&after={cursor}");
            let path = if cursor.is_empty() { "/v1/events?limit=1000".to_owned() } else { path };
            let page = self.api.get(&path).await.expect(200);
            let new = page["events"].as_array().expect("events").clone();
            if new.is_empty() {
                return events;
            }
            events.extend(new);
            cursor = page["next"].as_str().expect("next").to_owned();
        }
    }

    /// The first event of the feed that is asked for, once it is there.
    pub(crate) async fn event_where(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        eventually(what, async || self.feed().await.into_iter().find(|event| wanted(event))).await
    }
}

/// The seller account behind a MID of the tests.
pub(crate) fn merchant_id(mid: &str) -> String {
    let name: String = mid.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("A{}", name.to_uppercase())
}

/// A MID as `mid add --file` takes it: Amazon's sandbox of North America by MWS.
pub(crate) fn merchant(mid: &str) -> Value {
    let seller = merchant_id(mid);
    json!({
        "id": mid,
        "title": format!("Test {mid}"),
        "descriptor": "TEST*SHOP",
        "midNumber": "0001",
        "region": "na",
        "sandbox": true,
        "api": "mws",
        "merchantId": seller,
        "accessKey": format!("AK{seller}"),
        "secretKey": format!("secret-of-{seller}"),
        "clientId": format!("amzn1.application-oa2-client.{seller}"),
        "clientSecret": format!("client-secret-of-{seller}"),
    })
}

/// A MID that speaks this API.
pub(crate) fn merchant_by(api: Api, mid: &str) -> Value {
    match api {
        Api::Mws => merchant(mid),
        Api::V2 => merchant_by_v2(mid),
    }
}

/// The same seller's MID by API v2; it has no keys of MWS.
pub(crate) fn merchant_by_v2(mid: &str) -> Value {
    let mut by_v2 = merchant(mid);
    let fields = by_v2.as_object_mut().unwrap();
    for of_mws in ["accessKey", "secretKey"] {
        fields.remove(of_mws);
    }
    by_v2["api"] = json!("v2");
    by_v2["publicKeyId"] = json!(public_key_id(mid));
    by_v2["privateKey"] = json!(v2::PRIVATE_KEY);
    by_v2["storeId"] = json!(store_id(mid));
    by_v2
}

fn public_key_id(mid: &str) -> String {
    format!("SANDBOX-{}", merchant_id(mid))
}

fn store_id(mid: &str) -> String {
    format!("amzn1.application-oa2-client.{}", merchant_id(mid))
}

/// An `order.import` for the first MID: 29.95 USD on that reference.
pub(crate) fn order(order_id: &str, reference: &Reference) -> Value {
    json!({
        "orderId": order_id,
        "amazonBillerId": MID,
        "amazonOrderId": reference.id,
        "amazonAddressConsent": reference.token,
        "amount": "29.95",
        "currency": "USD",
        "paySource": "AMAZON",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "emailAddress": "ada@example.com",
    })
}

/// An `upsell.import` of that order: 4.00 USD, on the order's reference again, within what
/// Amazon allows above the order's total (15 %).
pub(crate) fn upsell(order_id: &str, upsell_id: &str) -> Value {
    json!({
        "orderId": order_id,
        "upsellId": upsell_id,
        "amazonBillerId": MID,
        "amount": "4.00",
        "currency": "USD",
    })
}
