//! API v2's signatures as the benchmark needs them: the stub checks them, and what one alone costs
//! is measured, because no worker can be had without. Shares no code with the worker but for the
//! library that does the arithmetic.

use std::fmt::Write;
use std::hint::black_box;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::SignatureScheme;
use rustls::crypto::ring::{default_provider, sign::any_supported_type};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{PrivateKeyDer, SignatureVerificationAlgorithm};
use rustls::sign::SigningKey;
use sha2::{Digest, Sha256};

/// The private key of every seller account of the benchmark: 2048 bits, known to everybody.
pub(crate) const PRIVATE: &str = include_str!("../../tests/support/keys/merchant.pem");

/// What stands before the key itself where one of 2048 bits is wrapped with its algorithm.
const WRAPPING: usize = 24;
const ALGORITHM: &str = "AMZN-PAY-RSASSA-PSS-V2";

/// The other half of it.
pub(crate) struct PublicKey {
    key: Vec<u8>,
    algorithm: &'static dyn SignatureVerificationAlgorithm,
}

fn private() -> std::sync::Arc<dyn SigningKey> {
    let der = PrivateKeyDer::from_pem_slice(PRIVATE.as_bytes()).expect("a key in PEM");
    any_supported_type(&der).expect("an RSA key")
}

impl PublicKey {
    pub(crate) fn of_the_benchmark() -> Self {
        let private = private();
        let wrapped = private.public_key().expect("its public half");
        let known = default_provider().signature_verification_algorithms.mapping;
        let (_, algorithms) = known
            .iter()
            .find(|(scheme, _)| *scheme == SignatureScheme::RSA_PSS_SHA256)
            .expect("an algorithm");
        Self { key: wrapped[WRAPPING..].to_vec(), algorithm: algorithms[0] }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a string takes whatever is written");
        text
    })
}

/// Whether a request without a query carries a signature of the benchmark's key over everything
/// that Amazon wants signed.
pub(crate) fn is_signed<'a>(
    public: &PublicKey,
    method: &str,
    path: &str,
    header: impl Fn(&str) -> &'a str,
    body: &[u8],
) -> bool {
    let part = |name: &str| {
        let text = header("authorization").strip_prefix(ALGORITHM)?;
        let mut parts = text.split(',').map(str::trim);
        parts.find_map(|part| part.strip_prefix(name))
    };
    let (Some(names), Some(signature)) = (part("SignedHeaders="), part("Signature=")) else {
        return false;
    };
    let is_post = method == "POST" && !path.ends_with("/complete");
    let wanted = ["accept", "content-type", "x-amz-pay-date", "x-amz-pay-host", "x-amz-pay-region"];
    let wanted = wanted.into_iter().chain(is_post.then_some("x-amz-pay-idempotency-key"));
    let signed: Vec<&str> = names.split(';').collect();
    let all = wanted.into_iter().all(|name| signed.contains(&name));
    let mut canonical = format!("{method}\n{path}\n\n");
    for name in &signed {
        writeln!(canonical, "{name}:{}", header(name)).expect("a string takes it");
    }
    write!(canonical, "\n{names}\n{}", hex(&Sha256::digest(body))).expect("a string takes it");
    let text = format!("{ALGORITHM}\n{}", hex(&Sha256::digest(canonical.as_bytes())));
    let Ok(signature) = STANDARD.decode(signature) else { return false };
    all && public.algorithm.verify_signature(&public.key, text.as_bytes(), &signature).is_ok()
}

/// Processor seconds for 1,000 signatures, the best of a few tries: the time that passes, because
/// nothing is waited for.
pub(crate) fn cost_of_1000() -> f64 {
    let signer = private().choose_scheme(&[SignatureScheme::RSA_PSS_SHA256]).expect("a signer");
    let text = [b'x'; 90];
    let one = || {
        let began = Instant::now();
        for _ in 0..200 {
            black_box(signer.sign(black_box(&text)).expect("a signature"));
        }
        began.elapsed().as_secs_f64() * 5.0
    };
    (0..5).map(|_| one()).fold(f64::INFINITY, f64::min)
}
