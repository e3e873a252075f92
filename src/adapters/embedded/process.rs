//! One process among those that share the file. It is alive while it holds the lock on a file of
//! its own, which the operating system lets go of when it dies; a process that holds its lock and
//! gives no sign for long is frozen, and counts as dead too. What the dead held is given back.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr};
use tokio::sync::{mpsc, oneshot, watch};

use super::news::News;
use super::open::{open, sql};
use super::tables;
use super::writer::{self, Answer, Op};
use crate::ports::broker::BrokerError;
use crate::ports::clock::Clock;

/// Ops that wait to be written. At the bound whoever asks waits.
const OPS_MAX: usize = 4_096;
/// Between two looks for commits of other processes: soon after one, and when there was none.
const LOOK_MIN: Duration = Duration::from_millis(5);
const LOOK_MAX: Duration = Duration::from_millis(80);
/// Between two rounds among the other processes.
const ROUND: Duration = Duration::from_millis(500);
/// Rounds between two signs of life.
const BEAT_ROUNDS: u32 = 10;
/// Without a sign for so long, a process counts as frozen.
const FROZEN_MS: i64 = 30_000;

/// This process.
pub(super) struct Process {
    pub(super) id: String,
    pub(super) clock: Arc<dyn Clock>,
    folder: PathBuf,
    ops: mpsc::Sender<Op>,
    reader: DatabaseConnection,
    news: Arc<News>,
    numbers: AtomicU64,
    /// Grows when others took this process for dead: what it held is not its own any more.
    pub(super) life: watch::Sender<u64>,
    _lock: File,
}

fn lock_file(folder: &Path, process: &str) -> PathBuf {
    folder.join(format!("broker.{process}.lock"))
}

fn away(error: &dyn std::fmt::Display) -> BrokerError {
    BrokerError::Away(error.to_string())
}

impl Process {
    /// Opens the broker in this folder and joins those that use it.
    pub(super) async fn join(
        folder: &Path,
        clock: Arc<dyn Clock>,
    ) -> Result<Arc<Self>, BrokerError> {
        tokio::fs::create_dir_all(folder).await.map_err(|error| away(&error))?;
        let file = folder.join("broker.sqlite3");
        let (writer, reader) = open(&file).await.map_err(|error| away(&error))?;
        let id = clock.random_hex(8);
        let lock = File::create(lock_file(folder, &id)).map_err(|error| away(&error))?;
        lock.try_lock().map_err(|error| away(&error))?;
        let beat = tables::beat(&writer, &id, clock.now_ms()).await;
        beat.map_err(|error| away(&error))?;
        let (ops, receiver) = mpsc::channel(OPS_MAX);
        let news = Arc::new(News::default());
        tokio::spawn(writer::run(writer, receiver, Arc::clone(&news), Arc::clone(&clock)));
        let process = Arc::new(Self {
            id,
            clock,
            folder: folder.to_owned(),
            ops,
            reader,
            news,
            numbers: AtomicU64::new(0),
            life: watch::Sender::new(0),
            _lock: lock,
        });
        tokio::spawn(look(Arc::downgrade(&process)));
        tokio::spawn(go_round(Arc::downgrade(&process)));
        Ok(process)
    }

    /// A name that no other consumer or queue has.
    pub(super) fn number(&self) -> u64 {
        self.numbers.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts what may have brought something new to a queue.
    pub(super) fn changes(&self, queue: &str) -> watch::Receiver<u64> {
        self.news.of(queue)
    }

    /// Has it written, and waits for the commit.
    pub(super) async fn ask<T>(&self, op: impl FnOnce(Answer<T>) -> Op) -> Result<T, BrokerError> {
        self.begin(op).await?.await.unwrap_or_else(|_| Err(ended()))
    }

    /// Has it written; the answer comes when it is committed.
    pub(super) async fn begin<T>(
        &self,
        op: impl FnOnce(Answer<T>) -> Op,
    ) -> Result<oneshot::Receiver<Result<T, BrokerError>>, BrokerError> {
        let (done, answer) = oneshot::channel();
        self.ops.send(op(done)).await.map_err(|_| ended())?;
        Ok(answer)
    }

    /// Has it written, without waiting even for room: for what ends.
    pub(super) fn send(&self, op: Op) {
        let Err(mpsc::error::TrySendError::Full(op)) = self.ops.try_send(op) else { return };
        let ops = self.ops.clone();
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            // Without it, the end of this process gives everything back.
            runtime.spawn(async move { ops.send(op).await.is_ok() });
        }
    }

    /// When the next message of a queue is ready, if there is one.
    pub(super) async fn next_ready(&self, queue: &str) -> Result<Option<i64>, BrokerError> {
        let select = "SELECT ready_at FROM message WHERE queue = ? AND holder IS NULL \
                      ORDER BY ready_at LIMIT 1";
        let row = self.reader.query_one_raw(sql(select, [queue.into()])).await;
        let row = row.map_err(|error| away(&error))?;
        row.map(|row| row.try_get_by_index(0)).transpose().map_err(|error| away(&error))
    }

    /// Whether the file can be read and somebody writes.
    pub(super) async fn check(&self) -> Result<(), BrokerError> {
        if self.ops.is_closed() {
            return Err(ended());
        }
        let read = self.reader.query_one_raw(sql("PRAGMA data_version", [])).await;
        read.map(|_| ()).map_err(|error| away(&error))
    }

    /// Closes the file. SQLite then empties its log, where events are that were taken long ago,
    /// with the buyers in them.
    pub(super) async fn end(&self) {
        // Closing is a courtesy: everything is committed.
        drop(self.reader.clone().close().await);
        self.send(Op::Bury { process: self.id.clone() });
        drop(self.ask(|done: Answer<()>| Op::End { done }).await);
    }

    /// The other processes that are no more, and whether this one is taken for dead.
    async fn dead(&self) -> Result<(Vec<String>, bool), DbErr> {
        let rows = self.reader.query_all_raw(sql("SELECT id, seen_at FROM process", [])).await?;
        let now = self.clock.now_ms();
        let (mut dead, mut known) = (Vec::new(), false);
        for row in rows {
            let (id, seen_at): (String, i64) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            if id == self.id {
                known = true;
            } else if !is_locked(&self.folder, &id) || now - seen_at > FROZEN_MS {
                dead.push(id);
            }
        }
        Ok((dead, known))
    }
}

fn ended() -> BrokerError {
    BrokerError::Away("the embedded broker has ended".to_owned())
}

impl Drop for Process {
    fn drop(&mut self) {
        self.send(Op::Bury { process: self.id.clone() });
        // A file without a lock is as good as none.
        drop(std::fs::remove_file(lock_file(&self.folder, &self.id)));
    }
}

fn is_locked(folder: &Path, process: &str) -> bool {
    let Ok(file) = File::open(lock_file(folder, process)) else { return false };
    matches!(file.try_lock(), Err(TryLockError::WouldBlock))
}

/// Looks whether other processes committed something, more often while they do.
async fn look(process: Weak<Process>) {
    let mut seen = None;
    let mut wait = LOOK_MIN;
    loop {
        tokio::time::sleep(wait).await;
        let Some(process) = process.upgrade() else { return };
        let look = process.ask(|done: Answer<_>| Op::Look { done });
        let Ok(version) = look.await else { continue };
        if seen.replace(version).is_some_and(|before| before != version) {
            process.news.everywhere();
            wait = LOOK_MIN;
        } else {
            wait = (wait * 5 / 4).min(LOOK_MAX);
        }
    }
}

/// Gives signs of life, and buries the dead.
async fn go_round(process: Weak<Process>) {
    let mut rounds = 0_u32;
    loop {
        tokio::time::sleep(ROUND).await;
        let Some(process) = process.upgrade() else { return };
        rounds = rounds.wrapping_add(1);
        let Ok((dead, known)) = process.dead().await else { continue };
        for dead in dead {
            tracing::info!(process = %dead, "a process of the embedded broker is no more");
            drop(std::fs::remove_file(lock_file(&process.folder, &dead)));
            process.send(Op::Bury { process: dead });
        }
        if !known {
            process.life.send_modify(|life| *life += 1);
        }
        if !known || rounds.is_multiple_of(BEAT_ROUNDS) {
            process.send(Op::Beat { process: process.id.clone() });
        }
    }
}
