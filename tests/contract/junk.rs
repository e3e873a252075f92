//! Whatever stands in a message, reading it ends in a command or in words.

use amazon_pay_worker::contract::json::{self, Numbers};
use amazon_pay_worker::contract::{details_from_json, parse};
use amazon_pay_worker::domain::decline::RejectionCode;
use amazon_pay_worker::ports::broker::{COMMAND_KEYS, Message};
use proptest::prelude::*;
use serde_json::{Map, Value};

use crate::fakes::{FakeVault, good, message, with};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[A-Za-z0-9._:-]{1,64}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn key() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&COMMAND_KEYS[..])
}

proptest! {
    #[test]
    fn junk_bytes_never_panic(
        body: Vec<u8>, key in key(), id: Option<String>, kind: Option<String>,
    ) {
        let message = Message {
            routing_key: key.to_owned(),
            body: body.clone(),
            message_id: id,
            kind,
            ..Message::default()
        };
        let json = serde_json::from_slice::<Value>(&body).is_ok();
        prop_assert!(parse(&message, &FakeVault).is_err() || json);
        // Stored bytes are read as suspiciously.
        prop_assert!(details_from_json(&body).is_err() || json);
    }

    #[test]
    fn any_value_in_any_field_gives_a_command_or_names_a_field(
        key in key(), field in any::<prop::sample::Index>(), value in value(),
    ) {
        let fields = good(key);
        let names: Vec<&String> = fields.as_object().unwrap().keys().collect();
        let name = names[field.index(names.len())].clone();
        if let Err(refusal) = parse(&message(key, &with(fields, &name, value)), &FakeVault) {
            let text = format!("{refusal:?}");
            prop_assert!(text.contains(&name), "{text}");
            prop_assert!(text.contains("errors: [FieldError"));
        }
    }

    #[test]
    fn what_the_library_takes_for_an_object_the_strict_reader_takes_too(value in value()) {
        let text = value.to_string();
        let read = json::read(text.as_bytes(), Numbers::Kept);
        prop_assert_eq!(read.map(|object| Value::Object(object.values)).ok(), match value {
            Value::Object(_) => serde_json::from_str(&text).ok(),
            _ => None,
        });
    }
}

#[test]
fn properties_are_judged() {
    let fine = message("order.import", &good("order.import"));
    let json = Some("Application/JSON; charset=UTF-8".to_owned());
    assert!(parse(&Message { content_type: json, ..fine.clone() }, &FakeVault).is_ok());
    assert!(parse(&Message { content_type: None, ..fine.clone() }, &FakeVault).is_ok());
    let kind = Some("order.import".to_owned());
    assert!(parse(&Message { kind, ..fine.clone() }, &FakeVault).is_ok());
    let id = Some("ü".repeat(128));
    assert!(parse(&Message { message_id: id, ..fine.clone() }, &FakeVault).is_ok());

    let bad = |change: &dyn Fn(&mut Message)| {
        let mut message = fine.clone();
        change(&mut message);
        match parse(&message, &FakeVault) {
            Err(amazon_pay_worker::contract::Refusal::Rejected(rejection)) => *rejection,
            other => panic!("not rejected: {other:?}"),
        }
    };
    let rejection = bad(&|m| m.content_type = Some("text/plain".to_owned()));
    assert_eq!(rejection.code, RejectionCode::Malformed);
    assert_eq!(rejection.ids.order.unwrap().as_str(), "CRM-1001");
    let rejection = bad(&|m| m.kind = Some("upsell.import".to_owned()));
    assert_eq!(rejection.code, RejectionCode::Invalid);
    for id in [None, Some(String::new()), Some("x".repeat(129)), Some("a\u{1}".to_owned())] {
        let rejection = bad(&|m| m.message_id.clone_from(&id));
        assert_eq!(rejection.errors[0].field, "message_id");
    }
    let rejection = bad(&|m| {
        let fields = with(good("order.import"), "unknown", Value::from("x".repeat(64 * 1024)));
        m.body = fields.to_string().into_bytes();
    });
    assert_eq!((rejection.code, rejection.errors.len()), (RejectionCode::Malformed, 1));
    assert_eq!(rejection.ids.order.unwrap().as_str(), "CRM-1001");
    let rejection = bad(&|m| m.body = vec![b'['; 2 * 1024 * 1024]);
    assert_eq!(rejection.code, RejectionCode::Malformed);
    let rejection =
        bad(&|m| m.body = br#"{"orderId":"a","orderId":"b","amazonBillerId":"7"}"#.to_vec());
    assert_eq!(rejection.code, RejectionCode::Malformed);
    assert_eq!(rejection.errors[0].field, "orderId");
    assert_eq!(rejection.ids.subject(), "7/order/-");
}

#[test]
fn only_a_real_trace_context_is_taken_along() {
    let mut message = message("order.import", &good("order.import"));
    let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let zero = "00-00000000000000000000000000000000-b7ad6b7169203331-01";
    for (text, taken) in
        [(good, true), (zero, false), ("00-XYZ", false), ("", false), (&good[1..], false)]
    {
        message.headers.insert("traceparent".to_owned(), text.to_owned());
        let parsed = parse(&message, &FakeVault).unwrap();
        assert_eq!(parsed.asker.traceparent.is_some(), taken, "{text}");
    }
}
