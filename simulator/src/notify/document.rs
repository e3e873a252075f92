//! An object as MWS puts it into a notification: another namespace, another order, and amounts as
//! plain numbers. Nothing of the buyer, and no notes.

use crate::books::{
    AgreementAt, AuthorizationAt, Books, CaptureAt, News, Object, OrderAt, Reason, RefundAt,
    RefundKind,
};
use crate::clock::Millis;
use crate::mws::xml::Xml;
use amazon_pay_money::Money;

const NAMESPACE: &str = "https://mws.amazonservices.com/ipn/OffAmazonPayments/2013-01-01";

/// The notification's type and its document.
pub(super) fn document(books: &Books, news: News) -> (&'static str, String) {
    let mut xml = Xml::default();
    xml.raw("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let (kind, root, inside): (_, _, fn(&mut Xml, &Books, News)) = match news {
        News::Turned(Object::Order(_)) => {
            ("OrderReferenceNotification", "OrderReferenceNotification", write)
        }
        News::Turned(Object::Agreement(_)) => {
            ("BillingAgreementNotification", "BillingAgreementNotification", write)
        }
        News::Turned(Object::Authorization(_)) => {
            ("PaymentAuthorize", "AuthorizationNotification", write)
        }
        News::Turned(Object::Capture(_)) => ("PaymentCapture", "CaptureNotification", write),
        News::Turned(Object::Refund(_)) => ("PaymentRefund", "RefundNotification", write),
        News::Disputed(_) => ("Chargeback Detailed Notification", "ChargebackNotification", write),
    };
    xml.root(root, NAMESPACE, |xml| inside(xml, books, news));
    (kind, xml.into_text())
}

fn write(xml: &mut Xml, books: &Books, news: News) {
    match news {
        News::Turned(Object::Order(at)) => order(xml, books, at),
        News::Turned(Object::Agreement(at)) => agreement(xml, books, at),
        News::Turned(Object::Authorization(at)) => authorization(xml, books, at),
        News::Turned(Object::Capture(at)) => capture(xml, books, at),
        News::Turned(Object::Refund(at)) => refund(xml, books, at),
        News::Disputed(at) => chargeback(xml, books, at),
    }
}

/// `106.0`, `19.95`, `134.0`: a double, amount first.
fn number(xml: &mut Xml, name: &str, money: Money) {
    let text = money.amount();
    let text = match text.split_once('.') {
        None => format!("{text}.0"),
        Some((whole, "00")) => format!("{whole}.0"),
        Some(_) => text.strip_suffix('0').unwrap_or(&text).to_owned(),
    };
    amount(xml, name, &text, money);
}

fn amount(xml: &mut Xml, name: &str, text: &str, money: Money) {
    xml.within(name, |xml| {
        xml.leaf("Amount", text);
        xml.leaf("CurrencyCode", money.currency().code());
    });
}

fn ids<'a>(xml: &mut Xml, ids: impl Iterator<Item = &'a str>) {
    let mut ids = ids.peekable();
    if ids.peek().is_none() {
        return xml.empty("IdList");
    }
    xml.within("IdList", |xml| ids.for_each(|id| xml.leaf("Id", id)));
}

fn status(xml: &mut Xml, name: &str, state: &str, at: Option<Millis>, reason: Option<Reason>) {
    xml.within(name, |xml| {
        xml.leaf("State", state);
        if let Some(at) = at {
            xml.time("LastUpdateTimestamp", at);
        }
        xml.maybe("ReasonCode", reason.map(Reason::text));
    });
}

fn statement(descriptor: Option<&str>) -> String {
    format!("AMZ*{}", descriptor.unwrap_or("Simulated Seller"))
}

fn order(xml: &mut Xml, books: &Books, at: OrderAt) {
    let it = &books[at];
    xml.within("OrderReference", |xml| {
        xml.leaf("AmazonOrderReferenceId", &it.id);
        if let Some(total) = it.total {
            amount(xml, "OrderTotal", &total.amount(), total);
        }
        xml.within("SellerOrderAttributes", |xml| {
            xml.leaf("SellerId", &books[it.seller].merchant_id);
            xml.maybe("SellerOrderId", it.attributes.seller_order_id.as_deref());
            xml.empty("OrderItemCategories");
        });
        status(xml, "OrderReferenceStatus", it.state.text(), it.updated, it.reason);
        xml.time("CreationTimestamp", it.created);
        xml.time("ExpirationTimestamp", it.expires);
    });
}

fn agreement(xml: &mut Xml, books: &Books, at: AgreementAt) {
    let it = &books[at];
    let balance = books.balance(at);
    xml.within("BillingAgreement", |xml| {
        xml.leaf("AmazonBillingAgreementId", &it.id);
        xml.within("SellerBillingAgreementAttributes", |xml| {
            xml.leaf("SellerId", &books[it.seller].merchant_id);
            xml.maybe("SellerBillingAgreementId", it.attributes.seller_agreement_id.as_deref());
        });
        status(xml, "BillingAgreementStatus", it.state.text(), it.updated, it.reason);
        xml.time("CreationTimestamp", it.created);
        xml.within("BillingAgreementLimits", |xml| {
            number(xml, "AmountLimitPerTimePeriod", balance.limit);
            xml.time("TimePeriodStartDate", balance.starts);
            xml.time("TimePeriodEndDate", balance.ends);
            number(xml, "CurrentRemainingBalance", balance.left);
        });
        xml.flag("BillingAgreementConsent", it.consent);
    });
}

fn authorization(xml: &mut Xml, books: &Books, at: AuthorizationAt) {
    let it = &books[at];
    xml.within("AuthorizationDetails", |xml| {
        xml.leaf("AmazonAuthorizationId", &it.id);
        xml.leaf("AuthorizationReferenceId", &it.reference);
        number(xml, "AuthorizationAmount", it.ask.amount);
        number(xml, "CapturedAmount", it.captured);
        number(xml, "AuthorizationFee", Money::zero(it.ask.amount.currency()));
        ids(xml, it.captures.iter().map(|at| books[*at].id.as_str()));
        xml.time("CreationTimestamp", it.created);
        xml.time("ExpirationTimestamp", it.expires);
        status(xml, "AuthorizationStatus", it.state.text(), Some(it.updated), it.reason);
        xml.flag("SoftDecline", it.soft);
        xml.empty("OrderItemCategories");
        xml.flag("CaptureNow", it.ask.capture_now);
        xml.leaf("SoftDescriptor", &statement(it.ask.soft_descriptor.as_deref()));
    });
}

fn capture(xml: &mut Xml, books: &Books, at: CaptureAt) {
    let it = &books[at];
    xml.within("CaptureDetails", |xml| {
        xml.leaf("AmazonCaptureId", &it.id);
        xml.leaf("CaptureReferenceId", &it.reference);
        number(xml, "CaptureAmount", it.ask.amount);
        number(xml, "RefundedAmount", it.refunded);
        number(xml, "CaptureFee", Money::zero(it.ask.amount.currency()));
        ids(xml, it.refunds.iter().map(|at| books[*at].id.as_str()));
        xml.time("CreationTimestamp", it.created);
        status(xml, "CaptureStatus", it.state.text(), Some(it.updated), it.reason);
        xml.leaf("SoftDescriptor", &statement(it.ask.soft_descriptor.as_deref()));
    });
}

fn refund(xml: &mut Xml, books: &Books, at: RefundAt) {
    let it = &books[at];
    xml.within("RefundDetails", |xml| {
        xml.leaf("AmazonRefundId", &it.id);
        xml.leaf("RefundReferenceId", &it.reference);
        xml.leaf("RefundType", it.kind.text());
        number(xml, "RefundAmount", it.ask.amount);
        number(xml, "FeeRefunded", Money::zero(it.ask.amount.currency()));
        xml.time("CreationTimestamp", it.created);
        status(xml, "RefundStatus", it.state.text(), Some(it.updated), it.reason);
        xml.leaf("SoftDescriptor", &statement(it.ask.soft_descriptor.as_deref()));
    });
}

fn chargeback(xml: &mut Xml, books: &Books, at: RefundAt) {
    let it = &books[at];
    let order = books.order_of_capture(it.capture);
    xml.within("ChargebackDetails", |xml| {
        xml.leaf("AmazonChargebackId", &chargeback_id(&it.id));
        xml.leaf("AmazonOrderReferenceId", &books[order].id);
        xml.leaf("AmazonCaptureReferenceId", &books[it.capture].id);
        xml.time("CreationTimestamp", it.created);
        number(xml, "ChargebackAmount", it.ask.amount);
        xml.leaf("ChargebackState", "RECEIVED");
        let reason = match it.kind {
            RefundKind::Chargeback => "Unauthorized Transaction Chargeback",
            RefundKind::SellerInitiated | RefundKind::Guarantee => "Generic Service Chargeback",
        };
        xml.leaf("ChargebackReason", reason);
    });
}

/// Thirteen letters and digits, which have nothing in common with the reference.
pub(super) fn chargeback_id(refund: &str) -> String {
    let digits: String = refund.chars().filter(char::is_ascii_digit).collect();
    format!("A{}", &digits[digits.len().saturating_sub(12)..])
}
