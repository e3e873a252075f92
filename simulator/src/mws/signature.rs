//! Signature version 2, checked on the decoded parameters: a caller may encode its body in any way,
//! but signs only one.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::hmac;

use super::request::Params;

/// What is not left as it is: everything but letters, digits and `-_.~`.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// What is signed: method, host, path, and the parameters sorted by name.
pub(super) fn string_to_sign(method: &str, host: &str, path: &str, params: &Params) -> String {
    let mut text = format!("{method}\n{host}\n{path}\n");
    let mut separator = "";
    for (name, value) in params.iter().filter(|(name, _)| *name != "Signature") {
        text.push_str(separator);
        text.extend(utf8_percent_encode(name, ENCODED));
        text.push('=');
        text.extend(utf8_percent_encode(value, ENCODED));
        separator = "&";
    }
    text
}

/// Whether `params` carry the signature of whoever knows `secret`, over `host` as it was sent or
/// without its port. In constant time.
pub(super) fn is_signed(
    secret: &str,
    method: &str,
    host: &str,
    path: &str,
    params: &Params,
) -> bool {
    let algorithm = match params.get("SignatureMethod") {
        Some("HmacSHA256") => hmac::HMAC_SHA256,
        Some("HmacSHA1") => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
        _ => return false,
    };
    let Some(Ok(signature)) = params.get("Signature").map(|text| STANDARD.decode(text)) else {
        return false;
    };
    let key = hmac::Key::new(algorithm, secret.as_bytes());
    let host = host.to_ascii_lowercase();
    let portless = host.rsplit_once(':').map(|(name, _)| name);
    let signs = |host: &str| {
        let text = string_to_sign(method, host, path, params);
        hmac::verify(&key, text.as_bytes(), &signature).is_ok()
    };
    signs(&host) || portless.is_some_and(signs)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NA: &str = "mws.amazonservices.com";
    const SANDBOX: &str = "/OffAmazonPayments_Sandbox/2013-01-01";
    const ORDER: (&str, &str) = ("AmazonOrderReferenceId", "AMAZON_ORDER_REFERENCE_ID");
    const DELEGATED: [(&str, &str); 3] =
        [ORDER, ("SellerId", "OVERRIDE_SELLER_ID"), ("MWSAuthToken", "TEST_MWS_AUTH_TOKEN")];

    fn params(common: [&str; 3], action: &str, more: &[(&str, &str)]) -> Params {
        let [key, seller, timestamp] = common;
        let mut all = vec![
            ("AWSAccessKeyId", key),
            ("SellerId", seller),
            ("Timestamp", timestamp),
            ("Action", action),
            ("SignatureMethod", "HmacSHA256"),
            ("SignatureVersion", "2"),
            ("Version", "2013-01-01"),
        ];
        all.retain(|(name, _)| more.iter().all(|(other, _)| other != name));
        all.extend_from_slice(more);
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(all).finish();
        Params::parse(body.as_bytes()).unwrap()
    }

    fn a(action: &str, more: &[(&str, &str)]) -> Params {
        params(["TEST_ACCESS_KEY", "TEST_MERCHANT_ID", "2015-12-31T23:59:58Z"], action, more)
    }

    fn b(action: &str, more: &[(&str, &str)]) -> Params {
        params(["AKIAEXAMPLESIMULATOR", "A2SIMSELLER001", "2026-11-23T08:00:00Z"], action, more)
    }

    fn accepts(secret: &str, host: &str, path: &str, mut params: Params, signature: &str) {
        params.set("Signature", signature);
        assert!(is_signed(secret, "POST", host, path, &params), "{signature}");
        assert!(is_signed(secret, "POST", &format!("{host}:8443"), path, &params));
        assert!(!is_signed("another", "POST", host, path, &params));
        assert!(!is_signed(secret, "GET", host, path, &params));
        assert!(!is_signed(secret, "POST", host, &format!("{path}/"), &params));
        params.set("Timestamp", "2026-11-23T08:00:01Z");
        assert!(!is_signed(secret, "POST", host, path, &params));
    }

    #[test]
    fn the_published_vectors_of_the_java_sdk_are_accepted() {
        let secret = "TEST_SECRET_KEY";
        let v1 = a("GetOrderReferenceDetails", &[ORDER]);
        assert_eq!(
            string_to_sign("POST", NA, SANDBOX, &v1).lines().last().unwrap(),
            "AWSAccessKeyId=TEST_ACCESS_KEY&Action=GetOrderReferenceDetails\
             &AmazonOrderReferenceId=AMAZON_ORDER_REFERENCE_ID&SellerId=TEST_MERCHANT_ID\
             &SignatureMethod=HmacSHA256&SignatureVersion=2\
             &Timestamp=2015-12-31T23%3A59%3A58Z&Version=2013-01-01"
        );
        let v3 = [
            ORDER,
            ("OrderReferenceAttributes.OrderTotal.Amount", "2"),
            ("OrderReferenceAttributes.OrderTotal.CurrencyCode", "USD"),
        ];
        let success = ("SuccessUrl", "https://pay.amazon.com/success.html");
        let v5 = [
            success,
            ("FailureUrl", "https://pay.amazon.com/failure.html"),
            ("AuthorizationAmount.Amount", "0.01"),
            ("AuthorizationAmount.CurrencyCode", "EUR"),
        ];
        let v6 = [
            success,
            ("AuthorizationAmount.Amount", "0.01"),
            ("AuthorizationAmount.CurrencyCode", "USD"),
        ];
        let confirm =
            |more: &[(&str, &str)]| a("ConfirmOrderReference", &[&DELEGATED[..], more].concat());
        for (params, signature) in [
            (v1, "cpkDC72d5lMIbo5ET2dvERTw4F2cGQJL3eQPzUe2pAE="),
            (
                a("GetOrderReferenceDetails", &DELEGATED),
                "MelQJXDdQJ85Z7aB85s7eYWm5TdGv6xYAQt/joOhXCo=",
            ),
            (a("SetOrderReferenceDetails", &v3), "i51MSGv9O2G2LHIlhCXLigA3ZKaZRoc7Mb5A1VX2QTA="),
            (confirm(&[]), "mbJBrZKC4Jz8J+rhRqyfYsY6TkSapWOvCTlC+UDUTok="),
            (confirm(&v5), "KeZbecFqPMxhR4g35iFWsdLmq1rAgwdn4B2WTIFMTHg="),
            (confirm(&v6), "vGiWtNsdtNKx3QGB+cNNq8tLisqwOeg2a5aIy3p6exw="),
        ] {
            accepts(secret, NA, SANDBOX, params, signature);
        }
    }

    #[test]
    fn the_older_digest_is_accepted_too() {
        let mut params = a("GetOrderReferenceDetails", &[ORDER]);
        params.set("SignatureMethod", "HmacSHA1");
        let signature = "WtAJFqP1uQVlTLTQhKlfDyG/gl0=";
        accepts("TEST_SECRET_KEY", NA, SANDBOX, params, signature);
    }

    #[test]
    fn the_vectors_of_the_python_sdk_are_accepted() {
        let secret = "simulator/secret+key==0123456789";
        let note = concat!(
            r#"{"SandboxSimulation":{"State":"Declined","ReasonCode":"InvalidPaymentMethod","#,
            r#""PaymentMethodUpdateTimeInMins":1}}"#
        );
        let v7 = [
            ("AmazonOrderReferenceId", "S01-1234567-7654321"),
            ("AuthorizationReferenceId", "ord-42_a1"),
            ("AuthorizationAmount.Amount", "106.00"),
            ("AuthorizationAmount.CurrencyCode", "USD"),
            ("TransactionTimeout", "0"),
            ("CaptureNow", "true"),
            ("SoftDescriptor", "ACME*WIDGETS"),
            ("SellerAuthorizationNote", note),
        ];
        let v7 = b("Authorize", &v7);
        accepts(secret, NA, SANDBOX, v7, "KbEWbEHXJC+UhuaY94yikh43uGZY46VtF4SPokYKiWY=");
        let v9 = b("GetServiceStatus", &[]);
        let signature = "EROe7W9taMvyHGx+yD7kFn19Y0zExV5WS0QnCtpbxP0=";
        accepts(secret, "mws.amazonservices.jp", SANDBOX, v9, signature);
    }

    #[test]
    fn a_body_with_plus_for_space_is_the_same_request() {
        let body = "AmazonOrderReferenceId=P02-1234567-7654321\
            &OrderReferenceAttributes.OrderTotal.Amount=19.95\
            &OrderReferenceAttributes.OrderTotal.CurrencyCode=EUR\
            &OrderReferenceAttributes.SellerNote=Gr%C3%BC%C3%9Fe+%26+50%25+off%3A+a%2Bb+%3D\
            +c%2Fd+~+%28x%2Ay%29%21\
            &OrderReferenceAttributes.SellerOrderAttributes.StoreName=M%C3%BCller%27s+Shop%2C+\
            %E6%9D%B1%E4%BA%AC";
        let pairs = Params::parse(body.as_bytes()).unwrap();
        let pairs: Vec<_> = pairs.iter().collect();
        let v8 = b("SetOrderReferenceDetails", &pairs);
        let signature = "2XGhfrtzrgh0Msvj3Xwh+nHyJhGUfk5tvItDdvq0NCA=";
        let path = "/OffAmazonPayments/2013-01-01";
        let secret = "simulator/secret+key==0123456789";
        accepts(secret, "mws-eu.amazonservices.com", path, v8, signature);
    }
}
