//! Who is let in: whose key signed, whether the signature is good, and whether there is quota left.

use std::collections::HashMap;
use std::sync::Arc;

use super::Heard;
use super::errors::Error;
use super::key::PublicKey;
use super::operations::Operation;
use super::signature::{SIGNED_ALWAYS, Signable};
use crate::books::{Environment, Region, SellerAt};
use crate::clock::{self, MINUTE};
use crate::{Simulator, World};

/// The header by which a solution provider says for whom he acts.
const ACTING: &str = "x-amz-pay-authtoken";

/// How far a caller's clock may be from the machine's.
const SKEW_MAX: i64 = 15 * MINUTE;

/// Every public key by its id, and whose it is.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    by_id: HashMap<String, (SellerAt, Arc<PublicKey>)>,
    /// The key that each seller registered; those that an upgrade gave out are beside it.
    registered: HashMap<SellerAt, String>,
    /// By each token that was given out: to whom, and for whom he may act.
    acting: HashMap<String, (SellerAt, SellerAt)>,
}

impl Doors {
    /// A seller registers a key, in the place of the one that he had.
    pub(crate) fn register(&mut self, seller: SellerAt, id: &str, key: PublicKey) {
        if let Some(former) = self.registered.insert(seller, id.to_owned())
            && former != id
        {
            self.by_id.remove(&former);
        }
        self.add(seller, id, key);
    }

    /// A seller gets one more key.
    pub(super) fn add(&mut self, seller: SellerAt, id: &str, key: PublicKey) {
        self.by_id.insert(id.to_owned(), (seller, Arc::new(key)));
    }

    /// A token by which one seller may act for another.
    pub(super) fn let_act(&mut self, provider: SellerAt, seller: SellerAt, token: String) {
        self.acting.insert(token, (provider, seller));
    }

    /// The seller for whom whoever signed speaks: himself, or whose token he shows.
    fn speaker(&self, signer: SellerAt, heard: &Heard<'_>) -> Result<SellerAt, Error> {
        match (heard.header(ACTING), self.acting.get(heard.header(ACTING))) {
            ("", _) => Ok(signer),
            (_, Some((provider, seller))) if *provider == signer => Ok(*seller),
            _ => Err(forbidden("InvalidAuthorizationToken", "The token is none of the caller's.")),
        }
    }

    /// The id under which a seller has this key already.
    pub(super) fn id_of(&self, seller: SellerAt, key: &PublicKey) -> Option<&str> {
        let known = |(_, (owner, known)): &(&String, &(SellerAt, Arc<PublicKey>))| {
            *owner == seller && **known == *key
        };
        self.by_id.iter().find(known).map(|(id, _)| id.as_str())
    }
}

/// The merchant id of whoever calls, as far as he says.
pub(super) fn merchant(simulator: &Simulator, heard: &Heard<'_>) -> String {
    let world = simulator.world();
    let seller = named(&world, heard).map(|(seller, _)| world.books[seller].merchant_id.clone());
    seller.unwrap_or_default()
}

/// Who says that he calls, and where.
pub(super) fn named(world: &World, heard: &Heard<'_>) -> Option<(SellerAt, Environment)> {
    let doors = &world.v2.doors;
    let (signer, _) = doors.by_id.get(heard.key_id())?;
    Some((doors.speaker(*signer, heard).ok()?, environment(heard).ok()?))
}

/// Sandbox or live: the path says it, or the key does where it is one for one environment.
fn environment(heard: &Heard<'_>) -> Result<Environment, Error> {
    let id = heard.key_id().to_ascii_uppercase();
    let of_key = match (id.starts_with("SANDBOX"), id.starts_with("LIVE")) {
        (true, _) => Some(Environment::Sandbox),
        (_, true) => Some(Environment::Live),
        (false, false) => None,
    };
    match (heard.section, of_key) {
        (Some(section), Some(of_key)) if section != of_key => {
            Err(forbidden("InvalidAuthentication", "The key is one of the other environment."))
        }
        (section, of_key) => section.or(of_key).ok_or_else(|| {
            forbidden("InvalidAuthentication", "The key is for no environment, and so is the path.")
        }),
    }
}

fn forbidden(code: &str, message: impl Into<String>) -> Error {
    Error::new(403, code, message)
}

/// Lets a caller in, or says why not.
pub(super) fn admit(
    simulator: &Simulator,
    heard: &Heard<'_>,
    operation: &Operation,
) -> Result<(SellerAt, Environment), Error> {
    let Some(claim) = &heard.claim else {
        return Err(forbidden("InvalidAuthentication", "The authorization header is no good."));
    };
    let environment = environment(heard)?;
    let (seller, key) = {
        let mut world = simulator.world();
        let found = world.v2.doors.by_id.get(&claim.key_id).cloned();
        let Some((signer, key)) = found else {
            return Err(forbidden("InvalidAuthentication", "There is no such public key id."));
        };
        let seller = world.v2.doors.speaker(signer, heard)?;
        // Whether the quota is looked at before the signature or after it is reading 10.
        if !world.books.readings.second(10) {
            throttle(&mut world, seller, environment, operation)?;
        }
        check_headers(&world, heard, seller)?;
        (seller, key)
    };
    let signable = Signable {
        method: heard.method,
        path: heard.path,
        query: heard.query,
        headers: heard.headers,
        body: heard.bytes,
    };
    let canonical = signable.canonical(&claim.signed);
    if !claim.is_of(&key, &canonical) {
        let text = claim.string_to_sign(&canonical);
        let message = format!("The signature is not that of this request, which is:\n{text}");
        return Err(forbidden("InvalidRequestSignature", message));
    }
    let mut world = simulator.world();
    if !world.books[seller].active {
        return Err(forbidden("InvalidAccountStatus", "The seller account is not active."));
    }
    if world.books.readings.second(10) {
        throttle(&mut world, seller, environment, operation)?;
    }
    Ok((seller, environment))
}

/// Whether all is there and signed that has to be, and says what it may.
fn check_headers(world: &World, heard: &Heard<'_>, seller: SellerAt) -> Result<(), Error> {
    let Some(claim) = &heard.claim else { return Ok(()) };
    let needed = SIGNED_ALWAYS.into_iter();
    let missing: Vec<&str> = needed.filter(|name| heard.header(name).is_empty()).collect();
    if !missing.is_empty() {
        let message = format!("The request lacks the headers {}.", missing.join(", "));
        return Err(Error::new(400, "MissingHeaderValue", message));
    }
    let key =
        ["x-amz-pay-idempotency-key"].into_iter().filter(|name| !heard.header(name).is_empty());
    let unsigned: Vec<&str> =
        SIGNED_ALWAYS.into_iter().chain(key).filter(|name| !claim.signs(name)).collect();
    if !unsigned.is_empty() {
        let message = format!("These headers are not signed: {}.", unsigned.join(", "));
        return Err(forbidden("InvalidRequestSignature", message));
    }
    let wrong = |name: &str| {
        let message = format!("The value of {name} is no good.");
        Err(Error::new(400, "InvalidHeaderValue", message))
    };
    match clock::parse(heard.header("x-amz-pay-date")) {
        Some(at) if (world.clock.machine() - at).abs() <= SKEW_MAX => {}
        _ => return wrong("x-amz-pay-date"),
    }
    let region = match world.books[seller].region {
        Region::Na => "na",
        Region::Eu | Region::Uk => "eu",
        Region::Jp => "jp",
    };
    if !heard.header("x-amz-pay-region").eq_ignore_ascii_case(region) {
        return wrong("x-amz-pay-region");
    }
    Ok(())
}

fn throttle(
    world: &mut World,
    seller: SellerAt,
    environment: Environment,
    operation: &Operation,
) -> Result<(), Error> {
    let now = world.books.now();
    let World { books, buckets, settings, .. } = world;
    let quota = operation.metered.quota(environment);
    // One bucket of a seller, whichever of his keys signs.
    let who = (books[seller].merchant_id.as_str(), "");
    if !settings.quotas || buckets.take(who, environment, operation.name, quota, now) {
        Ok(())
    } else {
        Err(Error::throttled())
    }
}
