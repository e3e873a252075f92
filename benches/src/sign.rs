//! Signature Version 2 as both ends of the benchmark need it: the bare loop signs by it, the stub
//! checks by it, so that a call costs here what it costs elsewhere. Shares no code with the worker.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The secret key of every seller account of the benchmark.
pub(crate) const SECRET: &str = "benchsecretbenchsecretbenchsecretbench00";
/// Where MWS answers in the sandbox.
pub(crate) const PATH: &str = "/OffAmazonPayments_Sandbox/2013-01-01";

fn encoded(text: &str, out: &mut String) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push('%');
            out.push(char::from(HEX[usize::from(byte >> 4)]));
            out.push(char::from(HEX[usize::from(byte & 15)]));
        }
    }
}

/// The parameters in order, percent-encoded, as they are signed.
pub(crate) fn canonical<'a>(params: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let mut out = String::with_capacity(512);
    for (name, value) in params {
        if !out.is_empty() {
            out.push('&');
        }
        encoded(name, &mut out);
        out.push('=');
        encoded(value, &mut out);
    }
    out
}

/// The signature of a POST.
pub(crate) fn signature(host: &str, path: &str, canonical: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).expect("any key will do");
    for part in ["POST\n", host, "\n", path, "\n", canonical] {
        mac.update(part.as_bytes());
    }
    STANDARD.encode(mac.finalize().into_bytes())
}

/// A signed form: what is sent as the body.
pub(crate) fn form(host: &str, path: &str, params: &mut Vec<(&str, &str)>) -> String {
    params.sort_unstable();
    let mut body = canonical(params.iter().copied());
    let signature = signature(host, path, &body);
    body.push_str("&Signature=");
    encoded(&signature, &mut body);
    body
}
