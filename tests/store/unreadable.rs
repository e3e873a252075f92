//! Rows of other releases: what cannot be read is left alone and hides nothing that is due behind
//! it, and what one release does not know of counts no more when it has written the row.

use amazon_pay_worker::domain::mandate::Mandate;
use amazon_pay_worker::domain::payment::{Payment, Phase};
use amazon_pay_worker::ports::desk::Desk as _;
use amazon_pay_worker::ports::mandates::{MandateStore, MandateWrite};
use amazon_pay_worker::ports::notifications::{ConcernQuery, Notifications as _};
use amazon_pay_worker::ports::relay::Outbox as _;
use amazon_pay_worker::ports::store::{Commit, DueQuery, Store as _, StoreError};
use amazon_pay_worker::telemetry::Metrics;
use sea_orm::{ConnectionTrait, Database};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    what_is_due_is_found_behind_what_cannot_be_read,
    mandates_are_found_behind_what_cannot_be_read,
    events_are_published_behind_what_cannot_be_read,
    a_silence_counts_in_the_version_that_knew_of_it,
    a_column_of_a_later_release_is_no_matter,
);

async fn spoil(store: &Opened, statement: &str) {
    let server = Database::connect(&store.url).await.unwrap();
    server.execute_unprepared(statement).await.unwrap();
    server.close().await.unwrap();
}

fn ids(payments: &[Payment]) -> Vec<String> {
    payments.iter().map(Payment::id).collect()
}

fn counted(metrics: &Metrics, table: &str) -> String {
    let page = metrics.page().unwrap();
    let name = format!("amazon_pay_rows_unreadable_total{{table=\"{table}\"");
    let line = page.lines().find(|line| line.starts_with(&name)).unwrap();
    line.rsplit(' ').next().unwrap().to_owned()
}

async fn what_is_due_is_found_behind_what_cannot_be_read(kind: Store) {
    let store = open(kind).await;
    let metrics = Metrics::local().unwrap();
    store.count_by(&metrics);
    for (at, name) in ["phase-to-come", "bad-1", "bad-2", "bad-3", "good"].iter().enumerate() {
        let mut payment = order(name);
        payment.due_at = Some(NOW - 10 + at as i64);
        payment.close_reference_at = payment.due_at;
        payment.lookout.at = payment.due_at;
        if at == 0 {
            payment.phase = Phase::Authorized;
        }
        insert(&store, &payment).await;
    }
    spoil(
        &store,
        "UPDATE payments SET exposure = 'to-come' WHERE order_id LIKE 'bad-%'; \
         UPDATE payments SET capture_mode = 'to-come' WHERE order_id = 'phase-to-come'",
    )
    .await;
    let query = DueQuery {
        now: NOW,
        alive_since: NOW - 10_000,
        limit: 2,
        except: Vec::new(),
        charges: false,
    };
    // Asked again and again, and each of them told of and counted once.
    for _ in 0..2 {
        assert_eq!(ids(&store.due(&query).await.unwrap()), ["7/order/good"]);
        let closing = store.references_to_close(NOW, 1).await.unwrap();
        assert_eq!(ids(&closing), ["7/order/good"]);
        assert_eq!(ids(&store.to_look_at(NOW, NOW, 1).await.unwrap()), ["7/order/good"]);
    }
    assert_eq!(counted(&metrics, "payments"), "4");
    // Whoever asks for that very row hears why there is none.
    let asked = store.payment("7/order/bad-1").await;
    assert!(matches!(asked, Err(StoreError::Corrupt(_))), "{asked:?}");
    // All of them are due, whoever can read them.
    assert_eq!(store.due_count(NOW, NOW - 10_000, false).await.unwrap(), 5);
    assert_eq!(store.due_count(NOW - 9, NOW - 10_000, false).await.unwrap(), 2);
    assert_eq!(store.due_count(NOW, NOW - 10_000, true).await.unwrap(), 0);
}

async fn mandates_are_found_behind_what_cannot_be_read(kind: Store) {
    let store = open(kind).await;
    let metrics = Metrics::local().unwrap();
    store.count_by(&metrics);
    for (at, name) in ["B01-BAD", "B01-GOOD"].iter().enumerate() {
        let mut mandate = Mandate::new(ACCOUNT, &reference(name), &mid("7"), NOW);
        mandate.due_at = Some(NOW - 10 + at as i64);
        let write = MandateWrite::after(None, mandate, NOW);
        store.commit(Commit { mandate: Some(write), ..Commit::default() }).await.unwrap();
    }
    spoil(&store, "UPDATE mandates SET state = 'to-come' WHERE reference = 'B01-BAD'").await;
    let found = store.mandates_due(NOW, 1).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].reference, reference("B01-GOOD"));
    assert_eq!(counted(&metrics, "mandates"), "1");
}

async fn events_are_published_behind_what_cannot_be_read(kind: Store) {
    let store = open(kind).await;
    let metrics = Metrics::local().unwrap();
    store.count_by(&metrics);
    for (name, events) in [("bad", ["e1", "e2"]), ("good", ["e3", "e4"])] {
        let payment = order(name);
        insert(&store, &payment).await;
        let outbox = events.map(|id| event(id, &payment)).to_vec();
        store.commit(Commit { outbox, ..Commit::default() }).await.unwrap();
    }
    spoil(&store, "UPDATE outbox SET replies = 'to-come' WHERE event_id = 'e1'").await;
    for limit in [1, 2, 10] {
        let found = store.unpublished(limit).await.unwrap();
        let found: Vec<_> = found.iter().map(|row| row.entry.event_id.as_str()).collect();
        // The second of the subject is not published before the first.
        let all = ["e3", "e4"];
        assert_eq!(found, &all[..usize::min(limit as usize, 2)]);
    }
    assert_eq!(counted(&metrics, "outbox"), "1");
}

/// An older release writes the row, and knows nothing of the column.
async fn a_silence_counts_in_the_version_that_knew_of_it(kind: Store) {
    let store = open(kind).await;
    let mut payment = order("silent");
    payment.goes_unanswered(NOW);
    insert(&store, &payment).await;
    store.commit(update(&mut payment)).await.unwrap();
    let read = async || store.payment(&payment.id()).await.unwrap().unwrap();
    assert_eq!(read().await.unanswered_at, Some(NOW));
    spoil(&store, "UPDATE payments SET version = version + 1").await;
    assert_eq!(read().await.unanswered_at, None);
}

/// The schema goes first, and the release before works on, with statements that it has prepared.
async fn a_column_of_a_later_release_is_no_matter(kind: Store) {
    let store = open(kind).await;
    let mut payment = order("asked-for");
    payment.due_at = Some(NOW);
    payment.close_reference_at = Some(NOW);
    payment.lookout.at = Some(NOW);
    let written = claim(&payment);
    store
        .commit(Commit {
            outbox: vec![event("e1", &payment)],
            waiters: vec![waiter(&payment, "m-1", None)],
            ..written
        })
        .await
        .unwrap();
    let mandate = Mandate::new(ACCOUNT, &reference("B01-STAYS"), &mid("7"), NOW);
    let write = MandateWrite::after(None, mandate.clone(), NOW);
    store.commit(Commit { mandate: Some(write), ..Commit::default() }).await.unwrap();
    let before = everything(&store, &payment).await;
    for table in ["payments", "journal", "waiters", "outbox", "mandates", "notifications"] {
        spoil(&store, &format!("ALTER TABLE {table} ADD COLUMN to_come TEXT")).await;
    }
    for (now, before) in everything(&store, &payment).await.iter().zip(&before) {
        assert_eq!(now, before);
    }
}

/// The answers to all that is asked by whole rows; an error is none.
async fn everything(store: &Opened, payment: &Payment) -> Vec<String> {
    let id = payment.id();
    let ids = [id.clone()];
    let (order, of, agreed) = (order_id("asked-for"), [mid("7")], reference("B01-STAYS"));
    let due = DueQuery { now: NOW, alive_since: NOW, limit: 2, except: Vec::new(), charges: false };
    let concern = ConcernQuery { reference: "S01-asked-for".to_owned(), limit: 1 };
    vec![
        format!("{:?}", store.payment(&id).await.unwrap()),
        format!("{:?}", store.orders(&order, &[]).await.unwrap()),
        format!("{:?}", store.orders(&order, &of).await.unwrap()),
        format!("{:?}", store.due(&due).await.unwrap()),
        format!("{:?}", store.references_to_close(NOW, 1).await.unwrap()),
        format!("{:?}", store.to_look_at(NOW, NOW, 1).await.unwrap()),
        format!("{:?}", store.waiters(&id).await.unwrap()),
        format!("{:?}", store.event("e1").await.unwrap()),
        format!("{:?}", store.unpublished(1).await.unwrap()),
        format!("{:?}", store.joined(&ids).await.unwrap()),
        format!("{:?}", store.find(&id).await.unwrap()),
        format!("{:?}", store.timeline(&id).await.unwrap()),
        format!("{:?}", store.concerned(&concern).await.unwrap()),
        format!("{:?}", store.mandate(ACCOUNT, &agreed).await.unwrap()),
        format!("{:?}", store.mandates_due(NOW, 1).await.unwrap()),
        format!("{:?}", MandateStore::payments(&**store, &ids).await.unwrap()),
        format!("{:?}", store.declined_on(ACCOUNT, &agreed, 1).await.unwrap()),
        format!("{:?}", store.kept("m-1").await.unwrap()),
        format!("{:?}", store.unheeded(NOW, 1).await.unwrap()),
    ]
}
