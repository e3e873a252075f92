//! The matrix {embedded, RabbitMQ} × {SQLite, PostgreSQL}: one test function becomes one test for
//! each combination. The names end in what .config/nextest.toml leaves out where no services run;
//! keep both alike.

use super::services;

/// Where messages lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Broker {
    Embedded,
    RabbitMq,
}

/// Where payments lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Store {
    Sqlite,
    Postgres,
}

/// Which of Amazon's APIs the MIDs speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Api {
    Mws,
    V2,
}

/// One cell of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Combination {
    pub(crate) broker: Broker,
    pub(crate) store: Store,
    pub(crate) api: Api,
}

impl Combination {
    /// By MWS.
    pub(crate) const fn of(broker: Broker, store: Store) -> Self {
        Self { broker, store, api: Api::Mws }
    }

    pub(crate) const fn by_v2(self) -> Self {
        Self { api: Api::V2, ..self }
    }
}

/// The combination where its services run. Under plain `cargo test` without them the test ends
/// here and says so; `what_was_left_out` says it for the whole run; under `./test` it fails.
pub(crate) fn available(broker: Broker, store: Store) -> Option<Combination> {
    let left_out = services::left_out();
    let lacks = |what: &str| left_out.iter().any(|line| line.contains(what));
    let missing = (broker == Broker::RabbitMq && lacks("RabbitMQ"))
        || (store == Store::Postgres && lacks("PostgreSQL"));
    if missing {
        eprintln!("left out on {broker:?} with {store:?}: {}", left_out.join("; "));
        return None;
    }
    Some(Combination::of(broker, store))
}

/// `on_every_combination!(name, …)`: for each `async fn name(combination: Combination)` of this
/// module the tests `name::{embedded_sqlite, embedded_postgres, rabbitmq_sqlite,
/// rabbitmq_postgres}`.
macro_rules! on_every_combination {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::matrix::{Broker, Store, available};

            #[tokio::test]
            async fn embedded_sqlite() {
                if let Some(here) = available(Broker::Embedded, Store::Sqlite) {
                    Box::pin(super::$name(here)).await;
                }
            }

            #[tokio::test]
            async fn embedded_postgres() {
                if let Some(here) = available(Broker::Embedded, Store::Postgres) {
                    Box::pin(super::$name(here)).await;
                }
            }

            #[tokio::test]
            async fn rabbitmq_sqlite() {
                if let Some(here) = available(Broker::RabbitMq, Store::Sqlite) {
                    Box::pin(super::$name(here)).await;
                }
            }

            #[tokio::test]
            async fn rabbitmq_postgres() {
                if let Some(here) = available(Broker::RabbitMq, Store::Postgres) {
                    Box::pin(super::$name(here)).await;
                }
            }
        }
    )+};
}
pub(crate) use on_every_combination;

/// `on_every_api!(name, …)`: the tests of `on_every_combination!`, which speak MWS, and beside them
/// `by_v2::name::{embedded_sqlite, rabbitmq_postgres}` of the same functions.
macro_rules! on_every_api {
    ($($name:ident),+ $(,)?) => {
        $crate::support::on_every_combination!($($name),+);
        mod by_v2 {
            $(mod $name {
                use $crate::support::matrix::{Broker, Store, available};

                #[tokio::test]
                async fn embedded_sqlite() {
                    if let Some(here) = available(Broker::Embedded, Store::Sqlite) {
                        Box::pin(super::super::$name(here.by_v2())).await;
                    }
                }

                #[tokio::test]
                async fn rabbitmq_postgres() {
                    if let Some(here) = available(Broker::RabbitMq, Store::Postgres) {
                        Box::pin(super::super::$name(here.by_v2())).await;
                    }
                }
            })+
        }
    };
}
pub(crate) use on_every_api;

/// `on_every_broker!(name, …)`: for each `async fn name(broker: Broker)` the tests
/// `name::{embedded, on_rabbitmq}`.
macro_rules! on_every_broker {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::matrix::{Broker, Store, available};

            #[tokio::test]
            async fn embedded() {
                Box::pin(super::$name(Broker::Embedded)).await;
            }

            #[tokio::test]
            async fn on_rabbitmq() {
                if let Some(here) = available(Broker::RabbitMq, Store::Sqlite) {
                    Box::pin(super::$name(here.broker)).await;
                }
            }
        }
    )+};
}
pub(crate) use on_every_broker;

/// `on_every_store!(name, …)`: for each `async fn name(store: Store)` the tests
/// `name::{sqlite, on_postgres}`.
macro_rules! on_every_store {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::matrix::{Broker, Store, available};

            #[tokio::test]
            async fn sqlite() {
                Box::pin(super::$name(Store::Sqlite)).await;
            }

            #[tokio::test]
            async fn on_postgres() {
                if let Some(here) = available(Broker::Embedded, Store::Postgres) {
                    Box::pin(super::$name(here.store)).await;
                }
            }
        }
    )+};
}
pub(crate) use on_every_store;

/// `on_every_queue!(name, …)`: for each `async fn name(combination: Combination)`, which speaks to
/// RabbitMQ itself, the tests `name::{rabbitmq_sqlite, rabbitmq_postgres}`.
macro_rules! on_every_queue {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            use $crate::support::matrix::{Broker, Store, available};

            #[tokio::test]
            async fn rabbitmq_sqlite() {
                if let Some(here) = available(Broker::RabbitMq, Store::Sqlite) {
                    Box::pin(super::$name(here)).await;
                }
            }

            #[tokio::test]
            async fn rabbitmq_postgres() {
                if let Some(here) = available(Broker::RabbitMq, Store::Postgres) {
                    Box::pin(super::$name(here)).await;
                }
            }
        }
    )+};
}
pub(crate) use on_every_queue;
