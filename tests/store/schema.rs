//! Migrations go up, down and up again, by one process at a time, and a schema that is behind is
//! told.

use amazon_pay_worker::ports::store::{Store as _, StoreError};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(
    migrations_go_up_and_down_and_up,
    many_may_migrate_at_once,
    a_schema_that_is_behind_is_told,
);

async fn migrations_go_up_and_down_and_up(store: Store) {
    let store = open_empty(store).await;
    let count = store.migration_status().await.unwrap().len();
    for _ in 0..2 {
        store.migrate_up().await.unwrap();
        assert!(store.migration_status().await.unwrap().iter().all(|one| one.applied));
        store.check().await.unwrap();
        store.commit(claim(&order("kept"))).await.unwrap();
        store.migrate_down(None).await.unwrap();
        assert!(store.migration_status().await.unwrap().iter().all(|one| !one.applied));
    }
    for behind in (0..count).rev() {
        store.migrate_up().await.unwrap();
        let steps = u32::try_from(count - behind).unwrap();
        store.migrate_down(Some(steps)).await.unwrap();
        let status = store.migration_status().await.unwrap();
        assert_eq!(status.iter().filter(|one| one.applied).count(), behind);
    }
    store.migrate_up().await.unwrap();
    store.migrate_up().await.unwrap();
    assert_eq!(store.payment(&order("kept").id()).await.unwrap(), None);
}

async fn many_may_migrate_at_once(store: Store) {
    let store = open_empty(store).await;
    let mut tasks = Vec::new();
    for _ in 0..4 {
        let other = store.again().await;
        tasks.push(tokio::spawn(async move { other.migrate_up().await }));
    }
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    store.check().await.unwrap();
}

async fn a_schema_that_is_behind_is_told(store: Store) {
    let store = open_empty(store).await;
    assert!(matches!(store.check().await, Err(StoreError::Away(_))));
    store.migrate_up().await.unwrap();
    store.migrate_down(Some(1)).await.unwrap();
    let Err(StoreError::Away(why)) = store.check().await else { panic!("not told") };
    assert!(why.contains("behind"), "{why}");
}
