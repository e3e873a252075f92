//! RSA public keys as sellers register them, and RSASSA-PSS over SHA-256 with the salts of both
//! algorithms.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use num_bigint::BigUint;
use ring::digest::{SHA256, digest};
use ring::signature::{RSA_PSS_2048_8192_SHA256, UnparsedPublicKey};

const HASH: usize = 32;

/// An RSA public key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct PublicKey {
    /// PKCS#1, as ring reads it.
    pkcs1: Vec<u8>,
    modulus: BigUint,
    exponent: BigUint,
}

impl PublicKey {
    /// Reads a PEM text: `PUBLIC KEY`, or `RSA PUBLIC KEY`.
    pub(crate) fn from_pem(text: &str) -> Option<Self> {
        let (_, rest) = text.split_once("-----BEGIN ")?;
        let (label, rest) = rest.split_once("-----")?;
        let (body, _) = rest.split_once("-----END")?;
        let body: String = body.chars().filter(|letter| !letter.is_whitespace()).collect();
        let der = STANDARD.decode(body).ok()?;
        let pkcs1 = match label {
            "PUBLIC KEY" => {
                let (inside, _) = element(&der, 0x30)?;
                let (_, rest) = element(inside, 0x30)?;
                let (bits, _) = element(rest, 0x03)?;
                bits.strip_prefix(&[0])?.to_vec()
            }
            "RSA PUBLIC KEY" => der,
            _ => return None,
        };
        let (inside, _) = element(&pkcs1, 0x30)?;
        let (modulus, rest) = element(inside, 0x02)?;
        let (exponent, _) = element(rest, 0x02)?;
        let (modulus, exponent) =
            (BigUint::from_bytes_be(modulus), BigUint::from_bytes_be(exponent));
        (modulus.bits() >= 1024).then_some(Self { pkcs1, modulus, exponent })
    }

    /// Whether `signature` is one over `message` by whoever has the private half, with a salt of
    /// so many bytes.
    pub(crate) fn verify(&self, message: &[u8], signature: &[u8], salt: usize) -> bool {
        if salt == HASH {
            let key = UnparsedPublicKey::new(&RSA_PSS_2048_8192_SHA256, &self.pkcs1);
            return key.verify(message, signature).is_ok();
        }
        self.verify_with_salt(message, signature, salt)
    }

    /// RFC 8017, sections 8.1.2 and 9.1.2: ring knows no salt but that of its digest's length.
    fn verify_with_salt(&self, message: &[u8], signature: &[u8], salt: usize) -> bool {
        let bits = usize::try_from(self.modulus.bits() - 1).unwrap_or(0);
        let length = bits.div_ceil(8);
        let number = BigUint::from_bytes_be(signature);
        if number >= self.modulus || signature.len() != self.pkcs1_size() {
            return false;
        }
        let opened = number.modpow(&self.exponent, &self.modulus).to_bytes_be();
        let Some(missing) = length.checked_sub(opened.len()) else { return false };
        let encoded = [vec![0; missing], opened].concat();
        if length < 2 * HASH + salt || encoded.last() != Some(&0xBC) {
            return false;
        }
        let (masked, rest) = encoded.split_at(length - HASH - 1);
        let hash = &rest[..HASH];
        let mut block: Vec<u8> =
            masked.iter().zip(mask(hash, masked.len())).map(|(byte, mask)| byte ^ mask).collect();
        let unused = 8 * length - bits;
        let keep = 0xFF_u8.checked_shr(u32::try_from(unused).unwrap_or(0)).unwrap_or(0);
        if masked[0] & !keep != 0 {
            return false;
        }
        block[0] &= keep;
        let (padding, salted) = block.split_at(block.len() - salt);
        let Some((one, zeros)) = padding.split_last() else { return false };
        if *one != 1 || zeros.iter().any(|byte| *byte != 0) {
            return false;
        }
        let inner = [&[0; 8], digest(&SHA256, message).as_ref(), salted].concat();
        digest(&SHA256, &inner).as_ref() == hash
    }

    fn pkcs1_size(&self) -> usize {
        usize::try_from(self.modulus.bits().div_ceil(8)).unwrap_or(0)
    }
}

/// MGF1 over SHA-256.
fn mask(seed: &[u8], length: usize) -> Vec<u8> {
    let mut mask = Vec::with_capacity(length + HASH);
    for counter in 0u32.. {
        if mask.len() >= length {
            break;
        }
        mask.extend_from_slice(digest(&SHA256, &[seed, &counter.to_be_bytes()].concat()).as_ref());
    }
    mask.truncate(length);
    mask
}

/// One DER element of this tag: its content, and what follows.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7F => (usize::from(first), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(first & 0x7F))?;
            (digits.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
        }
        _ => return None,
    };
    let (inside, after) = rest.split_at_checked(length)?;
    (found == tag).then_some((inside, after))
}
