//! The Key Upgrade API: MWS keys are exchanged for a public key id. It is signed with the MWS
//! secret, by the rules of MWS but over a query of its own, and is there for live keys alone.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::hmac;
use serde_json::{Value, json};

use super::Heard;
use super::errors::Error;
use super::key::PublicKey;
use super::signature::percent_encoded;
use crate::Simulator;
use crate::books::{Region, SellerAt};
use crate::clock::{self, MINUTE};

/// What this call is named by.
pub(super) const NAME: &str = "GetPublicKeyId";
/// The one place where it is.
const PATH: &str = "/live/v2/publicKeyId";
const SKEW_MAX: i64 = 15 * MINUTE;

pub(super) fn is_meant(heard: &Heard<'_>) -> bool {
    heard.method == "GET" && heard.path == PATH
}

fn params(heard: &Heard<'_>) -> BTreeMap<String, String> {
    form_urlencoded::parse(heard.query.as_bytes()).into_owned().collect()
}

/// The merchant id of whoever calls, as far as he says.
pub(super) fn merchant(heard: &Heard<'_>) -> String {
    params(heard).remove("MerchantId").unwrap_or_default()
}

/// Gives out the next key id that the seller is to get; the same key again gets the same id.
pub(super) fn run(simulator: &Simulator, heard: &Heard<'_>) -> Result<Value, Error> {
    let params = params(heard);
    let param = |name: &str| params.get(name).map_or("", String::as_str);
    if !matches!(param("Action"), "GetPublicKeyId" | "GetPublicKeyID") {
        return Err(Error::invalid("Action: must be GetPublicKeyId"));
    }
    let mut world = simulator.world();
    let refused = || Error::new(403, "InvalidAuthentication", "There is no such access key.");
    let seller = world.books.seller(param("MerchantId")).ok_or_else(refused)?;
    if world.books[seller].access_key != param("AWSAccessKeyId") {
        return Err(refused());
    }
    match clock::parse(param("Timestamp")) {
        Some(at) if (world.clock.machine() - at).abs() <= SKEW_MAX => {}
        _ => return Err(Error::invalid("Timestamp: must be in ISO 8601, and now")),
    }
    let (region, secret) = (world.books[seller].region, &world.books[seller].secret_key);
    if !is_signed(secret, region, heard, &params) {
        let message = "The signature is not that of this request.";
        return Err(Error::new(403, "InvalidRequestSignature", message));
    }
    if !world.books[seller].active {
        let message = "The seller account is not active.";
        return Err(Error::new(403, "InvalidAccountStatus", message));
    }
    let key = PublicKey::from_pem(param("PublicKey"))
        .ok_or_else(|| Error::invalid("PublicKey: must be an RSA public key in PEM"))?;
    let id = give(&mut world, seller, key)?;
    Ok(json!({"publicKeyId": id}))
}

fn give(world: &mut crate::World, seller: SellerAt, key: PublicKey) -> Result<String, Error> {
    if let Some(id) = world.v2.doors.id_of(seller, &key) {
        return Ok(id.to_owned());
    }
    let keys = &mut world.books[seller].upgrade_keys;
    if keys.is_empty() {
        let message = "The keys of this seller cannot be upgraded.";
        return Err(Error::new(422, "RequestNotSupported", message));
    }
    let id = keys.remove(0);
    world.v2.doors.add(seller, &id, key);
    Ok(id)
}

/// Signed are some of the parameters, the merchant under the name that MWS has for him, for the
/// host that was called or the one that Amazon has for the region.
fn is_signed(
    secret: &str,
    region: Region,
    heard: &Heard<'_>,
    params: &BTreeMap<String, String>,
) -> bool {
    if params.get("SignatureMethod").map(String::as_str) != Some("HmacSHA256")
        || params.get("SignatureVersion").map(String::as_str) != Some("2")
    {
        return false;
    }
    let Some(Ok(signature)) = params.get("Signature").map(|text| STANDARD.decode(text)) else {
        return false;
    };
    let signed = [
        ("AWSAccessKeyId", "AWSAccessKeyId"),
        ("Action", "Action"),
        ("SellerId", "MerchantId"),
        ("SignatureMethod", "SignatureMethod"),
        ("SignatureVersion", "SignatureVersion"),
        ("Timestamp", "Timestamp"),
    ];
    let query: Vec<String> = signed
        .iter()
        .map(|(name, sent_as)| {
            let value = params.get(*sent_as).map_or("", String::as_str);
            format!("{name}={}", percent_encoded(value))
        })
        .collect();
    let host = heard.header("host").to_ascii_lowercase();
    let portless = host.rsplit_once(':').map_or(host.as_str(), |(name, _)| name);
    let amazon = match region {
        Region::Na => "pay-api.amazon.com",
        Region::Eu | Region::Uk => "pay-api.amazon.eu",
        Region::Jp => "pay-api.amazon.jp",
    };
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    [host.as_str(), portless, amazon].into_iter().any(|host| {
        let text = format!("GET\n{host}\n{PATH}\n{}", query.join("&"));
        hmac::verify(&key, text.as_bytes(), &signature).is_ok()
    })
}
