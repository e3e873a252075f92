//! Another integration of the same seller account: signs its own calls to the simulator, so that
//! references can be as somebody else left them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::Method;
use ring::hmac;

use crate::support::App;
use crate::support::app::{MID, merchant};

const PATH: &str = "/OffAmazonPayments_Sandbox/2013-01-01";
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// One signed call of the first MID's seller, which must succeed; the answer's XML.
pub(crate) async fn call(app: &App, action: &str, params: &[(&str, &str)]) -> String {
    let mid = merchant(MID);
    let text = |name: &str| mid[name].as_str().unwrap().to_owned();
    let (access, seller) = (text("accessKey"), text("merchantId"));
    // The simulator's clock is the machine's until it is advanced.
    let now = app.sim.server.get("/_sim/clock").await.expect(200);
    let mut all = vec![
        ("AWSAccessKeyId", access.as_str()),
        ("Action", action),
        ("SellerId", &seller),
        ("SignatureMethod", "HmacSHA256"),
        ("SignatureVersion", "2"),
        ("Timestamp", now["now"].as_str().unwrap()),
        ("Version", "2013-01-01"),
    ];
    all.extend(params);
    all.sort_unstable();
    let encode = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let pairs = all.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
    let body = pairs.collect::<Vec<_>>().join("&");
    let host = app.sim.url().trim_start_matches("http://");
    let key = hmac::Key::new(hmac::HMAC_SHA256, text("secretKey").as_bytes());
    let signed = format!("POST\n{host}\n{PATH}\n{body}");
    let signature = STANDARD.encode(hmac::sign(&key, signed.as_bytes()));
    let body = format!("{body}&Signature={}", encode(&signature));
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let reply = app.sim.server.send(Method::POST, PATH, &headers, body).await;
    assert_eq!(reply.status, 200, "{action}: {}", reply.text);
    reply.text
}
