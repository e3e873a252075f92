//! Amazon's notifications as SNS delivers them: the envelope's signature, and what it is about.
//! Nothing that the message says is believed before the signature was verified, and of what it says
//! then only which object to look at.

mod certificate;
mod der;
#[cfg(test)]
mod tests;
mod wire;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{
    RSA_PKCS1_2048_8192_SHA1_FOR_LEGACY_USE_ONLY as WITH_SHA1,
    RSA_PKCS1_2048_8192_SHA256 as WITH_SHA256, RsaParameters, UnparsedPublicKey,
};

use super::http::{Http, SetupError};
use crate::domain::notification::Notification;
use crate::ports::clock::Clock;
use crate::ports::notifications::{Received, Refused, Verifier};
use certificate::Certificates;
use wire::Envelope;

/// For a certificate, from the connection to the last byte.
const FETCH_TIME: Duration = Duration::from_secs(5);

/// The only type of message that reaches sellers: Amazon confirms their subscriptions itself.
const NOTIFICATION: &str = "Notification";

/// Longer ids of messages are not SNS's.
const MESSAGE_ID_MAX: usize = 100;

/// Verifies notifications.
pub struct SnsVerifier {
    certificates: Certificates,
}

impl SnsVerifier {
    /// `hosts` (`host` or `host:port`) are trusted for the certificate besides Amazon's own.
    ///
    /// # Errors
    /// No HTTP client can be made.
    pub fn new(hosts: &[String], clock: Arc<dyn Clock>) -> Result<Self, SetupError> {
        // A machine without certificates to trust still takes what a named host signs.
        let http = Http::new(FETCH_TIME, false).or_else(|_| Http::new(FETCH_TIME, true))?;
        Ok(Self { certificates: Certificates::new(http, hosts, clock) })
    }
}

#[async_trait]
impl Verifier for SnsVerifier {
    async fn verify(&self, received: Received<'_>) -> Result<Notification, Refused> {
        let envelope =
            Envelope::read(received.body).ok_or(Refused::Malformed("it is no SNS message"))?;
        check_form(&envelope, &received)?;
        let parameters = algorithm(&envelope)?;
        let signature = STANDARD
            .decode(envelope.signature.as_bytes())
            .map_err(|_| Refused::Malformed("its signature is no Base64"))?;
        let key = self.certificates.key(&envelope.signing_cert_url).await?;
        UnparsedPublicKey::new(parameters, &key[..])
            .verify(envelope.signed_text().as_bytes(), &signature)
            .map_err(|_| Refused::Forged("its signature is another's"))?;
        envelope.notification().map_err(Refused::Malformed)
    }
}

/// What can be judged without a certificate, first: nothing is fetched for what cannot be genuine.
fn check_form(envelope: &Envelope, received: &Received<'_>) -> Result<(), Refused> {
    let same = |header: Option<&str>, value: &str| header.is_none_or(|header| header == value);
    if envelope.kind != NOTIFICATION || !same(received.message_type, NOTIFICATION) {
        return Err(Refused::Malformed("only notifications are taken"));
    }
    if !same(received.topic, &envelope.topic_arn) {
        return Err(Refused::Malformed("its topic is not the header's"));
    }
    let id = &envelope.message_id;
    let good = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    if !(1..=MESSAGE_ID_MAX).contains(&id.len()) || !id.bytes().all(good) {
        return Err(Refused::Malformed("its MessageId is none"));
    }
    let topic = envelope.topic_arn.split(':').collect::<Vec<_>>();
    let is_topic = matches!(topic[..], ["arn", partition, "sns", _, _, _]
        if partition.starts_with("aws"));
    if is_topic { Ok(()) } else { Err(Refused::Malformed("its TopicArn is none")) }
}

fn algorithm(envelope: &Envelope) -> Result<&'static RsaParameters, Refused> {
    match envelope.signature_version.as_str() {
        "1" => Ok(&WITH_SHA1),
        "2" => Ok(&WITH_SHA256),
        _ => Err(Refused::Malformed("its SignatureVersion is neither 1 nor 2")),
    }
}
