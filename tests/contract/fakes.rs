//! A vault whose sealed texts can be told apart from clear ones, and messages to start from.

use amazon_pay_worker::ports::broker::Message;
use amazon_pay_worker::ports::vault::{Sealed, Vault, VaultError};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Binds to the identity and hides the text, as the real one does; keeps no secret.
pub(crate) struct FakeVault;

impl Vault for FakeVault {
    fn seal(&self, identity: &str, clear: &[u8]) -> Sealed {
        Sealed(format!("key1.{}.{}", STANDARD.encode(identity), STANDARD.encode(clear)))
    }

    fn open(&self, identity: &str, sealed: &Sealed) -> Result<Vec<u8>, VaultError> {
        let parts: Vec<&str> = sealed.0.split('.').collect();
        match parts[..] {
            ["key1", bound, text] if bound == STANDARD.encode(identity) => {
                STANDARD.decode(text).map_err(|_| VaultError::Broken)
            }
            ["key2", ..] => Err(VaultError::UnknownKey),
            _ => Err(VaultError::Broken),
        }
    }
}

/// The fields of a good command of this routing key, none left out.
pub(crate) fn good(routing_key: &str) -> Value {
    let sale = json!({
        "orderId": "CRM-1001", "amazonBillerId": "7", "amazonOrderId": "S01-1234567-1234567",
        "amount": "19.95", "currency": "USD", "paySource": "AMAZON",
        "amazonAddressConsent": "Atza|token", "firstName": "Jane", "lastName": "Doe",
        "emailAddress": "jane@example.com", "capture": "immediate",
        "authorization": "sync_then_async", "softDescriptor": "SHOP*ORDER", "note": "thanks",
        "customInformation": "campaign 3", "storeName": "Shop",
        "recurring": {"initialCharge": true},
    });
    match routing_key {
        "order.import" => sale,
        "upsell.import" => with(sale, "upsellId", json!("U-1")),
        "charge.recurring" => json!({
            "chargeId": "C-1", "amazonBillerId": "7", "amazonBillingAgreementId": "C01-1-1",
            "amount": "9.90", "currency": "EUR", "orderId": "CRM-1001", "cycle": "2026-01",
            "notBefore": "2026-01-31T06:00:00Z", "softDescriptor": "SHOP", "note": "January",
        }),
        "capture.request" | "refund.request" | "cancel.request" => json!({
            "orderId": "CRM-1001", "amazonBillerId": "7", "requestId": "R-1", "amount": "5",
            "currency": "USD", "reason": "sent back",
        }),
        "agreement.close" => json!({
            "amazonBillingAgreementId": "C01-1-1", "amazonBillerId": "7", "requestId": "R-1",
            "reason": "over",
        }),
        other => panic!("no command {other}"),
    }
}

/// The object with one member set.
pub(crate) fn with(mut object: Value, name: &str, value: Value) -> Value {
    object[name] = value;
    object
}

/// The object with one member taken out.
pub(crate) fn without(mut object: Value, name: &str) -> Value {
    object.as_object_mut().unwrap().remove(name);
    object
}

/// A message with these fields.
pub(crate) fn message(routing_key: &str, body: &Value) -> Message {
    Message {
        routing_key: routing_key.to_owned(),
        body: body.to_string().into_bytes(),
        message_id: Some("crm-1".to_owned()),
        content_type: Some("application/json".to_owned()),
        ..Message::default()
    }
}
