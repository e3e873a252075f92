//! The envelope and what is in it, as Amazon writes them. Only ids and kinds are read: whatever a
//! body says of states and amounts is never looked at.

use quick_xml::events::Event;
use quick_xml::reader::Reader;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::domain::notification::{About, Notification, consent_of};

/// A longer id is not Amazon's.
const ID_MAX: usize = 64;

/// An SNS message over HTTP.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Envelope {
    #[serde(rename = "Type")]
    pub(super) kind: String,
    pub(super) message_id: String,
    pub(super) topic_arn: String,
    pub(super) message: String,
    #[serde(default)]
    pub(super) subject: Option<String>,
    pub(super) timestamp: String,
    pub(super) signature_version: String,
    pub(super) signature: String,
    #[serde(rename = "SigningCertURL")]
    pub(super) signing_cert_url: String,
}

impl Envelope {
    pub(super) fn read(body: &[u8]) -> Option<Self> {
        serde_json::from_slice(body).ok()
    }

    /// What is signed: names and values of a notification, each with a line end behind it.
    pub(super) fn signed_text(&self) -> String {
        let subject = self.subject.as_deref();
        let parts = [
            ("Message", Some(self.message.as_str())),
            ("MessageId", Some(&self.message_id)),
            ("Subject", subject),
            ("Timestamp", Some(&self.timestamp)),
            ("TopicArn", Some(&self.topic_arn)),
            ("Type", Some(&self.kind)),
        ];
        let mut text = String::with_capacity(self.message.len() + 512);
        for (name, value) in parts {
            if let Some(value) = value {
                for line in [name, value] {
                    text.push_str(line);
                    text.push('\n');
                }
            }
        }
        text
    }

    /// What the verified message is about.
    ///
    /// # Errors
    /// What is missing or wrong, in words.
    pub(super) fn notification(&self) -> Result<Notification, &'static str> {
        let message: Map<String, Value> =
            serde_json::from_str(&self.message).map_err(|_| "its Message is no JSON object")?;
        let message = Message(message);
        let (about, object_id, consent) = if message.get("NotificationData").is_some() {
            of_mws(&message)?
        } else {
            of_v2(&message)?
        };
        let seller_id = message.get("SellerId").or_else(|| message.get("MerchantID"));
        let seller_id = seller_id.filter(|id| is_id(id)).ok_or("it names no seller")?;
        let reference = consent.as_deref().and_then(consent_of).or_else(|| consent_of(&object_id));
        Ok(Notification {
            message_id: self.message_id.clone(),
            seller_id: seller_id.to_owned(),
            sandbox: message.get("ReleaseEnvironment").map(|it| it.eq_ignore_ascii_case("sandbox")),
            about,
            reference: reference.map(str::to_owned),
            object_id,
        })
    }
}

/// The message inside, whose keys were spelled in several ways over the years.
struct Message(Map<String, Value>);

impl Message {
    fn get(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().and_then(|(_, value)| value.as_str())
    }
}

fn is_id(text: &str) -> bool {
    let good = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=ID_MAX).contains(&text.len()) && text.bytes().all(good)
}

type Object = (About, String, Option<String>);

fn of_v2(message: &Message) -> Result<Object, &'static str> {
    let id = message.get("ObjectId").filter(|id| is_id(id)).ok_or("it names no object")?;
    let permission = message.get("ChargePermissionId").filter(|id| is_id(id));
    let kind = message.get("ObjectType").unwrap_or_default().to_ascii_uppercase();
    let about = match kind.as_str() {
        "CHARGE_PERMISSION" if is_recurring(id) => About::Agreement,
        "CHARGE_PERMISSION" => About::Reference,
        "CHARGE" => About::Charge,
        "REFUND" => About::Refund,
        "CHARGEBACK" | "DISPUTE" => About::Chargeback,
        "" => return Err("it names no kind of object"),
        _ => About::Other,
    };
    Ok((about, id.to_owned(), permission.map(str::to_owned)))
}

fn is_recurring(id: &str) -> bool {
    id.starts_with('B') || id.starts_with('C')
}

/// Root, the element with the id, and what that is.
const DOCUMENTS: [(&str, &str, About); 6] = [
    ("OrderReferenceNotification", "AmazonOrderReferenceId", About::Reference),
    ("BillingAgreementNotification", "AmazonBillingAgreementId", About::Agreement),
    ("AuthorizationNotification", "AmazonAuthorizationId", About::Authorization),
    ("CaptureNotification", "AmazonCaptureId", About::Capture),
    ("RefundNotification", "AmazonRefundId", About::Refund),
    ("ChargebackNotification", "AmazonChargebackId", About::Chargeback),
];

fn of_mws(message: &Message) -> Result<Object, &'static str> {
    let xml = message.get("NotificationData").unwrap_or_default();
    let elements = elements(xml).ok_or("its NotificationData is no XML")?;
    let root = elements.first().map(|(name, _)| name.as_str()).unwrap_or_default();
    let text = |wanted: &str| {
        let found = elements.iter().find(|(name, _)| name == wanted);
        found.map(|(_, text)| text.trim()).filter(|text| is_id(text))
    };
    let Some((_, id, about)) = DOCUMENTS.into_iter().find(|(name, _, _)| *name == root) else {
        // A kind that no payment depends on (provider credits, registrations).
        let id = message.get("NotificationReferenceId").filter(|id| is_id(id)).unwrap_or("-");
        return Ok((About::Other, id.to_owned(), None));
    };
    let id = text(id).ok_or("it names no object")?.to_owned();
    // Only a chargeback's own id does not begin with its reference.
    let consent = text("AmazonOrderReferenceId").filter(|_| about == About::Chargeback);
    Ok((about, id, consent.map(str::to_owned)))
}

/// Elements of a document in order, by local name, with their text; none where it is no XML or is
/// longer than a notification can be.
fn elements(xml: &str) -> Option<Vec<(String, String)>> {
    const ELEMENTS_MAX: usize = 512;
    let mut reader = Reader::from_str(xml.trim_start());
    let (mut found, mut open) = (Vec::new(), Vec::new());
    loop {
        if found.len() > ELEMENTS_MAX {
            return None;
        }
        match reader.read_event().ok()? {
            Event::Start(start) => {
                open.push(found.len());
                found.push((start.local_name().as_ref().to_owned(), String::new()));
            }
            Event::Empty(start) => {
                found.push((start.local_name().as_ref().to_owned(), String::new()));
            }
            Event::End(_) => {
                open.pop();
            }
            Event::Text(text) => {
                if let Some(at) = open.last() {
                    found[*at].1.push_str(&text);
                }
            }
            // An id has no character that would have to be written so.
            Event::GeneralRef(_) | Event::CData(_) => {
                if let Some(at) = open.last() {
                    found[*at].1.push('?');
                }
            }
            Event::DocType(_) => return None,
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => return (open.is_empty() && !found.is_empty()).then_some(found),
        }
    }
}
