//! Group commit: what waits to be committed is written together, in one transaction with one wait
//! for the disk. Who lost a race loses alone: a group that meets a conflict is written again one by
//! one, and each caller gets the answer to its own commit.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbErr, SqliteTransactionMode, Statement,
    TransactionOptions, TransactionTrait, Value,
};
use tokio::sync::{Mutex, mpsc, oneshot};

use super::batch::{Batch, Touched};
use super::error::{Failure, failure, store_error};
use super::rows::{Dialect, Rows};
use super::statements::{self, Outcome, Section};
use crate::ports::store::{Commit, StoreError};

/// How many may wait; beyond it a caller waits for a place.
const QUEUE_MAX: usize = 1024;
/// How many are written together at most.
const GROUP_MAX: usize = 64;

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
            let texts = HashMap::new();
            let writer = Writer { database: database.clone(), dialect, texts };
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
    database: DatabaseConnection,
    dialect: Dialect,
    /// Statement texts by the sections in them, as bits; there are few.
    texts: HashMap<u32, String>,
}

impl Writer {
    async fn run(mut self, queue: Arc<Mutex<mpsc::Receiver<Job>>>) {
        let mut jobs = Vec::with_capacity(GROUP_MAX);
        // The lock is held while nothing is there to be written; then the next writer waits with
        // it for what comes meanwhile.
        while queue.lock().await.recv_many(&mut jobs, GROUP_MAX).await > 0 {
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
        match self.dialect {
            _ if sections.is_empty() => Ok(()),
            Dialect::Postgres => {
                let statement = self.statement(sections);
                self.database.query_one_raw(statement).await.map(drop)
            }
            Dialect::Sqlite => self.write_sqlite(sections).await,
        }
    }

    /// What is known to come to so many rows goes in one call, and is counted as a whole.
    async fn write_sqlite(&mut self, sections: Vec<(Section, Rows)>) -> Result<(), DbErr> {
        let of_any = |(section, _): &(Section, Rows)| section.comes_to() == Outcome::Any;
        let (uncounted, counted): (Vec<_>, Vec<_>) = sections.into_iter().partition(of_any);
        let expected: u64 = counted.iter().map(|(_, rows)| rows.count()).sum();
        let transaction = self.database.begin_with_options(immediate()).await?;
        if !uncounted.is_empty() {
            transaction.execute_raw(self.statement(uncounted)).await?;
        }
        if !counted.is_empty() {
            let done = transaction.execute_raw(self.statement(counted)).await?;
            if done.rows_affected() != expected {
                transaction.rollback().await?;
                return Err(DbErr::RecordNotUpdated);
            }
        }
        transaction.commit().await
    }

    fn statement(&mut self, sections: Vec<(Section, Rows)>) -> Statement {
        let (sections, rows): (Vec<Section>, Vec<Rows>) = sections.into_iter().unzip();
        let bits = sections.iter().fold(0, |bits, section| bits | 1u32 << *section as u32);
        let dialect = self.dialect;
        let text = self.texts.entry(bits).or_insert_with(|| statements::commit(dialect, &sections));
        let counts: Vec<u64> = rows.iter().map(Rows::count).collect();
        let mut values: Vec<Value> = rows.into_iter().map(|rows| rows.into_json().into()).collect();
        if dialect == Dialect::Postgres {
            for (section, count) in sections.iter().zip(counts) {
                if section.comes_to() == Outcome::AllOrConflict {
                    values.push(i64::try_from(count).unwrap_or(i64::MAX).into());
                }
            }
        }
        Statement::from_sql_and_values(self.database.get_database_backend(), text.as_str(), values)
    }
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
