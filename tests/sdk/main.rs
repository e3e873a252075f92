//! Amazon's official SDKs drive the simulator, unmodified but for the address: the Python one for
//! MWS, the Node one for API v2. Needs Python with venv and pip, Node and npm, and fails without
//! them: two readings of Amazon's documents that only we wrote prove less than one of Amazon's own.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

use std::path::{Path, PathBuf};
use std::process::Command;

use amazon_pay_simulator::{Config, Simulator};
use tokio::net::TcpListener;

/// What is installed, and at which version; the SDK brings what it needs, and is given the last
/// pyOpenSSL that has the function by which it verifies notifications.
const PACKAGES: [&str; 4] =
    ["amazon_pay==2.7.1", "requests>=2.31,<3", "pyOpenSSL==23.2.0", "cryptography>=41,<42"];

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/sdk");

/// Runs a program to its end; its whole output where that is not a good one.
fn run(command: &mut Command) -> String {
    let ran = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let said = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    assert!(ran.status.success(), "{command:?}: {}\n{}", ran.status, said.join("\n"));
    said.join("\n")
}

/// A folder beside what cargo builds, filled once for each `wanted`.
fn installed(name: &str, wanted: &str, install: impl FnOnce(&Path)) -> PathBuf {
    let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let done = home.join("done");
    if std::fs::read_to_string(&done).is_ok_and(|text| text == wanted) {
        return home;
    }
    // One that was begun and not finished is begun again.
    if home.exists() {
        std::fs::remove_dir_all(&home).unwrap();
    }
    install(&home);
    std::fs::write(done, wanted).unwrap();
    home
}

/// A Python that has the SDK for MWS.
fn python() -> PathBuf {
    let home = installed("amazon-pay-sdk", &PACKAGES.join("\n"), |home| {
        run(Command::new("python3").args(["-m", "venv"]).arg(home));
        let python = home.join("bin/python");
        run(Command::new(python).args(["-m", "pip", "install", "--quiet"]).args(PACKAGES));
    });
    home.join("bin/python")
}

/// A folder in which Node finds the SDK for API v2, exactly as the lock file has it.
fn node() -> PathBuf {
    let scripts = Path::new(SCRIPTS).join("node");
    let lock = std::fs::read_to_string(scripts.join("package-lock.json")).unwrap();
    installed("amazon-pay-api-sdk", &lock, |home| {
        std::fs::create_dir_all(home).unwrap();
        for file in ["package.json", "package-lock.json"] {
            std::fs::copy(scripts.join(file), home.join(file)).unwrap();
        }
        let quiet = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"];
        run(Command::new("npm").args(quiet).current_dir(home));
    })
}

/// Runs a script against a simulator of its own, and counts the steps that went well.
async fn drive(command: impl FnOnce(&str) -> Command + Send + 'static) -> (usize, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let simulator = Simulator::new(Config::default());
    let server =
        tokio::spawn(async move { simulator.serve(listener, std::future::pending()).await });
    let said = tokio::task::spawn_blocking(move || run(&mut command(&address))).await.unwrap();
    server.abort();
    (said.lines().filter(|line| line.starts_with("ok: ")).count(), said)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_official_sdk_takes_the_simulator_for_amazon() {
    let (steps, said) = drive(|address| {
        let mut command = Command::new(python());
        command.arg(format!("{SCRIPTS}/drive.py")).arg(format!("http://{address}"));
        // Nothing is left beside the sources.
        command.env("PYTHONDONTWRITEBYTECODE", "1");
        command
    })
    .await;
    assert_eq!(steps, 13, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn the_official_sdk_of_api_v2_takes_the_simulator_for_amazon() {
    let (steps, said) = drive(|address| {
        let home = node();
        // Node looks for modules beside the script.
        let script = home.join("drive.js");
        std::fs::copy(format!("{SCRIPTS}/node/drive.js"), &script).unwrap();
        let mut command = Command::new("node");
        // The simulator's certificate proves nothing, and the SDK warns that it does not ask.
        command.arg("--no-warnings").arg(script).arg(address);
        command
    })
    .await;
    assert_eq!(steps, 9, "{said}");
}
