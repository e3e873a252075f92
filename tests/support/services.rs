//! A vhost or a database of its own for each test, on the private services that `./test` starts.
//! Without services there is none, and the tests that need them are left out, by name and aloud;
//! under `./test` that is a failure. Never touches what it did not make.

use std::io::{Read, Write};
use std::net::TcpStream;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use sea_orm::{ConnectionTrait, Database, Statement};
use serde_json::Value;

/// Set by `./test` (scripts/services.sh test-env).
const AMQP_URL: &str = "TEST_AMQP_URL";
const AMQP_API: &str = "TEST_AMQP_API";
const DATABASE_URL: &str = "TEST_DATABASE_URL";
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

    /// The names of its queues.
    pub(crate) fn queues(&self) -> Vec<String> {
        let path = format!("queues/{}?disable_stats=true&enable_queue_totals=true", self.vhost);
        let queues = manage("GET", &path, "");
        let queues = queues.as_array().expect("a list of queues");
        queues.iter().map(|queue| queue["name"].as_str().unwrap().to_owned()).collect()
    }

    pub(crate) fn delete_queue(&self, name: &str) {
        manage("DELETE", &format!("queues/{}/{name}", self.vhost), "");
    }

    /// Whatever is older than so many milliseconds is thrown out of these queues.
    pub(crate) fn limit_age(&self, queues: &str, milliseconds: u32) {
        let definition = serde_json::json!({"message-ttl": milliseconds});
        let policy = serde_json::json!({"pattern": queues, "definition": definition});
        manage("PUT", &format!("policies/{}/age", self.vhost), &policy.to_string());
    }

    /// The broker closes every connection to it.
    pub(crate) fn close_connections(&self) {
        let all = manage("GET", "connections", "");
        let all = all.as_array().expect("a list of connections");
        for ours in all.iter().filter(|connection| connection["vhost"] == self.vhost.as_str()) {
            let name = ours["name"].as_str().unwrap();
            let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
            manage("DELETE", &format!("connections/{name}"), "");
        }
    }

    /// Nobody may use it, as if the broker were away: for who is connected, from the next call on.
    pub(crate) fn shut(&self) {
        manage("DELETE", &format!("permissions/{}/guest", self.vhost), "");
    }

    pub(crate) fn open(&self) {
        let all = r#"{"configure": ".*", "write": ".*", "read": ".*"}"#;
        manage("PUT", &format!("permissions/{}/guest", self.vhost), all);
    }
}

impl Drop for AmqpEnv {
    fn drop(&mut self) {
        manage("DELETE", &format!("vhosts/{}", self.vhost), "");
    }
}

/// A fresh vhost, or none where no RabbitMQ is given.
pub(crate) fn amqp() -> Option<AmqpEnv> {
    let server = required(AMQP_URL)?;
    let vhost = unique_name();
    // Who makes one may do everything in it.
    manage("PUT", &format!("vhosts/{vhost}"), "");
    let (address, _) = server.rsplit_once('/').expect("an AMQP URL ends in its vhost");
    Some(AmqpEnv { url: format!("{address}/{vhost}"), vhost })
}

/// A call of RabbitMQ's management API, where `rabbitmqctl` would start a virtual machine of a
/// second's work. Of the standard library alone, because a drop cannot wait for a future.
fn manage(method: &str, path: &str, body: &str) -> Value {
    let server = setting(AMQP_API).unwrap_or_else(|| panic!("{AMQP_API} is not set"));
    let (login, length) = (STANDARD.encode("guest:guest"), body.len());
    let request = format!(
        "{method} /api/{path} HTTP/1.1\r\nhost: {server}\r\nauthorization: Basic {login}\r\n\
         connection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n\
         {body}"
    );
    let answer = || -> std::io::Result<String> {
        let mut connection = TcpStream::connect(&server)?;
        connection.write_all(request.as_bytes())?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = answer().unwrap_or_else(|error| error.to_string());
    // A connection may be gone that was there a moment ago.
    let gone = method == "DELETE" && answer.starts_with("HTTP/1.1 404");
    let done = gone || answer.starts_with("HTTP/1.1 20");
    // A panic in a drop while another is on its way would hide that one.
    assert!(done || std::thread::panicking(), "{method} {path}: {answer}");
    let shown = answer.split_once("\r\n\r\n").map_or("", |(_, shown)| shown);
    serde_json::from_str(shown).unwrap_or_default()
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
    create(&server, &name).await;
    let (address, _) = server.rsplit_once('/').expect("a database URL ends in its database");
    Some(PostgresEnv { url: format!("{address}/{name}"), name, server })
}

/// A copy of the template's files costs a fifth of what writing it to the log does, which is the
/// rule since PostgreSQL 15; before that there is no choice.
async fn create(server: &str, name: &str) {
    let database = Database::connect(server).await.expect("PostgreSQL does not answer");
    let version = Statement::from_string(
        database.get_database_backend(),
        "SELECT current_setting('server_version_num')::int AS version",
    );
    let version = database.query_one_raw(version).await.unwrap().expect("it has a version");
    let version: i32 = version.try_get("", "version").unwrap();
    let strategy = if version < 150_000 { "" } else { "STRATEGY file_copy" };
    let statement = format!("CREATE DATABASE {name} {strategy}");
    database.execute_unprepared(&statement).await.expect(&statement);
    database.close().await.expect("PostgreSQL does not say good-bye");
}

async fn execute(server: &str, statement: &str) {
    let database = Database::connect(server).await.expect("PostgreSQL does not answer");
    database.execute_unprepared(statement).await.expect(statement);
    database.close().await.expect("PostgreSQL does not say good-bye");
}
