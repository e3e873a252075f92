//! The AsyncAPI document: its references lead somewhere, and it names what the code names.

use std::collections::BTreeSet;

use amazon_pay_worker::ports::broker::{COMMAND_KEYS, COMMANDS, EVENTS};
use serde_json::Value;

use crate::schemas::{folder, read};

fn references(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::String(target) if name == "$ref" => found.push(target.clone()),
                    _ => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[test]
fn every_reference_leads_somewhere() {
    let document = read("asyncapi.json");
    let mut found = Vec::new();
    references(&document, &mut found);
    assert!(found.len() > 30);
    for target in found {
        match target.strip_prefix('#') {
            Some(pointer) => assert!(document.pointer(pointer).is_some(), "{target}"),
            None => assert!(folder().join(&target).is_file(), "{target}"),
        }
    }
}

fn addresses(action: &str) -> BTreeSet<String> {
    let document = read("asyncapi.json");
    let mut found = BTreeSet::new();
    for operation in document["operations"].as_object().unwrap().values() {
        if operation["action"] != action {
            continue;
        }
        let channel = operation["channel"]["$ref"].as_str().unwrap();
        let channel = document.pointer(channel.trim_start_matches('#')).unwrap();
        let exchange = if action == "receive" { COMMANDS } else { EVENTS };
        assert_eq!(channel["bindings"]["amqp"]["exchange"]["name"], exchange);
        let mut all = vec![channel["address"].as_str().unwrap().to_owned()];
        for (name, parameter) in channel["parameters"].as_object().into_iter().flatten() {
            let values = parameter["enum"].as_array().unwrap();
            let fill = |address: &String| {
                let put =
                    |value: &Value| address.replace(&format!("{{{name}}}"), value.as_str()?).into();
                values.iter().filter_map(put).collect::<Vec<String>>()
            };
            all = all.iter().flat_map(fill).collect();
        }
        found.extend(all);
    }
    found
}

#[test]
fn what_is_received_are_the_commands() {
    assert_eq!(addresses("receive"), COMMAND_KEYS.map(str::to_owned).into_iter().collect());
}

#[test]
fn what_is_sent_are_the_events_that_the_schema_knows() {
    let schema = read("event.json");
    let types = schema["properties"]["type"]["enum"].as_array().unwrap();
    let types = types.iter().map(|name| name.as_str().unwrap().trim_start_matches("payments."));
    assert_eq!(addresses("send"), types.map(str::to_owned).collect());
}

#[test]
fn a_command_s_message_carries_its_schema() {
    let document = read("asyncapi.json");
    for message in document["components"]["messages"].as_object().unwrap().values() {
        let name = message["name"].as_str().unwrap();
        assert_eq!(message["payload"]["schema"]["$ref"], format!("./{name}.json"));
    }
}
