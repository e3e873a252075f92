//! Sealing of secrets and personal data: authenticated encryption under a key whose id stands
//! beside the ciphertext, bound to the identity of the row or message that it belongs to.

pub use crate::domain::payment::Sealed;

/// Why something could not be opened. Never says what was in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key that sealed it is not among the master keys.
    #[error("sealed under a master key that is not configured")]
    UnknownKey,
    /// Changed, cut, or moved from another row.
    #[error("sealed text does not belong here or was changed")]
    Broken,
}

/// Seals and opens.
pub trait Vault: Send + Sync {
    /// Seals `clear`, bound to `identity` (row or message).
    fn seal(&self, identity: &str, clear: &[u8]) -> Sealed;

    /// Opens what was sealed for the same `identity`.
    ///
    /// # Errors
    /// See [`VaultError`].
    fn open(&self, identity: &str, sealed: &Sealed) -> Result<Vec<u8>, VaultError>;
}
