//! Who joins a payment in hand is either heard of when it ends, or told that it has ended.

use amazon_pay_worker::domain::payment::{Payment, Phase};
use amazon_pay_worker::ports::relay::Outbox as _;
use amazon_pay_worker::ports::store::{Commit, Join, PaymentWrite, Store as _, StoreError, Waiter};

use crate::desk::letter;
use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    a_message_waits_once_at_each_queue,
    nobody_joins_what_has_ended,
    nobody_joins_what_another_message_opened_since,
    who_joins_while_it_ends_is_seen_or_refused,
    who_was_rejected_waits_no_more,
    nothing_is_taken_back_from_somebody_unseen,
    who_joins_while_it_is_taken_back_is_seen_or_refused,
    what_was_taken_back_unheard_is_not_taken_back_from_who_came_since,
);

fn join(payment: &Payment, waiter: Waiter) -> Commit {
    let opener = payment.opener.message_id.to_string();
    let join = Some(Join { payment_id: payment.id(), opener });
    Commit { join, waiters: vec![waiter], ..Commit::default() }
}

async fn a_message_waits_once_at_each_queue(store: Store) {
    let store = open(store).await;
    let (payment, other) = (order("joined"), order("other"));
    insert(&store, &payment).await;
    insert(&store, &other).await;
    let waiters = [
        waiter(&payment, "m-1", Some("queue 1")),
        waiter(&payment, "m-1", Some("queue 2")),
        waiter(&payment, "m-2", None),
    ];
    for waiter in waiters.iter().chain(&waiters) {
        store.commit(join(&payment, waiter.clone())).await.unwrap();
    }
    let twice = vec![waiters[2].clone(), waiters[2].clone()];
    store.commit(Commit { waiters: twice, ..Commit::default() }).await.unwrap();
    store.commit(join(&other, waiter(&other, "m-3", None))).await.unwrap();
    assert_eq!(store.waiters(&payment.id()).await.unwrap(), waiters);
    let both = store.joined(&[payment.id(), other.id()]).await.unwrap();
    assert_eq!(both.len(), 4);
}

async fn nobody_joins_what_has_ended(store: Store) {
    let store = open(store).await;
    let mut payment = order("ended");
    let claimed = Commit { waiters: vec![waiter(&payment, "m-0", None)], ..claim(&payment) };
    store.commit(claimed).await.unwrap();
    payment.phase = Phase::Paid;
    let ended = Commit { waiters: vec![waiter(&payment, "m-1", None)], ..update(&mut payment) };
    store.commit(ended).await.unwrap();
    for id in [&payment, &order("nobody")] {
        let late = Commit { inbox: vec![inbox("m-2", "p")], ..join(id, waiter(id, "m-2", None)) };
        assert!(matches!(store.commit(late).await, Err(StoreError::Conflict)));
    }
    assert_eq!(store.waiters(&payment.id()).await.unwrap().len(), 2);
}

/// What was compared with the message is not what is there now.
async fn nobody_joins_what_another_message_opened_since(store: Store) {
    let store = open(store).await;
    let seen = order("again");
    insert(&store, &seen).await;
    let delete = PaymentWrite::Delete { id: seen.id(), expected: 0, joins: 0 };
    store.commit(just(delete)).await.unwrap();
    let mut now = order("again");
    now.opener = asker("m-0");
    insert(&store, &now).await;
    let late = Commit { inbox: vec![inbox("m-1", "p")], ..join(&seen, waiter(&seen, "m-1", None)) };
    assert!(matches!(store.commit(late).await, Err(StoreError::Conflict)));
    store.commit(join(&now, waiter(&now, "m-1", None))).await.unwrap();
    assert_eq!(store.waiters(&now.id()).await.unwrap().len(), 1);
}

async fn who_joins_while_it_ends_is_seen_or_refused(store: Store) {
    let store = open(store).await;
    for round in 0..20 {
        let mut payment = order(&format!("round-{round}"));
        insert(&store, &payment).await;
        let (ender, joiner) = (store.again().await, store.again().await);
        let joining = join(&payment, waiter(&payment, "m-1", None));
        let join = tokio::spawn(async move { joiner.commit(joining).await });
        payment.phase = Phase::Paid;
        ender.commit(update(&mut payment)).await.unwrap();
        // What the relay does once it sees the end.
        let heard = store.joined(&[payment.id()]).await.unwrap();
        match join.await.unwrap() {
            Ok(()) => assert_eq!(heard.len(), 1, "it joined and was not seen"),
            Err(StoreError::Conflict) => assert!(heard.is_empty()),
            Err(error) => panic!("{error}"),
        }
    }
}

async fn who_was_rejected_waits_no_more(store: Store) {
    let store = open(store).await;
    let mut payment = order("restored");
    store.commit(claim(&payment)).await.unwrap();
    for message in ["m-1", "m-2"] {
        let joined = join(&payment, waiter(&payment, message, Some("queue")));
        let joined = Commit { inbox: vec![inbox(message, &payment.id())], ..joined };
        store.commit(joined).await.unwrap();
    }
    let rejected = vec![("m-1".to_owned(), "evt-1".to_owned())];
    payment.phase = Phase::Declined;
    store.commit(Commit { rejected, ..update(&mut payment) }).await.unwrap();
    let left = store.waiters(&payment.id()).await.unwrap();
    assert_eq!(left, [waiter(&payment, "m-2", Some("queue"))]);
    let rejected = vec![("m-2".to_owned(), "evt-2".to_owned())];
    let delete = PaymentWrite::Delete { id: payment.id(), expected: payment.version, joins: 2 };
    store.commit(Commit { rejected, ..just(delete) }).await.unwrap();
    assert!(store.waiters(&payment.id()).await.unwrap().is_empty());
}

async fn nothing_is_taken_back_from_somebody_unseen(store: Store) {
    let store = open(store).await;
    let mut payment = order("joined");
    insert(&store, &payment).await;
    assert_eq!(store.joins(&payment.id()).await.unwrap(), 0);
    store.commit(join(&payment, waiter(&payment, "m-1", None))).await.unwrap();
    // Who drives it goes on, and forgets nobody.
    store.commit(update(&mut payment)).await.unwrap();
    assert_eq!(store.joins(&payment.id()).await.unwrap(), 1);

    let expected = payment.version;
    let restore = |joins| {
        let mut payment = payment.clone();
        payment.version += 1;
        just(PaymentWrite::Restore { payment, expected, joins })
    };
    let delete = |expected, joins| just(PaymentWrite::Delete { id: payment.id(), expected, joins });
    for unseen in [restore(0), delete(expected, 0)] {
        assert!(matches!(store.commit(unseen).await, Err(StoreError::Conflict)));
    }
    assert_eq!(store.payment(&payment.id()).await.unwrap(), Some(payment.clone()));
    assert_eq!(store.waiters(&payment.id()).await.unwrap().len(), 1);

    store.commit(restore(1)).await.unwrap();
    store.commit(delete(expected + 1, 1)).await.unwrap();
    assert_eq!(store.payment(&payment.id()).await.unwrap(), None);
    assert_eq!(store.joins(&payment.id()).await.unwrap(), 0);
}

async fn who_joins_while_it_is_taken_back_is_seen_or_refused(store: Store) {
    let store = open(store).await;
    for round in 0..20 {
        let payment = order(&format!("round-{round}"));
        insert(&store, &payment).await;
        let (rejecter, joiner) = (store.again().await, store.again().await);
        let joining = join(&payment, waiter(&payment, "m-1", None));
        let join = tokio::spawn(async move { joiner.commit(joining).await });
        let delete = PaymentWrite::Delete { id: payment.id(), expected: 0, joins: 0 };
        let deleted = rejecter.commit(just(delete)).await;
        let joined = join.await.unwrap();
        let waiting = store.waiters(&payment.id()).await.unwrap().len();
        let left = store.payment(&payment.id()).await.unwrap();
        match (joined, deleted) {
            (Ok(()), Err(StoreError::Conflict)) => assert!(waiting == 1 && left.is_some()),
            (Err(StoreError::Conflict), Ok(())) => assert!(waiting == 0 && left.is_none()),
            other => panic!("round {round}: {other:?}"),
        }
    }
}

/// The new payment has the name and the version of the old one; the letter of the old one's opener
/// tells them apart.
async fn what_was_taken_back_unheard_is_not_taken_back_from_who_came_since(store: Store) {
    let store = open(store).await;
    let before = order("again");
    store.commit(claim(&before)).await.unwrap();
    let delete = PaymentWrite::Delete { id: before.id(), expected: before.version, joins: 0 };
    let rejected = Commit {
        rejected: vec![(before.opener.message_id.to_string(), "evt-r".to_owned())],
        dead_letters: vec![letter("of the opener", NOW)],
        ..just(delete)
    };
    store.commit(rejected.clone()).await.unwrap();
    let mut since = order("again");
    since.opener = asker("m-2");
    store.commit(claim(&since)).await.unwrap();
    assert!(matches!(store.commit(rejected).await, Err(StoreError::Conflict)));
    assert_eq!(store.payment(&since.id()).await.unwrap(), Some(since));
}
