//! Configuration as a user meets it: defaults, every row of the contract's table, all mistakes
//! at once, nothing secret shown.

use secrecy::ExposeSecret;
use tracing::Level;
use tracing_subscriber::filter::Targets;

use std::path::Path;

use super::*;

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn read(pairs: &[(&str, &str)]) -> Config {
    Config::read(&Sources::of_environment(pairs), Need::NoKey).unwrap()
}

fn mistaken(pairs: &[(&str, &str)]) -> Vec<Mistake> {
    Config::read(&Sources::of_environment(pairs), Need::NoKey).unwrap_err()
}

#[test]
fn without_anything_the_defaults_of_the_contract_stand() {
    let config = read(&[]);
    assert_eq!(config.data_dir, Path::new("./data"));
    assert_eq!(config.database.url().expose_secret(), "sqlite://./data/payments.sqlite3");
    assert!(matches!(config.broker, Broker::Embedded));
    assert_eq!(config.http.ingest, "127.0.0.1:8080");
    assert_eq!(config.http.console, "127.0.0.1:8081");
    assert_eq!(config.http.metrics, "127.0.0.1:9464");
    assert_eq!(config.http.ipn, "127.0.0.1:8082");
    assert_eq!(config.http.crm_wait, Duration::from_secs(18));
    assert_eq!(config.http.rate_per_client, None);
    assert_eq!(config.shutdown_timeout, Duration::from_secs(25));
    assert_eq!(config.gateway.timeout, Duration::from_secs(20));
    assert_eq!(config.worker.policy, crate::domain::policy::Policy::default());
    assert_eq!(config.worker.poison_after, 3);
    assert!((32..=256).contains(&config.worker.concurrency));
    assert_eq!(config.telemetry.filter, Targets::new().with_default(Level::INFO));
    assert!(!config.telemetry.traces && !config.telemetry.metrics);
}

#[test]
fn every_setting_of_the_table_is_read_and_checked() {
    // What each of them certainly cannot be.
    let free = ["DATA_DIR", "RUST_LOG", "MASTER_KEY_FILE"];
    for setting in settings::SETTINGS {
        if free.contains(&setting.name) {
            continue;
        }
        let mistakes = mistaken(&[(setting.name, "?")]);
        assert_eq!(mistakes.len(), 1, "{}", setting.name);
        assert_eq!(mistakes[0].setting, setting.name);
    }
    assert_eq!(mistaken(&[("RUST_LOG", "a=b=c")])[0].setting, "RUST_LOG");
    assert_eq!(mistaken(&[("MASTER_KEY_FILE", "no/such/file")])[0].setting, "MASTER_KEY_FILE");
}

#[test]
fn all_mistakes_are_told_together() {
    let mistakes = mistaken(&[
        ("WORKER_CONCURRENCY", "0"),
        ("CRM_WAIT", "1.5"),
        ("DATABASE_URL", "mysql://x"),
        ("INGEST_LISTEN", "8080"),
    ]);
    let names: Vec<_> = mistakes.iter().map(|mistake| mistake.setting.as_str()).collect();
    assert_eq!(names, ["DATABASE_URL", "INGEST_LISTEN", "CRM_WAIT", "WORKER_CONCURRENCY"]);
}

#[test]
fn endpoints_are_a_scheme_a_host_and_a_port() {
    for good in ["http://127.0.0.1:9000", "https://proxy", "http://[::1]:1", "http://h:1/"] {
        let config = read(&[("AMAZON_MWS_ENDPOINT", good)]);
        assert_eq!(config.gateway.mws.as_deref(), Some(good.trim_end_matches('/')), "{good}");
    }
    for bad in ["h:1", "ftp://h", "http://", "http://h/path", "http://u:p@h", "http://h:x"] {
        assert_eq!(mistaken(&[("AMAZON_V2_ENDPOINT", bad)]).len(), 1, "{bad}");
    }
}

#[test]
fn addresses_without_a_host_are_this_machine() {
    assert_eq!(read(&[("METRICS_LISTEN", ":9000")]).http.metrics, "127.0.0.1:9000");
    assert_eq!(read(&[("METRICS_LISTEN", "0.0.0.0:0")]).http.metrics, "0.0.0.0:0");
    assert_eq!(read(&[("METRICS_LISTEN", "[::]:80")]).http.metrics, "[::]:80");
    assert_eq!(mistaken(&[("METRICS_LISTEN", "h:99999")]).len(), 1);
}

#[test]
fn brokers_and_databases_are_told_by_their_scheme() {
    let config =
        read(&[("AMQP_URL", "amqps://u:p%40@h:5671/v"), ("DATABASE_URL", "postgresql://u@h/d")]);
    assert!(matches!(config.broker, Broker::Amqp(_)));
    assert!(matches!(config.database, Database::Postgres(_)));
    for bad in ["http://h", "amqp://", "amqp:///v", "amqp://u:p@", "amqps://u:p@[::1]:5671/v"] {
        assert_eq!(mistaken(&[("AMQP_URL", bad)]).len(), 1, "{bad}");
    }
    for bad in ["sqlite://", "sqlite::memory:", "postgres://", "x"] {
        assert_eq!(mistaken(&[("DATABASE_URL", bad)]).len(), 1, "{bad}");
    }
}

#[test]
fn master_keys_rotate_and_are_never_shown() {
    let two = format!("{KEY}, {}", KEY.trim_end_matches('='));
    let config = read(&[("MASTER_KEY", &two)]);
    assert_eq!(config.master_keys.len(), 2);
    assert_eq!(config.master_keys[0].expose_secret()[31], 31);
    let shown = format!("{config:?}");
    assert!(!shown.contains("AAEC") && !shown.contains("30, 31"), "{shown}");

    let short = mistaken(&[("MASTER_KEY", "c2hvcnQ=")]);
    assert!(!short[0].problem.contains("c2hvcnQ"), "{short:?}");
    let both = mistaken(&[("MASTER_KEY", KEY), ("MASTER_KEY_FILE", "x")]);
    assert_eq!(both.len(), 1);
}

#[test]
fn a_missing_master_key_is_a_mistake_only_where_one_is_needed() {
    let mistakes = Config::read(&Sources::default(), Need::MasterKey).unwrap_err();
    assert_eq!(mistakes[0].setting, "MASTER_KEY");
    assert!(Config::read(&Sources::default(), Need::NoKey).is_ok());
}

#[test]
fn a_key_file_may_end_its_lines() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("key");
    std::fs::write(&path, format!("{KEY}\n{KEY}\n")).unwrap();
    let config = read(&[("MASTER_KEY_FILE", path.to_str().unwrap())]);
    assert_eq!(config.master_keys.len(), 2);
}

#[test]
fn what_a_command_means_by_itself_is_weaker_than_anything_given() {
    let sources = Sources::of_environment(&[("CRM_WAIT", "3")]);
    let sources = sources.or_else(&[("CRM_WAIT", "1"), ("RUST_LOG", "warn")]);
    let config = Config::read(&sources, Need::NoKey).unwrap();
    assert_eq!(config.http.crm_wait, Duration::from_secs(3));
    assert_eq!(config.telemetry.filter, Targets::new().with_default(Level::WARN));
}

#[test]
fn passwords_in_urls_are_not_shown() {
    let config =
        read(&[("AMQP_URL", "amqp://u:hush@h"), ("DATABASE_URL", "postgres://u:hush@h/d")]);
    assert!(!format!("{config:?}").contains("hush"));
}

#[test]
fn otlp_is_on_when_an_endpoint_is_set() {
    let endpoint = ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://h:4318");
    let both = read(&[endpoint]).telemetry;
    assert!(both.traces && both.metrics);
    let one = read(&[endpoint, ("OTEL_METRICS_EXPORTER", "none")]).telemetry;
    assert!(one.traces && !one.metrics);
    assert!(!read(&[endpoint, ("OTEL_SDK_DISABLED", "true")]).telemetry.traces);
    assert!(!mistaken(&[endpoint, ("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")]).is_empty());
}
