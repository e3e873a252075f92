//! Child processes, and what the kernel says about them: processor time, memory, and how busy the
//! machine was beside them. A child dies with its owner and is ended by its own id.

use std::collections::HashMap;
use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

/// The kernel's unit of processor time in `/proc`, on every platform that has one.
const TICKS_PER_S: f64 = 100.0;

/// A running child.
pub(crate) struct Child(std::process::Child);

impl Child {
    /// Starts it with its output in a file.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let log = File::options().create(true).append(true).open(log).expect("a log file");
        let command = command.stdin(Stdio::null()).stdout(log.try_clone().expect("a handle"));
        Self(command.stderr(log).spawn().expect("a process"))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        self.0.try_wait().is_ok_and(|ended| ended.is_none())
    }

    /// Asks it to end, and sees to it.
    pub(crate) async fn stop(mut self) {
        let id = self.id().to_string();
        let asked = Command::new("kill").arg(&id).status();
        for _ in 0..300 {
            if asked.is_err() || !self.is_running() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.is_running() {
            // It may end by itself meanwhile.
            drop(self.0.kill());
            drop(self.0.wait());
        }
    }
}

/// Below the kernel's own range, so that no outgoing connection takes it meanwhile.
pub(crate) fn free_port() -> u16 {
    // The one before may have been given out and not be listened on yet.
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = u16::try_from(std::process::id() % 9_000).unwrap_or(0);
    let ports =
        (0..10_000).map(|_| 10_000 + (start + NEXT.fetch_add(1, Ordering::Relaxed)) % 10_000);
    let free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.into_iter().find(free).expect("a free port")
}

/// Fields of `/proc/PID/stat` behind the name, which may hold anything.
fn stat(pid: &str) -> Option<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (_, fields) = text.rsplit_once(')')?;
    Some(fields.split_whitespace().map(str::to_owned).collect())
}

/// Processor seconds that a process has used.
pub(crate) fn cpu_s(pid: u32) -> f64 {
    let Some(fields) = stat(&pid.to_string()) else { return 0.0 };
    let ticks = |at: usize| fields.get(at).and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.0);
    (ticks(11) + ticks(12)) / TICKS_PER_S
}

/// The same of a process and all that descend from it.
pub(crate) fn tree_cpu_s(root: u32) -> f64 {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").expect("/proc").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let Ok(pid) = name.parse() else { continue };
        let parent = stat(&name).and_then(|fields| fields.get(1)?.parse().ok());
        children.entry(parent.unwrap_or(0)).or_default().push(pid);
    }
    let (mut sum, mut left) = (0.0, vec![root]);
    while let Some(pid) = left.pop() {
        sum += cpu_s(pid);
        left.extend(children.remove(&pid).unwrap_or_default());
    }
    sum
}

/// The most memory that the process has had at once, in MiB.
pub(crate) fn peak_mib(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
    kib.unwrap_or(0.0) / 1024.0
}

/// Processor seconds that the machine has been busy for.
pub(crate) fn busy_s() -> f64 {
    let text = fs::read_to_string("/proc/stat").unwrap_or_default();
    let fields = text.lines().next().unwrap_or_default().split_whitespace().skip(1);
    let ticks: Vec<f64> = fields.filter_map(|text| text.parse().ok()).collect();
    [0, 1, 2, 5, 6, 7].iter().filter_map(|&at: &usize| ticks.get(at)).sum::<f64>() / TICKS_PER_S
}

pub(crate) fn cores() -> f64 {
    std::thread::available_parallelism().map_or(1.0, |cores| cores.get() as f64)
}

/// Waits until the machine has been nearly idle for a second, but not for ever.
pub(crate) async fn quiet(at_most: Duration) {
    for _ in 0..at_most.as_secs() {
        let before = busy_s();
        tokio::time::sleep(Duration::from_secs(1)).await;
        if (busy_s() - before) / cores() < 0.08 {
            return;
        }
    }
}
