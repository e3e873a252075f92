//! Checkout sessions: what the merchant asks of a buyer, and what the buyer says to it.

use std::collections::HashMap;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::body::{Reader, read_money};
use super::errors::Error;
use super::{Call, objects, render};
use crate::World;
use crate::books::{AuthorizationAt, Books, Buyer, Environment, Object, Plan, SellerAt};
use crate::clock::{DAY, HOUR, Millis, compact};
use amazon_pay_money::Money;

/// How long a checkout waits to be completed, and how long its session is kept.
const OPEN_FOR: Millis = 24 * HOUR;
const KEPT_FOR: Millis = 30 * DAY;

/// How a session ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum End {
    Completed { permission: Object, charge: Option<AuthorizationAt> },
    Canceled(&'static str),
}

/// A checkout session.
#[derive(Debug, Clone)]
pub(super) struct Session {
    pub(super) id: String,
    pub(super) seller: SellerAt,
    pub(super) environment: Environment,
    created: Millis,
    updated: Millis,
    /// What the merchant said, section by section.
    pub(super) said: Map<String, Value>,
    /// The buyer, once he has agreed to pay.
    pub(super) buyer: Option<Arc<Buyer>>,
    pub(super) plan: Plan,
    pub(super) end: Option<End>,
}

/// All sessions, by their ids.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    by_id: HashMap<String, Session>,
}

impl Sessions {
    pub(super) fn permission_of(&self, id: &str) -> Option<Object> {
        match self.by_id.get(id)?.end {
            Some(End::Completed { permission, .. }) => Some(permission),
            Some(End::Canceled(_)) | None => None,
        }
    }

    /// The session of this id as its seller sees it, expired where nobody completed it.
    pub(super) fn find(&mut self, call: &Call<'_>, now: Millis) -> Result<&mut Session, Error> {
        let session = self.by_id.get_mut(call.id).ok_or_else(Error::unknown)?;
        let is_his = session.seller == call.seller && session.environment == call.environment;
        if !is_his || now - session.created > KEPT_FOR {
            return Err(Error::unknown());
        }
        session.expire(now);
        Ok(session)
    }
}

/// What is to happen to the money when a checkout is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intent {
    Confirm,
    Authorize,
    AuthorizeWithCapture,
}

/// For what a buyer gives his permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    OneTime,
    Recurring,
    OnFile,
}

/// The terms of a checkout, as far as they decide about money.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) kind: Kind,
    pub(super) intent: Intent,
    pub(super) may_pend: bool,
    pub(super) amount: Option<Money>,
    pub(super) total: Option<Money>,
    pub(super) overcharge: bool,
    pub(super) descriptor: Option<String>,
}

const KINDS: [&str; 3] = ["OneTime", "Recurring", "PaymentMethodOnFile"];
const INTENTS: [&str; 3] = ["Confirm", "Authorize", "AuthorizeWithCapture"];

impl Session {
    fn expire(&mut self, now: Millis) {
        if self.end.is_none() && now - self.created > OPEN_FOR {
            self.finish(End::Canceled("Expired"), self.created + OPEN_FOR);
        }
    }

    pub(super) fn finish(&mut self, end: End, now: Millis) {
        self.end = Some(end);
        self.updated = now;
    }

    /// What its merchant asks for, as it was checked when he said it.
    pub(super) fn terms(&self) -> Terms {
        let details = &self.said.get("paymentDetails").cloned().unwrap_or_default();
        let amount = |name: &str| read_money(&details[name]).ok();
        Terms {
            kind: match self.said.get("chargePermissionType").and_then(Value::as_str) {
                Some("Recurring") => Kind::Recurring,
                Some("PaymentMethodOnFile") => Kind::OnFile,
                _ => Kind::OneTime,
            },
            intent: match details["paymentIntent"].as_str() {
                Some("Authorize") => Intent::Authorize,
                Some("AuthorizeWithCapture") => Intent::AuthorizeWithCapture,
                _ => Intent::Confirm,
            },
            may_pend: details["canHandlePendingAuthorization"] == true,
            amount: amount("chargeAmount"),
            total: amount("totalOrderAmount"),
            overcharge: details["allowOvercharge"] == true,
            descriptor: details["softDescriptor"].as_str().map(str::to_owned),
        }
    }

    /// What keeps it from being completed.
    fn constraints(&self) -> Vec<Value> {
        let mut found = Vec::new();
        let mut add = |id: &str, what: &str| {
            found.push(json!({"constraintId": id, "description": what}));
        };
        if self.end.is_none() {
            if self.buyer.is_none() {
                add("BuyerNotAssociated", "No buyer has agreed to this checkout yet.");
            }
            if self.terms().amount.is_none() {
                add("ChargeAmountNotSet", "chargeAmount is not set.");
            }
            let details = self.said.get("paymentDetails");
            if details.is_none_or(|details| details["paymentIntent"].is_null()) {
                add("PaymentIntentNotSet", "paymentIntent is not set.");
            }
        }
        found
    }

    /// The session as API v2 shows it. Once it is completed, who bought is told by the permission.
    pub(super) fn show(&self, books: &Books) -> Value {
        let said = |name: &str| self.said.get(name).cloned().unwrap_or_default();
        let (state, reason) = match &self.end {
            None => ("Open", None),
            Some(End::Completed { .. }) => ("Completed", None),
            Some(End::Canceled(reason)) => ("Canceled", Some(*reason)),
        };
        let (permission, charge) = match &self.end {
            Some(End::Completed { permission, charge }) => {
                let charge = charge.map(|at| objects::charge_id(books, at));
                (Some(books.names(*permission).0.to_owned()), charge)
            }
            Some(End::Canceled(_)) | None => (None, None),
        };
        let buyer = self.buyer.as_ref().filter(|_| self.end.is_none());
        let address = buyer.and_then(|buyer| buyer.address.as_ref()).map(render::address);
        let mut web = said("webCheckoutDetails");
        if web.is_object() {
            let page = "https://payments.amazon.com/checkout/processing?amazonCheckoutSessionId=";
            web["amazonPayRedirectUrl"] = Value::from(format!("{page}{}", self.id));
        }
        let kind = self.said.get("chargePermissionType").and_then(Value::as_str);
        json!({
            "checkoutSessionId": self.id,
            "storeId": said("storeId"),
            "productType": said("productType"),
            "webCheckoutDetails": web,
            "paymentDetails": said("paymentDetails"),
            "chargePermissionType": kind.unwrap_or(KINDS[0]),
            "recurringMetadata": said("recurringMetadata"),
            "paymentMethodOnFileMetadata": said("paymentMethodOnFileMetadata"),
            "merchantMetadata": said("merchantMetadata"),
            "supplementaryData": said("supplementaryData"),
            "platformId": said("platformId"),
            "providerMetadata": said("providerMetadata"),
            "deliverySpecifications": said("deliverySpecifications"),
            "buyer": buyer.map(|buyer| render::buyer(buyer)),
            "billingAddress": address,
            "shippingAddress": address,
            // JSON in a text, in JSON: Amazon's own SDKs take it apart.
            "shippingAddressList": address.as_ref().map(|address| vec![address.to_string()]),
            "paymentPreferences": buyer.map(|_| render::preferences()),
            "constraints": self.constraints(),
            "statusDetails": {
                "state": state,
                "reasonCode": reason,
                "reasonDescription": null,
                "lastUpdatedTimestamp": compact(self.updated),
            },
            "chargePermissionId": permission,
            "chargeId": charge,
            "creationTimestamp": compact(self.created),
            "expirationTimestamp": compact(self.created + OPEN_FOR),
            "releaseEnvironment": render::environment(self.environment),
        })
    }
}

/// Reads what a merchant says of a session, section by section.
fn read(body: &Value, store_id: Option<&str>) -> Result<Map<String, Value>, Error> {
    let mut reader = Reader::new(body)?;
    let store = reader.text("storeId", 255);
    if let (Some(store), Some(known)) = (store, store_id)
        && store != known
    {
        return Err(Error::invalid("storeId: not one of this merchant"));
    }
    reader.one_of("chargePermissionType", &KINDS);
    reader.one_of("productType", &["PayAndShip", "PayOnly", "SignIn"]);
    reader.text("platformId", 255);
    reader.text("supplementaryData", 2048);
    reader.text("checkoutButtonText", 255);
    reader.any("scopes");
    for name in ["webCheckoutDetails", "paymentMethodOnFileMetadata", "providerMetadata"] {
        reader.object(name);
    }
    for name in ["addressDetails", "deliverySpecifications"] {
        reader.object(name);
    }
    reader.object("merchantMetadata");
    if let Some(frequency) = reader.object("recurringMetadata").and_then(|of| of.get("frequency"))
        && !frequency["value"].is_string()
    {
        return Err(Error::invalid("recurringMetadata.frequency.value: must be a text"));
    }
    let details = reader.object("paymentDetails").is_some();
    reader.finish()?;
    if details {
        read_details(&body["paymentDetails"])?;
    }
    let metadata = &body["merchantMetadata"];
    if metadata.is_object() {
        read_metadata(metadata)?;
    }
    let said = body.as_object().into_iter().flatten();
    let said = said.filter(|(_, value)| !value.is_null());
    Ok(said.map(|(name, value)| (name.clone(), value.clone())).collect())
}

fn read_details(details: &Value) -> Result<(), Error> {
    let mut reader = Reader::new(details)?;
    let intent = reader.one_of("paymentIntent", &INTENTS);
    reader.flag("canHandlePendingAuthorization");
    for name in ["chargeAmount", "totalOrderAmount", "estimateOrderTotal"] {
        reader.money(name);
    }
    reader.text("presentmentCurrency", 3);
    reader.flag("allowOvercharge");
    reader.flag("extendExpiration");
    let descriptor = reader.text("softDescriptor", 16);
    reader.finish()?;
    if descriptor.is_some() && intent.is_some_and(|intent| intent != INTENTS[2]) {
        let message = "softDescriptor: only with AuthorizeWithCapture";
        return Err(Error::new(400, "InvalidParameterCombination", message));
    }
    Ok(())
}

/// What a merchant says of an order: his own id for it and texts for the buyer.
pub(super) fn read_metadata(metadata: &Value) -> Result<(), Error> {
    let mut reader = Reader::new(metadata)?;
    reader.text("merchantReferenceId", 256);
    reader.text("merchantStoreName", 50);
    reader.text("noteToBuyer", 255);
    reader.text("customInformation", 4096);
    reader.finish()
}

/// `POST checkoutSessions`
pub(super) fn create(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let said = read(call.body, world.books[call.seller].store_id.as_deref())?;
    let now = world.books.now();
    let session = Session {
        id: world.books.ids.uuid(),
        seller: call.seller,
        environment: call.environment,
        created: now,
        updated: now,
        said,
        buyer: None,
        plan: Plan::default(),
        end: None,
    };
    let shown = session.show(&world.books);
    world.v2.sessions.by_id.insert(session.id.clone(), session);
    Ok((201, shown))
}

/// `GET checkoutSessions/{id}`
pub(super) fn get(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let now = world.books.now();
    let session = world.v2.sessions.find(call, now)?;
    Ok((200, session.show(&world.books)))
}

/// `PATCH checkoutSessions/{id}`: what is said anew takes the place of what was said, within each
/// section.
pub(super) fn update(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let said = read(call.body, world.books[call.seller].store_id.as_deref())?;
    let now = world.books.now();
    let session = world.v2.sessions.find(call, now)?;
    if session.end.is_some() {
        return Err(Error::new(422, "InvalidCheckoutSessionStatus", "The session is not Open."));
    }
    for (name, value) in said {
        match (session.said.get_mut(&name), value) {
            (Some(Value::Object(known)), Value::Object(new)) => known.extend(new),
            (_, value) => {
                session.said.insert(name, value);
            }
        }
    }
    session.updated = now;
    Ok((200, session.show(&world.books)))
}

/// The buyer agrees, on Amazon's own page, to what a session asks of him.
///
/// # Errors
/// There is no such session (`None`), or a text that says why not.
pub(crate) fn approve(
    world: &mut World,
    id: &str,
    buyer: Arc<Buyer>,
    plan: Plan,
) -> Result<Value, Option<String>> {
    let now = world.books.now();
    let session = world.v2.sessions.by_id.get_mut(id).ok_or(None)?;
    session.expire(now);
    if session.end.is_some() {
        return Err(Some("the checkout session is not open".to_owned()));
    }
    session.buyer = Some(buyer);
    session.plan = plan;
    session.updated = now;
    Ok(session.show(&world.books))
}
