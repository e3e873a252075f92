//! Merchant accounts and clients of ingest, added, replaced, read back.

use amazon_pay_worker::domain::merchant::{Api, MerchantAccount, Reauthorize, Region};
use amazon_pay_worker::domain::payment::Sealed;
use amazon_pay_worker::ports::merchants::{ApiClient, MerchantRow, MerchantStore as _};

use crate::fixtures::*;
use crate::support::{Store, on_every_store};

on_every_store!(merchants_are_read_back_and_grow, clients_are_read_back);

fn bare(id: &str) -> MerchantRow {
    let merchant = MerchantAccount {
        id: mid(id),
        title: "a shop".into(),
        soft_descriptor: None,
        mid_number: None,
        region: Region::Jp,
        sandbox: false,
        api: Api::V2,
        seller_id: "SELLER".into(),
        enabled: false,
        reauthorize: Reauthorize { enabled: false, window_s: 0, max: 0 },
        revision: 1,
    };
    MerchantRow { merchant, secrets: Sealed("k1:secrets".into()) }
}

async fn merchants_are_read_back_and_grow(store: Store) {
    let store = open(store).await;
    assert!(store.merchant(&mid("7")).await.unwrap().is_none());
    store.put_merchant(&bare("8")).await.unwrap();
    store.put_merchant(&bare("7")).await.unwrap();
    let mut full = bare("7");
    full.merchant = MerchantAccount {
        soft_descriptor: Some("AMZ*SHOP".into()),
        mid_number: Some("MID #7".into()),
        region: Region::Eu,
        sandbox: true,
        api: Api::Mws,
        enabled: true,
        reauthorize: Reauthorize { enabled: true, window_s: 86_400, max: 3 },
        ..full.merchant
    };
    full.secrets = Sealed("k2:rotated".into());
    store.put_merchant(&full).await.unwrap();
    full.merchant.revision = 2;
    let read = store.merchant(&mid("7")).await.unwrap().unwrap();
    assert_eq!((&read.merchant, &read.secrets), (&full.merchant, &full.secrets));
    let all = store.merchants().await.unwrap();
    let all: Vec<_> = all.into_iter().map(|row| row.merchant).collect();
    assert_eq!(all, [full.merchant, bare("8").merchant]);
}

async fn clients_are_read_back(store: Store) {
    let store = open(store).await;
    let client = |login: &str, name: &str| ApiClient {
        login_id: login.into(),
        name: name.into(),
        password_hash: "p".into(),
        api_key_hash: "k".into(),
        mids: Vec::new(),
        revoked: false,
    };
    let mut changed = client("1", "b");
    store.put_client(&changed).await.unwrap();
    store.put_client(&client("2", "a")).await.unwrap();
    changed.mids = vec![mid("7"), mid("8")];
    changed.revoked = true;
    store.put_client(&changed).await.unwrap();
    assert_eq!(store.clients().await.unwrap(), [client("2", "a"), changed]);
}
