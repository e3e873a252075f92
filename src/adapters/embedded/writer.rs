//! The one that writes: takes whatever waits, does it in one transaction, and answers when it is
//! committed. So a confirm costs a share of a disk sync, and nobody waits for a lock of ours.

use std::collections::HashMap;
use std::sync::Arc;

use sea_orm::{
    DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode, TransactionOptions,
    TransactionTrait,
};
use tokio::sync::{mpsc, oneshot, watch};

use super::tables::{self, NewQueue, Taken, Wanted};
use crate::ports::broker::{BrokerError, Publication, PublishError};
use crate::ports::clock::Clock;

/// Of one commit.
const GROUP_MAX: usize = 256;

pub(super) type Answer<T> = oneshot::Sender<Result<T, BrokerError>>;
/// One for each publication, in order.
type Results = Vec<Result<(), PublishError>>;

/// What is written.
pub(super) enum Op {
    AddQueue {
        queue: NewQueue,
        done: Answer<()>,
    },
    Publish {
        all: Vec<Publication>,
        done: Answer<Results>,
    },
    /// True where the delivery was still the holder's.
    Acknowledge {
        holder: String,
        id: i64,
        done: Answer<bool>,
    },
    GiveBack {
        holder: String,
        id: i64,
        done: Answer<bool>,
    },
    /// Everything of a consumer. Nobody waits.
    Release {
        holder: String,
    },
    DropQueue {
        name: String,
    },
    /// A sign of life.
    Beat {
        process: String,
    },
    /// A process is no more. Nobody waits.
    Bury {
        process: String,
    },
    Take {
        wanted: Wanted,
        done: Answer<Vec<Taken>>,
    },
}

/// The ops of a commit by what they do, in the order in which they are done.
#[derive(Default)]
struct Group {
    queues: Vec<(NewQueue, Answer<()>)>,
    publishing: Vec<(Vec<Publication>, Answer<Results>)>,
    acknowledged: HashMap<String, Vec<(i64, Answer<bool>)>>,
    given_back: HashMap<String, Vec<(i64, Answer<bool>)>>,
    endings: Vec<Op>,
    takes: Vec<(Wanted, Answer<Vec<Taken>>)>,
}

impl Group {
    fn add(&mut self, op: Op) {
        match op {
            Op::AddQueue { queue, done } => self.queues.push((queue, done)),
            Op::Publish { all, done } => self.publishing.push((all, done)),
            Op::Acknowledge { holder, id, done } => {
                self.acknowledged.entry(holder).or_default().push((id, done));
            }
            Op::GiveBack { holder, id, done } => {
                self.given_back.entry(holder).or_default().push((id, done));
            }
            Op::Take { wanted, done } => self.takes.push((wanted, done)),
            ending => self.endings.push(ending),
        }
    }

    /// Whether somebody may find something that was not there before.
    fn brings(&self) -> bool {
        !(self.publishing.is_empty() && self.given_back.is_empty() && self.endings.is_empty())
    }
}

/// What each asker is told once it is committed.
#[derive(Default)]
struct Told {
    publishing: Vec<Results>,
    acknowledged: HashMap<String, Vec<i64>>,
    given_back: HashMap<String, Vec<i64>>,
    takes: Vec<Vec<Taken>>,
}

/// Writes until nobody can ask any more. `changed` counts the commits that brought something.
pub(super) async fn run(
    database: DatabaseConnection,
    mut ops: mpsc::Receiver<Op>,
    changed: watch::Sender<u64>,
    clock: Arc<dyn Clock>,
) {
    // What must be done though nobody waits for it.
    let mut owed = Vec::new();
    while let Some(first) = ops.recv().await {
        let mut group = Group { endings: std::mem::take(&mut owed), ..Group::default() };
        group.add(first);
        for _ in 1..GROUP_MAX {
            let Ok(op) = ops.try_recv() else { break };
            group.add(op);
        }
        // Whoever asked may be gone; what was taken for it would be lost to all.
        group.takes.retain(|(_, done)| !done.is_closed());
        match Box::pin(commit(&database, &group, clock.now_ms())).await {
            Ok(told) => {
                if group.brings() {
                    changed.send_modify(|count| *count += 1);
                }
                answer(group, told);
            }
            Err(error) => {
                tracing::warn!(%error, "the embedded broker could not commit");
                owed = refuse(group, &error);
            }
        }
    }
    // Closing is a courtesy: everything is committed.
    drop(database.close().await);
}

async fn commit(database: &DatabaseConnection, group: &Group, now: i64) -> Result<Told, DbErr> {
    let immediate = SqliteTransactionMode::Immediate;
    let tx = database
        .begin_with_options(TransactionOptions {
            sqlite_transaction_mode: Some(immediate),
            ..TransactionOptions::default()
        })
        .await?;
    let told = write(&tx, group, now).await?;
    tx.commit().await?;
    Ok(told)
}

async fn write(tx: &DatabaseTransaction, group: &Group, now: i64) -> Result<Told, DbErr> {
    let mut told = Told::default();
    for (queue, _) in &group.queues {
        tables::add_queue(tx, queue).await?;
    }
    if !group.publishing.is_empty() {
        let queues = tables::queues(tx).await?;
        for (all, _) in &group.publishing {
            let mut results = Vec::with_capacity(all.len());
            for publication in all {
                results.push(tables::publish(tx, publication, &queues, now).await?);
            }
            told.publishing.push(results);
        }
    }
    for (holder, asked) in &group.acknowledged {
        let ids: Vec<_> = asked.iter().map(|(id, _)| *id).collect();
        let done = tables::acknowledge(tx, holder, &ids).await?;
        told.acknowledged.insert(holder.clone(), done);
    }
    for (holder, asked) in &group.given_back {
        let ids: Vec<_> = asked.iter().map(|(id, _)| *id).collect();
        told.given_back.insert(holder.clone(), tables::give_back(tx, holder, &ids).await?);
    }
    for ending in &group.endings {
        match ending {
            Op::Release { holder } => tables::give_back_all(tx, holder).await?,
            Op::DropQueue { name } => tables::drop_queue(tx, name).await?,
            Op::Beat { process } => tables::beat(tx, process, now).await?,
            Op::Bury { process } => tables::bury(tx, process).await?,
            _ => {}
        }
    }
    for (wanted, _) in &group.takes {
        told.takes.push(tables::take(tx, wanted, now).await?);
    }
    Ok(told)
}

/// Whoever does not listen any more is not told: that is all that a failed answer means.
fn tell<T>(done: Answer<T>, answer: Result<T, BrokerError>) {
    drop(done.send(answer));
}

fn answer(group: Group, mut told: Told) {
    for (_, done) in group.queues {
        tell(done, Ok(()));
    }
    for ((_, done), results) in group.publishing.into_iter().zip(told.publishing) {
        tell(done, Ok(results));
    }
    for (asked, done) in
        [(group.acknowledged, &mut told.acknowledged), (group.given_back, &mut told.given_back)]
    {
        for (holder, asked) in asked {
            let ids = done.remove(&holder).unwrap_or_default();
            for (id, done) in asked {
                tell(done, Ok(ids.contains(&id)));
            }
        }
    }
    for ((_, done), taken) in group.takes.into_iter().zip(told.takes) {
        tell(done, Ok(taken));
    }
}

/// Tells everybody, and gives back what must be tried again.
fn refuse(group: Group, error: &DbErr) -> Vec<Op> {
    let away = || BrokerError::Away(error.to_string());
    for (_, done) in group.queues {
        tell(done, Err(away()));
    }
    for (_, done) in group.publishing {
        tell(done, Err(away()));
    }
    for (_, done) in
        group.acknowledged.into_values().chain(group.given_back.into_values()).flatten()
    {
        tell(done, Err(away()));
    }
    for (_, done) in group.takes {
        tell(done, Err(away()));
    }
    group.endings
}
