//! Which payments somebody must drive, whose lease still counts, and who is alive.

use amazon_pay_worker::domain::payment::{DeadLetterReason, Exposure, Lease, Payment, Phase};
use amazon_pay_worker::ports::store::{DueQuery, Store as _};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    what_is_due_comes_oldest_first,
    only_what_can_be_driven_is_due,
    a_lease_counts_while_its_owner_lives,
    references_are_closed_in_time,
    an_account_is_woken,
    workers_are_counted_while_they_are_heard_of,
    a_worker_leaves_in_good_order,
    a_turn_is_one_worker_s_until_it_ends,
    orders_are_found_among_accounts,
);

fn query(now: i64) -> DueQuery {
    DueQuery { now, alive_since: now - 10_000, limit: 100, except: Vec::new(), charges: false }
}

fn ids(payments: &[Payment]) -> Vec<String> {
    payments.iter().map(Payment::id).collect()
}

fn due(name: &str, at: i64) -> Payment {
    let mut payment = order(name);
    payment.due_at = Some(at);
    payment
}

fn leased(name: &str, owner: &str, until: i64) -> Payment {
    let mut payment = due(name, NOW - 1);
    payment.lease = Some(Lease { owner: owner.to_owned(), until });
    payment
}

async fn what_is_due_comes_oldest_first(store: Store) {
    let store = open(store).await;
    for (name, at) in [("c", NOW), ("a", NOW - 2000), ("d", NOW + 1), ("b", NOW - 1)] {
        insert(&store, &due(name, at)).await;
    }
    let found = store.due(&query(NOW)).await.unwrap();
    assert_eq!(ids(&found), ["7/order/a", "7/order/b", "7/order/c"]);
    assert_eq!(found[0], due("a", NOW - 2000));
    let two = store.due(&DueQuery { limit: 2, ..query(NOW) }).await.unwrap();
    assert_eq!(ids(&two), ["7/order/a", "7/order/b"]);
}

async fn only_what_can_be_driven_is_due(store: Store) {
    let store = open(store).await;
    for phase in Phase::ALL {
        let mut payment = due(phase.as_str(), NOW);
        payment.phase = *phase;
        insert(&store, &payment).await;
    }
    let mut never = order("never");
    never.due_at = None;
    let mut dead = due("dead", NOW);
    dead.dead_letter = Some(DeadLetterReason::Exhausted);
    let mut full = due("full", NOW);
    full.seller_account = "eu/live/FULL".to_owned();
    for payment in [never, dead, full] {
        insert(&store, &payment).await;
    }
    let except = vec!["eu/live/FULL".to_owned(), "jp/live/OTHER".to_owned()];
    let found = store.due(&DueQuery { except, ..query(NOW) }).await.unwrap();
    let alive = |phase: &&Phase| phase.in_hand() || **phase == Phase::Authorized;
    assert_eq!(found.len(), Phase::ALL.iter().filter(alive).count());
    assert!(found.iter().all(|payment| payment.seller_account == ACCOUNT));
    assert!(found.iter().all(|payment| alive(&&payment.phase)));
}

async fn a_lease_counts_while_its_owner_lives(store: Store) {
    let store = open(store).await;
    store.heartbeat("alive", NOW, NOW - 10_000).await.unwrap();
    store.heartbeat("silent", NOW - 10_001, NOW - 20_000).await.unwrap();
    for (owner, until) in [("alive", NOW + 1), ("silent", NOW + 1), ("unheard-of", NOW + 1)] {
        insert(&store, &leased(owner, owner, until)).await;
    }
    insert(&store, &leased("over", "alive", NOW - 1)).await;
    let mut found = ids(&store.due(&query(NOW)).await.unwrap());
    found.sort();
    assert_eq!(found, ["7/order/over", "7/order/silent", "7/order/unheard-of"]);
    // It speaks again, and its lease counts again: whoever took it meanwhile has the version.
    store.heartbeat("silent", NOW, NOW - 10_000).await.unwrap();
    assert_eq!(store.due(&query(NOW)).await.unwrap().len(), 2);
}

async fn references_are_closed_in_time(store: Store) {
    let store = open(store).await;
    let closing = |name: &str, at: i64| {
        let mut payment = order(name);
        payment.phase = Phase::Paid;
        payment.due_at = None;
        payment.close_reference_at = Some(at);
        payment
    };
    let mut held = closing("held", NOW - 5);
    held.lease = Some(Lease { owner: "somebody".into(), until: NOW + 1 });
    insert(&store, &held).await;
    for (name, at) in [("b", NOW), ("c", NOW + 1), ("a", NOW - 1)] {
        insert(&store, &closing(name, at)).await;
    }
    let found = store.references_to_close(NOW, 10).await.unwrap();
    assert_eq!(ids(&found), ["7/order/a", "7/order/b"]);
    assert_eq!(store.references_to_close(NOW, 1).await.unwrap().len(), 1);
}

async fn an_account_is_woken(store: Store) {
    let store = open(store).await;
    let refused = |mut payment: Payment| {
        payment.due_at = Some(NOW + 900_000);
        payment.effort.refused_since = Some(NOW - 1);
        payment
    };
    let mut dead = refused(order("dead"));
    dead.dead_letter = Some(DeadLetterReason::Configuration);
    dead.due_at = None;
    let mut held = refused(order("held"));
    held.lease = Some(Lease { owner: "w".into(), until: NOW + 60_000 });
    let mut ended = refused(order("ended"));
    ended.phase = Phase::Failed;
    let others =
        [dead, held, ended, due("fine", NOW + 900_000), refused(order_through("8", "x", "S01-x"))];
    for payment in others.iter().chain([&refused(order("waits")), &refused(order("waits-too"))]) {
        insert(&store, payment).await;
    }
    assert_eq!(store.wake(&mid("7"), NOW).await.unwrap(), 2);
    let mut found = ids(&store.due(&query(NOW)).await.unwrap());
    found.sort();
    assert_eq!(found, ["7/order/waits", "7/order/waits-too"]);
    for payment in others {
        assert_eq!(store.payment(&payment.id()).await.unwrap(), Some(payment));
    }
    // It is driven by whoever has the version that it had: waking is no writing.
    let mut woken = store.payment("7/order/waits").await.unwrap().unwrap();
    assert_eq!((woken.version, woken.due_at), (0, Some(NOW)));
    store.commit(update(&mut woken)).await.unwrap();
}

async fn workers_are_counted_while_they_are_heard_of(store: Store) {
    let store = open(store).await;
    let day = 24 * 60 * 60 * 1000;
    assert_eq!(store.heartbeat("a", NOW, NOW - 10).await.unwrap(), 1);
    assert_eq!(store.heartbeat("b", NOW + 5, NOW - 5).await.unwrap(), 2);
    assert_eq!(store.heartbeat("b", NOW + 11, NOW + 1).await.unwrap(), 1);
    assert_eq!(store.heartbeat("b", NOW + 2 * day, NOW + 2 * day - 10).await.unwrap(), 1);
    // One that was forgotten is not remembered by looking further back.
    assert_eq!(store.heartbeat("b", NOW + 2 * day, NOW - 10).await.unwrap(), 1);
}

async fn a_worker_leaves_in_good_order(store: Store) {
    let store = open(store).await;
    for worker in ["leaves", "stays"] {
        store.heartbeat(worker, NOW, NOW - 10_000).await.unwrap();
        let mut payment = leased(worker, worker, NOW + 60_000);
        payment.goes_unanswered(NOW - 900_000);
        insert(&store, &payment).await;
    }
    assert!(store.take_turn("relay", "leaves", NOW, NOW + 60_000).await.unwrap());
    assert!(store.due(&query(NOW)).await.unwrap().is_empty());
    store.farewell("leaves").await.unwrap();
    let found = store.due(&query(NOW)).await.unwrap();
    assert_eq!(ids(&found), ["7/order/leaves"]);
    assert_eq!((found[0].lease.clone(), found[0].version), (None, 0));
    // What it had in hand may make its money call until the moment that it left.
    assert_eq!((found[0].exposure, found[0].unanswered_at), (Exposure::Sent, None));
    let stays = store.payment("7/order/stays").await.unwrap().unwrap();
    assert_eq!(stays.unanswered_at, Some(NOW - 900_000));
    assert_eq!(store.heartbeat("stays", NOW, NOW - 10_000).await.unwrap(), 1);
    assert!(store.take_turn("relay", "stays", NOW, NOW + 60_000).await.unwrap());
}

async fn a_turn_is_one_worker_s_until_it_ends(store: Store) {
    let store = open(store).await;
    assert!(store.take_turn("relay", "a", NOW, NOW + 10).await.unwrap());
    assert!(!store.take_turn("relay", "b", NOW + 10, NOW + 20).await.unwrap());
    assert!(store.take_turn("suspect", "b", NOW + 10, NOW + 20).await.unwrap());
    assert!(store.take_turn("relay", "a", NOW + 5, NOW + 15).await.unwrap());
    assert!(!store.take_turn("relay", "b", NOW + 15, NOW + 25).await.unwrap());
    assert!(store.take_turn("relay", "b", NOW + 16, NOW + 26).await.unwrap());
    assert!(!store.take_turn("relay", "a", NOW + 17, NOW + 27).await.unwrap());
    let others = [store.again().await, store.again().await];
    let takes = (0..20).map(|at| {
        let store = others[at % 2].clone();
        tokio::spawn(async move {
            store.take_turn("new", &format!("w{at}"), NOW, NOW + 10).await.unwrap()
        })
    });
    let mut taken = 0;
    for take in takes.collect::<Vec<_>>() {
        taken += usize::from(take.await.unwrap());
    }
    assert_eq!(taken, 1);
}

async fn orders_are_found_among_accounts(store: Store) {
    let store = open(store).await;
    for (at, mid) in ["7", "8", "9"].iter().enumerate() {
        insert(&store, &order_through(mid, "shared", &format!("S01-{at}"))).await;
    }
    insert(&store, &upsell("shared", "u1")).await;
    insert(&store, &order("other")).await;
    let name = order_id("shared");
    assert_eq!(store.orders(&name, &[]).await.unwrap().len(), 3);
    let two = store.orders(&name, &[mid("9"), mid("7"), mid("nobody")]).await.unwrap();
    let mut two = ids(&two);
    two.sort();
    assert_eq!(two, ["7/order/shared", "9/order/shared"]);
}
