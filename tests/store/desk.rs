//! What operators see: dead letters by what they ask for, payments by any of their ids.

use amazon_pay_worker::domain::ids::{AuthorizationId, CaptureId};
use amazon_pay_worker::domain::payment::{DeadLetterReason, Payment, Phase, Sealed};
use amazon_pay_worker::ports::desk::{DeadLetterFilter, Desk as _, PaymentFilter};
use amazon_pay_worker::ports::store::{
    AuditEntry, Commit, DeadLetter, DeadLetterChange, DeadLetterStatus, Store as _, StoreError,
};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    dead_letters_are_read_back_and_filtered,
    a_dead_letter_is_closed_once,
    what_ended_otherwise_leaves_no_letter_open,
    one_letter_is_filed_once,
    payments_are_listed_newest_first,
    a_payment_is_found_by_any_of_its_ids,
);

pub(crate) fn letter(id: &str, since: i64) -> DeadLetter {
    DeadLetter {
        id: id.to_owned(),
        reason: DeadLetterReason::Exhausted,
        message_id: None,
        routing_key: None,
        mid: None,
        kind: None,
        order_id: None,
        upsell_id: None,
        charge_id: None,
        detail: String::new(),
        attempts: 0,
        since,
        payment_id: None,
        message: None,
    }
}

fn full_letter(id: &str, since: i64) -> DeadLetter {
    DeadLetter {
        reason: DeadLetterReason::Poison,
        message_id: Some("m-1".into()),
        routing_key: Some("order.import".into()),
        mid: Some("7".into()),
        kind: Some("upsell".into()),
        order_id: Some("CRM-1".into()),
        upsell_id: Some("u1".into()),
        charge_id: Some("c1".into()),
        detail: "what happened".into(),
        attempts: 12,
        payment_id: Some("7/upsell/CRM-1/u1".into()),
        message: Some(Sealed("k1:whole".into())),
        ..letter(id, since)
    }
}

async fn file(store: &Opened, letters: Vec<DeadLetter>) {
    store.commit(Commit { dead_letters: letters, ..Commit::default() }).await.unwrap();
}

async fn seen(store: &Opened, filter: DeadLetterFilter) -> Vec<String> {
    let rows = store.dead_letters(&filter).await.unwrap();
    rows.into_iter().map(|row| row.letter.id).collect()
}

fn change(id: &str, to: DeadLetterStatus) -> Commit {
    let change = DeadLetterChange { id: id.to_owned(), to };
    Commit { dead_letter_changes: vec![change], ..Commit::default() }
}

async fn dead_letters_are_read_back_and_filtered(store: Store) {
    let store = open(store).await;
    file(&store, vec![full_letter("b", NOW), letter("a", NOW + 1), letter("c", NOW - 1)]).await;
    let all = store.dead_letters(&DeadLetterFilter::default()).await.unwrap();
    assert_eq!(all.iter().map(|row| &*row.letter.id).collect::<Vec<_>>(), ["c", "b", "a"]);
    assert_eq!((&all[1].letter, all[1].status), (&full_letter("b", NOW), DeadLetterStatus::Open));
    assert_eq!(all[2].letter, letter("a", NOW + 1));
    store.commit(change("a", DeadLetterStatus::Redriven)).await.unwrap();

    let any = DeadLetterFilter::default;
    let ids = vec!["a".to_owned(), "b".to_owned(), "nobody".to_owned()];
    assert_eq!(seen(&store, DeadLetterFilter { ids, ..any() }).await, ["b", "a"]);
    let reason = Some(DeadLetterReason::Exhausted);
    assert_eq!(seen(&store, DeadLetterFilter { reason, ..any() }).await, ["c", "a"]);
    let mid = Some("7".to_owned());
    assert_eq!(seen(&store, DeadLetterFilter { mid, ..any() }).await, ["b"]);
    let since = Some(NOW);
    assert_eq!(seen(&store, DeadLetterFilter { since, ..any() }).await, ["b", "a"]);
    let open = DeadLetterFilter { status: Some(DeadLetterStatus::Open), reason, ..any() };
    assert_eq!(seen(&store, open).await, ["c"]);
}

async fn a_dead_letter_is_closed_once(store: Store) {
    let store = open(store).await;
    file(&store, vec![letter("a", NOW), letter("b", NOW)]).await;
    let audit = AuditEntry {
        at: NOW,
        actor: "ann".into(),
        act: "dead-letter.discard".into(),
        object: "a".into(),
        detail: "said so".into(),
    };
    let discard = Commit { audit: vec![audit.clone()], ..change("a", DeadLetterStatus::Discarded) };
    store.commit(discard).await.unwrap();
    for id in ["a", "nobody"] {
        let payment = order(&format!("with-{id}"));
        let late = Commit { audit: vec![audit.clone()], ..claim(&payment) };
        let late = Commit {
            dead_letter_changes: change(id, DeadLetterStatus::Redriven).dead_letter_changes,
            ..late
        };
        assert!(matches!(store.commit(late).await, Err(StoreError::Conflict)));
        assert_eq!(store.payment(&payment.id()).await.unwrap(), None);
    }
    let closed = DeadLetterFilter { ids: vec!["a".into()], ..DeadLetterFilter::default() };
    let closed = store.dead_letters(&closed).await.unwrap();
    assert_eq!(closed[0].status, DeadLetterStatus::Discarded);
}

async fn what_ended_otherwise_leaves_no_letter_open(store: Store) {
    let store = open(store).await;
    let of = |id: &str, payment: &str| DeadLetter {
        payment_id: Some(payment.to_owned()),
        ..letter(id, NOW)
    };
    let letters = vec![of("a", "7/order/A"), of("b", "7/order/A"), of("c", "7/order/B")];
    file(&store, letters).await;
    store.commit(change("a", DeadLetterStatus::Redriven)).await.unwrap();
    // Where nothing lies there is nothing to settle.
    let settled = vec!["7/order/A".to_owned(), "7/order/C".to_owned()];
    store.commit(Commit { settled, ..Commit::default() }).await.unwrap();
    let rows = store.dead_letters(&DeadLetterFilter::default()).await.unwrap();
    let statuses: Vec<_> = rows.iter().map(|row| (&*row.letter.id, row.status)).collect();
    let (redriven, open) = (DeadLetterStatus::Redriven, DeadLetterStatus::Open);
    assert_eq!(statuses, [("a", redriven), ("b", DeadLetterStatus::Discarded), ("c", open)]);
}

async fn one_letter_is_filed_once(store: Store) {
    let store = open(store).await;
    file(&store, vec![letter("a", NOW), letter("a", NOW)]).await;
    let again = Commit { dead_letters: vec![letter("a", NOW)], ..Commit::default() };
    assert!(matches!(store.commit(again).await, Err(StoreError::Conflict)));
    assert_eq!(seen(&store, DeadLetterFilter::default()).await, ["a"]);
}

async fn payments_are_listed_newest_first(store: Store) {
    let store = open(store).await;
    for at in 0..6 {
        let mut payment = order_through(&(7 + at % 2).to_string(), &format!("o{at}"), "S01");
        payment.reference = Some(reference(&format!("S01-{at}")));
        payment.created_at = NOW + at;
        payment.phase = if at < 4 { Phase::Paid } else { Phase::Declined };
        insert(&store, &payment).await;
    }
    let list = async |mid: Option<&str>, phase: Option<&str>, limit: u32| {
        let (mid, phase) = (mid.map(ToOwned::to_owned), phase.map(ToOwned::to_owned));
        let found = store.payments(&PaymentFilter { mid, phase, limit }).await.unwrap();
        let order = |payment: &Payment| payment.key.subject.key();
        found.iter().map(order).collect::<Vec<_>>()
    };
    assert_eq!(list(None, None, 3).await, ["o5", "o4", "o3"]);
    assert_eq!(list(Some("7"), None, 9).await, ["o4", "o2", "o0"]);
    assert_eq!(list(None, Some("paid"), 2).await, ["o3", "o2"]);
    assert_eq!(list(None, Some("declined"), 9).await, ["o5", "o4"]);
    assert_eq!(list(Some("8"), Some("declined"), 9).await, ["o5"]);
    assert!(list(None, Some("nonsense"), 9).await.is_empty());
}

async fn a_payment_is_found_by_any_of_its_ids(store: Store) {
    let store = open(store).await;
    let mut order = order("CRM-1");
    order.authorization_id = Some(AuthorizationId::new("S01-CRM-1-A1").unwrap());
    order.capture_id = Some(CaptureId::new("S01-CRM-1-C1").unwrap());
    let mut upsell = upsell("CRM-1", "u1");
    upsell.reference = order.reference.clone();
    upsell.authorization_id = Some(AuthorizationId::new("S01-CRM-1-A2").unwrap());
    upsell.created_at += 1;
    let through_8 = order_through("8", "CRM-1", "S01-8");
    let charge = charge("CH-1");
    for payment in [&order, &upsell, &through_8, &charge] {
        store.commit(claim(payment)).await.unwrap();
    }
    let found = async |text: &str| {
        let found = store.find(text).await.unwrap();
        let mut ids: Vec<_> = found.iter().map(Payment::id).collect();
        ids.sort();
        ids
    };
    let (one, two) = (order.id(), upsell.id());
    assert_eq!(found("CRM-1").await, [&*one, &*two, &*through_8.id()]);
    assert_eq!(found(&two).await, [&*two]);
    assert_eq!(found("CH-1").await, [charge.id()]);
    assert_eq!(found("S01-CRM-1").await, [&*one, &*two]);
    assert_eq!(found("S01-CRM-1-A1").await, [&*one]);
    assert_eq!(found("S01-CRM-1-C1").await, [&*one]);
    assert_eq!(found("S01-CRM-1-A2").await, [&*two]);
    assert_eq!(found(upsell.opener.message_id.as_str()).await, [&*two]);
    for nothing in ["", "-", "S01-CRM-1-A3", "nobody", "'; DROP TABLE payments", "a\0b"] {
        assert!(found(nothing).await.is_empty(), "{nothing}");
    }
}
