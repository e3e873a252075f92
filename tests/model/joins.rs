//! A message that joins an order in the moment in which it is rejected: it is rejected too,
//! wherever the worker dies, and nothing of it is left for whoever asks for the order after it.

use std::time::Duration;

use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::domain::payment::admission::{Seen, SeenMessage};
use amazon_pay_worker::ports::store::{Commit, InboxEntry, Join, Waiter};

use super::store::Rows;
use super::{World, order, reference};

const ORDER: &str = "7/order/O1";

/// What another worker does with the order's second message.
fn join(rows: &mut Rows) {
    let seen =
        SeenMessage { fingerprint: "of m-b".to_owned(), seen: Seen::Accepted(ORDER.to_owned()) };
    let join = Join { payment_id: ORDER.to_owned(), opener: "m-a".to_owned() };
    let waiter = Waiter { payment_id: ORDER.to_owned(), message_id: "m-b".to_owned(), reply: None };
    let joined = Commit {
        inbox: vec![InboxEntry { message_id: "m-b".to_owned(), seen, at: 0 }],
        join: Some(join),
        waiters: vec![waiter],
        ..Commit::default()
    };
    rows.write(&joined).unwrap();
}

/// Whether the first worker died before it had rejected both.
async fn rejected_with_a_death_at(step: u64) -> bool {
    let mut world = World::new(0);
    world.trouble = 0;
    world.amazon.open_with(&reference(1), Money::from_minor(900, Currency::USD));
    *world.memory.after_waiters.lock().unwrap() = Some(Box::new(join));
    world.broker.send(order(1, "m-a", 1_000));
    world.spawn(step);
    tokio::time::sleep(Duration::from_secs(5)).await;
    let died = world.memory.rows.lock().unwrap().payments.contains_key(ORDER)
        || !world.memory.rows.lock().unwrap().inbox.contains_key("m-b");
    world.bury();
    world.spawn(u64::MAX);
    tokio::time::sleep(Duration::from_secs(120)).await;
    world.broker.send(order(1, "m-c", 1_000));
    tokio::time::sleep(Duration::from_secs(10)).await;

    let rows = world.memory.rows.lock().unwrap();
    assert!(!rows.payments.contains_key(ORDER), "death at step {step}: {:?}", rows.payments);
    for message in ["m-a", "m-b", "m-c"] {
        let seen = rows.inbox.get(message).map(|message| &message.seen);
        let Some(Seen::Rejected(event)) = seen else {
            panic!("death at step {step}: {message} is {seen:?}");
        };
        let told = rows.outbox.iter().filter(|entry| entry.event_id == *event && !entry.replay);
        assert_eq!(told.count(), 1, "death at step {step}: {message}");
    }
    assert_eq!(rows.waiters, [], "death at step {step}");
    died
}

#[test]
fn who_joins_an_order_while_it_is_rejected_is_rejected_too_wherever_the_worker_dies() {
    let mut step = 1;
    loop {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        if !runtime.block_on(rejected_with_a_death_at(step)) {
            break;
        }
        step += 1;
    }
    assert!(step > 20, "it died nowhere: {step}");
}
