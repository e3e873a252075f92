//! Roles at their start and end: what is away stops none, what is behind or taken is told.

use std::net::TcpListener;

use crate::shell::Shell;
use crate::support::http::Server;
use crate::support::process::{Process, free_port};
use crate::support::{eventually, services};

#[tokio::test]
async fn a_broker_and_a_database_that_are_away_end_no_role() {
    let ingest = format!("127.0.0.1:{}", free_port());
    let shell = Shell::new()
        .with("AMQP_URL", "amqp://127.0.0.1:1")
        .with("DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")
        .with("INGEST_LISTEN", &ingest)
        .with("METRICS_LISTEN", &format!("127.0.0.1:{}", free_port()));
    let mut process = Process::start("serve", &["serve"], &shell.env, shell.folder.path());
    let server = Server::new(format!("http://{ingest}"));
    eventually("a process that lives", async || {
        assert!(process.is_running(), "{}", process.log());
        server.status("/livez").await.filter(|status| *status == 200)
    })
    .await;
    assert_eq!(server.status("/readyz").await, Some(503));
    assert_eq!(process.terminate().await.code(), Some(0), "{}", process.log());
}

#[test]
fn an_address_that_is_taken_is_told_by_its_setting() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for name in ["INGEST_LISTEN", "METRICS_LISTEN"] {
        let other = ["INGEST_LISTEN", "METRICS_LISTEN"].into_iter().find(|one| *one != name);
        let shell = Shell::new()
            .with(other.unwrap(), &format!("127.0.0.1:{}", free_port()))
            .with(name, &address);
        let err = shell.run(&["serve"]).failed(1);
        assert!(err.contains(&format!("{name} {address}")), "{err}");
    }
}

mod postgres_is_not_migrated_unless_somebody_says_so {
    use super::*;

    #[tokio::test]
    async fn on_postgres() {
        let Some(postgres) = services::postgres().await else { return };
        let ingest = format!("127.0.0.1:{}", free_port());
        let shell = Shell::new()
            .with("DATABASE_URL", postgres.url())
            .with("INGEST_LISTEN", &ingest)
            .with("METRICS_LISTEN", &format!("127.0.0.1:{}", free_port()));
        for args in [&["serve"][..], &["worker"], &["mid", "list"]] {
            let err = shell.run(args).failed(1);
            assert!(err.contains("amazon-pay-worker migrate up"), "{args:?}: {err}");
        }
        let args = ["serve", "--migrate"];
        let mut process = Process::start("serve", &args, &shell.env, shell.folder.path());
        let server = Server::new(format!("http://{ingest}"));
        eventually("readiness", async || {
            assert!(process.is_running(), "{}", process.log());
            server.status("/readyz").await.filter(|status| *status == 200)
        })
        .await;
        assert_eq!(process.terminate().await.code(), Some(0));
    }
}
