//! The test support tested: each test's vhost and database are its own, and a run without services
//! says in its last lines what it left out.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

#[path = "../support/mod.rs"]
mod support;

use lapin::BasicProperties;
use sea_orm::{ConnectionTrait, Database};
use support::{Queues, services};

/// Shown at the end of the run (.config/nextest.toml).
#[test]
fn what_was_left_out() {
    let left_out = services::left_out();
    if !left_out.is_empty() {
        println!("LEFT OUT of this run: {}; ./test starts both", left_out.join(", "));
    }
}

mod each_test_has_a_vhost_of_its_own {
    use super::*;

    #[tokio::test]
    async fn on_rabbitmq() {
        let (Some(one), Some(other)) = (services::amqp(), services::amqp()) else { return };
        assert_ne!(one.vhost(), other.vhost());
        let queues = Queues::connect(one.url()).await;
        let mut replies = queues.replies().await;
        queues.publish("", &replies.queue, b"{\"a\":1}", BasicProperties::default()).await;
        assert_eq!(replies.event().await["a"], 1);
        assert!(one.queues().contains(&replies.queue));
        assert!(!other.queues().contains(&replies.queue));
    }
}

mod each_test_has_a_database_of_its_own {
    use super::*;

    #[tokio::test]
    async fn on_postgres() {
        for _ in 0..2 {
            let Some(postgres) = services::postgres().await else { return };
            let database = Database::connect(postgres.url()).await.unwrap();
            database.execute_unprepared("CREATE TABLE t (n BIGINT)").await.unwrap();
        }
    }
}
