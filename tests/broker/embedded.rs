//! What the embedded broker alone must do: outlive its processes, and find out which of them died.
//! The dead are forged in the file, as a killed process would leave them.

use std::fs::File;
use std::path::Path;

use amazon_pay_worker::ports::broker::{Broker, BrokerError, Consumer, Lane};
use sea_orm::{ConnectionTrait, Database, DatabaseConnection};

use crate::support::eventually;
use crate::world::{
    command, consume, embedded, ends, id, is_quiet, message, next, publish, replies, to_queue,
};

async fn file(folder: &Path) -> DatabaseConnection {
    let url = format!("sqlite://{}", folder.join("broker.sqlite3").display());
    Database::connect(url).await.unwrap()
}

#[tokio::test]
async fn what_was_thrown_out_is_there() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(folder.path());
    publish(&*broker, &command("upsell.import", "m-1")).await;
    let file = file(folder.path()).await;
    file.execute_unprepared("UPDATE message SET queue = queue || '.dlq'").await.unwrap();
    let mut consumer = broker.consume_thrown_out(Lane::Checkout, 10).await.unwrap();
    let delivery = next(&mut consumer).await;
    assert_eq!((id(&delivery), delivery.lane), ("m-1", Lane::Checkout));
    assert_eq!(delivery.message, message("upsell.import", "m-1"));
}

#[tokio::test]
async fn what_was_confirmed_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(folder.path());
    for n in 0..3 {
        publish(&*broker, &command("order.import", &n.to_string())).await;
    }
    let mut consumer = consume(&*broker, Lane::Checkout, 1).await;
    next(&mut consumer).await.settle.ack().await.unwrap();
    let gone = replies(&*broker).await.queue();
    drop((consumer, broker));
    let broker = embedded(folder.path());
    let mut consumer = consume(&*broker, Lane::Checkout, 10).await;
    for n in 1..3 {
        let delivery = next(&mut consumer).await;
        assert_eq!(id(&delivery), n.to_string());
        delivery.settle.ack().await.unwrap();
    }
    assert!(is_quiet(&mut consumer).await);
    eventually("the end of the old reply queue", async || {
        let results = broker.publish_all(vec![to_queue(&gone, "order.paid", "m")]).await;
        results[0].is_err().then_some(())
    })
    .await;
}

#[tokio::test]
async fn nothing_that_was_taken_is_left_in_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(folder.path());
    for n in 0..20 {
        let mut event = to_queue(Lane::Checkout.queue(), "order.paid", "m");
        // Short and long: SQLite keeps the rest of a long one elsewhere.
        event.message.body = "Ada Lovelace, ".repeat(1 + n * 40).into_bytes();
        publish(&*broker, &event).await;
    }
    let mut consumer = consume(&*broker, Lane::Checkout, 5).await;
    for _ in 0..20 {
        next(&mut consumer).await.settle.ack().await.unwrap();
    }
    drop(consumer);
    broker.close().await;
    for entry in std::fs::read_dir(folder.path()).unwrap() {
        let path = entry.unwrap().path();
        let bytes = std::fs::read(&path).unwrap();
        let found = bytes.windows(12).any(|at| at == b"Ada Lovelace");
        assert!(!found, "{} names the buyer", path.display());
    }
    // Nothing more is asked for by this process, and another finds the broker as it was.
    assert!(broker.check().await.is_err());
    let broker = embedded(folder.path());
    publish(&*broker, &command("order.import", "after")).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 5).await;
    assert_eq!(id(&next(&mut consumer).await), "after");
}

/// A process that has the only message in hand and gave its last sign at `seen_at`.
async fn forge_a_holder(folder: &Path, process: &str, seen_at: i64) {
    let file = file(folder).await;
    let held = format!("UPDATE message SET holder = '{process}/0', deliveries = deliveries + 1");
    for statement in [
        format!("INSERT INTO process (id, seen_at) VALUES ('{process}', {seen_at})"),
        format!("INSERT INTO queue (name, process) VALUES ('theirs', '{process}')"),
        held,
    ] {
        file.execute_unprepared(&statement).await.unwrap();
    }
}

async fn comes_to(mut consumer: Box<dyn Consumer>) {
    let delivery = next(&mut consumer).await;
    assert!(delivery.redelivered);
    delivery.settle.ack().await.unwrap();
}

#[tokio::test]
async fn what_a_killed_process_held_goes_to_another() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(folder.path());
    publish(&*broker, &command("order.import", "m-1")).await;
    // Its lock went with it; that its last sign is of now is of no use to it.
    forge_a_holder(folder.path(), "killed", i64::MAX / 2).await;
    comes_to(consume(&*broker, Lane::Checkout, 1).await).await;
    let theirs = broker.publish_all(vec![to_queue("theirs", "k", "m-2")]).await;
    assert!(theirs[0].is_err(), "its reply queue outlived it");
}

#[tokio::test]
async fn a_process_that_keeps_its_lock_and_gives_no_sign_is_as_good_as_dead() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(folder.path());
    publish(&*broker, &command("order.import", "m-1")).await;
    let lock = File::create(folder.path().join("broker.frozen.lock")).unwrap();
    lock.try_lock().unwrap();
    forge_a_holder(folder.path(), "frozen", 0).await;
    comes_to(consume(&*broker, Lane::Checkout, 1).await).await;
}

#[tokio::test]
async fn a_process_alive_keeps_what_it_has() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(folder.path());
    publish(&*broker, &command("order.import", "m-1")).await;
    let lock = File::create(folder.path().join("broker.alive.lock")).unwrap();
    lock.try_lock().unwrap();
    forge_a_holder(folder.path(), "alive", i64::MAX / 2).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 1).await;
    for _ in 0..3 {
        assert!(is_quiet(&mut consumer).await);
    }
}

#[tokio::test]
async fn who_was_taken_for_dead_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let broker = embedded(folder.path());
    publish(&*broker, &command("order.import", "m-1")).await;
    let mut consumer = consume(&*broker, Lane::Checkout, 1).await;
    let mut mine = replies(&*broker).await;
    let in_hand = next(&mut consumer).await;
    let file = file(folder.path()).await;
    for statement in ["UPDATE message SET holder = NULL", "DELETE FROM process"] {
        file.execute_unprepared(statement).await.unwrap();
    }
    let lost = in_hand.settle.ack().await;
    assert!(matches!(lost, Err(BrokerError::Away(_))), "{lost:?}");
    ends(&mut consumer).await;
    assert!(mine.next().await.is_none());
    // And begins again.
    comes_to(consume(&*broker, Lane::Checkout, 1).await).await;
}

#[tokio::test]
async fn a_folder_that_cannot_be_is_a_broker_that_is_away() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("data");
    std::fs::write(&place, "a file").unwrap();
    let broker = embedded(&place);
    assert!(matches!(broker.declare().await, Err(BrokerError::Away(_))));
    assert!(broker.publish_all(vec![command("order.import", "m-1")]).await[0].is_err());
    std::fs::remove_file(&place).unwrap();
    publish(&*broker, &command("order.import", "m-1")).await;
}
