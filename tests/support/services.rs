//! A vhost or a database of its own for each test, on the private services that `./test` starts.
//! Without services there is none, and the tests that need them are left out, by name and aloud;
//! under `./test` that is a failure. Never touches what it did not make.

use std::io::Write;
use std::process::{Command, Stdio};

use sea_orm::{ConnectionTrait, Database};

/// Set by `./test` (scripts/services.sh test-env).
const AMQP_URL: &str = "TEST_AMQP_URL";
const DATABASE_URL: &str = "TEST_DATABASE_URL";
const RABBITMQCTL: &str = "TEST_RABBITMQCTL";
const REQUIRE: &str = "TEST_REQUIRE_SERVICES";

#[expect(clippy::disallowed_methods, reason = "what the tests run against is told by ./test")]
fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The setting; under `./test` its absence is a failure.
fn required(name: &str) -> Option<String> {
    let value = setting(name);
    let demanded = setting(REQUIRE).is_some_and(|value| value != "0");
    assert!(value.is_some() || !demanded, "{name} is not set, but {REQUIRE} is: run ./test");
    value
}

/// What a run without services leaves out, for its last lines; empty where nothing is.
pub(crate) fn left_out() -> Vec<String> {
    let missing = [(AMQP_URL, "RabbitMQ"), (DATABASE_URL, "PostgreSQL")];
    let missing = missing.iter().filter(|(name, _)| required(name).is_none());
    missing.map(|(name, what)| format!("everything on {what} ({name} is not set)")).collect()
}

/// A name that no other test has, on these services or on this machine's disk.
pub(crate) fn unique_name() -> String {
    // tempfile has the chance that tests may not have of their own.
    let folder = tempfile::Builder::new().prefix("t").rand_bytes(12).tempdir().unwrap();
    folder.path().file_name().unwrap().to_str().unwrap().to_lowercase()
}

/// A vhost of its own; gone when dropped.
pub(crate) struct AmqpEnv {
    vhost: String,
    url: String,
}

impl AmqpEnv {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    pub(crate) fn vhost(&self) -> &str {
        &self.vhost
    }

    /// Runs `rabbitmqctl` against the private node, on this vhost, and gives what it prints.
    pub(crate) fn ctl(&self, args: &[&str]) -> String {
        rabbitmqctl(&[&["-q", "-p", &self.vhost], args].concat(), "")
    }
}

/// The broker closes every connection to this vhost.
pub(crate) fn close_connections(amqp: &AmqpEnv) {
    amqp.ctl(&["close_all_connections", "a test"]);
}

impl Drop for AmqpEnv {
    fn drop(&mut self) {
        rabbitmqctl(&["-q", "delete_vhost", &self.vhost], "");
    }
}

/// A fresh vhost, or none where no RabbitMQ is given.
pub(crate) fn amqp() -> Option<AmqpEnv> {
    let server = required(AMQP_URL)?;
    let vhost = unique_name();
    // One call where add_vhost and set_permissions would be two: each costs half a second.
    let definitions = serde_json::json!({
        "vhosts": [{ "name": vhost }],
        "permissions": [
            { "user": "guest", "vhost": vhost, "configure": ".*", "write": ".*", "read": ".*" }
        ],
    });
    rabbitmqctl(&["-q", "import_definitions"], &definitions.to_string());
    let (address, _) = server.rsplit_once('/').expect("an AMQP URL ends in its vhost");
    Some(AmqpEnv { url: format!("{address}/{vhost}"), vhost })
}

fn rabbitmqctl(args: &[&str], input: &str) -> String {
    let program = setting(RABBITMQCTL).unwrap_or_else(|| "rabbitmqctl".to_owned());
    let mut child = Command::new(&program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let error = String::from_utf8_lossy(&output.stderr);
    // A panic in a drop while another is on its way would hide that one.
    assert!(output.status.success() || std::thread::panicking(), "{args:?}: {text}{error}");
    text
}

/// A database of its own; gone when dropped.
pub(crate) struct PostgresEnv {
    name: String,
    server: String,
    url: String,
}

impl PostgresEnv {
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// Ends every connection to it and lets nobody in, until it is opened again.
    pub(crate) async fn close(&self) {
        execute(&self.server, &format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name))
            .await;
        let end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname";
        execute(&self.server, &format!("{end} = '{}'", self.name)).await;
    }

    pub(crate) async fn open(&self) {
        execute(&self.server, &format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name))
            .await;
    }
}

impl Drop for PostgresEnv {
    fn drop(&mut self) {
        let (server, name) = (self.server.clone(), self.name.clone());
        // A drop cannot wait for a future on the thread that drives futures.
        let dropped = std::thread::spawn(move || {
            let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.unwrap().block_on(execute(&server, &statement));
        });
        assert!(dropped.join().is_ok() || std::thread::panicking(), "{} is left behind", self.name);
    }
}

/// A fresh database, empty, or none where no PostgreSQL is given.
pub(crate) async fn postgres() -> Option<PostgresEnv> {
    let server = required(DATABASE_URL)?;
    let name = unique_name();
    execute(&server, &format!("CREATE DATABASE {name}")).await;
    let (address, _) = server.rsplit_once('/').expect("a database URL ends in its database");
    Some(PostgresEnv { url: format!("{address}/{name}"), name, server })
}

async fn execute(server: &str, statement: &str) {
    let database = Database::connect(server).await.expect("PostgreSQL does not answer");
    database.execute_unprepared(statement).await.expect(statement);
    database.close().await.expect("PostgreSQL does not say good-bye");
}
