//! Reads a JSON object one level deep with every value as it is written: numbers keep their digits,
//! a key that stands twice is seen twice.

use std::fmt;

use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

/// Keys and values in order.
pub(super) type Entries = Vec<(String, Box<RawValue>)>;

/// The entries of an object; none where the text is no JSON object in UTF-8.
pub(super) fn entries(text: &[u8]) -> Option<Entries> {
    let mut reader = serde_json::Deserializer::from_slice(text);
    let entries = reader.deserialize_map(Reader).ok()?;
    reader.end().ok()?;
    Some(entries)
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Entries;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Entries, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry()? {
            entries.push(entry);
        }
        Ok(entries)
    }
}
