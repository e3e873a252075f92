//! The master keys. They never leave this type but as bytes for the vault.

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use secrecy::SecretBox;

use super::reader::Reader;

/// A key of 32 bytes.
pub type MasterKey = SecretBox<[u8; 32]>;

const FORM: &str = "must be base64 of 32 bytes, several comma-separated";

/// Reads them from `MASTER_KEY` or the file of `MASTER_KEY_FILE`.
pub(super) fn read(reader: &mut Reader<'_>, required: bool) -> Vec<MasterKey> {
    let file = reader.text("MASTER_KEY_FILE");
    match (reader.text("MASTER_KEY"), file) {
        (Some(_), Some(_)) => {
            reader.mistake("MASTER_KEY", "is set, and MASTER_KEY_FILE too: keep one of them");
            Vec::new()
        }
        (Some(_), None) => reader.parsed("MASTER_KEY", parse).unwrap_or_default(),
        (None, Some(_)) => {
            let read = |path: &str| {
                let text = std::fs::read_to_string(path)
                    .map_err(|error| format!("cannot be read: {error}"))?;
                parse(&text).map_err(|problem| format!("what it holds {problem}"))
            };
            reader.parsed("MASTER_KEY_FILE", read).unwrap_or_default()
        }
        (None, None) => {
            if required {
                reader.mistake(
                    "MASTER_KEY",
                    "is required: base64 of 32 random bytes, as `openssl rand -base64 32` \
                     prints them, here or in the file of MASTER_KEY_FILE",
                );
            }
            Vec::new()
        }
    }
}

/// Reads keys as `MASTER_KEY` holds them.
///
/// # Errors
/// What they must be; never what they are.
pub fn parse(text: &str) -> Result<Vec<MasterKey>, String> {
    let config =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let standard = GeneralPurpose::new(&alphabet::STANDARD, config);
    let url_safe = GeneralPurpose::new(&alphabet::URL_SAFE, config);
    let mut keys = Vec::new();
    for one in text.split([',', '\n']).map(str::trim).filter(|one| !one.is_empty()) {
        let bytes = standard.decode(one).or_else(|_| url_safe.decode(one)).map_err(|_| FORM)?;
        let key: [u8; 32] = bytes.try_into().map_err(|_| FORM)?;
        keys.push(SecretBox::new(Box::new(key)));
    }
    if keys.is_empty() { Err(FORM.to_owned()) } else { Ok(keys) }
}
