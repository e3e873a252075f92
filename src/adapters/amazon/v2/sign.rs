//! RSA-PSS over the canonical request: what is signed is what is sent. Made anew for every attempt,
//! because Amazon refuses old timestamps. Only this module makes a signature.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::rand::SystemRandom;
use ring::signature::{RSA_PSS_SHA256, RsaKeyPair};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::pkcs8::DecodePrivateKey;
use rsa::signature::{SignatureEncoding, Signer};
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};

use super::delegation;

/// What stands for itself: letters, digits and `-_.~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Both are RSA-PSS with SHA-256; they differ by the length of the salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    /// A salt of 32 bytes.
    Current,
    /// A salt of 20 bytes: what was there when keys had no environment in their names.
    Older,
}

impl Algorithm {
    /// The algorithm of a key, by its public id.
    pub(super) fn of(public_key_id: &str) -> Self {
        if is_of_one_environment(public_key_id) { Algorithm::Current } else { Algorithm::Older }
    }

    const fn name(self) -> &'static str {
        match self {
            Algorithm::Current => "AMZN-PAY-RSASSA-PSS-V2",
            Algorithm::Older => "AMZN-PAY-RSASSA-PSS",
        }
    }
}

/// Whether a key says by its name which environment it is for; then the path does not.
pub(super) fn is_of_one_environment(public_key_id: &str) -> bool {
    let begins = |word: &str| {
        public_key_id.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word))
    };
    begins("SANDBOX") || begins("LIVE")
}

/// Why a private key cannot sign.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the private key is no RSA key in PEM (PKCS#1 or PKCS#8) of 2048 bits or more")]
pub(super) struct BadKey;

enum Signing {
    Current(Box<RsaKeyPair>),
    /// ring has no salt but that of the digest's length.
    Older(Box<rsa::pss::SigningKey<Sha256>>),
}

/// A private key, read. It has no debug form.
pub(super) struct Key {
    id: String,
    signing: Signing,
    random: SystemRandom,
}

impl Key {
    /// Reads a private key in PEM, whichever of the two layouts it has.
    #[expect(clippy::disallowed_methods, reason = "the salt; ring takes chance from nowhere else")]
    pub(super) fn read(public_key_id: &str, pem: &str) -> Result<Self, BadKey> {
        let der = PrivateKeyDer::from_pem_slice(pem.as_bytes()).map_err(|_| BadKey)?;
        let signing = match Algorithm::of(public_key_id) {
            Algorithm::Current => Signing::Current(Box::new(current(&der)?)),
            Algorithm::Older => {
                // What ring refuses (too short, inconsistent) is not for signing either way.
                current(&der)?;
                let key = older(&der)?;
                let signing = rsa::pss::SigningKey::new_with_salt_len(key, 20);
                Signing::Older(Box::new(signing))
            }
        };
        Ok(Self { id: public_key_id.to_owned(), signing, random: SystemRandom::new() })
    }

    fn algorithm(&self) -> Algorithm {
        match self.signing {
            Signing::Current(_) => Algorithm::Current,
            Signing::Older(_) => Algorithm::Older,
        }
    }

    fn sign(&self, text: &str) -> Result<Vec<u8>, BadKey> {
        match &self.signing {
            Signing::Current(pair) => {
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(&RSA_PSS_SHA256, &self.random, text.as_bytes(), &mut signature)
                    .map_err(|_| BadKey)?;
                Ok(signature)
            }
            Signing::Older(key) => {
                let signature = key.try_sign(text.as_bytes()).map_err(|_| BadKey)?;
                Ok(signature.to_vec())
            }
        }
    }
}

/// Whether a text is a private key in PEM that can sign.
#[must_use]
pub fn is_private_key(pem: &str) -> bool {
    Key::read("LIVE", pem).is_ok()
}

fn current(der: &PrivateKeyDer<'_>) -> Result<RsaKeyPair, BadKey> {
    match der {
        PrivateKeyDer::Pkcs1(key) => RsaKeyPair::from_der(key.secret_pkcs1_der()),
        PrivateKeyDer::Pkcs8(key) => RsaKeyPair::from_pkcs8(key.secret_pkcs8_der()),
        _ => return Err(BadKey),
    }
    .map_err(|_| BadKey)
}

fn older(der: &PrivateKeyDer<'_>) -> Result<rsa::PrivateKey, BadKey> {
    match der {
        PrivateKeyDer::Pkcs1(key) => {
            rsa::PrivateKey::from_pkcs1_der(key.secret_pkcs1_der()).map_err(|_| BadKey)
        }
        PrivateKeyDer::Pkcs8(key) => {
            rsa::PrivateKey::from_pkcs8_der(key.secret_pkcs8_der()).map_err(|_| BadKey)
        }
        _ => Err(BadKey),
    }
}

/// A request as it is signed and sent.
pub(super) struct Unsigned<'a> {
    pub(super) method: &'static str,
    /// Beginning with `/`, not encoded.
    pub(super) path: &'a str,
    /// Name and value, not encoded, in any order.
    pub(super) query: &'a [(&'a str, &'a str)],
    pub(super) host: &'a str,
    /// `na`, `eu` or `jp`.
    pub(super) region: &'a str,
    /// `yyyyMMddTHHmmssZ`.
    pub(super) date: &'a str,
    /// Of a solution provider, who acts for another seller.
    pub(super) auth_token: Option<&'a str>,
    pub(super) idempotency_key: Option<&'a str>,
    pub(super) body: &'a [u8],
}

/// The signed headers that every request has, beside those that are ours to choose.
pub(super) const MEDIA: &str = "application/json";

impl<'a> Unsigned<'a> {
    /// Names and values that are signed, by name.
    fn headers(&self) -> Vec<(&'static str, &'a str)> {
        let mut headers = vec![("accept", MEDIA), ("content-type", MEDIA)];
        headers.extend(self.auth_token.map(|token| (delegation::HEADER, token)));
        headers.extend([("x-amz-pay-date", self.date), ("x-amz-pay-host", self.host)]);
        headers.extend(self.idempotency_key.map(|key| ("x-amz-pay-idempotency-key", key)));
        headers.push(("x-amz-pay-region", self.region));
        headers
    }

    fn canonical(&self) -> (String, String) {
        let mut text = format!("{}\n{}\n{}\n", self.method, path(self.path), query(self.query));
        let headers = self.headers();
        for (name, value) in &headers {
            text.push_str(name);
            text.push(':');
            let mut words = value.split_whitespace();
            text.push_str(words.next().unwrap_or_default());
            for word in words {
                text.push(' ');
                text.push_str(word);
            }
            text.push('\n');
        }
        let names = headers.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        text.push('\n');
        text.push_str(&names);
        text.push('\n');
        text.push_str(&hex(&Sha256::digest(self.body)));
        (text, names)
    }

    fn canonical_hash(&self) -> (String, String) {
        let (text, names) = self.canonical();
        (hex(&Sha256::digest(text.as_bytes())), names)
    }

    /// The value of the `authorization` header.
    pub(super) fn sign(&self, key: &Key) -> Result<String, BadKey> {
        let (hash, names) = self.canonical_hash();
        let algorithm = key.algorithm().name();
        let signature = key.sign(&format!("{algorithm}\n{hash}"))?;
        let signature = STANDARD.encode(signature);
        let id = &key.id;
        Ok(format!("{algorithm} PublicKeyId={id}, SignedHeaders={names}, Signature={signature}"))
    }
}

/// A path with each segment encoded; runs of slashes are one.
pub(super) fn path(given: &str) -> String {
    let mut text = String::with_capacity(given.len() + 1);
    for segment in given.split('/').filter(|segment| !segment.is_empty()) {
        text.push('/');
        text.extend(utf8_percent_encode(segment, ENCODED));
    }
    if text.is_empty() || given.len() > 1 && given.ends_with('/') {
        text.push('/');
    }
    text
}

/// A query, sorted by name and value as they are once encoded.
pub(super) fn query(given: &[(&str, &str)]) -> String {
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let mut pairs: Vec<_> =
        given.iter().map(|(name, value)| (encode(name), encode(value))).collect();
    pairs.sort_unstable();
    let pairs = pairs.iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        let written = write!(text, "{byte:02x}");
        debug_assert!(written.is_ok(), "a string takes whatever is written");
    }
    text
}

#[cfg(test)]
#[path = "sign_tests.rs"]
mod tests;
