//! What notifications are signed with: one RSA key for all simulators, and its certificate. The
//! key is no secret, and is trusted only by who names a simulator's host for it. SNS still signs
//! with SHA-1, which no library of ours does any more: so the padding and the power are here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;
use rcgen::{CertificateParams, DistinguishedName, DnType, KeyPair};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};

const KEY: &str = include_str!("key.pem");

/// `DigestInfo` of SHA-1, in front of the digest.
const SHA1_INFO: [u8; 15] =
    [0x30, 0x21, 0x30, 0x09, 0x06, 0x05, 0x2b, 0x0e, 0x03, 0x02, 0x1a, 0x05, 0x00, 0x04, 0x14];

/// Signs, and has the certificate that says so.
pub(super) struct Signer {
    certificate: String,
    length: usize,
    p: BigUint,
    q: BigUint,
    exponent_p: BigUint,
    exponent_q: BigUint,
    inverse_q: BigUint,
}

impl Signer {
    /// None where the key that is built in cannot be read, which a test rules out.
    pub(super) fn new() -> Option<Self> {
        let numbers = numbers(&der(KEY)?)?;
        let [_, modulus, _, _, p, q, exponent_p, exponent_q, inverse_q] =
            numbers.try_into().ok()?;
        let length = usize::try_from(modulus.bits().div_ceil(8)).ok()?;
        let certificate = certificate()?;
        Some(Self { certificate, length, p, q, exponent_p, exponent_q, inverse_q })
    }

    /// The certificate, as PEM.
    pub(super) fn certificate(&self) -> &str {
        &self.certificate
    }

    /// RSASSA-PKCS1-v1_5 with SHA-1, as Base64.
    pub(super) fn sign(&self, text: &str) -> String {
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
        let tail = [&SHA1_INFO[..], hash.as_ref()].concat();
        let mut block = vec![0xff; self.length];
        block[..2].copy_from_slice(&[0, 1]);
        let begin = self.length - tail.len();
        block[begin - 1] = 0;
        block[begin..].copy_from_slice(&tail);
        let signature = self.power(&BigUint::from_bytes_be(&block)).to_bytes_be();
        let mut whole = vec![0; self.length - signature.len()];
        whole.extend(signature);
        STANDARD.encode(whole)
    }

    /// By the primes apart, which is four times as fast.
    fn power(&self, base: &BigUint) -> BigUint {
        let by_p = base.modpow(&self.exponent_p, &self.p);
        let by_q = base.modpow(&self.exponent_q, &self.q);
        let difference = (&by_p + &self.p) - (&by_q % &self.p);
        let factor = (difference * &self.inverse_q) % &self.p;
        by_q + factor * &self.q
    }
}

fn certificate() -> Option<String> {
    let key = KeyPair::from_pem(KEY).ok()?;
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "sns.amazonaws.com");
    Some(params.self_signed(&key).ok()?.pem())
}

fn der(pem: &str) -> Option<Vec<u8>> {
    let lines = pem.lines().filter(|line| !line.starts_with("-----"));
    STANDARD.decode(lines.collect::<String>()).ok()
}

/// The numbers of an RSA key in PKCS #8.
fn numbers(der: &[u8]) -> Option<Vec<BigUint>> {
    let (info, _) = element(der)?;
    let (_, rest) = element(info)?;
    let (_, rest) = element(rest)?;
    let (key, _) = element(rest)?;
    let (mut rest, _) = element(key)?;
    let mut numbers = Vec::new();
    while !rest.is_empty() {
        let (number, after) = element(rest)?;
        numbers.push(BigUint::from_bytes_be(number));
        rest = after;
    }
    Some(numbers)
}

/// The content of the first element, and what is behind it.
fn element(der: &[u8]) -> Option<(&[u8], &[u8])> {
    let (_tag, rest) = der.split_first()?;
    let (first, rest) = rest.split_first()?;
    let (length, rest) = if *first < 0x80 {
        (usize::from(*first), rest)
    } else {
        let bytes = usize::from(*first - 0x80);
        let length = rest.get(..bytes)?.iter();
        (length.fold(0, |sum, byte| (sum << 8) | usize::from(*byte)), rest.get(bytes..)?)
    };
    Some((rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use ring::signature::{
        KeyPair as _, RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, RsaKeyPair, UnparsedPublicKey,
    };

    use super::*;

    #[test]
    fn another_library_verifies_what_is_signed() {
        let signer = Signer::new().unwrap();
        let pair = RsaKeyPair::from_pkcs8(&der(KEY).unwrap()).unwrap();
        let public = pair.public_key().as_ref();
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY, public);
        for text in ["", "Message\n{}\n", "ümläut 東京"] {
            let signature = STANDARD.decode(signer.sign(text)).unwrap();
            key.verify(text.as_bytes(), &signature).unwrap();
            assert!(key.verify(b"another text", &signature).is_err());
        }
        let certificate = der(signer.certificate()).unwrap();
        let has = |part: &[u8]| certificate.windows(part.len()).any(|window| window == part);
        assert!(has(public), "the certificate is of another key");
        assert!(has(b"sns.amazonaws.com"));
    }
}
