//! The matrix {embedded, RabbitMQ} × {SQLite, PostgreSQL}, by either of Amazon's APIs: one test
//! function becomes one test for each cell. The names end in what .config/nextest.toml leaves out
//! where no services run; keep both alike.

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

    pub(crate) const fn by(self, api: Api) -> Self {
        Self { api, ..self }
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

/// The test `cell` of a function by one API, for each cell: `cells!(Mws, path::to::function, …)`.
macro_rules! cells {
    ($api:ident, $function:path, $($cell:ident: $broker:ident $store:ident),+ $(,)?) => {$(
        #[tokio::test]
        async fn $cell() {
            use $crate::support::matrix::{Api, Broker, Store, available};
            if let Some(here) = available(Broker::$broker, Store::$store) {
                Box::pin($function(here.by(Api::$api))).await;
            }
        }
    )+};
}
pub(crate) use cells;

/// … in each of the four.
macro_rules! all_cells {
    ($api:ident, $function:path) => {
        $crate::support::matrix::cells!(
            $api,
            $function,
            embedded_sqlite: Embedded Sqlite,
            embedded_postgres: Embedded Postgres,
            rabbitmq_sqlite: RabbitMq Sqlite,
            rabbitmq_postgres: RabbitMq Postgres,
        );
    };
}
pub(crate) use all_cells;

/// … where there is RabbitMQ.
macro_rules! queue_cells {
    ($api:ident, $function:path) => {
        $crate::support::matrix::cells!(
            $api,
            $function,
            rabbitmq_sqlite: RabbitMq Sqlite,
            rabbitmq_postgres: RabbitMq Postgres,
        );
    };
}
pub(crate) use queue_cells;

/// `on_every_combination!(name, …)`: for each `async fn name(combination: Combination)` of this
/// module, which is about one API alone, the tests `name::{embedded_sqlite, embedded_postgres,
/// rabbitmq_sqlite, rabbitmq_postgres}`.
macro_rules! on_every_combination {
    ($($name:ident),+ $(,)?) => {$(
        mod $name {
            $crate::support::matrix::all_cells!(Mws, super::$name);
        }
    )+};
}
pub(crate) use on_every_combination;

/// `on_every_api!(name, …)`: the tests of `on_every_combination!`, which speak MWS, and beside them
/// `by_v2::name::…` of the same functions.
macro_rules! on_every_api {
    ($($name:ident),+ $(,)?) => {
        $crate::support::on_every_combination!($($name),+);
        mod by_v2 {
            $(mod $name {
                $crate::support::matrix::all_cells!(V2, super::super::$name);
            })+
        }
    };
}
pub(crate) use on_every_api;

/// `on_every_queue!(name, …)`: for each `async fn name(combination: Combination)`, which speaks to
/// RabbitMQ itself, the tests `name::{rabbitmq_sqlite, rabbitmq_postgres}`, and `queue_by_v2::…`.
macro_rules! on_every_queue {
    ($($name:ident),+ $(,)?) => {
        $(mod $name {
            $crate::support::matrix::queue_cells!(Mws, super::$name);
        })+
        mod queue_by_v2 {
            $(mod $name {
                $crate::support::matrix::queue_cells!(V2, super::super::$name);
            })+
        }
    };
}
pub(crate) use on_every_queue;

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
