//! What is signed, and what is read of every shape of message. Signatures themselves are tested
//! against the simulator's (`tests/wire`).

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, digest};
use serde_json::{Value, json};

use super::wire::Envelope;
use crate::domain::notification::About;

const TOPIC: &str = "arn:aws:sns:us-east-1:291180941288:A3BXB0YN3XH17HA2SIMSELLER001";

fn envelope(message: &str) -> Value {
    json!({
        "Type": "Notification",
        "MessageId": "11111111-2222-3333-4444-555555555555",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": "2026-11-23T08:00:00.000Z",
        "SignatureVersion": "1",
        "Signature": "AAAA",
        "SigningCertURL": "https://sns.us-east-1.amazonaws.com/a.pem",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    })
}

fn read(value: &Value) -> Envelope {
    Envelope::read(value.to_string().as_bytes()).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn the_signed_text_is_amazon_s_to_the_byte() {
    let message = "{\"NotificationType\":\"PaymentRefund\",\"SellerId\":\"A2SIMSELLER001\"}";
    let text = read(&envelope(message)).signed_text();
    assert_eq!(text.len(), 246);
    let sha1 = digest(&SHA1_FOR_LEGACY_USE_ONLY, text.as_bytes());
    assert_eq!(hex(sha1.as_ref()), "15cbdc4cebd778bae5b65f8bf5f9f6bf16f95d24");
    let sha256 = digest(&SHA256, text.as_bytes());
    assert_eq!(
        hex(sha256.as_ref()),
        "62c8749ee7c8b8132b1402422342f7ebd8a03a4398477e75d77597c51f34b48f"
    );
    let mut with_subject = envelope(message);
    with_subject["Subject"] = json!("a subject");
    assert!(read(&with_subject).signed_text().contains("\nSubject\na subject\nTimestamp\n"));
}

/// About, object and consent of a message.
fn about(message: &Value) -> Result<(About, String, Option<String>), &'static str> {
    let notification = read(&envelope(&message.to_string())).notification()?;
    assert_eq!(notification.seller_id, "A2SIMSELLER001");
    Ok((notification.about, notification.object_id, notification.reference))
}

fn mws(xml: &str) -> Value {
    json!({
        "NotificationType": "whatever",
        "SellerId": "A2SIMSELLER001",
        "ReleaseEnvironment": "Sandbox",
        "NotificationReferenceId": "0a-1",
        "NotificationData": xml,
    })
}

#[test]
fn every_mws_document_is_read_for_its_ids_alone() {
    let consent = Some("S01-1234567-7654321".to_owned());
    let namespaces = ["https://mws.amazonservices.com/ipn/OffAmazonPayments/2013-01-01", "x:y"];
    for namespace in namespaces {
        for (root, inside, id, wanted) in [
            (
                "OrderReferenceNotification",
                "<OrderReference><AmazonOrderReferenceId>S01-1234567-7654321\
                 </AmazonOrderReferenceId><OrderTotal><Amount>1</Amount></OrderTotal>\
                 </OrderReference>",
                "S01-1234567-7654321",
                About::Reference,
            ),
            (
                "AuthorizationNotification",
                "<AuthorizationDetails><AmazonAuthorizationId> S01-1234567-7654321-A012345\n\
                 </AmazonAuthorizationId><IdList><Id>S01-1234567-7654321-C012345</Id></IdList>\
                 </AuthorizationDetails>",
                "S01-1234567-7654321-A012345",
                About::Authorization,
            ),
            (
                "CaptureNotification",
                "<CaptureDetails><AmazonCaptureId>S01-1234567-7654321-C012345\
                 </AmazonCaptureId></CaptureDetails>",
                "S01-1234567-7654321-C012345",
                About::Capture,
            ),
            (
                "RefundNotification",
                "<RefundDetails><AmazonRefundId>S01-1234567-7654321-R012345\
                 </AmazonRefundId></RefundDetails>",
                "S01-1234567-7654321-R012345",
                About::Refund,
            ),
            (
                "ChargebackNotification",
                "<ChargebackDetails><AmazonChargebackId>A123456789012</AmazonChargebackId>\
                 <AmazonOrderReferenceId>S01-1234567-7654321</AmazonOrderReferenceId>\
                 </ChargebackDetails>",
                "A123456789012",
                About::Chargeback,
            ),
        ] {
            let declared = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n            ";
            let xml = format!("{declared}<{root} xmlns=\"{namespace}\">{inside}</{root}>");
            let found = about(&mws(&xml)).unwrap();
            assert_eq!(found, (wanted, id.to_owned(), consent.clone()), "{root}");
        }
    }
    let agreement = "<BillingAgreementNotification><BillingAgreement><AmazonBillingAgreementId>\
                     C01-1234567-7654321</AmazonBillingAgreementId></BillingAgreement>\
                     </BillingAgreementNotification>";
    let found = about(&mws(agreement)).unwrap();
    assert_eq!(found.0, About::Agreement);
    assert_eq!(found.2.as_deref(), Some("C01-1234567-7654321"));
    let credit = "<ProviderCreditNotification><Id>1</Id></ProviderCreditNotification>";
    assert_eq!(about(&mws(credit)).unwrap().0, About::Other);
}

#[test]
fn api_v2_is_read_in_either_spelling() {
    let consent = Some("S01-5105180-3221187".to_owned());
    for (kind, id, wanted) in [
        ("CHARGE_PERMISSION", "S01-5105180-3221187", About::Reference),
        ("CHARGE", "S01-5105180-3221187-C056351", About::Charge),
        ("REFUND", "S01-5105180-3221187-R022311", About::Refund),
        ("CHARGEBACK", "A1234567890123", About::Chargeback),
    ] {
        let upper = json!({
            "MerchantID": "A2SIMSELLER001", "ObjectType": kind, "ObjectId": id,
            "ChargePermissionId": "S01-5105180-3221187", "NotificationType": "STATE_CHANGE",
            "NotificationId": "1", "NotificationVersion": "V2",
        });
        let lower = json!({
            "merchantId": "A2SIMSELLER001", "objectType": kind, "objectId": id,
            "chargePermissionId": "S01-5105180-3221187",
        });
        for message in [upper, lower] {
            assert_eq!(about(&message).unwrap(), (wanted, id.to_owned(), consent.clone()));
        }
    }
    let recurring = json!({
        "MerchantID": "A2SIMSELLER001", "ObjectType": "CHARGE_PERMISSION",
        "ObjectId": "B01-5105180-3221187",
    });
    assert_eq!(about(&recurring).unwrap().0, About::Agreement);
}

#[test]
fn what_is_no_notification_is_told_and_never_a_panic() {
    let seller = "A2SIMSELLER001";
    for message in [
        json!("text"),
        json!([]),
        json!({}),
        json!({"MerchantID": seller}),
        json!({"MerchantID": seller, "ObjectType": "CHARGE"}),
        json!({"MerchantID": seller, "ObjectType": "CHARGE", "ObjectId": "a b"}),
        json!({"MerchantID": seller, "ObjectType": 5, "ObjectId": "S01"}),
        json!({"ObjectType": "CHARGE", "ObjectId": "S01-5105180-3221187-C056351"}),
        mws(""),
        mws("no xml"),
        mws("<a><b></a>"),
        mws("<AuthorizationNotification/>"),
        mws("<!DOCTYPE a [<!ENTITY b \"c\">]><AuthorizationNotification>&b;\
             </AuthorizationNotification>"),
        mws("<CaptureNotification><AmazonCaptureId>S01&amp;</AmazonCaptureId>\
             </CaptureNotification>"),
        mws(&"<a>".repeat(2_000)),
    ] {
        assert!(about(&message).is_err(), "{message}");
    }
    for body in ["", "{", "[]", "{\"Type\":\"Notification\"}", "null", "{\"Type\":1}"] {
        assert!(Envelope::read(body.as_bytes()).is_none(), "{body}");
    }
    let twice = envelope("{}").to_string().replacen('{', "{\"Type\":\"Notification\",", 1);
    assert!(Envelope::read(twice.as_bytes()).is_none(), "a member that stands twice");
}
