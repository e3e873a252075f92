//! The outbox in order, and a feed in which nothing appears at or before what was read.

use amazon_pay_worker::domain::payment::{Phase, Sealed};
use amazon_pay_worker::ports::relay::{FeedRow, Outbox as _, OutboxRow, RowKey};
use amazon_pay_worker::ports::store::{Commit, OutboxEntry, ReplyTarget, Store as _};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    events_come_in_order_and_whole,
    what_was_published_gets_its_place,
    a_replay_gets_no_place,
    the_feed_is_read_by_account,
    nothing_appears_before_what_was_read,
    waiters_go_when_their_command_is_done,
    an_event_is_found_as_it_was_first,
    the_backlog_is_counted,
);

async fn write(store: &Opened, entries: Vec<OutboxEntry>) {
    store.commit(Commit { outbox: entries, ..Commit::default() }).await.unwrap();
}

async fn numbers(store: &Opened) -> Vec<i64> {
    store.unpublished(1000).await.unwrap().iter().map(|row| row.number).collect()
}

async fn keys(store: &Opened) -> Vec<RowKey> {
    store.unpublished(1000).await.unwrap().iter().map(OutboxRow::key).collect()
}

fn names(feed: &[FeedRow]) -> Vec<&str> {
    feed.iter().map(|row| row.event_id.as_str()).collect()
}

fn full(id: &str) -> OutboxEntry {
    let reply = |queue: &str, correlation: Option<&str>| ReplyTarget {
        reply_to: queue.to_owned(),
        correlation_id: correlation.map(ToOwned::to_owned),
    };
    OutboxEntry {
        replies: vec![reply("queue 1", None), reply("queue \"2\"", Some(""))],
        traceparent: Some("00-1-2-01".into()),
        ..event(id, &order("full"))
    }
}

async fn events_come_in_order_and_whole(store: Store) {
    let store = open(store).await;
    let bare = OutboxEntry { mid: None, payment_id: None, done: false, ..event("e2", &order("b")) };
    let entries = [full("e1"), bare, OutboxEntry { replay: true, ..full("e1") }];
    for entry in &entries {
        write(&store, vec![entry.clone()]).await;
    }
    write(&store, vec![event("e4", &order("c")), event("e5", &order("c"))]).await;
    let rows = store.unpublished(1000).await.unwrap();
    assert!(rows.is_sorted_by(|one, next| one.number < next.number));
    let read: Vec<_> = rows.iter().map(|row| row.entry.clone()).collect();
    assert_eq!(read[..3], entries);
    assert_eq!((&*read[3].event_id, &*read[4].event_id), ("e4", "e5"));
    let first = store.unpublished(2).await.unwrap();
    assert_eq!(first.iter().map(|row| row.number).collect::<Vec<_>>(), numbers(&store).await[..2]);
}

async fn what_was_published_gets_its_place(store: Store) {
    let store = open(store).await;
    let payment = order("a");
    write(&store, (1..=4).map(|at| event(&format!("e{at}"), &payment)).collect()).await;
    let (numbered, all) = (numbers(&store).await, keys(&store).await);
    // The order of the confirms is the order of the feed.
    store.published(&[all[2].clone(), all[0].clone()], &[], NOW).await.unwrap();
    assert_eq!(numbers(&store).await, [numbered[1], numbered[3]]);
    let feed = store.feed(0, 10, None).await.unwrap();
    assert_eq!(names(&feed), ["e3", "e1"]);
    assert_eq!(feed[0].body, Sealed("sealed e3".into()));
    assert!(feed[0].position > 0 && feed[1].position > feed[0].position);
    // Twice is once.
    let twice = [&all[0], &all[2], &all[1], &all[1]].map(Clone::clone);
    store.published(&twice, &[], NOW).await.unwrap();
    let feed = store.feed(0, 10, None).await.unwrap();
    assert_eq!(names(&feed), ["e3", "e1", "e2"]);
    let after = store.feed(feed[0].position, 1, None).await.unwrap();
    assert_eq!(names(&after), ["e1"]);
    assert!(store.feed(feed[2].position, 10, None).await.unwrap().is_empty());
    store.published(&[], &[], NOW).await.unwrap();
}

async fn a_replay_gets_no_place(store: Store) {
    let store = open(store).await;
    write(&store, vec![full("e1"), OutboxEntry { replay: true, ..full("e1") }]).await;
    store.published(&keys(&store).await, &[], NOW).await.unwrap();
    assert!(numbers(&store).await.is_empty());
    assert_eq!(names(&store.feed(0, 10, None).await.unwrap()), ["e1"]);
}

async fn the_feed_is_read_by_account(store: Store) {
    let store = open(store).await;
    for at in 0..12 {
        let payment = order_through(&format!("mid-{}", at % 4), "o", "S01-o");
        write(&store, vec![event(&format!("e{at}"), &payment)]).await;
    }
    let nobody_s = OutboxEntry { mid: None, ..event("nobody's", &order("o")) };
    write(&store, vec![nobody_s]).await;
    store.published(&keys(&store).await, &[], NOW).await.unwrap();
    let mids = |of: &[usize]| of.iter().map(|at| format!("mid-{at}")).collect::<Vec<_>>();
    let one = store.feed(0, 10, Some(&mids(&[1]))).await.unwrap();
    assert_eq!(names(&one), ["e1", "e5", "e9"]);
    let two = store.feed(one[0].position, 3, Some(&mids(&[3, 1, 77]))).await.unwrap();
    assert_eq!(names(&two), ["e3", "e5", "e7"]);
    let many: Vec<usize> = (1..200).collect();
    let many = store.feed(0, 4, Some(&mids(&many))).await.unwrap();
    assert_eq!(names(&many), ["e1", "e2", "e3", "e5"]);
    assert!(store.feed(0, 10, Some(&[])).await.unwrap().is_empty());
    assert_eq!(store.feed(0, 100, None).await.unwrap().len(), 13);
}

async fn nothing_appears_before_what_was_read(store: Store) {
    let store = open(store).await;
    let payment = order("a");
    write(&store, (0..60).map(|at| event(&format!("e{at}"), &payment)).collect()).await;
    let all = keys(&store).await;
    let handles = [store.database.clone(), store.again().await];
    let publishers = all.chunks(5).enumerate().map(|(at, some)| {
        let (some, store) = (some.to_vec(), handles[at % 2].clone());
        async move { store.published(&some, &[], NOW).await.unwrap() }
    });
    let publishers: Vec<_> = publishers.map(tokio::spawn).collect();
    let (mut cursor, mut read) = (0, Vec::new());
    while read.len() < all.len() {
        for row in store.feed(cursor, 7, None).await.unwrap() {
            assert!(row.position > cursor);
            cursor = row.position;
            read.push(row.event_id);
        }
    }
    for publisher in publishers {
        publisher.await.unwrap();
    }
    read.sort();
    read.dedup();
    assert_eq!(read.len(), all.len(), "a reader who follows the feed missed something");
}

async fn waiters_go_when_their_command_is_done(store: Store) {
    let store = open(store).await;
    let (mut over, mut reopened, other) = (order("over"), order("reopened"), order("other"));
    for payment in [&over, &reopened, &other] {
        insert(&store, payment).await;
        let waiters = vec![waiter(payment, "m-1", Some("queue"))];
        store.commit(Commit { waiters, ..Commit::default() }).await.unwrap();
    }
    over.phase = Phase::Paid;
    store.commit(update(&mut over)).await.unwrap();
    // Declined, and in hand again before the relay came to it.
    reopened.phase = Phase::Declined;
    store.commit(update(&mut reopened)).await.unwrap();
    reopened.phase = Phase::Inspecting;
    store.commit(update(&mut reopened)).await.unwrap();
    store.published(&[], &[over.id(), reopened.id()], NOW).await.unwrap();
    assert!(store.waiters(&over.id()).await.unwrap().is_empty());
    assert_eq!(store.waiters(&reopened.id()).await.unwrap().len(), 1);
    assert_eq!(store.waiters(&other.id()).await.unwrap().len(), 1);
}

async fn an_event_is_found_as_it_was_first(store: Store) {
    let store = open(store).await;
    assert_eq!(store.event("e1").await.unwrap(), None);
    let again = OutboxEntry { replay: true, replies: Vec::new(), ..full("e1") };
    write(&store, vec![full("e1")]).await;
    write(&store, vec![again]).await;
    store.published(&keys(&store).await, &[], NOW).await.unwrap();
    assert_eq!(store.event("e1").await.unwrap(), Some(full("e1")));
}

async fn the_backlog_is_counted(store: Store) {
    let store = open(store).await;
    assert_eq!(store.backlog(NOW).await.unwrap(), (0, 0));
    let later = OutboxEntry { created_at: NOW + 50, ..event("e2", &order("a")) };
    write(&store, vec![event("e1", &order("a")), later]).await;
    assert_eq!(store.backlog(NOW + 100).await.unwrap(), (2, 100));
    let first = keys(&store).await[0].clone();
    store.published(&[first], &[], NOW).await.unwrap();
    assert_eq!(store.backlog(NOW + 100).await.unwrap(), (1, 50));
    assert_eq!(store.backlog(NOW).await.unwrap(), (1, 0));
}
