//! Many at once, in one process and in several: one wins, the others hear of it, and those who
//! were only near are not touched.

use std::collections::BTreeSet;

use amazon_pay_worker::ports::relay::Outbox as _;
use amazon_pay_worker::ports::store::{Commit, Store as _, StoreError};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    of_many_claims_of_a_payment_one_wins,
    of_many_claims_of_a_reference_one_wins,
    of_many_claims_by_a_message_one_wins,
    of_many_settles_of_a_version_one_wins,
    a_group_loses_only_its_losers,
    other_processes_write_too,
);

/// Commits all at once, by turns through both handles; how many won.
async fn all_at_once(store: &Opened, commits: Vec<Commit>) -> usize {
    let handles = [store.database.clone(), store.again().await];
    let tasks = commits.into_iter().enumerate().map(|(at, commit)| {
        let handle = handles[at % 2].clone();
        tokio::spawn(async move { handle.commit(commit).await })
    });
    let mut won = 0;
    for task in tasks.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(()) => won += 1,
            Err(StoreError::Conflict) => {}
            Err(error) => panic!("{error}"),
        }
    }
    won
}

async fn of_many_claims_of_a_payment_one_wins(store: Store) {
    let store = open(store).await;
    let claims = (0..20).map(|at| {
        let mut payment = order("one");
        payment.opener = asker(&format!("m-{at}"));
        payment.reference = Some(reference(&format!("S01-{at}")));
        claim(&payment)
    });
    assert_eq!(all_at_once(&store, claims.collect()).await, 1);
}

async fn of_many_claims_of_a_reference_one_wins(store: Store) {
    let store = open(store).await;
    let claims = (0..20).map(|at| {
        claim(&order_through(&format!("mid-{}", at % 2), &format!("order-{at}"), "S01-shared"))
    });
    assert_eq!(all_at_once(&store, claims.collect()).await, 1);
    let owner = store.reference_owner(ACCOUNT, &reference("S01-shared")).await.unwrap().unwrap();
    assert!(store.payment(&owner).await.unwrap().is_some());
}

async fn of_many_claims_by_a_message_one_wins(store: Store) {
    let store = open(store).await;
    let payments: Vec<_> = (0..20)
        .map(|at| {
            let mut payment = order(&format!("order-{at}"));
            payment.opener = asker("the same");
            payment
        })
        .collect();
    assert_eq!(all_at_once(&store, payments.iter().map(claim).collect()).await, 1);
    let mut found = 0;
    for payment in payments {
        found += usize::from(store.payment(&payment.id()).await.unwrap().is_some());
    }
    assert_eq!(found, 1, "a loser left its payment behind");
}

async fn of_many_settles_of_a_version_one_wins(store: Store) {
    let store = open(store).await;
    let payment = order("settled");
    insert(&store, &payment).await;
    let settles = (0..20).map(|at| {
        let mut payment = payment.clone();
        payment.latest_event = Some(format!("evt-{at}"));
        let outbox = vec![event(&format!("evt-{at}"), &payment)];
        Commit { outbox, ..update(&mut payment) }
    });
    assert_eq!(all_at_once(&store, settles.collect()).await, 1);
    let written = store.payment(&payment.id()).await.unwrap().unwrap();
    let events = store.unpublished(100).await.unwrap();
    assert_eq!(events.len(), 1, "a loser left its event behind");
    assert_eq!(written.latest_event.as_deref(), Some(&*events[0].entry.event_id));
}

async fn a_group_loses_only_its_losers(store: Store) {
    let store = open(store).await;
    let taken = order("taken");
    insert(&store, &taken).await;
    let mut commits = Vec::new();
    for at in 0..60 {
        commits.push(claim(&order(&format!("free-{at}"))));
        if at % 10 == 0 {
            commits.push(claim(&taken));
        }
    }
    assert_eq!(all_at_once(&store, commits).await, 60);
    for at in 0..60 {
        let id = order(&format!("free-{at}")).id();
        assert!(store.payment(&id).await.unwrap().is_some(), "{id}");
    }
}

async fn other_processes_write_too(store: Store) {
    let store = open(store).await;
    let commits = (0..200).map(|at| {
        let payment = order(&format!("order-{at}"));
        Commit { outbox: vec![event(&format!("evt-{at}"), &payment)], ..claim(&payment) }
    });
    assert_eq!(all_at_once(&store, commits.collect()).await, 200);
    let events = store.unpublished(1000).await.unwrap();
    let numbers: BTreeSet<_> = events.iter().map(|row| row.number).collect();
    assert_eq!(numbers.len(), 200);
    assert!(events.is_sorted_by_key(|row| row.number));
}
