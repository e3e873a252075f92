//! Objects as the MWS API shows them.

use super::xml::Xml;
use crate::books::{
    Address, Agreement, AgreementAt, Attributes, AuthorizationAt, Books, Buyer, CaptureAt,
    Constraint, Environment, Order, OrderAt, OrderState, Reason, RefundAt,
};
use crate::clock::Millis;
use amazon_pay_money::Money;

/// What a soft descriptor becomes on the buyer's statement.
fn statement(descriptor: Option<&str>) -> String {
    format!("AMZ*{}", descriptor.unwrap_or("Simulated Seller"))
}

fn ids<'a>(xml: &mut Xml, ids: impl Iterator<Item = &'a str>) {
    let mut ids = ids.peekable();
    if ids.peek().is_none() {
        return xml.empty("IdList");
    }
    xml.within("IdList", |xml| ids.for_each(|id| xml.leaf("member", id)));
}

fn status(
    xml: &mut Xml,
    name: &str,
    (state, updated): (&str, Option<Millis>),
    reason: Option<Reason>,
    description: Option<&str>,
) {
    xml.within(name, |xml| {
        if let Some(updated) = updated {
            xml.time("LastUpdateTimestamp", updated);
        }
        xml.leaf("State", state);
        xml.maybe("ReasonCode", reason.map(Reason::text));
        xml.maybe("ReasonDescription", description);
    });
}

/// An address: all of it, or what a seller may see before the purchase.
fn destination(xml: &mut Xml, address: &Address, all: bool) {
    xml.within("Destination", |xml| {
        xml.leaf("DestinationType", "Physical");
        xml.within("PhysicalDestination", |xml| {
            if all {
                xml.maybe("Name", address.name.as_deref());
                xml.maybe("AddressLine1", address.address_line1.as_deref());
                xml.maybe("AddressLine2", address.address_line2.as_deref());
                xml.maybe("AddressLine3", address.address_line3.as_deref());
                xml.maybe("Phone", address.phone.as_deref());
            }
            xml.maybe("City", address.city.as_deref());
            xml.maybe("StateOrRegion", address.state_or_region.as_deref());
            xml.maybe("PostalCode", address.postal_code.as_deref());
            xml.maybe("CountryCode", address.country_code.as_deref());
        });
    });
}

fn buyer(xml: &mut Xml, buyer: &Buyer) {
    xml.within("Buyer", |xml| {
        xml.leaf("Name", &buyer.name);
        xml.leaf("Email", &buyer.email);
    });
}

fn seller_attributes(xml: &mut Xml, attributes: &Attributes) {
    xml.within("SellerOrderAttributes", |xml| {
        xml.maybe("StoreName", attributes.store_name.as_deref());
        xml.maybe("SellerOrderId", attributes.seller_order_id.as_deref());
        xml.maybe("CustomInformation", attributes.custom_information.as_deref());
        xml.maybe("SupplementaryData", attributes.supplementary_data.as_deref());
        if !attributes.categories.is_empty() {
            xml.within("OrderItemCategories", |xml| {
                attributes.categories.iter().for_each(|one| xml.leaf("OrderItemCategory", one));
            });
        }
    });
}

fn constraints(xml: &mut Xml, found: &[Constraint]) {
    if found.is_empty() {
        return;
    }
    xml.within("Constraints", |xml| {
        for constraint in found {
            let (id, description) = match constraint {
                Constraint::AmountNotSet => ("AmountNotSet", "Order amount missing."),
                Constraint::BuyerConsentNotSet => {
                    ("BuyerConsentNotSet", "The buyer has not given consent.")
                }
                Constraint::PaymentMethodNotAllowed => {
                    ("PaymentMethodNotAllowed", "Payment method not allowed for this order.")
                }
                Constraint::PaymentPlanNotSet => {
                    ("PaymentPlanNotSet", "Payment method not chosen.")
                }
            };
            xml.within("Constraint", |xml| {
                xml.leaf("ConstraintID", id);
                xml.leaf("Description", description);
            });
        }
    });
}

fn environment(xml: &mut Xml, of: Option<Environment>) {
    let live = of == Some(Environment::Live);
    xml.leaf("ReleaseEnvironment", if live { "Live" } else { "Sandbox" });
}

/// `OrderReferenceDetails`, with the buyer where the caller may see who that is.
pub(super) fn order(xml: &mut Xml, books: &Books, at: OrderAt, shows_buyer: bool) {
    let order = &books[at];
    let attributes = &order.attributes;
    xml.within("OrderReferenceDetails", |xml| {
        let told = (order.state.text(), order.updated);
        let why = order.description.as_deref();
        status(xml, "OrderReferenceStatus", told, order.reason, why);
        if let Some(address) = &order.buyer.address {
            destination(xml, address, shows_buyer);
        }
        if shows_buyer {
            buyer(xml, &order.buyer);
        }
        if let Some(parent) = order.parent {
            xml.within("ParentDetails", |xml| {
                xml.leaf("Type", "BillingAgreement");
                xml.leaf("Id", &books[parent].id);
            });
        }
        if order.state != OrderState::Draft {
            ids(xml, order.authorizations.iter().map(|at| books[*at].id.as_str()));
            xml.empty("PaymentAuthenticationStatus");
        }
        if let Some(total) = order.total {
            xml.price("OrderTotal", total);
        }
        xml.time("ExpirationTimestamp", order.expires);
        seller_attributes(xml, attributes);
        xml.maybe("SellerNote", attributes.seller_note.as_deref());
        xml.maybe("PlatformId", attributes.platform_id.as_deref());
        if attributes.provider_id.is_some() || attributes.provider_order_id.is_some() {
            xml.within("PaymentServiceProviderAttributes", |xml| {
                let (id, order_id) = (&attributes.provider_id, &attributes.provider_order_id);
                xml.maybe("PaymentServiceProviderId", id.as_deref());
                xml.maybe("PaymentServiceProviderOrderId", order_id.as_deref());
            });
        }
        constraints(xml, &order.constraints());
        environment(xml, order.environment);
        xml.leaf("AmazonOrderReferenceId", &order.id);
        xml.time("CreationTimestamp", order.created);
        let asks = attributes.request_payment_authorization.as_deref();
        xml.leaf("RequestPaymentAuthorization", asks.unwrap_or("false"));
    });
}

/// An order reference as it stands in a list.
pub(super) fn listed(xml: &mut Xml, order: &Order) {
    xml.within("OrderReference", |xml| {
        environment(xml, order.environment);
        let told = (order.state.text(), order.updated);
        let why = order.description.as_deref();
        status(xml, "OrderReferenceStatus", told, order.reason, why);
        xml.leaf("AmazonOrderReferenceId", &order.id);
        xml.time("CreationTimestamp", order.created);
        seller_attributes(xml, &order.attributes);
        if let Some(total) = order.total {
            xml.price("OrderTotal", total);
        }
    });
}

/// `BillingAgreementDetails`
pub(super) fn agreement(xml: &mut Xml, books: &Books, at: AgreementAt, shows_buyer: bool) {
    let agreement = &books[at];
    let attributes = &agreement.attributes;
    xml.within("BillingAgreementDetails", |xml| {
        xml.leaf("AmazonBillingAgreementId", &agreement.id);
        agreement_status(xml, agreement);
        xml.flag("BillingAgreementConsent", agreement.consent);
        if let Some(address) = &agreement.buyer.address {
            destination(xml, address, shows_buyer);
        }
        xml.within("SellerBillingAgreementAttributes", |xml| {
            xml.maybe("SellerBillingAgreementId", attributes.seller_agreement_id.as_deref());
            xml.maybe("StoreName", attributes.store_name.as_deref());
            xml.maybe("CustomInformation", attributes.custom_information.as_deref());
        });
        if shows_buyer {
            buyer(xml, &agreement.buyer);
        }
        xml.maybe("SellerNote", attributes.seller_note.as_deref());
        xml.maybe("PlatformId", attributes.platform_id.as_deref());
        xml.maybe("BillingAgreementType", attributes.kind.as_deref());
        if let Some(amount) = attributes.subscription_amount {
            xml.price("SubscriptionAmount", amount);
        }
        constraints(xml, &agreement.constraints());
        environment(xml, agreement.environment);
        xml.time("CreationTimestamp", agreement.created);
        let balance = books.balance(at);
        xml.within("BillingAgreementLimits", |xml| {
            xml.day("TimePeriodStartDate", balance.starts);
            xml.price("CurrentRemainingBalance", balance.left);
            xml.limit("AmountLimitPerTimePeriod", balance.limit);
            xml.day("TimePeriodEndDate", balance.ends);
        });
    });
}

/// `BillingAgreementStatus`, whose timestamp is spelled with a d.
pub(super) fn agreement_status(xml: &mut Xml, agreement: &Agreement) {
    xml.within("BillingAgreementStatus", |xml| {
        if let Some(updated) = agreement.updated {
            xml.time("LastUpdatedTimestamp", updated);
        }
        xml.leaf("State", agreement.state.text());
        xml.maybe("ReasonCode", agreement.reason.map(Reason::text));
        xml.maybe("ReasonDescription", agreement.description.as_deref());
    });
}

fn fee(xml: &mut Xml, name: &str, amount: Money) {
    xml.price(name, Money::zero(amount.currency()));
}

/// `AuthorizationDetails`; the answer to the call that made it still shows nothing captured.
pub(super) fn authorization(xml: &mut Xml, books: &Books, at: AuthorizationAt, fresh: bool) {
    let it = &books[at];
    let ask = &it.ask;
    xml.within("AuthorizationDetails", |xml| {
        xml.price("AuthorizationAmount", ask.amount);
        let captured = if fresh { Money::zero(ask.amount.currency()) } else { it.captured };
        xml.total("CapturedAmount", captured);
        xml.time("ExpirationTimestamp", it.expires);
        ids(xml, it.captures.iter().map(|at| books[*at].id.as_str()));
        xml.flag("SoftDecline", it.soft);
        let told = (it.state.text(), Some(it.updated));
        status(xml, "AuthorizationStatus", told, it.reason, it.description.as_deref());
        fee(xml, "AuthorizationFee", ask.amount);
        xml.flag("CaptureNow", ask.capture_now);
        xml.leaf("SellerAuthorizationNote", &ask.note);
        xml.time("CreationTimestamp", it.created);
        if ask.capture_now {
            xml.leaf("SoftDescriptor", &statement(ask.soft_descriptor.as_deref()));
        }
        xml.leaf("AmazonAuthorizationId", &it.id);
        xml.leaf("AuthorizationReferenceId", &it.reference);
    });
}

/// `CaptureDetails`.
pub(super) fn capture(xml: &mut Xml, books: &Books, at: CaptureAt) {
    let it = &books[at];
    xml.within("CaptureDetails", |xml| {
        xml.leaf("CaptureReferenceId", &it.reference);
        fee(xml, "CaptureFee", it.ask.amount);
        xml.leaf("AmazonCaptureId", &it.id);
        xml.time("CreationTimestamp", it.created);
        xml.leaf("SoftDescriptor", &statement(it.ask.soft_descriptor.as_deref()));
        ids(xml, it.refunds.iter().map(|at| books[*at].id.as_str()));
        let told = (it.state.text(), Some(it.updated));
        status(xml, "CaptureStatus", told, it.reason, None);
        xml.leaf("SellerCaptureNote", &it.ask.note);
        xml.total("RefundedAmount", it.refunded);
        xml.price("CaptureAmount", it.ask.amount);
    });
}

/// `RefundDetails`.
pub(super) fn refund(xml: &mut Xml, books: &Books, at: RefundAt) {
    let it = &books[at];
    xml.within("RefundDetails", |xml| {
        xml.leaf("RefundReferenceId", &it.reference);
        xml.leaf("RefundType", it.kind.text());
        xml.leaf("SellerRefundNote", &it.ask.note);
        xml.time("CreationTimestamp", it.created);
        xml.leaf("SoftDescriptor", &statement(it.ask.soft_descriptor.as_deref()));
        let told = (it.state.text(), Some(it.updated));
        status(xml, "RefundStatus", told, it.reason, None);
        fee(xml, "FeeRefunded", it.ask.amount);
        xml.price("RefundAmount", it.ask.amount);
        xml.leaf("AmazonRefundId", &it.id);
    });
}
