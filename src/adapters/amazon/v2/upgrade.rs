//! Amazon's Key Upgrade: MWS keys, which sign the request, for a key of API v2. The key pair is
//! ours; Amazon gets its public half and says under which id it knows it.

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{ACCEPT, HOST, HeaderValue};
use reqwest::{Method, Request, Url};
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use rsa::pkcs8::{DecodePrivateKey, EncodePrivateKey, EncodePublicKey, LineEnding};
use rsa::rand_core::{TryCryptoRng, TryRng};
use rsa::{PrivateKey, PublicKey};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

use super::V2Gateway;
use super::sign::{MEDIA, query};
use super::{faults, wire};
use crate::adapters::amazon::regions::Endpoint;
use crate::adapters::amazon::timestamp::timestamp;
use crate::domain::gateway::Fault;
use crate::ports::gateway::{Account, KeyExchange};

/// Only live keys are exchanged; what comes of it signs for both environments.
const PATH: &str = "/live/v2/publicKeyId";

const BITS: usize = 2048;

#[async_trait]
impl KeyExchange for V2Gateway {
    async fn generate(&self) -> Option<SecretString> {
        // A second or two of nothing but reckoning.
        tokio::task::spawn_blocking(generate).await.ok().flatten()
    }

    async fn exchange(
        &self,
        account: &Account,
        private_key: &SecretString,
    ) -> Result<String, Fault> {
        let merchant = &account.merchant;
        let endpoint = self.client.endpoints.at(merchant.region, false);
        let now_ms = self.client.clock.now_ms();
        let request = request(account, endpoint, private_key, &timestamp(now_ms))?;
        let received = self.client.http.send(request).await?;
        if !(200..300).contains(&received.status) {
            return Err(faults::of_answer(&received, now_ms));
        }
        match wire::parse::<wire::GivenKey>(&received.body) {
            Ok(given) if !given.public_key_id.trim().is_empty() => {
                Ok(given.public_key_id.trim().to_owned())
            }
            Ok(_) | Err(wire::Broken::Garbled) => {
                let detail = "the key exchange was answered without an id".to_owned();
                Err(Fault::Unexpected { detail })
            }
            Err(wire::Broken::Truncated) => Err(Fault::Unknown),
        }
    }
}

/// The machine's chance, as the maker of keys wants it.
struct Chance(SystemRandom);

impl TryRng for Chance {
    type Error = Unspecified;

    fn try_next_u32(&mut self) -> Result<u32, Unspecified> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_ne_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Unspecified> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_ne_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Unspecified> {
        self.0.fill(bytes)
    }
}

impl TryCryptoRng for Chance {}

#[expect(clippy::disallowed_methods, reason = "a key pair is nothing but chance")]
fn generate() -> Option<SecretString> {
    let key = PrivateKey::new(&mut Chance(SystemRandom::new()), BITS).ok()?;
    let pem = key.to_pkcs8_pem(LineEnding::LF).ok()?;
    Some(SecretString::from(pem.as_str()))
}

fn public_half(private_key: &SecretString) -> Option<String> {
    let private = PrivateKey::from_pkcs8_pem(private_key.expose_secret()).ok()?;
    PublicKey::from(&private).to_public_key_pem(LineEnding::LF).ok()
}

fn request(
    account: &Account,
    endpoint: &Endpoint,
    private_key: &SecretString,
    timestamp: &str,
) -> Result<Request, Fault> {
    let missing = |code: &str| Fault::Credentials { code: code.to_owned() };
    let credentials = &account.credentials;
    let access_key = credentials.access_key.as_deref().ok_or_else(|| missing("no_access_key"))?;
    let secret_key = credentials.secret_key.as_ref().ok_or_else(|| missing("no_secret_key"))?;
    let public = public_half(private_key).ok_or_else(|| missing("unreadable_private_key"))?;
    let seller = account.merchant.seller_id.as_str();
    let asked =
        signed_query((access_key, secret_key), &endpoint.host, (seller, timestamp), &public);
    let mut url: Url = endpoint.url.clone();
    url.set_path(PATH);
    url.set_query(Some(&asked));
    let mut request = Request::new(Method::GET, url);
    request.headers_mut().insert(HOST, endpoint.host_header.clone());
    request.headers_mut().insert(ACCEPT, HeaderValue::from_static(MEDIA));
    Ok(request)
}

/// The seller is signed under another name than the one under which he is sent, and the public key
/// is not signed at all: so do Amazon's own plugins.
fn signed_query(
    (access_key, secret_key): (&str, &SecretString),
    host: &str,
    (seller, timestamp): (&str, &str),
    public_key: &str,
) -> String {
    let mut fields = vec![
        ("AWSAccessKeyId", access_key),
        ("Action", "GetPublicKeyId"),
        ("SellerId", seller),
        ("SignatureMethod", "HmacSHA256"),
        ("SignatureVersion", "2"),
        ("Timestamp", timestamp),
    ];
    let text = format!("GET\n{host}\n{PATH}\n{}", query(&fields));
    let signature = mac(secret_key.expose_secret(), &text);
    fields[2].0 = "MerchantId";
    fields.push(("PublicKey", public_key));
    fields.push(("Signature", &signature));
    query(&fields)
}

fn mac(secret: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        unreachable!("a key of this algorithm may have any length")
    };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PRIVATE: &str = include_str!("../../../../tests/support/keys/merchant.pem");
    const PUBLIC: &str = include_str!("../../../../tests/support/keys/merchant_public.pem");

    #[test]
    fn the_public_half_is_the_one_of_the_private_key() {
        assert_eq!(public_half(&PRIVATE.into()).unwrap(), PUBLIC);
    }

    #[test]
    fn what_is_signed_names_the_seller_as_mws_does_and_has_no_key_in_it() {
        let secret = SecretString::from("secret");
        let keys = ("AK", &secret);
        let asked = signed_query(keys, "pay-api.amazon.com", ("A1", "2026-11-23T08:00:00Z"), "P K");
        let signed = "GET\npay-api.amazon.com\n/live/v2/publicKeyId\nAWSAccessKeyId=AK\
                      &Action=GetPublicKeyId&SellerId=A1&SignatureMethod=HmacSHA256\
                      &SignatureVersion=2&Timestamp=2026-11-23T08%3A00%3A00Z";
        let signature = mac("secret", signed);
        let pairs: Vec<_> = form_urlencoded::parse(asked.as_bytes()).collect();
        let value = |name: &str| {
            pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.to_string())
        };
        assert_eq!(value("Signature"), Some(signature));
        assert_eq!(value("MerchantId").as_deref(), Some("A1"));
        assert_eq!(value("PublicKey").as_deref(), Some("P K"));
        assert_eq!(value("SellerId"), None);
    }
}
