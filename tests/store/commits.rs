//! What is committed is read back as it was, and a lost race leaves nothing behind.

use amazon_pay_worker::domain::command::{Asker, AuthorizationMode, CaptureMode, Texts};
use amazon_pay_worker::domain::decline::{Decline, FieldError, RejectionCode};
use amazon_pay_worker::domain::ids::{AuthorizationId, CaptureId};
use amazon_pay_worker::domain::merchant::Api;
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::domain::payment::admission::Seen;
use amazon_pay_worker::domain::payment::{
    DeadLetterReason, Effort, Exposure, Lease, Payment, Phase, Prior, Sealed,
};
use amazon_pay_worker::ports::desk::Desk as _;
use amazon_pay_worker::ports::store::{
    Commit, JournalEntry, KnownQuery, PaymentWrite, Store as _, StoreError,
};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    a_payment_is_read_back_with_every_field,
    what_is_written_in_company_is_as_what_is_written_alone,
    every_word_of_a_phase_and_an_exposure_is_read_back,
    texts_may_hold_anything,
    a_stale_version_changes_nothing,
    what_is_known_is_told_at_once,
    a_message_becomes_a_rejection,
    an_upsell_may_take_a_reference_only_once,
    a_timeline_keeps_its_order,
    an_empty_commit_is_nothing,
);

fn prior(texts: Texts, opener: Asker) -> Prior {
    Prior {
        reauthorized: 1,
        declined_at: Some(NOW),
        reference: Some(reference("S01-before")),
        permission: None,
        api: Api::V2,
        amount: Money::from_minor(2000, Currency::JPY),
        capture: CaptureMode::Manual,
        authorization: AuthorizationMode::Async,
        texts,
        opener,
        epoch: 2,
        authorization_id: Some(AuthorizationId::new("S01-before-A1").unwrap()),
        confirmed_total: Some(eur(5)),
        decline: Some(Decline::invalid_payment_method("InvalidPaymentMethod")),
        personal: Some(Sealed("k1:before".into())),
        details: Some(Sealed("k1:details-before".into())),
    }
}

fn full() -> Payment {
    let decline = Decline {
        retry_after: Some(NOW + 1),
        errors: vec![FieldError::new("amount", "is \"odd\""), FieldError::new("b", "ü")],
        ..Decline::rejected(RejectionCode::Conflict, Vec::new())
    };
    let texts = Texts {
        soft_descriptor: Some("AMZ*Shop".into()),
        note: Some("a note".into()),
        custom_information: Some("custom".into()),
        store_name: Some("Store".into()),
        cycle: Some("\"2026-11\"".into()),
    };
    let mut opener = asker("m-full");
    opener.reply_to = Some("amq.reply".into());
    opener.correlation_id = Some(String::new());
    opener.traceparent = Some("00-1-2-01".into());
    let mut payment = order("full");
    payment.prior = Some(Box::new(prior(texts.clone(), opener.clone())));
    payment.texts = texts;
    payment.opener = opener;
    payment.personal = Some(Sealed("k1:personal".into()));
    payment.details = Some(Sealed("k1:details".into()));
    payment.phase = Phase::Capturing;
    payment.epoch = 3;
    payment.synchronous = false;
    payment.goes_unanswered(NOW - 7);
    payment.authorization_id = Some(AuthorizationId::new("S01-full-A1").unwrap());
    payment.capture_id = Some(CaptureId::new("S01-full-C1").unwrap());
    payment.captured = eur(1995);
    payment.refunded = eur(95);
    payment.confirmed_total = Some(Money::from_minor(7, Currency::USD));
    payment.processing_failures = 1;
    payment.capture_declines = 2;
    payment.decline = Some(decline);
    payment.sequence = 4;
    payment.published_in_epoch = true;
    payment.told_pending_amazon = true;
    payment.told_pending_operator = true;
    payment.latest_event = Some("evt-4".into());
    payment.effort = Effort {
        attempt: 5,
        since: NOW - 6,
        quota_wait_ms: 7,
        polls: 8,
        crashes: 9,
        crashes_alone: 10,
        last_fault: Some("throttled".into()),
        refused_since: Some(NOW - 11),
    };
    payment.due_at = Some(NOW + 12);
    payment.close_reference_at = Some(NOW + 13);
    payment.dead_letter = Some(DeadLetterReason::UnknownOutcome);
    payment.lease = Some(Lease { owner: "worker-1".into(), until: NOW + 14 });
    payment.version = 15;
    payment.created_at = NOW - 16;
    payment.updated_at = NOW + 17;
    payment
}

async fn a_payment_is_read_back_with_every_field(store: Store) {
    let store = open(store).await;
    let full = full();
    insert(&store, &full).await;
    assert_eq!(store.payment(&full.id()).await.unwrap(), Some(full.clone()));
    let mut bare = order("full");
    bare.version = full.version;
    store.commit(update(&mut bare)).await.unwrap();
    assert_eq!(store.payment(&full.id()).await.unwrap(), Some(bare.clone()));
    for other in [upsell("full", "u1"), charge("c1")] {
        insert(&store, &other).await;
        assert_eq!(store.payment(&other.id()).await.unwrap(), Some(other));
    }
    let gone = PaymentWrite::Delete { id: bare.id(), expected: bare.version, joins: 0 };
    store.commit(just(gone)).await.unwrap();
    assert_eq!(store.payment(&full.id()).await.unwrap(), None);
}

/// A row that is alone in its commit goes by other parameters than rows in company.
async fn what_is_written_in_company_is_as_what_is_written_alone(store: Store) {
    let store = open(store).await;
    let company = |name: &str| {
        let mut one = full();
        one.key.subject = order(name).key.subject;
        one.reference = Some(reference(&format!("S01-{name}")));
        one.texts.note = Some(format!("{name}: \" ' \\ \u{1} $1 ? \u{1f600}"));
        one
    };
    let names: Vec<String> = (0..20).map(|at| format!("company-{at}")).collect();
    let mut all: Vec<Payment> = names.iter().map(|name| company(name)).collect();
    let inserts = all.iter().map(|one| PaymentWrite::Insert(one.clone()));
    written_together(&store, inserts.map(just).collect()).await;
    for one in &all {
        assert_eq!(store.payment(&one.id()).await.unwrap().as_ref(), Some(one));
    }
    for (one, name) in all.iter_mut().zip(&names) {
        *one = Payment { version: one.version, ..order(name) };
    }
    written_together(&store, all.iter_mut().map(update).collect()).await;
    for one in &all {
        assert_eq!(store.payment(&one.id()).await.unwrap().as_ref(), Some(one));
    }
    let deletes = all.iter().map(|one| PaymentWrite::Delete {
        id: one.id(),
        expected: one.version,
        joins: 0,
    });
    written_together(&store, deletes.map(just).collect()).await;
    for one in &all {
        assert_eq!(store.payment(&one.id()).await.unwrap(), None);
    }
}

async fn written_together(store: &Opened, commits: Vec<Commit>) {
    let tasks = commits.into_iter().map(|commit| {
        let database = store.database.clone();
        tokio::spawn(async move { database.commit(commit).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap().unwrap();
    }
}

async fn every_word_of_a_phase_and_an_exposure_is_read_back(store: Store) {
    let store = open(store).await;
    let mut payment = order("words");
    insert(&store, &payment).await;
    for phase in Phase::ALL {
        payment.phase = *phase;
        for exposure in [Exposure::Clear, Exposure::Open, Exposure::Sent] {
            payment.exposure = exposure;
            store.commit(update(&mut payment)).await.unwrap();
            assert_eq!(store.payment(&payment.id()).await.unwrap(), Some(payment.clone()));
        }
    }
}

async fn texts_may_hold_anything(store: Store) {
    let store = open(store).await;
    let mut payment = order("texts");
    let odd = "quotes \" ' \\ \u{1}\n\t{}[]$1 ? ü 漢 \u{1f600} \u{2028}";
    payment.texts.note = Some(odd.into());
    payment.texts.store_name = Some(String::new());
    payment.texts.custom_information = Some("a\0b".into());
    insert(&store, &payment).await;
    let read = store.payment(&payment.id()).await.unwrap().unwrap();
    assert_eq!(read.texts.note, payment.texts.note);
    assert_eq!(read.texts.store_name, payment.texts.store_name);
    // No database keeps a zero, but none refuses the payment for it.
    assert_eq!(read.texts.custom_information.as_deref(), Some("a\u{fffd}b"));
}

async fn a_stale_version_changes_nothing(store: Store) {
    let store = open(store).await;
    let mut payment = order("stale");
    insert(&store, &payment).await;
    store.commit(update(&mut payment)).await.unwrap();
    let stale = Commit {
        outbox: vec![event("evt", &payment)],
        journal: vec![line(&payment, "stale")],
        inbox: vec![inbox("m-stale", &payment.id())],
        ..just(PaymentWrite::Update { payment: payment.clone(), expected: 0 })
    };
    let gone = just(PaymentWrite::Delete { id: payment.id(), expected: 0, joins: 0 });
    let nobody = just(PaymentWrite::Update { payment: order("nobody"), expected: 0 });
    for commit in [stale, gone, nobody] {
        assert!(matches!(store.commit(commit).await, Err(StoreError::Conflict)));
    }
    assert_eq!(store.payment(&payment.id()).await.unwrap(), Some(payment.clone()));
    assert_eq!(store.event("evt").await.unwrap(), None);
    assert!(store.timeline(&payment.id()).await.unwrap().is_empty());
    let known = store.known(&query("m-stale", &payment, true)).await.unwrap();
    assert_eq!(known.message, None);
}

fn query(message: &str, payment: &Payment, with_reference: bool) -> KnownQuery {
    let reference = payment.reference.clone().filter(|_| with_reference);
    KnownQuery {
        message_id: message.to_owned(),
        payment_id: payment.id(),
        reference: reference.map(|reference| (payment.seller_account.clone(), reference)),
    }
}

async fn what_is_known_is_told_at_once(store: Store) {
    let store = open(store).await;
    let payment = full();
    let message = payment.opener.message_id.to_string();
    let nothing = store.known(&query(&message, &payment, true)).await.unwrap();
    assert!(nothing.message.is_none() && nothing.payment.is_none());
    assert_eq!(nothing.reference_owner, None);

    store.commit(claim(&payment)).await.unwrap();
    let all = store.known(&query(&message, &payment, true)).await.unwrap();
    assert_eq!(all.message, Some(inbox(&message, &payment.id()).seen));
    assert_eq!(all.payment, Some(payment.clone()));
    assert_eq!(all.reference_owner, Some(payment.id()));

    let other = order_through("8", "other", payment.reference.as_ref().unwrap().as_str());
    let only_owner = store.known(&query("m-other", &other, true)).await.unwrap();
    assert!(only_owner.message.is_none() && only_owner.payment.is_none());
    assert_eq!(only_owner.reference_owner, Some(payment.id()));
    let without = store.known(&query("m-other", &payment, false)).await.unwrap();
    assert_eq!((without.reference_owner, without.payment), (None, Some(payment.clone())));

    let owner = store.reference_owner(ACCOUNT, payment.reference.as_ref().unwrap());
    assert_eq!(owner.await.unwrap(), Some(payment.id()));
    let elsewhere = store.reference_owner("na/live/SELLER", payment.reference.as_ref().unwrap());
    assert_eq!(elsewhere.await.unwrap(), None);
}

async fn a_message_becomes_a_rejection(store: Store) {
    let store = open(store).await;
    let payment = order("rejected");
    let message = payment.opener.message_id.to_string();
    store.commit(claim(&payment)).await.unwrap();
    let again = Commit { inbox: vec![inbox(&message, "other")], ..Commit::default() };
    assert!(matches!(store.commit(again).await, Err(StoreError::Conflict)));
    let rejected = Commit {
        rejected: vec![(message.clone(), "evt-r".into()), ("unheard of".into(), "e".into())],
        ..just(PaymentWrite::Delete { id: payment.id(), expected: 0, joins: 0 })
    };
    store.commit(rejected).await.unwrap();
    let known = store.known(&query(&message, &payment, true)).await.unwrap();
    let seen = known.message.unwrap();
    assert_eq!(seen.seen, Seen::Rejected("evt-r".into()));
    assert_eq!(seen.fingerprint, inbox(&message, "").seen.fingerprint);
    assert!(known.payment.is_none() && known.reference_owner.is_none());
}

async fn an_upsell_may_take_a_reference_only_once(store: Store) {
    let store = open(store).await;
    let order = order("owner");
    insert(&store, &order).await;
    // On its order's reference it owns none; with one of its own it does.
    let mut upsell = upsell("owner", "u1");
    upsell.reference = order.reference.clone();
    insert(&store, &upsell).await;
    let before = upsell.clone();
    upsell.owns_reference = true;
    assert!(matches!(store.commit(update(&mut upsell)).await, Err(StoreError::Conflict)));
    assert_eq!(store.payment(&upsell.id()).await.unwrap(), Some(before.clone()));
    let mut upsell = before;
    upsell.owns_reference = true;
    upsell.reference = Some(reference("S01-own"));
    store.commit(update(&mut upsell)).await.unwrap();
    let owner = store.reference_owner(ACCOUNT, &reference("S01-own")).await.unwrap();
    assert_eq!(owner, Some(upsell.id()));
}

fn line(payment: &Payment, name: &str) -> JournalEntry {
    JournalEntry {
        payment_id: payment.id(),
        at: NOW,
        kind: "call".into(),
        name: name.to_owned(),
        detail: "{\"a\":1}".into(),
    }
}

async fn a_timeline_keeps_its_order(store: Store) {
    let store = open(store).await;
    let payment = order("timeline");
    let lines: Vec<_> = (0..20).map(|at| line(&payment, &format!("step {at}"))).collect();
    for some in lines.chunks(7) {
        let commit = Commit { journal: some.to_vec(), ..Commit::default() };
        store.commit(commit).await.unwrap();
    }
    let other = Commit { journal: vec![line(&order("other"), "x")], ..Commit::default() };
    store.commit(other).await.unwrap();
    assert_eq!(store.timeline(&payment.id()).await.unwrap(), lines);
}

async fn an_empty_commit_is_nothing(store: Store) {
    let store = open(store).await;
    store.commit(Commit::default()).await.unwrap();
}
