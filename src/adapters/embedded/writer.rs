//! The one that writes: takes whatever waits, does it in one transaction, and answers when it is
//! committed. So a confirm costs a share of a disk sync, and nobody waits for a lock of ours. Only
//! what is published waits for the disk: a power failure may take back what was taken or
//! acknowledged, and then it comes again.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbErr, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use tokio::sync::{mpsc, oneshot};

use super::news::News;
use super::open::sql;
use super::tables::{self, NewQueue, Taken, Wanted};
use crate::ports::broker::{BrokerError, Lane, Publication, PublishError, Target};
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
    /// A number that changes with every commit of another process on the file.
    Look {
        done: Answer<i64>,
    },
    /// Nothing more is asked. Answered when the file is closed.
    End {
        done: Answer<()>,
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
    looks: Vec<Answer<i64>>,
    end: Option<Answer<()>>,
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
            Op::Look { done } => self.looks.push(done),
            Op::End { done } => self.end = Some(done),
            ending => self.endings.push(ending),
        }
    }

    /// Whether any queue may have got something back.
    fn gives_back(&self) -> bool {
        !(self.given_back.is_empty() && self.endings.is_empty())
    }

    /// Whether it may not be lost with the machine's power: direct replies may, as RabbitMQ's.
    fn is_lasting(&self) -> bool {
        let lasts = |publication: &Publication| match &publication.target {
            Target::Commands | Target::Retry(_) | Target::Events => true,
            Target::Queue(name) => Lane::ALL.iter().any(|lane| lane.queue() == name),
        };
        !self.queues.is_empty() || self.publishing.iter().any(|(all, _)| all.iter().any(lasts))
    }

    fn is_nothing(&self) -> bool {
        self.queues.is_empty()
            && self.publishing.is_empty()
            && self.acknowledged.is_empty()
            && self.takes.is_empty()
            && !self.gives_back()
    }
}

/// What each asker is told once it is committed.
#[derive(Default)]
struct Told {
    publishing: Vec<Results>,
    acknowledged: HashMap<String, Vec<i64>>,
    given_back: HashMap<String, Vec<i64>>,
    takes: Vec<Vec<Taken>>,
    /// The queues that something came into.
    into: BTreeSet<String>,
}

/// Writes until nobody can ask any more.
pub(super) async fn run(
    database: DatabaseConnection,
    mut ops: mpsc::Receiver<Op>,
    news: Arc<News>,
    clock: Arc<dyn Clock>,
) {
    let mut syncs = None;
    // What must be done though nobody waits for it.
    let mut owed = Vec::new();
    let mut end = None;
    while let Some(first) = ops.recv().await {
        let mut group = Group { endings: std::mem::take(&mut owed), ..Group::default() };
        group.add(first);
        for _ in 1..GROUP_MAX {
            let Ok(op) = ops.try_recv() else { break };
            group.add(op);
        }
        // Whoever asked may be gone; what was taken for it would be lost to all.
        group.takes.retain(|(_, done)| !done.is_closed());
        look(&database, std::mem::take(&mut group.looks)).await;
        if let Some(done) = group.end.take() {
            // What was sent before is still received.
            ops.close();
            end = Some(done);
        }
        if group.is_nothing() {
            continue;
        }
        let lasting = group.is_lasting();
        let committed = async {
            if syncs.replace(lasting) != Some(lasting) {
                synchronous(&database, lasting).await?;
            }
            commit(&database, &group, clock.now_ms()).await
        };
        match Box::pin(committed).await {
            Ok(told) => {
                if group.gives_back() {
                    news.everywhere();
                } else {
                    news.tell(&told.into);
                }
                answer(group, told);
            }
            Err(error) => {
                tracing::warn!(%error, "the embedded broker could not commit");
                syncs = None;
                owed = refuse(group, &error);
            }
        }
    }
    // Closing is a courtesy: everything is committed.
    drop(database.close().await);
    if let Some(done) = end {
        tell(done, Ok(()));
    }
}

/// Whether a commit waits for the disk. One that does takes those before it along.
async fn synchronous(database: &DatabaseConnection, lasting: bool) -> Result<(), DbErr> {
    let mode = if lasting { "FULL" } else { "NORMAL" };
    database.execute_unprepared(&format!("PRAGMA synchronous = {mode}")).await.map(|_| ())
}

/// Asked on the connection that writes, so that its own commits do not count.
async fn look(database: &DatabaseConnection, asked: Vec<Answer<i64>>) {
    if asked.is_empty() {
        return;
    }
    let read = database.query_one_raw(sql("PRAGMA data_version", [])).await;
    let version = read.and_then(|row| row.map_or(Ok(0), |row| row.try_get_by_index(0)));
    for done in asked {
        let version = version.as_ref().copied();
        tell(done, version.map_err(|error| BrokerError::Away(error.to_string())));
    }
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
                let published = tables::publish(tx, publication, &queues, now).await?;
                results.push(published.map(|into| told.into.extend(into)));
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ports::broker::{Message, Tier};

    fn group(targets: &[Target]) -> Group {
        let mut group = Group::default();
        for target in targets {
            let message = Message::default();
            let all = vec![Publication { target: target.clone(), message }];
            group.add(Op::Publish { all, done: oneshot::channel().0 });
        }
        group
    }

    #[test]
    fn a_confirm_of_anything_but_a_reply_means_that_it_is_on_the_disk() {
        let reply = Target::Queue("reply.1.2".to_owned());
        let lane = Target::Queue(Lane::Checkout.queue().to_owned());
        for lasting in [Target::Commands, Target::Events, Target::Retry(Tier::Seconds5), lane] {
            assert!(group(&[reply.clone(), lasting]).is_lasting());
        }
        assert!(!group(&[reply]).is_lasting());
        let mut taking = Group::default();
        let (holder, done) = ("p/1".to_owned(), oneshot::channel().0);
        taking.add(Op::Acknowledge { holder, id: 1, done });
        assert!(!taking.is_lasting() && !taking.is_nothing());
    }
}
