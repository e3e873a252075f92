//! Amazon's official Python SDK drives the simulator, unmodified but for the address. Needs Python
//! with venv and pip, and fails without them: two readings of Amazon's documents that only we
//! wrote prove less than one of Amazon's own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

use std::path::{Path, PathBuf};
use std::process::Command;

use amazon_pay_worker::simulator::{Config, Simulator};
use tokio::net::TcpListener;

/// What is installed, and at which version; the SDK brings what it needs.
const PACKAGES: [&str; 2] = ["amazon_pay==2.7.1", "requests>=2.31,<3"];

/// Runs a program to its end; its whole output where that is not a good one.
fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(ran.status.success(), "{command:?}: {}\n{}", ran.status, said.join("\n"));
    said.join("\n")
}

/// A Python that has the SDK, made once and kept beside what cargo builds.
fn python() -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("amazon-pay-sdk");
    let (python, done) = (home.join("bin/python"), home.join("done"));
    if std::fs::read_to_string(&done).is_ok_and(|text| text == PACKAGES.join("\n")) {
        return python;
    }
    // One that was begun and not finished is begun again.
    if home.exists() {
        std::fs::remove_dir_all(&home).unwrap();
    }
    run(Command::new("python3").args(["-m", "venv"]).arg(&home));
    run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
    std::fs::write(done, PACKAGES.join("\n")).unwrap();
    python
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_official_sdk_takes_the_simulator_for_amazon() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let simulator = Simulator::new(Config::default());
    let server =
        tokio::spawn(async move { simulator.serve(listener, std::future::pending()).await });
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk/drive.py");
    let drive = move || run(Command::new(python()).arg(script).arg(address));
    let said = tokio::task::spawn_blocking(drive).await.unwrap();
    server.abort();
    assert_eq!(said.lines().filter(|line| line.starts_with("ok: ")).count(), 9, "{said}");
}
