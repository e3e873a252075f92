//! The envelope of SNS around what Amazon Pay says, signed: as MWS words it, or as API v2 does.

use serde_json::{Value, json};

use super::document::{chargeback_id, document};
use super::signer::Signer;
use crate::books::{Books, Environment, News, Object, OrderAt, Region, Seller};
use crate::clock::{Millis, rfc3339};
use crate::ids::Ids;

/// Which API's words a seller is notified in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wording {
    /// XML inside JSON.
    Mws,
    /// JSON without any state.
    V2,
}

/// A signed message on its way.
#[derive(Debug, Clone)]
pub(super) struct Envelope {
    pub(super) url: String,
    pub(super) id: String,
    pub(super) topic: String,
    pub(super) body: String,
}

/// Whom the news are of, and in which environment.
pub(super) fn of_whom(books: &Books, news: News) -> Option<(&Seller, Environment)> {
    let object = match news {
        News::Turned(object) => object,
        News::Disputed(at) => Object::Refund(at),
    };
    let (seller, environment) = match (object, books.order_of(object)) {
        (Object::Agreement(at), _) => (books[at].seller, books[at].environment),
        (_, Some(at)) => (books[at].seller, books[at].environment),
        (_, None) => return None,
    };
    Some((&books[seller], environment.unwrap_or(Environment::Sandbox)))
}

/// Words and signs the news; none where the seller wants to hear of nothing.
pub(super) fn envelope(
    books: &Books,
    news: News,
    wording: Wording,
    (signer, cert_url): (&Signer, &str),
    ids: &mut Ids,
    now: Millis,
) -> Option<Envelope> {
    let (seller, environment) = of_whom(books, news)?;
    let url = seller.ipn_url.clone().filter(|url| !url.is_empty())?;
    let message = match wording {
        Wording::Mws => of_mws(books, news, seller, environment, ids, now),
        Wording::V2 => of_v2(books, news, seller, ids)?,
    };
    let (region, marketplace) = topic(seller.region, environment);
    let topic = format!("arn:aws:sns:{region}:291180941288:{marketplace}{}", seller.merchant_id);
    let (id, timestamp, message) = (ids.uuid(), rfc3339(now), message.to_string());
    let signed = format!(
        "Message\n{message}\nMessageId\n{id}\nTimestamp\n{timestamp}\nTopicArn\n{topic}\n\
         Type\nNotification\n"
    );
    let unsubscribe = format!(
        "https://sns.{region}.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={topic}:{id}"
    );
    let body = json!({
        "Type": "Notification",
        "MessageId": &id,
        "TopicArn": &topic,
        "Message": message,
        "Timestamp": timestamp,
        "SignatureVersion": "1",
        "Signature": signer.sign(&signed),
        "SigningCertURL": cert_url,
        "UnsubscribeURL": unsubscribe,
    });
    Some(Envelope { url, id, topic, body: body.to_string() })
}

/// Where SNS is, and the marketplace in front of the seller's id.
const fn topic(region: Region, environment: Environment) -> (&'static str, &'static str) {
    match (region, environment) {
        (Region::Na, Environment::Sandbox) => ("us-east-1", "A3BXB0YN3XH17H"),
        (Region::Na, Environment::Live) => ("us-east-1", "AGWSWK15IEJJ7"),
        (Region::Eu | Region::Uk, Environment::Sandbox) => ("eu-west-1", "A1G8446IYHA4MR"),
        (Region::Eu | Region::Uk, Environment::Live) => ("eu-west-1", "A1OCY9REWJOCW5"),
        (Region::Jp, Environment::Sandbox) => ("us-west-2", "A29VVMMGWU0NVL"),
        (Region::Jp, Environment::Live) => ("us-west-2", "A1MUN8Y3CKF6OK"),
    }
}

const fn marketplace(region: Region, environment: Environment) -> &'static str {
    match (region, environment) {
        (Region::Na, Environment::Sandbox) => "623690",
        (Region::Na, Environment::Live) => "623680",
        (Region::Eu | Region::Uk, Environment::Sandbox) => "136311",
        (Region::Eu | Region::Uk, Environment::Live) => "136291",
        (Region::Jp, Environment::Sandbox) => "165550",
        (Region::Jp, Environment::Live) => "165551",
    }
}

fn of_mws(
    books: &Books,
    news: News,
    seller: &Seller,
    environment: Environment,
    ids: &mut Ids,
    now: Millis,
) -> Value {
    let (kind, xml) = document(books, news);
    let number = match news {
        News::Disputed(_) => "165570",
        News::Turned(_) => marketplace(seller.region, environment),
    };
    let mut message = json!({
        "ReleaseEnvironment": match environment {
            Environment::Sandbox => "Sandbox",
            Environment::Live => "Live",
        },
        "MarketplaceID": number,
        "Version": "2013-01-01",
        "NotificationType": kind,
        "SellerId": seller.merchant_id,
        "NotificationReferenceId": ids.uuid(),
        "Timestamp": rfc3339(now),
        "NotificationData": xml,
    });
    if let News::Turned(Object::Agreement(_)) = news {
        message["EventType"] = json!("BillingAgreementStatusUpdated");
    }
    message
}

/// The consent as API v2 knows it: of a charge of an agreement that is the agreement.
fn permission(books: &Books, at: OrderAt) -> &str {
    let order = &books[at];
    match order.parent {
        Some(parent) if order.for_one_charge => &books[parent].id,
        Some(_) | None => &order.id,
    }
}

fn of_v2(books: &Books, news: News, seller: &Seller, ids: &mut Ids) -> Option<Value> {
    let charge = |authorization: &str| authorization.replacen("-A", "-C", 1);
    let (kind, id, order) = match news {
        News::Turned(Object::Order(at)) => ("CHARGE_PERMISSION", books[at].id.clone(), Some(at)),
        News::Turned(Object::Agreement(at)) => ("CHARGE_PERMISSION", books[at].id.clone(), None),
        News::Turned(object @ Object::Authorization(at)) => {
            ("CHARGE", charge(&books[at].id), books.order_of(object))
        }
        News::Turned(object @ Object::Capture(at)) => {
            let authorization = &books[books[at].authorization];
            ("CHARGE", charge(&authorization.id), books.order_of(object))
        }
        News::Turned(object @ Object::Refund(at)) => {
            ("REFUND", books[at].id.clone(), books.order_of(object))
        }
        News::Disputed(at) => {
            let order = books.order_of(Object::Refund(at));
            ("CHARGEBACK", chargeback_id(&books[at].id), order)
        }
    };
    let consent = order.map_or_else(|| id.clone(), |at| permission(books, at).to_owned());
    Some(json!({
        "MerchantID": seller.merchant_id,
        "ObjectType": kind,
        "ObjectId": id,
        "ChargePermissionId": consent,
        "NotificationType": "STATE_CHANGE",
        "NotificationId": ids.uuid(),
        "NotificationVersion": "V2",
    }))
}
