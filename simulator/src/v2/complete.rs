//! The end of a checkout: the session becomes a permission and, as its intent says, a charge. A
//! session whose charge is declined is Canceled and leaves nothing behind; which of the buyer's or
//! Amazon's reasons it was is told by the session, not by the error. Only trouble of Amazon's own
//! (`ProcessingFailure`) leaves it Open for another try.

use serde_json::Value;

use super::body::Reader;
use super::errors::{Error, word};
use super::sessions::{End, Intent, Kind, Session, Terms};
use super::simulate::{self, Checkout};
use super::{Call, charges};
use crate::World;
use crate::books::{
    AgreementAttributes, AuthorizeAsk, Books, Given, Object, Patience, Reason, allowance,
};
use amazon_pay_money::{Currency, Money};

/// What a recurring permission allows in a month, and what one on file: 1,000.00 and 15,000.00.
const MONTH_RECURRING: i64 = 100_000;
const MONTH_ON_FILE: i64 = 1_500_000;

/// `POST checkoutSessions/{id}/complete` and `…/finalize`
pub(super) fn complete(world: &mut World, call: &Call<'_>) -> Result<(u16, Value), Error> {
    let mut reader = Reader::new(call.body)?;
    let amount = reader.money("chargeAmount");
    let total = reader.money("totalOrderAmount");
    reader.text("supplementaryData", 2048);
    reader.object("shippingAddress");
    reader.object("billingAddress");
    reader.finish()?;
    let simulated = simulate::checkout(call)?;
    let now = world.books.now();
    let World { books, v2, .. } = world;
    let session = v2.sessions.find(call, now)?;
    let mut terms = may_complete(session)?;
    if let Some(Checkout::Canceled(reason)) = simulated {
        session.finish(End::Canceled(reason), now);
        return Err(canceled());
    }
    agree(&mut terms, amount, total)?;
    let permission = permit(books, session, &terms)?;
    let pending = simulated == Some(Checkout::Pending);
    let charge = match charge(books, permission, &terms, pending, call) {
        Ok(charge) => charge,
        Err(error) => {
            session.plan = books.withdraw_plan(permission);
            if !matches!(error.code.as_str(), "ProcessingFailure" | "TransactionTimedOut") {
                let by_amazon = error.code == "AmazonRejected";
                let reason = if by_amazon { "AmazonCanceled" } else { "Declined" };
                session.finish(End::Canceled(reason), now);
                return Err(canceled());
            }
            return Err(error);
        }
    };
    session.finish(End::Completed { permission, charge }, now);
    let (id, said) = (books.names(permission).0.to_owned(), session.said.clone());
    let shown = session.show(books);
    v2.said.insert(id, said);
    let is_pending = charge.is_some_and(|at| charges::is_pending(books, at));
    Ok((if is_pending { 202 } else { 200 }, shown))
}

fn canceled() -> Error {
    Error::new(422, "CheckoutSessionCanceled", "The checkout session is canceled.")
}

fn may_complete(session: &Session) -> Result<Terms, Error> {
    let status = |message: &str| Err(Error::new(422, "InvalidCheckoutSessionStatus", message));
    match &session.end {
        Some(End::Canceled(_)) => Err(canceled()),
        Some(End::Completed { .. }) => status("The checkout session is Completed."),
        None if session.buyer.is_none() => status("The buyer has not agreed yet."),
        None => Ok(session.terms()),
    }
}

/// What is completed must be what the buyer saw.
fn agree(terms: &mut Terms, amount: Option<Money>, total: Option<Money>) -> Result<(), Error> {
    let differs = |said: Option<Money>, asked: Option<Money>| {
        said.zip(asked).is_some_and(|(said, asked)| said != asked)
    };
    if differs(terms.amount, amount) || differs(terms.total, total) {
        let message = "The amount is not that of the checkout session.";
        return Err(Error::new(409, "AmountMismatch", message));
    }
    terms.amount = terms.amount.or(amount);
    terms.total = terms.total.or(total);
    let asked = amount.is_some() || terms.kind == Kind::OnFile;
    if !asked && terms.intent != Intent::Confirm {
        let message = "The request lacks: chargeAmount.";
        return Err(Error::new(400, "MissingParameterValue", message));
    }
    Ok(())
}

/// The permission that a buyer gives.
fn permit(books: &mut Books, session: &mut Session, terms: &Terms) -> Result<Object, Error> {
    let Some(buyer) = session.buyer.clone() else { return Err(Error::unknown()) };
    let given = Given {
        seller: session.seller,
        environment: session.environment,
        buyer,
        plan: std::mem::take(&mut session.plan),
    };
    let metadata = session.said.get("merchantMetadata").unwrap_or(&Value::Null);
    let attributes = charges::attributes(metadata);
    let month = match terms.kind {
        Kind::OneTime => {
            let message = "paymentDetails.chargeAmount: is not set";
            let amount = terms.amount.ok_or_else(|| Error::invalid(message))?;
            let total = terms.total.unwrap_or(amount);
            let limit = if terms.overcharge { allowance(total) } else { total };
            let made = books.permit_once(given, (total, limit), &attributes);
            return made.map(Object::Order).map_err(word);
        }
        Kind::Recurring => MONTH_RECURRING,
        Kind::OnFile if books[session.seller].region.currency() == Currency::JPY => 2_000_000,
        Kind::OnFile => MONTH_ON_FILE,
    };
    let attributes = AgreementAttributes {
        platform_id: attributes.platform_id,
        seller_note: attributes.seller_note,
        seller_agreement_id: attributes.seller_order_id,
        store_name: attributes.store_name,
        custom_information: attributes.custom_information,
        ..AgreementAttributes::default()
    };
    books.permit_recurring(given, month, &attributes).map(Object::Agreement).map_err(word)
}

/// The first charge, where the intent is one.
fn charge(
    books: &mut Books,
    permission: Object,
    terms: &Terms,
    pending: bool,
    call: &Call<'_>,
) -> Result<Option<crate::books::AuthorizationAt>, Error> {
    let capture_now = match terms.intent {
        Intent::Confirm => return Ok(None),
        Intent::Authorize => false,
        Intent::AuthorizeWithCapture => true,
    };
    let Some(amount) = terms.amount else { return Ok(None) };
    let ask = AuthorizeAsk {
        reference: String::new(),
        amount,
        note: String::new(),
        timeout_minutes: 0,
        patience: if terms.may_pend { Patience::Enough } else { Patience::None },
        capture_now,
        soft_descriptor: terms.descriptor.clone(),
    };
    let attributes = books.attributes_of(permission);
    let fate = (pending && terms.may_pend).then(simulate::pending);
    let at = charges::run(books, permission, &ask, (&attributes, fate))?;
    let name = if call.key.is_empty() { call.id } else { call.key };
    charges::name(books, at, name);
    Ok(Some(at))
}

impl Books {
    /// Ends the permission of a checkout that came to nothing, and gives back what of its plan is
    /// still to come.
    fn withdraw_plan(&mut self, permission: Object) -> crate::books::Plan {
        self.withdraw(permission, Reason::AmazonCanceled);
        match permission {
            Object::Order(at) => std::mem::take(&mut self[at].plan),
            Object::Agreement(at) => std::mem::take(&mut self[at].plan),
            Object::Authorization(_) | Object::Capture(_) | Object::Refund(_) => {
                crate::books::Plan::default()
            }
        }
    }
}
