//! Published vectors of the canonical request, and signatures held against another implementation.

use rsa::pkcs8::DecodePublicKey;
use rsa::pss::{Signature, VerifyingKey};
use rsa::signature::Verifier;

use super::*;

const PKCS8: &str = include_str!("../../../../tests/support/keys/merchant.pem");
const PKCS1: &str = include_str!("../../../../tests/support/keys/merchant_pkcs1.pem");
const PUBLIC: &str = include_str!("../../../../tests/support/keys/merchant_public.pem");

fn vector(method: &'static str, path: &str, query: &[(&str, &str)]) -> String {
    let request = Unsigned {
        method,
        path,
        query,
        host: "pay-api.amazon.eu",
        region: "EU",
        date: "20180524T223710Z",
        auth_token: None,
        idempotency_key: None,
        body: b"",
    };
    request.canonical_hash().0
}

#[test]
fn the_vectors_of_the_java_sdk() {
    let made = [
        vector("GET", "/", &[]),
        vector("POST", "/", &[]),
        vector("GET", "/\u{1234}", &[]),
        vector("POST", "/", &[("foo", "bar")]),
        vector("GET", "/", &[("foo", "b"), ("foo", "a")]),
        vector("GET", "/", &[("A.2", "foo"), ("A.10", "foo"), ("A.1", "foo")]),
        vector("GET", "/", &[("foo", "aha"), ("foo", "Zoo")]),
        vector("POST", "/", &[("f oo", "b ar")]),
    ];
    let published = [
        "bb49552975c396f1e49d5510e1555b8b0627dc491bc61aaefdb561f202ad8020",
        "54156f5badd6da7fa630b2c334c808ad376530001d334ae9960457215aa626d3",
        "77f6544c8fb336d430895659da1e30415a1558b4b013f4d7926bb3a6275f701d",
        "cc82525870b2d03666c287fd8b2c0d2fc6fa1693d9f357d27f7cac8cbcc12832",
        "a33266ec31c7f0ca8a0738eb49fb8c81319f14374a0b86d52e6911a9748a6d42",
        "29d908d70c4bb50d62272976787245b52ed52e569fdae56ef3aa6d8979978ee7",
        "f379cbd2e2fc9d5d50667a07ec22996335f731b474bb8bd366647d05d958c9d5",
        "99be3aeb19b5a1aebafc807d59f3740d3e604ae31cf928592fa70739ea64bb32",
    ];
    assert_eq!(made, published);
}

const BODY: &str = "{\"chargePermissionId\":\"S01-1234567-1234567\",\"chargeAmount\":\
    {\"amount\":\"14.00\",\"currencyCode\":\"USD\"},\"captureNow\":true,\
    \"canHandlePendingAuthorization\":false}";

fn charge<'a>(path: &'a str) -> Unsigned<'a> {
    Unsigned {
        method: "POST",
        path,
        query: &[],
        host: "pay-api.amazon.com",
        region: "na",
        date: "20261123T120000Z",
        auth_token: None,
        idempotency_key: Some("0f8fad5bd9cb469fa16570867728950e"),
        body: BODY.as_bytes(),
    }
}

#[test]
fn the_vectors_of_a_charge() {
    assert_eq!(
        charge("/v2/charges").canonical_hash().0,
        "eda6daa5e894e380bd752b15a2e860288d514cb89151f583291e1e27f90fcaca"
    );
    assert_eq!(
        charge("/sandbox/v2/charges").canonical_hash().0,
        "b75dc77c6399f744eb70e3f7b7d24469555bccdb81c588932a42674abbafcb78"
    );
    let read = Unsigned {
        method: "GET",
        auth_token: None,
        idempotency_key: None,
        body: b"",
        ..charge("/v2/charges/S01-1234567-1234567-C123456")
    };
    assert_eq!(
        read.canonical_hash().0,
        "9a62eb865b32d4e3d0100843d2e1d6a479528886e263d6ab6de5624054552e25"
    );
}

fn holds(authorization: &str, request: &Unsigned<'_>, salt: usize) -> bool {
    let (algorithm, rest) = authorization.split_once(' ').unwrap();
    let signature = STANDARD.decode(rest.rsplit_once("Signature=").unwrap().1).unwrap();
    let text = format!("{algorithm}\n{}", request.canonical_hash().0);
    let public = rsa::PublicKey::from_public_key_pem(PUBLIC).unwrap();
    let key = VerifyingKey::<Sha256>::new_with_salt_len(public, salt);
    key.verify(text.as_bytes(), &Signature::try_from(&signature[..]).unwrap()).is_ok()
}

#[test]
fn the_name_of_the_key_decides_about_the_salt_and_the_layout_of_the_file_about_nothing() {
    let names = "accept;content-type;x-amz-pay-date;x-amz-pay-host;\
                 x-amz-pay-idempotency-key;x-amz-pay-region";
    for (id, algorithm, salt) in [
        ("LIVE-AFVKS7ABCDEFGHIJKLMNOPQR", "AMZN-PAY-RSASSA-PSS-V2", 32),
        ("sandbox-AFVKS7ABCDEFGHIJKLMNOPQ", "AMZN-PAY-RSASSA-PSS-V2", 32),
        ("AFVKS7ABCDEFGHIJKLMNOPQR", "AMZN-PAY-RSASSA-PSS", 20),
    ] {
        for pem in [PKCS8, PKCS1] {
            let request = charge("/v2/charges");
            let made = request.sign(&Key::read(id, pem).unwrap()).unwrap();
            let head = format!("{algorithm} PublicKeyId={id}, SignedHeaders={names}, Signature=");
            assert!(made.starts_with(&head), "{made}");
            assert!(holds(&made, &request, salt), "{made}");
            assert!(!holds(&made, &request, 52 - salt), "the salt is of another length");
            let other = Unsigned { body: b"{}", ..charge("/v2/charges") };
            assert!(!holds(&made, &other, salt), "what is signed is the body that is sent");
        }
    }
}

#[test]
fn what_is_no_key_is_said_to_be_none() {
    for bad in ["", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", PUBLIC] {
        assert_eq!(Key::read("LIVE-A", bad).err(), Some(BadKey));
        assert_eq!(Key::read("A", bad).err(), Some(BadKey));
    }
}
