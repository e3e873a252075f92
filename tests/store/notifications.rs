//! Notifications are kept once, taken up until they are heeded, lead to the payments of their
//! consent, and are forgotten in time.

use amazon_pay_worker::domain::ids::AuthorizationId;
use amazon_pay_worker::domain::notification::{About, Notification};
use amazon_pay_worker::ports::notifications::{ConcernQuery, Heeded, Notifications as _};
use amazon_pay_worker::ports::retention::Retention as _;
use amazon_pay_worker::ports::store::{KnownQuery, Store as _};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    one_is_kept_once_and_taken_up_until_it_is_heeded,
    a_consent_leads_to_its_owner_and_to_what_was_authorized_on_it,
    old_ones_are_forgotten_oldest_first,
);

const CONSENT: &str = "S01-1234567-7654321";

fn about_capture(message: &str) -> Notification {
    Notification {
        message_id: message.to_owned(),
        seller_id: "SELLER".to_owned(),
        sandbox: Some(true),
        about: About::Capture,
        object_id: format!("{CONSENT}-C012345"),
        reference: Some(CONSENT.to_owned()),
    }
}

async fn one_is_kept_once_and_taken_up_until_it_is_heeded(store: Store) {
    let store = open(store).await;
    let (one, two) = (
        about_capture("m-1"),
        Notification {
            sandbox: None,
            reference: None,
            about: About::Other,
            ..about_capture("m-2")
        },
    );
    assert!(store.keep(&one, NOW, NOW + 10).await.unwrap());
    assert!(!store.keep(&one, NOW + 5, NOW + 15).await.unwrap());
    assert!(store.keep(&two, NOW + 1, NOW + 20).await.unwrap());
    let due = |at| {
        let store = store.clone();
        async move {
            let due = store.unheeded(at, 10).await.unwrap();
            due.into_iter().map(|kept| kept.notification.message_id).collect::<Vec<_>>()
        }
    };
    assert!(due(NOW + 9).await.is_empty());
    assert_eq!(due(NOW + 20).await, ["m-1", "m-2"]);
    let kept = store.kept("m-1").await.unwrap().unwrap();
    assert_eq!((kept.notification, kept.received_at, kept.attempts), (one, NOW, 0));
    assert_eq!(store.kept("m-2").await.unwrap().unwrap().notification, two);

    store.heeded("m-1", Heeded::Again(NOW + 100), NOW + 20).await.unwrap();
    assert_eq!(due(NOW + 20).await, ["m-2"]);
    assert_eq!(store.kept("m-1").await.unwrap().unwrap().attempts, 1);
    store.heeded("m-2", Heeded::Done { outcome: "looked" }, NOW + 21).await.unwrap();
    assert_eq!(store.kept("m-2").await.unwrap(), None);
    assert_eq!(due(NOW + 100).await, ["m-1"]);
    // What was heeded stays so, and stays known.
    store.heeded("m-2", Heeded::Again(NOW), NOW + 22).await.unwrap();
    assert_eq!(due(NOW + 100).await, ["m-1"]);
    assert!(!store.keep(&two, NOW + 30, NOW + 30).await.unwrap());
    assert_eq!(store.kept("nobody").await.unwrap(), None);
}

async fn a_consent_leads_to_its_owner_and_to_what_was_authorized_on_it(store: Store) {
    let store = open(store).await;
    let mut owner = order_through("7", "owner", CONSENT);
    owner.created_at = NOW;
    let mut upsell = upsell("owner", "u");
    upsell.reference = Some(reference(CONSENT));
    upsell.authorization_id = Some(AuthorizationId::new(format!("{CONSENT}-A000001")).unwrap());
    upsell.created_at = NOW + 1;
    let mut charge = charge("c");
    charge.authorization_id = Some(AuthorizationId::new("P01-7777777-7654321-A000001").unwrap());
    let other = order_through("7", "other", "S01-1234567-7654322");
    for payment in [&owner, &upsell, &charge, &other] {
        insert(&store, payment).await;
    }
    let found = |consent: &str, limit| {
        let query = ConcernQuery { reference: consent.to_owned(), limit };
        let store = store.clone();
        async move {
            let found = store.concerned(&query).await.unwrap();
            found.iter().map(|payment| payment.id()).collect::<Vec<_>>()
        }
    };
    assert_eq!(found(CONSENT, 10).await, [upsell.id(), owner.id()]);
    assert_eq!(found(CONSENT, 1).await, [upsell.id()]);
    assert_eq!(found("P01-7777777-7654321", 10).await, [charge.id()]);
    assert!(found("S01-1234567-0000000", 10).await.is_empty());
}

async fn old_ones_are_forgotten_oldest_first(store: Store) {
    let store = open(store).await;
    for at in 0..5 {
        let one = about_capture(&format!("m-{at}"));
        assert!(store.keep(&one, NOW + at, NOW + 1_000 + at).await.unwrap());
    }
    assert_eq!(store.forget_notifications(NOW + 4, 3).await.unwrap(), 3);
    assert_eq!(store.forget_notifications(NOW + 4, 3).await.unwrap(), 1);
    assert_eq!(store.forget_notifications(NOW + 4, 3).await.unwrap(), 0);
    assert!(store.kept("m-4").await.unwrap().is_some());
    assert!(store.kept("m-3").await.unwrap().is_none());

    // Message ids go in the same way, their payments stay.
    let old = order("old");
    store.commit(claim(&old)).await.unwrap();
    assert_eq!(store.forget_messages(NOW, 10).await.unwrap(), 0);
    assert_eq!(store.forget_messages(NOW + 1, 10).await.unwrap(), 1);
    let query = KnownQuery {
        message_id: old.opener.message_id.to_string(),
        payment_id: old.id(),
        reference: None,
    };
    let known = store.known(&query).await.unwrap();
    assert!(known.message.is_none() && known.payment.is_some());
}
