//! The signature of API v2: what of a request is signed and how that is written down. A request is
//! judged as it came, so whoever changes a byte of what is signed is refused.

use axum::http::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use ring::digest::{SHA256, digest};

use super::key::PublicKey;

/// What is not left as it is: everything but letters, digits and `-_.~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What has to be signed of every request.
pub(super) const SIGNED_ALWAYS: [&str; 5] =
    ["accept", "content-type", "x-amz-pay-date", "x-amz-pay-host", "x-amz-pay-region"];

/// The two algorithms, which differ in their salt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Algorithm {
    Pss,
    PssV2,
}

impl Algorithm {
    fn parse(text: &str) -> Option<Self> {
        [Algorithm::Pss, Algorithm::PssV2].into_iter().find(|known| known.text() == text)
    }

    const fn text(self) -> &'static str {
        match self {
            Algorithm::Pss => "AMZN-PAY-RSASSA-PSS",
            Algorithm::PssV2 => "AMZN-PAY-RSASSA-PSS-V2",
        }
    }

    const fn salt(self) -> usize {
        match self {
            Algorithm::Pss => 20,
            Algorithm::PssV2 => 32,
        }
    }
}

/// The `authorization` header, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Claim {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: String,
    /// Lower case, sorted.
    pub(super) signed: Vec<String>,
    signature: Vec<u8>,
}

impl Claim {
    /// `ALGORITHM PublicKeyId=…, SignedHeaders=…, Signature=…`
    pub(super) fn parse(header: &str) -> Option<Self> {
        let (algorithm, rest) = header.trim().split_once(' ')?;
        let (mut key_id, mut signed, mut signature) = (None, None, None);
        for part in rest.split(',') {
            let (name, value) = part.trim().split_once('=')?;
            match name {
                "PublicKeyId" => key_id = Some(value.to_owned()),
                "SignedHeaders" => signed = Some(value),
                "Signature" => signature = STANDARD.decode(value).ok(),
                _ => return None,
            }
        }
        let mut signed: Vec<String> =
            signed?.split(';').map(|name| name.trim().to_ascii_lowercase()).collect();
        signed.sort_unstable();
        Some(Self {
            algorithm: Algorithm::parse(algorithm)?,
            key_id: key_id?,
            signed,
            signature: signature?,
        })
    }

    pub(super) fn signs(&self, name: &str) -> bool {
        self.signed.iter().any(|signed| signed == name)
    }

    /// Whether this is the signature of `key`'s owner over `canonical`.
    pub(super) fn is_of(&self, key: &PublicKey, canonical: &str) -> bool {
        let text = self.string_to_sign(canonical);
        key.verify(text.as_bytes(), &self.signature, self.algorithm.salt())
    }

    pub(super) fn string_to_sign(&self, canonical: &str) -> String {
        format!("{}\n{}", self.algorithm.text(), sha256(canonical.as_bytes()))
    }
}

/// What of a request can be signed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Signable<'a> {
    pub(super) method: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) headers: &'a HeaderMap,
    pub(super) body: &'a [u8],
}

impl Signable<'_> {
    /// The canonical request over these headers; a header that is not there has no value.
    pub(super) fn canonical(&self, signed: &[String]) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.method, path(self.path), query(self.query));
        for name in signed {
            let values = self.headers.get_all(name.as_str()).iter();
            let values: Vec<String> =
                values.map(|value| squeezed(&String::from_utf8_lossy(value.as_bytes()))).collect();
            text.push_str(&format!("{name}:{}\n", values.join(",")));
        }
        text.push_str(&format!("\n{}\n{}", signed.join(";"), sha256(self.body)));
        text
    }
}

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Without white space around, and with one space where there was more.
fn squeezed(value: &str) -> String {
    value.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn encoded(text: &str) -> String {
    let bytes: Vec<u8> = percent_decode_str(text).collect();
    percent_encoding::percent_encode(&bytes, ENCODED).to_string()
}

fn path(path: &str) -> String {
    let mut text = String::new();
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        text.push('/');
        text.push_str(&encoded(segment));
    }
    if text.is_empty() || path.ends_with('/') {
        text.push('/');
    }
    text
}

fn query(query: &str) -> String {
    let mut pairs: Vec<(String, String)> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encoded(name), encoded(value))
        })
        .collect();
    pairs.sort_unstable();
    pairs.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

/// Text as it stands in a query.
pub(super) fn percent_encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(method: &str, path: &str, query: &str, headers: &[(&str, &str)], body: &str) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: axum::http::HeaderName = name.parse().unwrap();
            map.insert(name, value.parse().unwrap());
        }
        let mut signed: Vec<String> = headers.iter().map(|(name, _)| (*name).to_owned()).collect();
        signed.sort_unstable();
        let signable = Signable { method, path, query, headers: &map, body: body.as_bytes() };
        sha256(signable.canonical(&signed).as_bytes())
    }

    #[test]
    fn the_vectors_of_the_java_sdk_are_read_alike() {
        let headers = [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("x-amz-pay-date", "20180524T223710Z"),
            ("x-amz-pay-host", "pay-api.amazon.eu"),
            ("x-amz-pay-region", "EU"),
        ];
        for (method, path, query, expected) in [
            ("GET", "/", "", "bb49552975c396f1e49d5510e1555b8b0627dc491bc61aaefdb561f202ad8020"),
            ("POST", "/", "", "54156f5badd6da7fa630b2c334c808ad376530001d334ae9960457215aa626d3"),
            (
                "GET",
                "/%E1%88%B4",
                "",
                "77f6544c8fb336d430895659da1e30415a1558b4b013f4d7926bb3a6275f701d",
            ),
            (
                "POST",
                "/",
                "foo=bar",
                "cc82525870b2d03666c287fd8b2c0d2fc6fa1693d9f357d27f7cac8cbcc12832",
            ),
            (
                "GET",
                "/",
                "foo=b&foo=a",
                "a33266ec31c7f0ca8a0738eb49fb8c81319f14374a0b86d52e6911a9748a6d42",
            ),
            (
                "GET",
                "/",
                "A.10=foo&A.1=foo&A.2=foo",
                "29d908d70c4bb50d62272976787245b52ed52e569fdae56ef3aa6d8979978ee7",
            ),
            (
                "GET",
                "/",
                "foo=aha&foo=Zoo",
                "f379cbd2e2fc9d5d50667a07ec22996335f731b474bb8bd366647d05d958c9d5",
            ),
            (
                "POST",
                "/",
                "f%20oo=b%20ar",
                "99be3aeb19b5a1aebafc807d59f3740d3e604ae31cf928592fa70739ea64bb32",
            ),
        ] {
            assert_eq!(
                hash(method, path, query, &headers, ""),
                expected,
                "{method} {path}?{query}"
            );
        }
    }

    #[test]
    fn a_charge_and_its_look_up_are_read_alike() {
        let key = ("x-amz-pay-idempotency-key", "0f8fad5bd9cb469fa16570867728950e");
        let headers = [
            ("accept", "application/json"),
            ("content-type", "application/json"),
            ("x-amz-pay-date", "20261123T120000Z"),
            ("x-amz-pay-host", "pay-api.amazon.com"),
            ("x-amz-pay-region", "na"),
        ];
        let keyed: Vec<_> = headers.into_iter().chain([key]).collect();
        let body = concat!(
            r#"{"chargePermissionId":"S01-1234567-1234567","chargeAmount":{"amount":"14.00","#,
            r#""currencyCode":"USD"},"captureNow":true,"canHandlePendingAuthorization":false}"#
        );
        let post = |path| hash("POST", path, "", &keyed, body);
        let live = "eda6daa5e894e380bd752b15a2e860288d514cb89151f583291e1e27f90fcaca";
        assert_eq!(post("/v2/charges"), live);
        let sandbox = "b75dc77c6399f744eb70e3f7b7d24469555bccdb81c588932a42674abbafcb78";
        assert_eq!(post("/sandbox/v2/charges"), sandbox);
        let got = hash("GET", "/v2/charges/S01-1234567-1234567-C123456", "", &headers, "");
        assert_eq!(got, "9a62eb865b32d4e3d0100843d2e1d6a479528886e263d6ab6de5624054552e25");
    }
}
