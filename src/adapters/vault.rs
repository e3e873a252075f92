//! Sealing under the master keys: AES-256-GCM, the identity of the row or message as associated
//! data. Sealed text is `v1.<key id>.<base64url of nonce and ciphertext>`; a format is never
//! changed, a new one gets a new number. Nothing of what is sealed is ever in an error.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use secrecy::{ExposeSecret, SecretBox};
use sha2::{Digest, Sha256};

use crate::ports::clock::Clock;
use crate::ports::vault::{Sealed, Vault, VaultError};

const VERSION: &str = "v1";

struct Key {
    id: String,
    key: LessSafeKey,
}

/// The vault of this process.
pub struct MasterVault {
    sealing: Key,
    others: Vec<Key>,
    clock: Arc<dyn Clock>,
}

impl MasterVault {
    /// Seals under the first key, opens under all; nothing without any.
    #[must_use]
    pub fn new(keys: &[SecretBox<[u8; 32]>], clock: Arc<dyn Clock>) -> Option<Self> {
        let mut keys = keys.iter().filter_map(|key| Key::new(key.expose_secret()));
        let sealing = keys.next()?;
        Some(Self { sealing, others: keys.collect(), clock })
    }

    fn key(&self, id: &str) -> Option<&Key> {
        std::iter::once(&self.sealing).chain(&self.others).find(|key| key.id == id)
    }
}

impl Key {
    fn new(bytes: &[u8; 32]) -> Option<Self> {
        // Of a hash, so that the id tells nothing of the key.
        let digest = Sha256::new().chain_update(b"master key id").chain_update(bytes).finalize();
        let id = digest[..4].iter().map(|byte| format!("{byte:02x}")).collect();
        let key = LessSafeKey::new(UnboundKey::new(&AES_256_GCM, bytes).ok()?);
        Some(Self { id, key })
    }
}

fn nonce(clock: &dyn Clock) -> [u8; NONCE_LEN] {
    let hex = clock.random_hex(NONCE_LEN);
    let mut bytes = [0; NONCE_LEN];
    for (byte, pair) in bytes.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digit = |b: u8| char::from(b).to_digit(16).and_then(|n| u8::try_from(n).ok());
        *byte = (digit(pair[0]).unwrap_or(0) << 4) | digit(pair[1]).unwrap_or(0);
    }
    bytes
}

impl Vault for MasterVault {
    fn seal(&self, identity: &str, clear: &[u8]) -> Sealed {
        let nonce = nonce(&*self.clock);
        let mut whole = Vec::with_capacity(NONCE_LEN + clear.len() + AES_256_GCM.tag_len());
        whole.extend_from_slice(&nonce);
        whole.extend_from_slice(clear);
        let aad = Aad::from(identity.as_bytes());
        let tag = self.sealing.key.seal_in_place_separate_tag(
            Nonce::assume_unique_for_key(nonce),
            aad,
            &mut whole[NONCE_LEN..],
        );
        let Ok(tag) = tag else { unreachable!("only texts beyond 64 GiB cannot be sealed") };
        whole.extend_from_slice(tag.as_ref());
        let mut text = [VERSION, self.sealing.id.as_str(), ""].join(".");
        URL_SAFE_NO_PAD.encode_string(whole, &mut text);
        Sealed(text)
    }

    fn open(&self, identity: &str, sealed: &Sealed) -> Result<Vec<u8>, VaultError> {
        let mut parts = sealed.0.splitn(3, '.');
        let (Some(VERSION), Some(id), Some(text)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(VaultError::Broken);
        };
        let key = self.key(id).ok_or(VaultError::UnknownKey)?;
        let mut bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| VaultError::Broken)?;
        let (nonce, sealed) = bytes.split_at_mut_checked(NONCE_LEN).ok_or(VaultError::Broken)?;
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| VaultError::Broken)?;
        let opened = key
            .key
            .open_in_place(nonce, Aad::from(identity.as_bytes()), sealed)
            .map_err(|_| VaultError::Broken)?;
        Ok(opened.to_vec())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    /// Chance that counts up.
    #[derive(Default)]
    struct Counting(AtomicU64);

    impl Clock for Counting {
        fn now_ms(&self) -> i64 {
            0
        }

        fn random_hex(&self, bytes: usize) -> String {
            let number = self.0.fetch_add(1, Ordering::Relaxed);
            format!("{number:0>width$x}", width = bytes * 2)
        }
    }

    fn vault(keys: &[u8]) -> MasterVault {
        let keys: Vec<_> = keys.iter().map(|byte| SecretBox::new(Box::new([*byte; 32]))).collect();
        MasterVault::new(&keys, Arc::new(Counting::default())).unwrap()
    }

    #[test]
    fn what_is_sealed_is_opened_for_the_same_identity_alone() {
        let vault = vault(&[1]);
        for clear in [&b""[..], b"token", &[0; 10_000]] {
            let sealed = vault.seal("payment/1", clear);
            assert_eq!(vault.open("payment/1", &sealed).unwrap(), clear);
            assert_eq!(vault.open("payment/2", &sealed), Err(VaultError::Broken));
        }
    }

    #[test]
    fn the_text_has_the_key_s_id_and_nothing_of_what_is_in_it() {
        let sealed = vault(&[1]).seal("mid/1", b"wJalrXUtnFEMI");
        let parts: Vec<_> = sealed.0.split('.').collect();
        assert_eq!((parts[0], parts[1].len(), parts.len()), ("v1", 8, 3));
        assert!(!sealed.0.contains("wJalr"));
        assert_ne!(vault(&[1]).seal("a", b"x"), vault(&[2]).seal("a", b"x"));
    }

    #[test]
    fn twice_the_same_is_sealed_differently() {
        let vault = vault(&[1]);
        assert_ne!(vault.seal("a", b"x"), vault.seal("a", b"x"));
    }

    #[test]
    fn after_a_rotation_the_old_key_opens_and_the_new_one_seals() {
        let old = vault(&[1]).seal("a", b"x");
        let rotated = vault(&[2, 1]);
        assert_eq!(rotated.open("a", &old).unwrap(), b"x");
        let new = rotated.seal("a", b"x");
        assert_eq!(vault(&[2]).open("a", &new).unwrap(), b"x");
        assert_eq!(vault(&[2]).open("a", &old), Err(VaultError::UnknownKey));
    }

    #[test]
    fn whatever_is_changed_does_not_open() {
        let vault = vault(&[1]);
        let sealed = vault.seal("a", b"clear").0;
        let body = sealed.rfind('.').unwrap() + 1;
        for at in body..sealed.len() {
            let mut bytes = sealed.clone().into_bytes();
            bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
            let changed = Sealed(String::from_utf8(bytes).unwrap());
            assert_eq!(vault.open("a", &changed), Err(VaultError::Broken), "at {at}");
        }
        for broken in ["", "v1", "v1.x", &sealed[..body], &sealed[..sealed.len() - 1], "v2.a.b"] {
            assert!(vault.open("a", &Sealed(broken.to_owned())).is_err(), "{broken}");
        }
    }

    #[test]
    fn a_nonce_is_the_bytes_of_the_hex_text() {
        struct Fixed;
        impl Clock for Fixed {
            fn now_ms(&self) -> i64 {
                0
            }

            fn random_hex(&self, _: usize) -> String {
                "00ff10a0000000000000000b".to_owned()
            }
        }
        assert_eq!(nonce(&Fixed), [0, 0xff, 0x10, 0xa0, 0, 0, 0, 0, 0, 0, 0, 0x0b]);
    }

    #[test]
    fn without_a_key_there_is_no_vault() {
        assert!(MasterVault::new(&[], Arc::new(Counting::default())).is_none());
    }
}
