//! API v2 from the merchant's side, signed by the tests themselves: what a lander's back end asks
//! for before the worker hears of it.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use reqwest::Method;
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::http::{Reply, Server};

/// The keys of every seller of the tests; they differ by the ids under which Amazon knows them.
pub(crate) const PRIVATE_KEY: &str = include_str!("keys/merchant.pem");
pub(crate) const PUBLIC_KEY: &str = include_str!("keys/merchant_public.pem");

const ALGORITHM: &str = "AMZN-PAY-RSASSA-PSS-V2";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Whose calls they are, and where.
pub(crate) struct Account {
    key_id: String,
    region: &'static str,
}

impl Account {
    /// The seller's behind a MID.
    pub(crate) fn of(mid: &Value) -> Self {
        let region = match mid["region"].as_str() {
            Some("na") => "na",
            Some("jp") => "jp",
            _ => "eu",
        };
        Self { key_id: mid["publicKeyId"].as_str().expect("a MID of v2").to_owned(), region }
    }
}

/// One signed call at `path` below `/v2`.
pub(crate) async fn call(
    server: &Server,
    account: &Account,
    (method, path): (Method, &str),
    idempotency_key: Option<&str>,
    body: &Value,
) -> Reply {
    let now = server.get("/_sim/clock").await.expect(200);
    let now = now["now"].as_str().unwrap();
    // To the second and without signs, as most of Amazon's own SDKs write it.
    let date = format!("{}Z", now.split(['.', 'Z']).next().unwrap().replace(['-', ':'], ""));
    let host = server.base().trim_start_matches("http://").to_owned();
    let path = format!("/v2/{path}");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    let mut headers = vec![
        ("accept", "application/json"),
        ("content-type", "application/json"),
        ("x-amz-pay-date", date.as_str()),
        ("x-amz-pay-host", &host),
    ];
    headers.extend(idempotency_key.map(|key| ("x-amz-pay-idempotency-key", key)));
    headers.push(("x-amz-pay-region", account.region));
    let lines: String = headers.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
    let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let payload = hex(&Sha256::digest(body.as_bytes()));
    let canonical = format!("{method}\n{path}\n\n{lines}\n{names}\n{payload}");
    let text = format!("{ALGORITHM}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let authorization = format!(
        "{ALGORITHM} PublicKeyId={}, SignedHeaders={names}, Signature={}",
        account.key_id,
        STANDARD.encode(sign(&text))
    );
    headers.push(("authorization", &authorization));
    server.send(method, &path, &headers, body).await
}

#[allow(clippy::disallowed_methods, reason = "the salt; ring takes chance from nowhere else")]
fn sign(text: &str) -> Vec<u8> {
    let der = PrivatePkcs8KeyDer::from_pem_slice(PRIVATE_KEY.as_bytes()).unwrap();
    let pair = RsaKeyPair::from_pkcs8(der.secret_pkcs8_der()).unwrap();
    let mut signature = vec![0; pair.public().modulus_len()];
    let random = SystemRandom::new();
    pair.sign(&RSA_PSS_SHA256, &random, text.as_bytes(), &mut signature).unwrap();
    signature
}
