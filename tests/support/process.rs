//! The program as processes: started with an environment of its own and nothing inherited, killed
//! as a crash would, ended as an operator would. Its log goes to a file; a failed test prints it.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};

use super::eventually;

const PROGRAM: &str = env!("CARGO_BIN_EXE_amazon-pay-worker");
/// How much of a log a failed test prints.
const TAIL_LINES: usize = 60;

pub(crate) type Env = Vec<(String, String)>;

/// The program with these arguments and this environment alone.
pub(crate) fn program(args: &[&str], env: &Env, folder: &Path) -> Command {
    let mut command = Command::new(PROGRAM);
    command.args(args).env_clear().envs(env.iter().cloned()).current_dir(folder);
    command
}

/// A port that nobody has: below the kernel's own range, so that no outgoing connection takes it
/// between this look and the start of who is to listen.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Test processes begin at different places.
    let start = u16::try_from(std::process::id() % 500).unwrap() * 20;
    for _ in 0..10_000 {
        let port = 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port")
}

/// One running process of the program.
pub(crate) struct Process {
    name: String,
    args: Vec<String>,
    env: Env,
    folder: PathBuf,
    log: PathBuf,
    child: Option<Child>,
}

impl Process {
    pub(crate) fn start(name: &str, args: &[&str], env: &Env, folder: &Path) -> Self {
        let mut process = Self {
            name: name.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            env: env.clone(),
            folder: folder.to_owned(),
            log: folder.join(format!("{}.log", name.replace(',', "-"))),
            child: None,
        };
        process.start_again();
        process
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Starts it with the same arguments, environment and addresses; its log goes on.
    pub(crate) fn start_again(&mut self) {
        assert!(self.child.is_none(), "{} runs already", self.name);
        let log = File::options().create(true).append(true).open(&self.log).unwrap();
        let args: Vec<&str> = self.args.iter().map(String::as_str).collect();
        let child = program(&args, &self.env, &self.folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    /// Changes one variable for the next start.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.env.retain(|(known, _)| known != name);
        self.env.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.as_ref().expect("it does not run").id()
    }

    /// As a crash: no time to finish anything.
    pub(crate) fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            child.kill().ok();
            child.wait().unwrap();
        }
    }

    /// As an operator ends it: SIGTERM, and the exit code.
    pub(crate) async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        self.ended().await
    }

    /// Sends a signal by its name (`TERM`, `INT`, `STOP`, `CONT`).
    pub(crate) fn signal(&self, signal: &str) {
        let line = format!("kill -{signal} {}", self.id());
        assert!(Command::new("sh").args(["-c", &line]).status().unwrap().success(), "{line}");
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let what = format!("the end of {}", self.name);
        let child = self.child.as_mut().expect("it does not run");
        let status = eventually(&what, async || child.try_wait().unwrap()).await;
        self.child = None;
        status
    }

    /// True while it runs; a process that ended by itself did not.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| child.try_wait().unwrap().is_none())
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<&str> = log.lines().collect();
            let tail = &lines[lines.len().saturating_sub(TAIL_LINES)..];
            eprintln!("--- log of {}, its end ---\n{}", self.name, tail.join("\n"));
        }
    }
}
