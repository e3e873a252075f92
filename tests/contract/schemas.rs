//! The JSON Schemas in the repository, compiled with nothing but each other.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use amazon_pay_worker::ports::broker::COMMAND_KEYS;
use jsonschema::{Registry, Validator};
use serde_json::Value;

/// Where the schemas are.
pub(crate) fn folder() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/schemas"))
}

/// A file of the folder, parsed.
pub(crate) fn read(name: &str) -> Value {
    serde_json::from_slice(&fs::read(folder().join(name)).unwrap()).unwrap()
}

fn all() -> BTreeMap<String, Value> {
    let names = fs::read_dir(folder()).unwrap().map(|file| file.unwrap().file_name());
    let names = names.map(|name| name.into_string().unwrap());
    names
        .filter(|name| name.ends_with(".json") && name != "asyncapi.json")
        .map(|name| (name.clone(), read(&name)))
        .collect()
}

/// The compiled schema of this file.
pub(crate) fn schema(name: &str) -> &'static Validator {
    static COMPILED: OnceLock<BTreeMap<String, Validator>> = OnceLock::new();
    &COMPILED.get_or_init(compile)[name]
}

fn compile() -> BTreeMap<String, Validator> {
    let all = all();
    let resources = all.values().map(|schema| (schema["$id"].as_str().unwrap(), schema));
    let registry = Registry::new().extend(resources).unwrap().prepare().unwrap();
    let compiled = all.iter().map(|(name, document)| {
        let options = jsonschema::options().with_registry(&registry).should_validate_formats(true);
        (name.clone(), options.build(document).unwrap())
    });
    compiled.collect()
}

#[test]
fn every_schema_compiles_and_is_named_by_its_file() {
    for (name, document) in all() {
        schema(&name);
        assert!(document["$id"].as_str().unwrap().ends_with(&format!("/v1/{name}")), "{name}");
    }
}

#[test]
fn there_is_a_schema_of_every_command_and_no_other() {
    let mut found: Vec<String> = all().into_keys().collect();
    found.retain(|name| name != "common.json" && name != "event.json");
    let mut wanted: Vec<String> = COMMAND_KEYS.map(|key| format!("{key}.json")).to_vec();
    wanted.sort_unstable();
    assert_eq!(found, wanted);
}
