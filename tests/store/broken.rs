//! Connections break, and the store goes on with new ones.

use std::time::Duration;

use amazon_pay_worker::ports::merchants::MerchantStore as _;
use amazon_pay_worker::ports::store::{Store as _, StoreError};
use sea_orm::{ConnectionTrait, Database, Statement, TransactionTrait};

use crate::fixtures::*;
use crate::support::{Store, matrix, on_every_store};

const BREAK_ALL: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                         WHERE datname = current_database() AND pid <> pg_backend_pid()";

/// As after a restart of the server: every connection is broken, and nobody knows it yet.
async fn break_all(store: &Opened) {
    let many = (0..8).map(|_| store.payment("to open a few connections"));
    futures_util::future::try_join_all(many).await.unwrap();
    let server = Database::connect(&store.url).await.unwrap();
    server.execute_unprepared(BREAK_ALL).await.unwrap();
    server.close().await.unwrap();
}

mod what_may_be_asked_twice_is_asked_twice {
    use super::*;

    #[tokio::test]
    async fn on_postgres() {
        if matrix::available(matrix::Broker::Embedded, Store::Postgres).is_none() {
            return;
        }
        let store = open(Store::Postgres).await;
        let payment = order("a");
        insert(&store, &payment).await;
        break_all(&store).await;
        assert_eq!(store.payment(&payment.id()).await.unwrap(), Some(payment));
        break_all(&store).await;
        assert_eq!(store.heartbeat("w", NOW, NOW - 1).await.unwrap(), 1);
        break_all(&store).await;
        assert!(store.merchants().await.unwrap().is_empty());
    }
}

on_every_store!(what_the_database_will_not_have_is_told_apart);

/// As after a migration that went wrong: it would be refused for ever, not only now.
async fn what_the_database_will_not_have_is_told_apart(kind: Store) {
    let store = open(kind).await;
    let server = Database::connect(&store.url).await.unwrap();
    server.execute_unprepared("ALTER TABLE payments RENAME TO gone").await.unwrap();
    let payment = order("a");
    let refused = store.commit(claim(&payment)).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    let refused = store.payment(&payment.id()).await;
    assert!(matches!(refused, Err(StoreError::Refused(_))), "{refused:?}");
    server.execute_unprepared("ALTER TABLE gone RENAME TO payments").await.unwrap();
    store.commit(claim(&payment)).await.unwrap();
}

mod a_commit_is_away_and_then_done {
    use super::*;

    #[tokio::test]
    async fn on_postgres() {
        if matrix::available(matrix::Broker::Embedded, Store::Postgres).is_none() {
            return;
        }
        let store = open(Store::Postgres).await;
        insert(&store, &order("first")).await;
        break_all(&store).await;
        // Whether a broken commit was written is not known: the caller tries again, and knows a
        // conflict for its own success.
        let claim = claim(&order("second"));
        for _ in 0..16 {
            match store.commit(claim.clone()).await {
                Ok(()) | Err(StoreError::Conflict) => return,
                Err(StoreError::Away(_)) => {}
                Err(error) => panic!("{error}"),
            }
        }
        panic!("it stayed away");
    }
}

/// The server ends a writer's connection in the middle of a commit: no answer ever comes.
mod a_commit_without_an_answer_is_away {
    use super::*;

    const LOCKED: &str = "LOCK TABLE inbox IN ACCESS EXCLUSIVE MODE";
    const END_WHO_WAITS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
                                 WHERE datname = current_database() AND wait_event_type = 'Lock'";

    #[tokio::test]
    async fn on_postgres() {
        if matrix::available(matrix::Broker::Embedded, Store::Postgres).is_none() {
            return;
        }
        let store = open(Store::Postgres).await;
        let server = Database::connect(&store.url).await.unwrap();
        let lock = server.begin().await.unwrap();
        lock.execute_unprepared(LOCKED).await.unwrap();
        // Over this connection the next commit goes, too.
        insert(&store, &order("first")).await;
        let second = order("second");
        let (database, commit) = (store.database.clone(), claim(&second));
        let commit = tokio::spawn(async move { database.commit(commit).await });
        crate::support::eventually("a commit that waits", async || {
            let ended = server.query_all_raw(Statement::from_string(
                server.get_database_backend(),
                END_WHO_WAITS,
            ));
            (!ended.await.unwrap().is_empty()).then_some(())
        })
        .await;
        let answer = commit.await.unwrap();
        assert!(matches!(answer, Err(StoreError::Away(_))), "{answer:?}");
        lock.rollback().await.unwrap();
        assert_eq!(store.payment(&second.id()).await.unwrap(), None);
        store.commit(claim(&second)).await.unwrap();
        assert_eq!(store.payment(&second.id()).await.unwrap(), Some(second));
        // Whichever writer it was, it has another connection by now.
        for name in ["third", "fourth", "fifth"] {
            insert(&store, &order(name)).await;
        }
    }
}

#[tokio::test]
async fn a_database_that_is_away_is_away_and_nothing_waits_for_ever() {
    use amazon_pay_worker::adapters::database::{Database, Options};
    let options = Options { acquire_timeout: Duration::from_millis(200), ..Options::default() };
    // A port on which nobody listens.
    let url = "postgres://nobody:secret@127.0.0.1:1/none";
    let store = Database::connect(url, &options).await.unwrap();
    let away = |error: StoreError| match error {
        StoreError::Away(why) => assert!(!why.contains("secret"), "{why}"),
        error => panic!("{error}"),
    };
    away(store.check().await.unwrap_err());
    away(store.payment("a").await.unwrap_err());
    away(store.commit(claim(&order("a"))).await.unwrap_err());
    away(Database::connect("mysql://a:secret@b/c", &options).await.err().unwrap());
}
