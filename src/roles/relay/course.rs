//! What the relay does when. All that waits for anybody is an act among [`Course::acts`], so that
//! nothing waits for the act of another: while one batch awaits its confirms the next goes out, and
//! what was confirmed is marked beside them.

use std::pin::Pin;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio_util::sync::CancellationToken;

use super::Relay;
use super::acts::Sent;
use super::queues::{Queues, Ready};
use crate::ports::broker::PublishError;
use crate::ports::relay::{OutboxRow, RowKey};
use crate::ports::store::{OutboxEntry, StoreError};

/// How long a turn lasts; whoever dies in it delays events by so much. Two that publish at once
/// only repeat each other: the order of first publications does not depend on the turn.
const TURN_MS: i64 = 6_000;
/// When a turn is renewed.
const RENEW: Duration = Duration::from_secs(2);
/// How often it is asked for while another process has it.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Rows of one look at the outbox, and of one batch.
const BATCH: usize = 500;
/// Batches whose confirms are awaited at once.
const BATCHES: usize = 8;
/// Confirmed rows that are not marked yet; at the bound nothing more is published.
const UNMARKED_MAX: usize = 4_000;
/// Between two looks while they find something.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// Without a word of this process: how soon it looks for commits of others.
const IDLE_MIN: Duration = Duration::from_millis(100);
const IDLE_MAX: Duration = Duration::from_millis(250);
const IDLE_STEP: Duration = Duration::from_millis(15);
/// Between two marks, so that one wait for the disk serves many events.
const MARK_EVERY: Duration = Duration::from_millis(100);
/// After trouble with broker or database, doubled with each in a row.
const REST_MIN: Duration = Duration::from_millis(100);
const REST_MAX: Duration = Duration::from_secs(5);
/// How long a subject waits whose event the broker refuses, or that nobody here can open.
const REFUSED_REST: Duration = Duration::from_secs(5);
const CLOSED_REST: Duration = Duration::from_secs(60);
/// How often the backlog is counted.
const GAUGE_EVERY: Duration = Duration::from_secs(5);
/// How long events are still published when the role is told to stop.
const LAST_WORDS: Duration = Duration::from_secs(4);

/// An act that is over.
enum Done {
    Turn { asked_at: i64, ours: bool },
    Read { look: u64, rows: Result<Vec<OutboxRow>, StoreError> },
    Published(Vec<Sent>),
    Marked(Vec<Ready>, Result<(), StoreError>),
    Counted,
    Time(What),
}

/// What it is time for.
enum What {
    Ask,
    Look,
    Mark,
    Go,
    Count,
    Unblock(String),
}

type Act<'a> = Pin<Box<dyn Future<Output = Done> + Send + 'a>>;

/// A relay at work.
pub(super) struct Course<'a> {
    relay: &'a Relay,
    acts: FuturesUnordered<Act<'a>>,
    queues: Queues,
    /// When the turn was last taken, while it is ours.
    turn: Option<i64>,
    /// Looks at the outbox that were begun.
    looks: u64,
    looking: bool,
    look_due: bool,
    look_timed: bool,
    idle: Duration,
    batches: usize,
    confirmed: Vec<Ready>,
    marking: bool,
    mark_due: bool,
    resting: bool,
    rest: Duration,
    /// The look that must find nothing more before it may end, once it is told to.
    last_look: Option<u64>,
    ended: bool,
}

impl<'a> Course<'a> {
    pub(super) fn new(relay: &'a Relay) -> Self {
        Self {
            relay,
            acts: FuturesUnordered::new(),
            queues: Queues::default(),
            turn: None,
            looks: 0,
            looking: false,
            look_due: false,
            look_timed: false,
            idle: IDLE_MIN,
            batches: 0,
            confirmed: Vec::new(),
            marking: false,
            mark_due: true,
            resting: false,
            rest: REST_MIN,
            last_look: None,
            ended: false,
        }
    }

    pub(super) async fn run(mut self, stop: &CancellationToken) {
        self.ask();
        self.count();
        while !stop.is_cancelled() {
            self.begin_what_is_due();
            tokio::select! {
                () = stop.cancelled() => {}
                Some(done) = self.acts.next() => self.take_in(done),
                () = self.relay.handover.news() => {}
            }
        }
        if self.turn.is_some() {
            let left = tokio::time::timeout(LAST_WORDS, self.leave());
            if left.await.is_err() {
                tracing::warn!("not every event was published before the end: others will");
            }
            let now = self.relay.clock.now_ms();
            self.relay.take_turn(now, now).await;
        }
    }

    /// What was committed up to now is published and marked, then somebody else may.
    async fn leave(&mut self) {
        self.look_due = true;
        self.last_look = Some(self.looks + 1);
        while !(self.ended || self.resting || self.turn.is_none()) {
            self.mark_due = true;
            self.begin_what_is_due();
            let Some(done) = self.acts.next().await else { return };
            self.take_in(done);
        }
    }

    fn act(&mut self, act: impl Future<Output = Done> + Send + 'a) {
        self.acts.push(Box::pin(act));
    }

    fn later(&mut self, time: Duration, what: What) {
        self.act(async move {
            tokio::time::sleep(time).await;
            Done::Time(what)
        });
    }

    fn ask(&mut self) {
        let relay = self.relay;
        self.act(async move {
            let asked_at = relay.clock.now_ms();
            let ours = relay.take_turn(asked_at, asked_at + TURN_MS).await;
            Done::Turn { asked_at, ours }
        });
    }

    fn count(&mut self) {
        let relay = self.relay;
        self.act(async move {
            relay.count().await;
            Done::Counted
        });
    }

    /// A turn that could not be renewed in time may be somebody else's by now.
    fn is_ours(&self) -> bool {
        let now = self.relay.clock.now_ms();
        self.turn.is_some_and(|at| (at..at + TURN_MS).contains(&now))
    }

    fn begin_what_is_due(&mut self) {
        if self.mark_due && !self.marking && !self.confirmed.is_empty() {
            self.begin_marking();
        }
        if self.resting || !self.is_ours() || self.confirmed.len() > UNMARKED_MAX {
            return;
        }
        if self.queues.waiting() < BATCH {
            let (fresh, look) = self.relay.handover.take();
            for entry in fresh {
                self.add(RowKey::First(entry.event_id.clone()), entry);
            }
            self.look_due |= look;
            if self.look_due && !self.looking {
                self.begin_looking();
            }
        }
        while self.batches < BATCHES {
            let heads = self.queues.take(BATCH);
            if heads.is_empty() {
                break;
            }
            self.batches += 1;
            let relay = self.relay;
            self.act(async move { Done::Published(relay.publish(heads).await) });
        }
    }

    fn begin_marking(&mut self) {
        (self.marking, self.mark_due) = (true, false);
        let confirmed = std::mem::take(&mut self.confirmed);
        let relay = self.relay;
        self.act(async move {
            let (confirmed, result) = relay.mark(confirmed).await;
            Done::Marked(confirmed, result)
        });
    }

    fn begin_looking(&mut self) {
        (self.looking, self.look_due) = (true, false);
        self.looks += 1;
        let (relay, look) = (self.relay, self.looks);
        self.act(async move { Done::Read { look, rows: relay.read(BATCH as u32).await } });
    }

    /// Takes a row in, unless it is known; true where it was news.
    fn add(&mut self, key: RowKey, entry: OutboxEntry) -> bool {
        if !self.queues.wants(&key, &entry.subject) {
            return false;
        }
        let subject = entry.subject.clone();
        match self.relay.open(key, entry) {
            Some(ready) => self.queues.add(ready),
            None => self.block(subject, CLOSED_REST),
        }
        true
    }

    fn block(&mut self, subject: String, time: Duration) {
        self.queues.block(subject.clone());
        self.later(time, What::Unblock(subject));
    }

    fn take_in(&mut self, done: Done) {
        match done {
            Done::Turn { asked_at, ours } => self.take_turn(asked_at, ours),
            Done::Read { look, rows } => self.take_read(look, rows),
            Done::Published(sent) => self.take_sent(sent),
            Done::Marked(rows, result) => self.take_marked(rows, &result),
            Done::Counted => self.later(GAUGE_EVERY, What::Count),
            Done::Time(What::Ask) => self.ask(),
            Done::Time(What::Look) => (self.look_timed, self.look_due) = (false, true),
            Done::Time(What::Mark) => self.mark_due = true,
            Done::Time(What::Go) => self.resting = false,
            Done::Time(What::Count) => self.count(),
            Done::Time(What::Unblock(subject)) => self.queues.unblock(&subject),
        }
    }

    fn take_turn(&mut self, asked_at: i64, ours: bool) {
        match (ours, self.turn.is_some()) {
            (true, false) => {
                self.relay.handover.open();
                self.look_due = true;
            }
            (false, true) => {
                self.relay.handover.close();
                self.queues.let_go();
            }
            (true, true) | (false, false) => {}
        }
        self.turn = ours.then_some(asked_at);
        self.later(if ours { RENEW } else { ASK_EVERY }, What::Ask);
    }

    fn take_read(&mut self, look: u64, rows: Result<Vec<OutboxRow>, StoreError>) {
        self.looking = false;
        // Whose turn has ended meanwhile begins nothing more.
        let rows = match rows {
            Ok(rows) if self.is_ours() => rows,
            Ok(_) => return self.look_due = true,
            Err(_) => return self.trouble(),
        };
        let full = rows.len() == BATCH;
        let mut news = false;
        for row in rows {
            news |= self.add(row.key(), row.entry);
        }
        self.queues.looked(look);
        self.idle = if news { IDLE_MIN } else { (self.idle + IDLE_STEP).min(IDLE_MAX) };
        if !self.look_timed {
            self.look_timed = true;
            self.later(if news || full { LOOK_AGAIN } else { self.idle }, What::Look);
        }
        if let Some(last) = self.last_look {
            let over = self.queues.in_flight() + self.queues.waiting() + self.confirmed.len() == 0;
            self.ended = look >= last && !news && over && !self.marking;
            self.look_due = true;
        }
    }

    fn take_sent(&mut self, sent: Vec<Sent>) {
        self.batches -= 1;
        let mut away = false;
        for (ready, result) in sent {
            match result {
                Ok(()) => {
                    self.queues.confirmed(&ready.subject);
                    self.confirmed.push(ready);
                    continue;
                }
                Err(PublishError::Unconfirmed(_)) => away = true,
                // Its own matter: others are not kept waiting for it.
                Err(PublishError::Refused | PublishError::Unroutable) => {
                    self.block(ready.subject.clone(), REFUSED_REST);
                }
            }
            self.queues.failed(&ready);
        }
        if away { self.trouble() } else { self.rest = REST_MIN }
    }

    fn take_marked(&mut self, rows: Vec<Ready>, result: &Result<(), StoreError>) {
        self.marking = false;
        self.later(MARK_EVERY, What::Mark);
        if result.is_ok() {
            self.queues.marked(rows.iter().map(|ready| &ready.key), self.looks);
            return;
        }
        // Before those confirmed meanwhile, so that the feed has the order of a subject.
        let later = std::mem::replace(&mut self.confirmed, rows);
        self.confirmed.extend(later);
        self.trouble();
    }

    /// Rests, then looks for what was forgotten.
    fn trouble(&mut self) {
        self.look_due = true;
        if !self.resting {
            self.resting = true;
            self.later(self.rest, What::Go);
            self.rest = (self.rest * 2).min(REST_MAX);
        }
    }
}
