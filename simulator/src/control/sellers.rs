//! `POST /_sim/sellers`

use axum::body::Bytes;
use axum::extract::State;
use serde::{Deserialize, Serialize};

use super::{Refused, Reply, created, ok, read};
use crate::books::{Region, Seller, SellerChange};
use crate::v2::PublicKey;
use crate::{Simulator, World};

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Body {
    merchant_id: String,
    access_key: Option<String>,
    secret_key: Option<String>,
    mws_auth_token: Option<String>,
    client_id: Option<String>,
    client_secret: Option<String>,
    public_key_id: Option<String>,
    public_key: Option<String>,
    store_id: Option<String>,
    ipn_url: Option<String>,
    active: Option<bool>,
    region: Option<String>,
    upgrade_keys: Option<Vec<String>>,
}

/// The seller as he stands in the books, with what was given out to him.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Registered<'a> {
    merchant_id: &'a str,
    access_key: &'a str,
    secret_key: &'a str,
    mws_auth_token: &'a Option<String>,
    client_id: &'a str,
    client_secret: &'a str,
    public_key_id: &'a Option<String>,
    public_key: &'a Option<String>,
    store_id: &'a Option<String>,
    ipn_url: &'a Option<String>,
    active: bool,
    region: &'static str,
    upgrade_keys: &'a [String],
}

impl<'a> From<&'a Seller> for Registered<'a> {
    fn from(seller: &'a Seller) -> Self {
        Self {
            merchant_id: &seller.merchant_id,
            access_key: &seller.access_key,
            secret_key: &seller.secret_key,
            mws_auth_token: &seller.mws_auth_token,
            client_id: &seller.client_id,
            client_secret: &seller.client_secret,
            public_key_id: &seller.public_key_id,
            public_key: &seller.public_key,
            store_id: &seller.store_id,
            ipn_url: &seller.ipn_url,
            active: seller.active,
            region: seller.region.text(),
            upgrade_keys: &seller.upgrade_keys,
        }
    }
}

/// Registers a seller, or changes one.
pub(super) async fn register(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: Body = read(&body)?;
    if body.merchant_id.trim().is_empty() {
        return Err(Refused::Nonsense("merchantId: must not be empty".to_owned()));
    }
    let region = match body.region.as_deref() {
        None => None,
        Some(text) => match Region::parse(text) {
            Some(region) => Some(region),
            None => return Err(Refused::Nonsense("region: na, eu, uk or jp".to_owned())),
        },
    };
    let text = "publicKey: must be an RSA public key in PEM";
    if body.public_key.as_deref().is_some_and(|pem| PublicKey::from_pem(pem).is_none()) {
        return Err(Refused::Nonsense(text.to_owned()));
    }
    let change = SellerChange {
        access_key: body.access_key,
        secret_key: body.secret_key,
        mws_auth_token: body.mws_auth_token,
        client_id: body.client_id,
        client_secret: body.client_secret,
        public_key_id: body.public_key_id,
        public_key: body.public_key,
        store_id: body.store_id,
        ipn_url: body.ipn_url,
        active: body.active,
        region,
        upgrade_keys: body.upgrade_keys,
    };
    let mut world = simulator.world();
    let (at, is_new) = world.books.register(&body.merchant_id, change);
    let World { books, v2, .. } = &mut *world;
    let key = books[at].public_key.as_deref().and_then(PublicKey::from_pem);
    if let (Some(id), Some(key)) = (&books[at].public_key_id, key) {
        v2.doors.register(at, id, key);
    }
    let registered = Registered::from(&world.books[at]);
    if is_new { created(&registered) } else { ok(&registered) }
}
