//! What a buyer does on a seller's page.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use serde::{Deserialize, Deserializer};
use serde_json::{Value, json};

use super::{Refused, Reply, created, ok, plans, read};
use crate::Simulator;
use crate::books::{Address, Books, Buyer, Environment, SellerAt};
use crate::v2;

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct BuyerBody {
    name: Option<String>,
    email: Option<String>,
    /// Absent is the demo address, `null` is none: goods that nobody ships.
    #[serde(deserialize_with = "present")]
    address: Option<Option<AddressBody>>,
}

fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct AddressBody {
    name: Option<String>,
    address_line1: Option<String>,
    address_line2: Option<String>,
    address_line3: Option<String>,
    city: Option<String>,
    state_or_region: Option<String>,
    postal_code: Option<String>,
    country_code: Option<String>,
    phone: Option<String>,
}

impl AddressBody {
    fn address(self, buyer: &str) -> Address {
        Address {
            name: self.name.or_else(|| Some(buyer.to_owned())),
            address_line1: self.address_line1,
            address_line2: self.address_line2,
            address_line3: self.address_line3,
            city: self.city,
            state_or_region: self.state_or_region,
            postal_code: self.postal_code,
            country_code: self.country_code,
            phone: self.phone,
        }
    }
}

impl BuyerBody {
    fn buyer(self, books: &mut Books) -> Arc<Buyer> {
        let name = self.name.unwrap_or_else(|| "Test Buyer".to_owned());
        let address = match self.address {
            None => Some(Address::demo(&name)),
            Some(address) => address.map(|address| address.address(&name)),
        };
        let email = self.email.unwrap_or_else(|| "buyer@example.com".to_owned());
        let user_id = books.user_id(&email);
        Arc::new(Buyer { user_id, name, email, address })
    }
}

/// The seller of this merchant id.
fn seller(books: &Books, merchant_id: &str) -> Result<SellerAt, Refused> {
    let found = books.seller(merchant_id);
    found.ok_or_else(|| Refused::Missing(format!("there is no seller {merchant_id:?}")))
}

/// What a buyer leaves; an order reference asks for no consent.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct LeftBody {
    merchant_id: String,
    #[serde(default)]
    buyer: Option<BuyerBody>,
    #[serde(default)]
    plan: Value,
    consent: Option<bool>,
    /// Beyond the contract: binds the object at once, and gives it that environment's letter.
    sandbox: Option<bool>,
}

impl LeftBody {
    fn environment(&self) -> Option<Environment> {
        let of = |sandbox| if sandbox { Environment::Sandbox } else { Environment::Live };
        self.sandbox.map(of)
    }
}

/// `POST /_sim/order-references`
pub(super) async fn order_reference(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: LeftBody = read(&body)?;
    let (plan, environment) = (plans::read(&body.plan), body.environment());
    let mut world = simulator.world();
    let seller = seller(&world.books, &body.merchant_id)?;
    let buyer = body.buyer.unwrap_or_default().buyer(&mut world.books);
    let plan = plan.map_err(Refused::Nonsense)?;
    let (at, token) = world.books.leave_order(seller, buyer, plan, environment);
    let id = &world.books[at].id;
    created(&json!({"amazonOrderReferenceId": id, "accessToken": token}))
}

/// `POST /_sim/billing-agreements`
pub(super) async fn billing_agreement(State(simulator): State<Simulator>, body: Bytes) -> Reply {
    let body: LeftBody = read(&body)?;
    let (plan, environment) = (plans::read(&body.plan), body.environment());
    let mut world = simulator.world();
    let seller = seller(&world.books, &body.merchant_id)?;
    let buyer = body.buyer.unwrap_or_default().buyer(&mut world.books);
    let agreed = (plan.map_err(Refused::Nonsense)?, body.consent.unwrap_or(true));
    let (at, token) = world.books.leave_agreement(seller, buyer, agreed, environment);
    let id = &world.books[at].id;
    created(&json!({"amazonBillingAgreementId": id, "accessToken": token}))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ApproveBody {
    buyer: Option<BuyerBody>,
    plan: Value,
}

/// `POST /_sim/checkout-sessions/{id}/approve`
pub(super) async fn approve(
    State(simulator): State<Simulator>,
    Path(id): Path<String>,
    body: Bytes,
) -> Reply {
    let body: ApproveBody = read(&body)?;
    let plan = plans::read(&body.plan).map_err(Refused::Nonsense)?;
    let mut world = simulator.world();
    let buyer = body.buyer.unwrap_or_default().buyer(&mut world.books);
    match v2::approve(&mut world, &id, buyer, plan) {
        Ok(session) => ok(&session),
        Err(Some(why)) => Err(Refused::Nonsense(why)),
        Err(None) => Err(Refused::Missing(format!("there is no checkout session {id:?}"))),
    }
}
