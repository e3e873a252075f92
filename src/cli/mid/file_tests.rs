//! `mid.json` as people write it, well and badly.

use super::*;

const KEY: &str = include_str!("../../../tests/support/keys/merchant.pem");

fn object(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn whole() -> Map<String, Value> {
    object(json!({
        "id": "7", "title": "Shop", "descriptor": "SHOP", "midNumber": "0001", "region": "eu",
        "sandbox": true, "api": "mws", "merchantId": "A1B2", "accessKey": "AK", "secretKey": "s1",
        "clientId": "c", "clientSecret": "s2",
        "reauthorize": { "enabled": true, "windowSeconds": 60, "max": 1 },
    }))
}

fn names(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|(field, _)| field.as_str()).collect()
}

#[test]
fn a_whole_file_is_a_mid() {
    let (merchant, credentials) = read(&whole(), "1").unwrap();
    assert_eq!(merchant.id.as_str(), "7");
    assert_eq!(merchant.region, Region::Eu);
    assert_eq!(merchant.reauthorize, Reauthorize { enabled: true, window_s: 60, max: 1 });
    assert!(merchant.sandbox && merchant.enabled);
    assert_eq!(credentials.secret_key.unwrap().expose_secret(), "s1");
}

#[test]
fn an_absent_id_is_given_out() {
    let mut file = whole();
    file.remove("id");
    assert_eq!(read(&file, "12").unwrap().0.id.as_str(), "12");
}

#[test]
fn every_field_at_fault_is_named_at_once() {
    let file = object(json!({
        "id": "a b", "descriptor": "SEVENTEEN LETTERS", "region": "us", "sandbox": "yes",
        "merchantId": "A-1", "secretKey": 5, "privatekey": "x", "reauthorize": { "max": -1 },
    }));
    let problems = read(&file, "1").unwrap_err();
    let expected = [
        "privatekey",
        "id",
        "descriptor",
        "region",
        "sandbox",
        "merchantId",
        "reauthorize.max",
        "secretKey",
        "accessKey",
    ];
    assert_eq!(names(&problems), expected);
}

#[test]
fn an_empty_file_lacks_what_an_mws_account_needs() {
    let problems = read(&Map::new(), "1").unwrap_err();
    assert_eq!(names(&problems), ["region", "merchantId", "accessKey", "secretKey"]);
}

#[test]
fn v2_needs_its_key_in_pem() {
    let mut file = whole();
    file.insert("api".to_owned(), json!("v2"));
    assert_eq!(names(&read(&file, "1").unwrap_err()), ["publicKeyId", "privateKey"]);
    file.insert("publicKeyId".to_owned(), json!("P"));
    file.insert("privateKey".to_owned(), json!("nonsense"));
    assert_eq!(names(&read(&file, "1").unwrap_err()), ["privateKey"]);
    file.insert("privateKey".to_owned(), json!(KEY));
    let (_, credentials) = read(&file, "1").unwrap();
    assert_eq!(credentials.public_key_id.as_deref(), Some("P"));
    let shown = Value::Object(show(&read(&file, "1").unwrap().0, &credentials)).to_string();
    assert!(shown.contains("publicKeyId") && !shown.contains("PRIVATE"), "{shown}");
}

#[test]
fn a_key_of_the_other_environment_is_no_key_of_this_mid() {
    let mut file = whole();
    for (name, value) in [("api", "v2"), ("publicKeyId", "LIVE-P"), ("privateKey", KEY)] {
        file.insert(name.to_owned(), json!(value));
    }
    assert_eq!(names(&read(&file, "1").unwrap_err()), ["publicKeyId"]);
    file.insert("sandbox".to_owned(), json!(false));
    assert!(read(&file, "1").is_ok());
    file.insert("publicKeyId".to_owned(), json!("sandbox-P"));
    assert_eq!(names(&read(&file, "1").unwrap_err()), ["publicKeyId"]);
}

#[test]
fn what_is_shown_has_no_secret_and_can_be_read_again() {
    let (merchant, credentials) = read(&whole(), "1").unwrap();
    let shown = show(&merchant, &credentials);
    let text = Value::Object(shown.clone()).to_string();
    assert!(!text.contains("s1") && !text.contains("s2"), "{text}");
    let again = change(&shown, &merchant, &credentials).unwrap();
    assert_eq!(again.0, merchant);
    assert_eq!(again.1.client_secret.unwrap().expose_secret(), "s2");
}

#[test]
fn a_rotation_changes_keys_and_never_the_account() {
    let (merchant, credentials) = read(&whole(), "1").unwrap();
    let (_, rotated) =
        change(&object(json!({ "secretKey": "s3" })), &merchant, &credentials).unwrap();
    assert_eq!(rotated.secret_key.unwrap().expose_secret(), "s3");
    assert_eq!(rotated.access_key.as_deref(), Some("AK"));
    let other = object(json!({ "merchantId": "B", "secretKey": 1 }));
    let problems = change(&other, &merchant, &credentials).unwrap_err();
    assert_eq!(names(&problems), ["merchantId", "secretKey"]);
}
