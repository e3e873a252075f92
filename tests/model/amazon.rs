//! A model of Amazon behind the gateway port: references, authorizations and captures with the
//! rules that money depends on, and every way in which an answer can fail to come.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use amazon_pay_worker::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, Authorize, Capture, CaptureState, CaptureView,
    Effect, Fault, ReferenceState, ReferenceView, Refund, RefundState, RefundView, Reply,
};
use amazon_pay_worker::domain::ids::{AuthorizationId, CaptureId, ReferenceId, RefundId};
use amazon_pay_worker::domain::money::Money;
use amazon_pay_worker::ports::gateway::{Account, BuyerDetails, BuyerError, Exchange, Gateway};
use async_trait::async_trait;
use secrecy::SecretString;

use super::life::{Chance, Life};

#[derive(Debug, Clone)]
struct Authorization {
    view: AuthorizationView,
    call: Authorize,
    becomes: Option<(AuthorizationState, &'static str)>,
}

#[derive(Debug, Clone)]
struct Reference {
    view: ReferenceView,
    mended: bool,
}

/// A refund: what was asked, and how it stands.
#[derive(Debug, Clone)]
struct Made {
    call: Refund,
    view: RefundView,
}

#[derive(Debug, Default)]
struct Books {
    references: HashMap<ReferenceId, Reference>,
    authorizations: HashMap<AuthorizationId, Authorization>,
    captures: HashMap<CaptureId, CaptureView>,
    refunds: Vec<Made>,
    next: u32,
}

/// Amazon.
pub(crate) struct Amazon {
    books: Mutex<Books>,
    chance: Arc<Chance>,
    trouble: u64,
}

impl Amazon {
    pub(crate) fn new(chance: Arc<Chance>, trouble: u64) -> Arc<Self> {
        Arc::new(Self { books: Mutex::default(), chance, trouble })
    }

    /// Every capture on a reference: the ledger.
    pub(crate) fn captured(&self, reference: &ReferenceId) -> Vec<Money> {
        let books = self.books.lock().unwrap();
        let of = |id: &CaptureId| id.as_str().starts_with(reference.as_str());
        books
            .captures
            .iter()
            .filter(|(id, capture)| of(id) && capture.state == CaptureState::Completed)
            .filter_map(|(_, capture)| capture.amount)
            .collect()
    }

    /// Every refund of a reference's captures that gave money back: the ledger.
    pub(crate) fn refunded(&self, reference: &ReferenceId) -> Vec<(String, Money)> {
        let books = self.books.lock().unwrap();
        let of = |made: &&Made| made.call.capture.as_str().starts_with(reference.as_str());
        let done = |made: &&Made| made.view.state == RefundState::Completed;
        let entry = |made: &Made| (made.view.key.clone(), made.call.amount);
        books.refunds.iter().filter(of).filter(done).map(entry).collect()
    }

    /// The lander opened it with another total than the CRM will name.
    pub(crate) fn open_with(&self, reference: &ReferenceId, total: Money) {
        let mut books = self.books.lock().unwrap();
        let view = &mut books.reference(reference).view;
        view.state = ReferenceState::Open;
        view.total = Some(total);
    }

    /// The buyer mends the payment method in the Amazon account.
    pub(crate) fn mend(&self, reference: &ReferenceId) {
        let mut books = self.books.lock().unwrap();
        if let Some(reference) = books.references.get_mut(reference) {
            reference.mended = true;
            if reference.view.state == ReferenceState::Suspended {
                reference.view.state = ReferenceState::Open;
            }
        }
    }

    fn act(&self, effect: &Effect) -> Reply {
        let mut books = self.books.lock().unwrap();
        let refuse = |code: &str| Err(Fault::Refused { code: code.to_owned() });
        match effect {
            Effect::SetDetails(set) => {
                let reference = books.reference(&set.reference);
                if reference.view.state != ReferenceState::Draft {
                    return refuse("OrderReferenceNotModifiable");
                }
                reference.view.total = Some(set.total);
                Ok(Answer::Reference(reference.view.clone()))
            }
            Effect::Confirm(id) => confirm(books.reference(id)),
            Effect::Complete(_) => refuse("ResourceNotFound"),
            Effect::Authorize(call) => self.authorize(&mut books, call),
            Effect::ReadReference(id) => Ok(Answer::Reference(books.reference(id).view.clone())),
            Effect::FindAuthorization { ids, key } => {
                self.ripen(&mut books);
                let ours = ids
                    .iter()
                    .filter_map(|id| books.authorizations.get(id))
                    .find(|one| one.view.key == key.as_str());
                Ok(ours.map_or(Answer::NotFound, |one| Answer::Authorization(one.view.clone())))
            }
            Effect::ReadAuthorization(id) => {
                self.ripen(&mut books);
                Ok(Answer::Authorization(books.authorizations[id].view.clone()))
            }
            Effect::Capture(call) => self.capture(&mut books, call),
            Effect::ReadCapture(id) => Ok(Answer::Capture(books.captures[id].clone())),
            Effect::FindCapture { ids, key } => {
                let all = ids.iter().filter_map(|id| books.captures.get(id));
                let ours = all.into_iter().find(|one| one.key == key.as_str());
                Ok(ours.map_or(Answer::NotFound, |one| Answer::Capture(one.clone())))
            }
            Effect::Refund(call) => self.refund(&mut books, call),
            Effect::ReadRefund(id) => {
                self.ripen_refunds(&mut books);
                let made = books.refunds.iter().find(|made| made.view.id == *id).unwrap();
                Ok(Answer::Refund(made.view.clone()))
            }
            Effect::ReadRefunds(id) => {
                self.ripen_refunds(&mut books);
                let of = |made: &&Made| made.call.capture == *id;
                let views = books.refunds.iter().filter(of).map(|made| made.view.clone());
                Ok(Answer::Refunds(books.captures[id].clone(), views.collect()))
            }
            Effect::CloseAuthorization(id) => {
                let one = books.authorizations.get_mut(id).unwrap();
                if one.view.state != AuthorizationState::Open {
                    return refuse("InvalidAuthorizationStatus");
                }
                one.view.state = AuthorizationState::Closed;
                one.view.reason = Some("SellerClosed".to_owned());
                Ok(Answer::Done)
            }
            Effect::CloseReference(id) => {
                books.reference(id).view.state = ReferenceState::Closed;
                Ok(Answer::Done)
            }
        }
    }

    fn authorize(&self, books: &mut Books, call: &Authorize) -> Reply {
        let refuse = |code: &str| Err(Fault::Refused { code: code.to_owned() });
        if let Some(same) = books.authorizations.values().find(|one| one.call.key == call.key) {
            if same.call != *call {
                return refuse("DuplicateRequest");
            }
            return Ok(Answer::Authorization(same.view.clone()));
        }
        let reference = books.reference(&call.reference);
        if reference.view.state != ReferenceState::Open {
            return refuse("InvalidOrderReferenceStatus");
        }
        let mended = reference.mended;
        let approve = if call.capture_now {
            (AuthorizationState::Closed, "MaxCapturesProcessed")
        } else {
            (AuthorizationState::Open, "")
        };
        let outcome = match self.chance.below(12) {
            0 if !mended => (AuthorizationState::Declined, "InvalidPaymentMethod"),
            1 => (AuthorizationState::Declined, "AmazonRejected"),
            2 => (AuthorizationState::Declined, "ProcessingFailure"),
            3 if call.synchronous => (AuthorizationState::Declined, "TransactionTimedOut"),
            _ => approve,
        };
        books.next += 1;
        let id = AuthorizationId::new(format!("{}-A{:06}", call.reference, books.next)).unwrap();
        let pending = !call.synchronous || self.chance.percent(3);
        let mut one = Authorization {
            view: AuthorizationView {
                id: id.clone(),
                key: call.key.to_string(),
                state: AuthorizationState::Pending,
                reason: None,
                amount: Some(call.amount),
                captures: Vec::new(),
                shown: None,
            },
            call: call.clone(),
            becomes: Some(outcome),
        };
        books.references.get_mut(&call.reference).unwrap().view.authorizations.push(id.clone());
        if !pending {
            books.decide(&mut one);
        }
        let view = one.view.clone();
        books.authorizations.insert(id, one);
        Ok(Answer::Authorization(view))
    }

    fn capture(&self, books: &mut Books, call: &Capture) -> Reply {
        if let Some(same) = books.captures.values().find(|one| one.key == call.key.as_str()) {
            assert_eq!(same.amount, Some(call.amount), "one key for two captures");
            return Ok(Answer::Capture(same.clone()));
        }
        books.next += 1;
        let id = format!("{}-C{:06}", call.authorization.as_str(), books.next);
        let id = CaptureId::new(id).unwrap();
        let one = books.authorizations.get_mut(&call.authorization).unwrap();
        if one.view.state != AuthorizationState::Open {
            return Err(Fault::Refused { code: "InvalidAuthorizationStatus".to_owned() });
        }
        let (state, reason) = match self.chance.below(10) {
            0 => (CaptureState::Declined, Some("ProcessingFailure".to_owned())),
            1 => (CaptureState::Declined, Some("AmazonRejected".to_owned())),
            _ => (CaptureState::Completed, None),
        };
        one.view.captures.push(id.clone());
        if state == CaptureState::Completed {
            one.view.state = AuthorizationState::Closed;
            one.view.reason = Some("MaxCapturesProcessed".to_owned());
        }
        let view = CaptureView {
            id: id.clone(),
            key: call.key.to_string(),
            state,
            reason,
            amount: Some(call.amount),
            refunded: None,
        };
        books.captures.insert(id, view.clone());
        Ok(Answer::Capture(view))
    }

    fn refund(&self, books: &mut Books, call: &Refund) -> Reply {
        if let Some(same) = books.refunds.iter().find(|made| made.call.key == call.key) {
            assert_eq!(same.call, *call, "one key for two refunds");
            return Ok(Answer::Refund(same.view.clone()));
        }
        let captured = books.captures[&call.capture].amount.unwrap().minor();
        let counts = |made: &&Made| {
            made.call.capture == call.capture && made.view.state != RefundState::Declined
        };
        let begun = books.refunds.iter().filter(counts).map(|made| made.call.amount.minor());
        if begun.sum::<i64>() + call.amount.minor() > captured {
            return Err(Fault::Refused { code: "TransactionAmountExceeded".to_owned() });
        }
        books.next += 1;
        let view = RefundView {
            id: RefundId::new(format!("R{:06}", books.next)).unwrap(),
            key: call.key.to_string(),
            dispute: false,
            state: RefundState::Pending,
            reason: None,
            amount: Some(call.amount),
        };
        books.refunds.push(Made { call: call.clone(), view: view.clone() });
        Ok(Answer::Refund(view))
    }

    /// Pending refunds are decided now and then.
    fn ripen_refunds(&self, books: &mut Books) {
        let mut given_back = Vec::new();
        for made in &mut books.refunds {
            if made.view.state != RefundState::Pending || self.chance.percent(50) {
                continue;
            }
            (made.view.state, made.view.reason) = match self.chance.below(8) {
                0 => (RefundState::Declined, Some("ProcessingFailure".to_owned())),
                1 => (RefundState::Declined, Some("AmazonRejected".to_owned())),
                _ => (RefundState::Completed, None),
            };
            if made.view.state == RefundState::Completed {
                given_back.push((made.call.capture.clone(), made.call.amount));
            }
        }
        for (capture, amount) in given_back {
            let view = books.captures.get_mut(&capture).unwrap();
            let before = view.refunded.unwrap_or(Money::zero(amount.currency()));
            view.refunded = before.checked_add(amount);
        }
    }

    /// Pending authorizations are decided now and then.
    fn ripen(&self, books: &mut Books) {
        let waiting: Vec<AuthorizationId> = books
            .authorizations
            .iter()
            .filter(|(_, one)| one.view.state == AuthorizationState::Pending)
            .map(|(id, _)| id.clone())
            .collect();
        for id in waiting {
            if self.chance.percent(50) {
                let mut one = books.authorizations[&id].clone();
                books.decide(&mut one);
                books.authorizations.insert(id, one);
            }
        }
    }
}

impl Books {
    fn reference(&mut self, id: &ReferenceId) -> &mut Reference {
        self.references.entry(id.clone()).or_insert_with(|| Reference {
            view: ReferenceView::in_state(ReferenceState::Draft),
            mended: false,
        })
    }

    fn decide(&mut self, one: &mut Authorization) {
        let Some((state, reason)) = one.becomes.take() else { return };
        one.view.state = state;
        one.view.reason = (!reason.is_empty()).then(|| reason.to_owned());
        let reference = self.references.get_mut(&one.call.reference).unwrap();
        match reason {
            "InvalidPaymentMethod" => reference.view.state = ReferenceState::Suspended,
            "AmazonRejected" => reference.view.state = ReferenceState::Closed,
            "MaxCapturesProcessed" => {
                let id = one.view.id.as_str().replace("-A", "-C");
                let id = CaptureId::new(id).unwrap();
                one.view.captures = vec![id.clone()];
                self.captures.insert(
                    id.clone(),
                    CaptureView {
                        id,
                        key: one.view.key.clone(),
                        state: CaptureState::Completed,
                        reason: None,
                        amount: Some(one.call.amount),
                        refunded: None,
                    },
                );
            }
            _ => {}
        }
    }
}

/// The line from one worker process to Amazon.
pub(crate) struct Line {
    pub(crate) amazon: Arc<Amazon>,
    pub(crate) life: Arc<Life>,
}

#[async_trait]
impl Gateway for Line {
    async fn call(&self, _account: &Account, effect: &Effect) -> Exchange {
        self.life.step().await;
        let (chance, trouble) = (&self.amazon.chance, self.amazon.trouble);
        let reply = if chance.percent(trouble) {
            match chance.below(5) {
                0 => Err(Fault::NotSent),
                1 => Err(Fault::Throttled { retry_after_ms: Some(500) }),
                2 => Err(Fault::Unavailable { code: "500".to_owned() }),
                3 => Err(Fault::Unknown),
                _ => {
                    // The effect happens and the answer is lost.
                    let _lost = self.amazon.act(effect);
                    Err(Fault::Unknown)
                }
            }
        } else {
            self.amazon.act(effect)
        };
        self.life.step().await;
        Exchange { reply, request_id: None }
    }

    async fn buyer(
        &self,
        _account: &Account,
        _reference: &ReferenceId,
        _token: Option<&SecretString>,
    ) -> Result<BuyerDetails, BuyerError> {
        Ok(BuyerDetails::default())
    }

    async fn probe(&self, _account: &Account) -> Result<(), Fault> {
        Ok(())
    }
}

fn confirm(reference: &mut Reference) -> Reply {
    let refuse = |code: &str| Err(Fault::Refused { code: code.to_owned() });
    match reference.view.state {
        ReferenceState::Draft | ReferenceState::Open => {}
        ReferenceState::Suspended if reference.mended => {}
        ReferenceState::Suspended => return refuse("PaymentMethodNotUpdated"),
        _ => return refuse("InvalidOrderReferenceStatus"),
    }
    reference.view.state = ReferenceState::Open;
    Ok(Answer::Done)
}
