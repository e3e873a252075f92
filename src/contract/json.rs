//! Reads a JSON object more strictly than the library does: a key that stands twice and a depth
//! above the contract's are told by name, and what else is readable is read all the same. Its
//! errors never repeat what was sent, but for the names of fields.

use std::collections::BTreeSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Number, Value};

use crate::domain::decline::FieldError;

/// The largest body that is acceptable, in bytes. Judged by the caller, who answers for it.
pub const BODY_MAX: usize = 64 * 1024;
/// The deepest nesting that is acceptable; the object itself is the first level.
pub const DEPTH_MAX: usize = 64;
/// Larger ones are not looked at; up to here they are read for the ids in them.
const READ_MAX: usize = 1024 * 1024;

/// What numbers become.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Numbers {
    /// Numbers.
    Kept,
    /// Their literal text, so that `19.90` stays what was written.
    AsText,
}

/// A JSON object as it was sent.
#[derive(Debug, Default)]
pub struct Object {
    /// Its members; of a key that stands twice, the last.
    pub values: Map<String, Value>,
    /// What is wrong with it although it can be read: depth, keys that stand twice.
    pub faults: Vec<FieldError>,
    /// The names of its own members that stand twice: none of their values counts.
    pub doubled: BTreeSet<String>,
}

/// Why a body is no JSON object.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// Far too large to look at.
    #[error("is larger than 64 KiB")]
    TooLarge,
    /// Not text.
    #[error("is not UTF-8")]
    NotUtf8,
    /// Not JSON.
    #[error("is not JSON")]
    NotJson,
    /// JSON, but something else.
    #[error("is not a JSON object")]
    NotAnObject,
}

/// Reads a body.
///
/// # Errors
/// Nothing of it can be read.
pub fn read(body: &[u8], numbers: Numbers) -> Result<Object, Unreadable> {
    if body.len() > READ_MAX {
        return Err(Unreadable::TooLarge);
    }
    let text = std::str::from_utf8(body).map_err(|_| Unreadable::NotUtf8)?;
    let raw: &RawValue = serde_json::from_str(text).map_err(|_| Unreadable::NotJson)?;
    let mut reader = Reader { numbers, faults: Vec::new(), doubled: BTreeSet::new() };
    match reader.value(raw, 1, None)? {
        Value::Object(values) => {
            Ok(Object { values, faults: reader.faults, doubled: reader.doubled })
        }
        _ => Err(Unreadable::NotAnObject),
    }
}

struct Reader {
    numbers: Numbers,
    faults: Vec<FieldError>,
    doubled: BTreeSet<String>,
}

impl Reader {
    fn value(
        &mut self,
        raw: &RawValue,
        depth: usize,
        place: Option<&Place<'_>>,
    ) -> Result<Value, Unreadable> {
        let text = raw.get();
        let nested = matches!(text.as_bytes().first(), Some(b'{' | b'['));
        if nested && depth > DEPTH_MAX {
            let fault = FieldError::new("body", "is nested deeper than 64 levels");
            if !self.faults.contains(&fault) {
                self.faults.push(fault);
            }
            return Ok(Value::Null);
        }
        match text.as_bytes().first() {
            Some(b'{') => self.object(text, depth, place),
            Some(b'[') => {
                let items: Vec<&RawValue> = parsed(text)?;
                let read = |item: &RawValue| self.value(item, depth + 1, place);
                Ok(Value::Array(items.into_iter().map(read).collect::<Result<_, _>>()?))
            }
            Some(b'-' | b'0'..=b'9') => Ok(match self.numbers {
                Numbers::AsText => Value::String(text.to_owned()),
                // Too large for the machine is still JSON, and may stand where nobody looks.
                Numbers::Kept => {
                    parsed::<Number>(text).map_or_else(|_| Value::from(f64::MAX), Value::Number)
                }
            }),
            _ => parsed(text),
        }
    }

    fn object(
        &mut self,
        text: &str,
        depth: usize,
        within: Option<&Place<'_>>,
    ) -> Result<Value, Unreadable> {
        let entries: Entries<'_> = parsed(text)?;
        let mut values = Map::new();
        for (key, raw) in entries.0 {
            let place = Place { within, key: &key };
            let value = self.value(raw, depth + 1, Some(&place))?;
            if values.contains_key(&key) {
                self.faults.push(FieldError::new(place.path(), "stands twice"));
                if depth == 1 {
                    self.doubled.insert(key.clone());
                }
            }
            values.insert(key, value);
        }
        Ok(Value::Object(values))
    }
}

/// Where a member stands: its path is written only where something is wrong with it.
struct Place<'a> {
    within: Option<&'a Place<'a>>,
    key: &'a str,
}

impl Place<'_> {
    fn path(&self) -> String {
        let name = shown(self.key);
        match self.within {
            Some(place) => format!("{}.{name}", place.path()),
            None => name,
        }
    }
}

fn parsed<'de, T: Deserialize<'de>>(text: &'de str) -> Result<T, Unreadable> {
    serde_json::from_str(text).map_err(|_| Unreadable::NotJson)
}

/// A sender's name for a field as it may be repeated: short, and in characters that every log and
/// database takes.
pub(super) fn shown(name: &str) -> String {
    name.chars().take(64).map(|c| if c.is_control() { '?' } else { c }).collect()
}

/// Every entry of an object, in order, twice where it stands twice.
struct Entries<'de>(Vec<(String, &'de RawValue)>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Entries<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Entries(entries))
            }
        }
        from.deserialize_map(All)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(text: &str) -> Result<Object, Unreadable> {
        read(text.as_bytes(), Numbers::Kept)
    }

    #[test]
    fn a_key_that_stands_twice_is_named_wherever_it_is() {
        let object = kept(r#"{"a":1,"b":{"c":1,"c":[{"d":1,"\u0064":2}]},"a":2}"#).unwrap();
        let named: Vec<&str> = object.faults.iter().map(|fault| fault.field.as_str()).collect();
        assert_eq!(named, ["b.c.d", "b.c", "a"]);
        assert!(object.doubled.contains("a") && object.doubled.len() == 1);
        let object = kept(r#"{"a\u0000":1,"a\u0000":2}"#).unwrap();
        assert_eq!(object.faults[0].field, "a?");
    }

    #[test]
    fn sixty_four_levels_are_read_and_what_is_around_a_deeper_one_too() {
        let nested = |levels: usize| {
            format!(r#"{{"id":"x","n":{}{}}}"#, "[".repeat(levels - 1), "]".repeat(levels - 1))
        };
        assert!(kept(&nested(64)).unwrap().faults.is_empty());
        for levels in [65, 20_000] {
            let object = kept(&nested(levels)).unwrap();
            assert_eq!(object.faults.len(), 1);
            assert_eq!(object.values["id"], "x");
        }
    }

    #[test]
    fn numbers_keep_their_literal_text_where_it_is_asked_for() {
        let body = br#"{"p":19.90,"n":{"e":[1e2,-0.50]}}"#;
        let object = read(body, Numbers::AsText).unwrap();
        assert_eq!(
            Value::Object(object.values).to_string(),
            r#"{"n":{"e":["1e2","-0.50"]},"p":"19.90"}"#
        );
    }

    #[test]
    fn what_is_no_object_is_told_apart() {
        assert_eq!(kept("").unwrap_err(), Unreadable::NotJson);
        assert_eq!(kept("{").unwrap_err(), Unreadable::NotJson);
        assert_eq!(kept("{} x").unwrap_err(), Unreadable::NotJson);
        assert_eq!(kept(r#"{"a":"\ud800"}"#).unwrap_err(), Unreadable::NotJson);
        assert_eq!(kept("\u{feff}{}").unwrap_err(), Unreadable::NotJson);
        assert_eq!(kept(" [1]").unwrap_err(), Unreadable::NotAnObject);
        assert_eq!(read(b"{\"a\":\"\xff\"}", Numbers::Kept).unwrap_err(), Unreadable::NotUtf8);
        assert!(kept(r#" {"a":1e999} "#).is_ok());
    }
}
