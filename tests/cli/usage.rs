//! Exit codes, help, and configuration from every side.

use std::fs;

use crate::shell::Shell;
use crate::support::{Broker, eventually, on_every_broker, services};

const COMMANDS: [&[&str]; 28] = [
    &["demo"],
    &["serve"],
    &["ingest"],
    &["worker"],
    &["relay"],
    &["ipn"],
    &["migrate"],
    &["migrate", "up"],
    &["migrate", "down"],
    &["migrate", "status"],
    &["mid", "add"],
    &["mid", "list"],
    &["mid", "show"],
    &["mid", "disable"],
    &["mid", "enable"],
    &["mid", "rotate"],
    &["mid", "test"],
    &["api-client", "add"],
    &["api-client", "list"],
    &["api-client", "revoke"],
    &["order", "show"],
    &["order", "list"],
    &["dead-letter", "list"],
    &["dead-letter", "show"],
    &["dead-letter", "redrive"],
    &["dead-letter", "discard"],
    &["simulator"],
    &["check-config"],
];

#[test]
fn every_command_has_its_help() {
    let shell = Shell::new();
    let all = shell.run(&["--help"]).done();
    for command in COMMANDS {
        assert!(all.contains(command[0]), "{command:?}");
        let help = shell.run(&[command, &["--help"]].concat()).done();
        assert!(help.contains("Usage:"), "{command:?}: {help}");
    }
}

#[test]
fn wrong_usage_is_2_and_told_on_standard_error() {
    let shell = Shell::new();
    for args in [
        &[][..],
        &["bogus"],
        &["mid"],
        &["mid", "show"],
        &["serve", "--bogus"],
        &["serve", "--roles", "console"],
        &["serve", "--roles", "ingest,nonsense"],
        &["simulator", "--listen", "nonsense"],
        &["simulator", "--listen", "127.0.0.1:99999"],
        &["mid", "add"],
        &["dead-letter", "redrive"],
        &["dead-letter", "list", "--reason", "nonsense"],
        &["dead-letter", "list", "--since", "nonsense"],
        &["order", "list", "--phase", "nonsense"],
    ] {
        let err = shell.run(args).failed(2);
        assert!(!err.is_empty(), "{args:?}");
    }
}

#[test]
fn every_mistake_of_flags_environment_and_file_is_told_at_once_and_nothing_starts() {
    let shell = Shell::new()
        .with("AMQP_URL", "http://nonsense")
        .with("CRM_WAIT", "1.5")
        .with("MASTER_KEY", "c2hvcnQ=")
        .with("OTEL_EXPORTER_OTLP_ENDPOINT", "nonsense")
        .with("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "grpc://host:4317")
        .with("AMAZON_MWS_ENDPOINT", "http://host/path");
    let file = shell.folder.path().join("settings.toml");
    fs::write(&file, "poison_after = 0\nnonsense = 1\n").unwrap();
    let file = file.to_str().unwrap();
    let roles = "--roles=worker,nonsense";
    let args = ["serve", roles, "--worker-concurrency", "none", "--config", file];
    let err = shell.run(&args).failed(2);
    for name in [
        "--roles",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT",
        "AMQP_URL",
        "CRM_WAIT",
        "MASTER_KEY",
        "AMAZON_MWS_ENDPOINT",
        "POISON_AFTER",
        "nonsense",
        "WORKER_CONCURRENCY",
    ] {
        assert!(err.contains(&format!("\n  {name}: ")), "{name}: {err}");
    }
    assert!(!err.contains("c2hvcnQ"), "{err}");
    assert!(!shell.folder.path().join("data").exists(), "something was started");
}

#[test]
fn a_missing_master_key_is_a_mistake_where_something_is_sealed() {
    let mut shell = Shell::new();
    shell.env.retain(|(name, _)| name != "MASTER_KEY");
    assert!(shell.run(&["serve"]).failed(2).contains("MASTER_KEY"));
    assert!(shell.run(&["mid", "list"]).failed(2).contains("MASTER_KEY"));
    shell.run(&["migrate", "up"]).done();
    shell.run(&["api-client", "add", "--name", "x"]).done();
}

#[test]
fn migrations_go_up_and_down_and_say_where_they_are() {
    let shell = Shell::new();
    let states = || {
        let status = shell.run(&["migrate", "status", "--json"]).json();
        let states = status.as_array().unwrap().iter().map(|row| row["applied"] == true);
        states.collect::<Vec<_>>()
    };
    assert!(states().iter().all(|applied| !applied));
    shell.run(&["migrate", "up"]).done();
    shell.run(&["migrate", "up"]).done();
    assert!(states().iter().all(|applied| *applied));
    shell.run(&["migrate", "down"]).done();
    assert_eq!(states().iter().filter(|applied| !**applied).count(), 1);
    shell.run(&["migrate", "down", "--all"]).done();
    assert!(states().iter().all(|applied| !applied));
    shell.run(&["migrate", "up"]).done();
}

#[test]
fn check_config_has_a_line_for_everything_and_fails_where_a_person_is_needed() {
    let shell = Shell::new().with("AMAZON_MWS_ENDPOINT", "http://127.0.0.1:1");
    let out = shell.run(&["check-config"]).done();
    for what in ["configuration", "broker", "database", "clock"] {
        assert!(out.lines().any(|line| line.starts_with(what)), "{what}: {out}");
    }
    let mid = crate::support::app::merchant("7");
    shell.run_with(&["mid", "add", "--file", "-"], &mid.to_string()).done();
    let checked = shell.run(&["check-config"]);
    assert_eq!(checked.code, 1);
    let line = checked.out.lines().find(|line| line.starts_with("mid 7")).unwrap();
    assert!(line.contains("could not be reached"), "{line}");
}

on_every_broker!(check_config_reaches_a_broker_and_declares_nothing);

async fn check_config_reaches_a_broker_and_declares_nothing(broker: Broker) {
    let shell = Shell::new().with("AMAZON_MWS_ENDPOINT", "http://127.0.0.1:1");
    let (shell, amqp) = match broker {
        Broker::Embedded => (shell, None),
        Broker::RabbitMq => {
            let amqp = services::amqp().expect("the macro has asked");
            (shell.with("AMQP_URL", amqp.url()), Some(amqp))
        }
    };
    // A vhost is there a moment after it was asked for.
    let out = eventually("a broker that is well", async || {
        let checked = shell.run(&["check-config"]);
        (checked.code == 0).then_some(checked.out)
    })
    .await;
    let line = out.lines().find(|line| line.starts_with("broker")).unwrap();
    assert!(line.contains(" ok "), "{line}");
    let Some(amqp) = amqp else { return };
    assert_eq!(amqp.queues(), Vec::<String>::new());
    amqp.shut();
    let checked = shell.run(&["check-config"]);
    assert_eq!(checked.code, 1, "{}", checked.out);
    let line = checked.out.lines().find(|line| line.starts_with("broker")).unwrap();
    assert!(line.contains("FAILED"), "{line}");
}

#[test]
fn a_database_that_is_away_is_a_failure_of_the_command_and_not_of_its_usage() {
    let shell = Shell::new().with("DATABASE_URL", "postgres://nobody:hush@127.0.0.1:1/x");
    let err = shell.run(&["order", "list"]).failed(1);
    assert!(err.contains("database"), "{err}");
    assert!(!err.contains("hush"), "{err}");
}
