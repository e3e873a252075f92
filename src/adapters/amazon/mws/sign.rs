//! Signature Version 2: what is signed is what is sent. Made anew for every attempt, because Amazon
//! refuses timestamps older than 15 minutes. Only this module makes a [`SignedRequest`].

use std::borrow::Cow;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};
use sha2::Sha256;

/// What stands for itself: letters, digits and `-_.~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Who signs.
pub(super) struct Keys<'a> {
    pub(super) access_key: &'a str,
    pub(super) secret_key: &'a SecretString,
    pub(super) auth_token: Option<&'a SecretString>,
    pub(super) seller_id: &'a str,
}

/// Parameters of a call, decoded. What is empty is not sent.
#[derive(Default)]
pub(super) struct Params<'a>(Vec<(&'static str, Cow<'a, str>)>);

impl<'a> Params<'a> {
    pub(super) fn add(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        let value = value.into();
        if !value.is_empty() {
            self.0.push((name, value));
        }
    }

    pub(super) fn add_some(&mut self, name: &'static str, value: Option<&'a str>) {
        self.add(name, value.unwrap_or_default());
    }
}

/// The body of a request, signed. It holds tokens and personal data, so it has no debug form.
pub(super) struct SignedRequest(String);

impl SignedRequest {
    pub(super) fn into_body(self) -> String {
        self.0
    }
}

/// Signs the call of `action` with `params` to `host` and `path` at `timestamp` (ISO 8601).
pub(super) fn sign<'a>(
    keys: &Keys<'a>,
    (host, path): (&str, &str),
    action: &'static str,
    mut params: Params<'a>,
    timestamp: &'a str,
) -> SignedRequest {
    params.add("AWSAccessKeyId", keys.access_key);
    params.add("Action", action);
    params.add_some("MWSAuthToken", keys.auth_token.map(ExposeSecret::expose_secret));
    params.add("SellerId", keys.seller_id);
    params.add("SignatureMethod", "HmacSHA256");
    params.add("SignatureVersion", "2");
    params.add("Timestamp", timestamp);
    params.add("Version", "2013-01-01");
    params.0.sort_unstable_by_key(|(name, _)| *name);
    let mut text = String::with_capacity(1024);
    for part in ["POST\n", host, "\n", path, "\n"] {
        text.push_str(part);
    }
    let head = text.len();
    for (name, value) in &params.0 {
        if text.len() > head {
            text.push('&');
        }
        // Names are ours and need no encoding.
        text.push_str(name);
        text.push('=');
        text.extend(utf8_percent_encode(value, ENCODED));
    }
    let signature = mac(keys.secret_key.expose_secret(), &text);
    // What was signed is also a correct form.
    text.drain(..head);
    text.push_str("&Signature=");
    text.extend(utf8_percent_encode(&signature, ENCODED));
    SignedRequest(text)
}

fn mac(secret: &str, text: &str) -> String {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        unreachable!("a key of this algorithm may have any length")
    };
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NA: &str = "mws.amazonservices.com";
    const LIVE: &str = "/OffAmazonPayments/2013-01-01";
    const SANDBOX: &str = "/OffAmazonPayments_Sandbox/2013-01-01";
    const ORDER: (&str, &str) = ("AmazonOrderReferenceId", "AMAZON_ORDER_REFERENCE_ID");
    const SUCCESS: (&str, &str) = ("SuccessUrl", "https://pay.amazon.com/success.html");

    struct Signer {
        access_key: &'static str,
        secret_key: SecretString,
        auth_token: Option<SecretString>,
        seller_id: &'static str,
        timestamp: &'static str,
    }

    impl Signer {
        /// The credentials of the Java SDK's own tests.
        fn a() -> Self {
            Self {
                access_key: "TEST_ACCESS_KEY",
                secret_key: "TEST_SECRET_KEY".into(),
                auth_token: None,
                seller_id: "TEST_MERCHANT_ID",
                timestamp: "2015-12-31T23:59:58Z",
            }
        }

        fn delegated() -> Self {
            let auth_token = Some("TEST_MWS_AUTH_TOKEN".into());
            Self { auth_token, seller_id: "OVERRIDE_SELLER_ID", ..Self::a() }
        }

        fn b() -> Self {
            Self {
                access_key: "AKIAEXAMPLESIMULATOR",
                secret_key: "simulator/secret+key==0123456789".into(),
                auth_token: None,
                seller_id: "A2SIMSELLER001",
                timestamp: "2026-11-23T08:00:00Z",
            }
        }

        fn body(
            &self,
            at: (&str, &str),
            action: &'static str,
            given: &[(&'static str, &str)],
        ) -> String {
            let keys = Keys {
                access_key: self.access_key,
                secret_key: &self.secret_key,
                auth_token: self.auth_token.as_ref(),
                seller_id: self.seller_id,
            };
            let mut params = Params::default();
            for (name, value) in given {
                params.add(name, (*value).to_owned());
            }
            sign(&keys, at, action, params, self.timestamp).into_body()
        }

        /// The signature alone, decoded.
        fn signature(
            &self,
            at: (&str, &str),
            action: &'static str,
            given: &[(&'static str, &str)],
        ) -> String {
            let body = self.body(at, action, given);
            let (_, signature) = body.rsplit_once("&Signature=").unwrap();
            signature.replace("%2B", "+").replace("%2F", "/").replace("%3D", "=")
        }
    }

    #[test]
    fn the_mac_is_the_one_of_the_python_sdk() {
        assert_eq!(
            mac("mws_secret_key", "my_test_string"),
            "JQZYxe8EFlLE3XCAWotsn329rpZF7OFYhA8oo7rUV2E="
        );
    }

    #[test]
    fn vectors_1_to_6_of_the_java_sdk() {
        let at = (NA, SANDBOX);
        let (plain, delegated) = (Signer::a(), Signer::delegated());
        let total = [
            ORDER,
            ("OrderReferenceAttributes.OrderTotal.Amount", "2"),
            ("OrderReferenceAttributes.OrderTotal.CurrencyCode", "USD"),
        ];
        let full = [
            ORDER,
            SUCCESS,
            ("FailureUrl", "https://pay.amazon.com/failure.html"),
            ("AuthorizationAmount.Amount", "0.01"),
            ("AuthorizationAmount.CurrencyCode", "EUR"),
        ];
        let less = [
            ("AuthorizationAmount.CurrencyCode", "USD"),
            ("AuthorizationAmount.Amount", "0.01"),
            SUCCESS,
            ORDER,
        ];
        let confirm = "ConfirmOrderReference";
        let made = [
            plain.signature(at, "GetOrderReferenceDetails", &[ORDER]),
            delegated.signature(at, "GetOrderReferenceDetails", &[ORDER]),
            plain.signature(at, "SetOrderReferenceDetails", &total),
            delegated.signature(at, confirm, &[ORDER]),
            delegated.signature(at, confirm, &full),
            delegated.signature(at, confirm, &less),
        ];
        let published = [
            "cpkDC72d5lMIbo5ET2dvERTw4F2cGQJL3eQPzUe2pAE=",
            "MelQJXDdQJ85Z7aB85s7eYWm5TdGv6xYAQt/joOhXCo=",
            "i51MSGv9O2G2LHIlhCXLigA3ZKaZRoc7Mb5A1VX2QTA=",
            "mbJBrZKC4Jz8J+rhRqyfYsY6TkSapWOvCTlC+UDUTok=",
            "KeZbecFqPMxhR4g35iFWsdLmq1rAgwdn4B2WTIFMTHg=",
            "vGiWtNsdtNKx3QGB+cNNq8tLisqwOeg2a5aIy3p6exw=",
        ];
        assert_eq!(made, published);
    }

    #[test]
    fn vector_7_has_a_simulation_note() {
        let note = "{\"SandboxSimulation\":{\"State\":\"Declined\",\
                    \"ReasonCode\":\"InvalidPaymentMethod\",\"PaymentMethodUpdateTimeInMins\":1}}";
        let params = [
            ("AmazonOrderReferenceId", "S01-1234567-7654321"),
            ("AuthorizationReferenceId", "ord-42_a1"),
            ("AuthorizationAmount.Amount", "106.00"),
            ("AuthorizationAmount.CurrencyCode", "USD"),
            ("TransactionTimeout", "0"),
            ("CaptureNow", "true"),
            ("SoftDescriptor", "ACME*WIDGETS"),
            ("SellerAuthorizationNote", note),
        ];
        let body = Signer::b().body((NA, SANDBOX), "Authorize", &params);
        let signed = "AWSAccessKeyId=AKIAEXAMPLESIMULATOR&Action=Authorize\
            &AmazonOrderReferenceId=S01-1234567-7654321&AuthorizationAmount.Amount=106.00\
            &AuthorizationAmount.CurrencyCode=USD&AuthorizationReferenceId=ord-42_a1\
            &CaptureNow=true&SellerAuthorizationNote=%7B%22SandboxSimulation%22%3A%7B%22State%22\
            %3A%22Declined%22%2C%22ReasonCode%22%3A%22InvalidPaymentMethod%22%2C%22\
            PaymentMethodUpdateTimeInMins%22%3A1%7D%7D&SellerId=A2SIMSELLER001\
            &SignatureMethod=HmacSHA256&SignatureVersion=2&SoftDescriptor=ACME%2AWIDGETS\
            &Timestamp=2026-11-23T08%3A00%3A00Z&TransactionTimeout=0&Version=2013-01-01";
        let signature = "&Signature=KbEWbEHXJC%2BUhuaY94yikh43uGZY46VtF4SPokYKiWY%3D";
        assert_eq!(body, format!("{signed}{signature}"));
    }

    #[test]
    fn vector_8_has_every_script_and_sign() {
        let params = [
            ("AmazonOrderReferenceId", "P02-1234567-7654321"),
            ("OrderReferenceAttributes.OrderTotal.Amount", "19.95"),
            ("OrderReferenceAttributes.OrderTotal.CurrencyCode", "EUR"),
            ("OrderReferenceAttributes.SellerNote", "Grüße & 50% off: a+b = c/d ~ (x*y)!"),
            ("OrderReferenceAttributes.SellerOrderAttributes.StoreName", "Müller's Shop, 東京"),
        ];
        let at = ("mws-eu.amazonservices.com", LIVE);
        let made = Signer::b().signature(at, "SetOrderReferenceDetails", &params);
        assert_eq!(made, "2XGhfrtzrgh0Msvj3Xwh+nHyJhGUfk5tvItDdvq0NCA=");
        let body = Signer::b().body(at, "SetOrderReferenceDetails", &params);
        assert!(body.contains(
            "Gr%C3%BC%C3%9Fe%20%26%2050%25%20off%3A%20a%2Bb%20%3D%20c%2Fd%20~%20%28x%2Ay%29%21"
        ));
        assert!(body.contains("M%C3%BCller%27s%20Shop%2C%20%E6%9D%B1%E4%BA%AC"));
    }

    #[test]
    fn vector_9_has_no_parameters_of_its_own() {
        let at = ("mws.amazonservices.jp", SANDBOX);
        let made = Signer::b().signature(at, "GetServiceStatus", &[("Nothing", "")]);
        assert_eq!(made, "EROe7W9taMvyHGx+yD7kFn19Y0zExV5WS0QnCtpbxP0=");
    }
}
