//! Group commit: what waits to be committed is written together, in one transaction with one wait
//! for the disk. Who lost a race loses alone: a group that meets a conflict is written again one by
//! one, and each caller gets the answer to its own commit.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::batch::{Batch, Touched};
use super::error::{Failure, failure, store_error};
use super::own::Own;
use super::rows::{Dialect, Rows};
use super::statements::{self, Outcome, Section};
use crate::ports::store::{Commit, StoreError};

/// How many may wait; beyond it a caller waits for a place.
const QUEUE_MAX: usize = 1024;
/// How many are written together at most.
const GROUP_MAX: usize = 64;
/// A connection that lies still for so long goes back to the pool, which looks whether it is whole
/// before it is used again, and which is closed when all are back.
const KEPT: Duration = Duration::from_millis(100);

type Answer = Result<(), StoreError>;

struct Job {
    commit: Commit,
    answer: oneshot::Sender<Answer>,
}

/// The way to the writers. They end when the last of these is dropped and all is written.
#[derive(Clone)]
pub(super) struct Commits(mpsc::Sender<Job>);

impl Commits {
    /// Starts so many writers on the connection.
    pub(super) fn start(database: &DatabaseConnection, dialect: Dialect, writers: usize) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE_MAX);
        let queue = Arc::new(Mutex::new(receiver));
        for _ in 0..writers {
            let line = match dialect {
                Dialect::Sqlite => Line::Sqlite(database.clone()),
                Dialect::Postgres => Line::Postgres(Own::of(database)),
            };
            let writer = Writer { line, texts: Texts::new() };
            tokio::spawn(writer.run(queue.clone()));
        }
        Self(sender)
    }

    /// Writes it all or nothing. A caller that goes away meanwhile takes nothing back.
    pub(super) async fn write(&self, commit: Commit) -> Answer {
        let (answer, answered) = oneshot::channel();
        let gone = || StoreError::Away("its writer has ended".to_owned());
        self.0.send(Job { commit, answer }).await.map_err(|_| gone())?;
        answered.await.map_err(|_| gone())?
    }
}

struct Writer {
    line: Line,
    /// Statement texts by the sections in them, and by those of these that have one row, as bits;
    /// there are few.
    texts: Texts,
}

/// The writer's way to the database.
enum Line {
    Sqlite(DatabaseConnection),
    Postgres(Own),
}

impl Writer {
    async fn run(mut self, queue: Arc<Mutex<mpsc::Receiver<Job>>>) {
        let mut jobs = Vec::with_capacity(GROUP_MAX);
        while self.next(&queue, &mut jobs).await > 0 {
            let mut waiting = jobs.drain(..).peekable();
            while waiting.peek().is_some() {
                let mut touched = Touched::default();
                let mut group = Vec::new();
                while let Some(job) = waiting.next_if(|job| touched.take(&job.commit)) {
                    group.push(job);
                }
                self.write_group(group).await;
            }
        }
    }

    /// What is to be written next. The lock is held while there is nothing; then the next writer
    /// waits with it for what comes meanwhile.
    async fn next(&mut self, queue: &Mutex<mpsc::Receiver<Job>>, jobs: &mut Vec<Job>) -> usize {
        let mut next = pin!(async { queue.lock().await.recv_many(jobs, GROUP_MAX).await });
        if let Line::Postgres(own) = &mut self.line
            && own.is_held()
        {
            if let Ok(count) = tokio::time::timeout(KEPT, &mut next).await {
                return count;
            }
            own.give_back();
        }
        next.await
    }

    async fn write_group(&mut self, group: Vec<Job>) {
        let alone = group.len() == 1;
        match self.write(Batch::of(group.iter().map(|job| &job.commit))).await {
            Ok(()) => group.into_iter().for_each(|job| tell(job, Ok(()))),
            Err(error) if alone || failure(&error) == Failure::Broken => {
                let error = store_error(&error);
                group.into_iter().for_each(|job| tell(job, Err(error.clone())));
            }
            Err(_) => {
                for job in group {
                    let answer = self.write(Batch::of([&job.commit])).await;
                    tell(job, answer.map_err(|error| store_error(&error)));
                }
            }
        }
    }

    /// One transaction. [`DbErr::RecordNotUpdated`] where a row that must be there is not.
    async fn write(&mut self, batch: Batch) -> Result<(), DbErr> {
        let sections = batch.into_sections();
        let texts = &mut self.texts;
        match &mut self.line {
            _ if sections.is_empty() => Ok(()),
            Line::Postgres(own) => {
                let counts: Vec<Value> = sections.iter().filter_map(expected).collect();
                let (text, mut values) = statement(texts, Dialect::Postgres, sections);
                values.extend(counts);
                own.execute(text, values).await
            }
            Line::Sqlite(database) => write_sqlite(database, texts, sections).await,
        }
    }
}

type Texts = HashMap<(u32, u32), Arc<str>>;

/// How many rows a section must come to where fewer are a conflict.
fn expected((section, rows): &(Section, Rows)) -> Option<Value> {
    let counted = section.comes_to() == Outcome::AllOrConflict;
    counted.then(|| i64::try_from(rows.count()).unwrap_or(i64::MAX).into())
}

/// The statement's text, and the parameters that are rows.
fn statement(
    texts: &mut Texts,
    dialect: Dialect,
    sections: Vec<(Section, Rows)>,
) -> (Arc<str>, Vec<Value>) {
    let (mut all, mut ones) = (0, 0);
    for (section, rows) in &sections {
        all |= 1u32 << *section as u32;
        ones |= u32::from(rows.count() == 1) << *section as u32;
    }
    let text = texts.entry((all, ones));
    let text = text.or_insert_with(|| statements::commit(dialect, &sections).into()).clone();
    // Otherwise a value could be taken for that of another column.
    debug_assert_eq!(
        *text,
        *statements::commit(dialect, &sections),
        "its columns are not the same"
    );
    (text, sections.into_iter().flat_map(|(_, rows)| rows.into_values()).collect())
}

/// What is known to come to so many rows goes in one call, and is counted as a whole.
async fn write_sqlite(
    database: &DatabaseConnection,
    texts: &mut Texts,
    sections: Vec<(Section, Rows)>,
) -> Result<(), DbErr> {
    let mut statement = |sections| {
        let (text, values) = statement(texts, Dialect::Sqlite, sections);
        Statement::from_sql_and_values(DbBackend::Sqlite, &*text, values)
    };
    let of_any = |(section, _): &(Section, Rows)| section.comes_to() == Outcome::Any;
    let (uncounted, counted): (Vec<_>, Vec<_>) = sections.into_iter().partition(of_any);
    let expected: u64 = counted.iter().map(|(_, rows)| rows.count()).sum();
    let transaction = database.begin_with_options(immediate()).await?;
    if !uncounted.is_empty() {
        transaction.execute_raw(statement(uncounted)).await?;
    }
    if !counted.is_empty() {
        let done = transaction.execute_raw(statement(counted)).await?;
        if done.rows_affected() != expected {
            transaction.rollback().await?;
            return Err(DbErr::RecordNotUpdated);
        }
    }
    transaction.commit().await
}

fn tell(job: Job, answer: Answer) {
    // Who asked may have gone.
    drop(job.answer.send(answer));
}

/// SQLite takes its write lock at once: it cannot be had later without losing what was read.
pub(super) fn immediate() -> TransactionOptions {
    TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    }
}
