//! What documents are read as: every state, every order of elements, every spelling of an amount;
//! and that half a document is never taken for a whole one.

use amazon_pay_worker::domain::gateway::{
    Answer, AuthorizationState, AuthorizationView, CaptureState, CaptureView, Effect, Fault,
    ReferenceState, ReferenceView,
};
use amazon_pay_worker::domain::ids::AuthorizationId;
use amazon_pay_worker::domain::money::{Currency, Money};
use amazon_pay_worker::ports::gateway::Gateway;

use crate::fixtures::{
    AUTHORIZATION, CAPTURE, KEY, account, answered, authorization, authorization_details,
    authorize, capture, capture_call, document, error, gateway, key, reference, reference_details,
    set_details, usd,
};
use crate::server::{Act, Server, answer};

async fn reference_of(inside: &str) -> Result<ReferenceView, Fault> {
    let body = document("GetOrderReferenceDetails", &reference_details(inside));
    match answered(&Effect::ReadReference(reference()), 200, &body).await? {
        Answer::Reference(view) => Ok(view),
        other => panic!("{other:?}"),
    }
}

fn unexpected(what: &str) -> Fault {
    let detail = format!("GetOrderReferenceDetails was answered with {what}");
    Fault::Unexpected { detail }
}

#[tokio::test]
async fn a_draft_shows_what_keeps_it_from_being_confirmed() {
    let inside = "<OrderReferenceStatus><State>Draft</State></OrderReferenceStatus>\
        <Constraints><Constraint><ConstraintID>AmountNotSet</ConstraintID><Description>Order \
        amount missing.</Description></Constraint><Constraint><Description/><ConstraintID> \
        PaymentPlanNotSet</ConstraintID></Constraint></Constraints><SellerOrderAttributes/>";
    let expected = ReferenceView {
        constraints: vec!["AmountNotSet".to_owned(), "PaymentPlanNotSet".to_owned()],
        ..ReferenceView::in_state(ReferenceState::Draft)
    };
    assert_eq!(reference_of(inside).await, Ok(expected.clone()));
    let body = document("SetOrderReferenceDetails", &reference_details(inside));
    let set = answered(&Effect::SetDetails(set_details()), 200, &body).await;
    assert_eq!(set, Ok(Answer::Reference(expected)));
}

#[tokio::test]
async fn a_suspended_reference_shows_reason_total_and_authorizations() {
    let inside = "<PaymentAuthenticationStatus/><IdList><member>A-1</member><Id>A-2</Id></IdList>\
        <OrderTotal><CurrencyCode>USD</CurrencyCode><Amount>106.00</Amount></OrderTotal>\
        <OrderReferenceStatus><ReasonCode>InvalidPaymentMethod</ReasonCode>\
        <LastUpdatedTimestamp>2026-11-23T08:03:10.500Z</LastUpdatedTimestamp>\
        <State>Suspended</State></OrderReferenceStatus>";
    let view = reference_of(inside).await.unwrap();
    assert_eq!(view.state, ReferenceState::Suspended);
    assert_eq!(view.reason.as_deref(), Some("InvalidPaymentMethod"));
    assert_eq!(view.total, Some(usd("106.00")));
    let ids: Vec<&str> = view.authorizations.iter().map(AuthorizationId::as_str).collect();
    assert_eq!(ids, ["A-1", "A-2"]);
    assert!(view.constraints.is_empty() && !view.authentication_required);
}

#[tokio::test]
async fn every_state_of_a_reference_is_known_and_others_are_other() {
    for (text, state) in [
        ("Draft", ReferenceState::Draft),
        ("Open", ReferenceState::Open),
        ("Suspended", ReferenceState::Suspended),
        ("Closed", ReferenceState::Closed),
        ("Canceled", ReferenceState::Canceled),
        ("Frozen", ReferenceState::Other),
    ] {
        let status = format!("<OrderReferenceStatus><State>{text}</State></OrderReferenceStatus>");
        assert_eq!(reference_of(&status).await.unwrap().state, state);
    }
    assert_eq!(reference_of("").await, Err(unexpected("a reference without a status")));
    let stateless = "<OrderReferenceStatus/>";
    assert_eq!(reference_of(stateless).await, Err(unexpected("a reference without a state")));
}

#[tokio::test]
async fn authentication_is_asked_for_by_one_word_only() {
    for (state, required) in [
        ("<State>REQUIRED</State>", true),
        ("<State>Required</State>", true),
        ("<State>NOT_REQUIRED</State>", false),
        ("<State>Success</State>", false),
        ("<State/>", false),
        ("", false),
    ] {
        let inside = format!(
            "<OrderReferenceStatus><State>Open</State></OrderReferenceStatus>\
             <PaymentAuthenticationStatus>{state}</PaymentAuthenticationStatus>"
        );
        let view = reference_of(&inside).await.unwrap();
        assert_eq!(view.authentication_required, required, "{state}");
    }
}

#[tokio::test]
async fn amounts_are_read_in_every_spelling_and_never_guessed() {
    let total = async |amount: &str, currency: &str| {
        let inside = format!(
            "<OrderReferenceStatus><State>Open</State></OrderReferenceStatus><OrderTotal>\
             <Amount>{amount}</Amount><CurrencyCode>{currency}</CurrencyCode></OrderTotal>"
        );
        reference_of(&inside).await.map(|view| view.total)
    };
    for (text, code, minor) in [
        ("0", "USD", 0),
        ("5.0", "USD", 500),
        ("106", "USD", 10_600),
        ("106.00", "EUR", 10_600),
        ("106.5000", "GBP", 10_650),
        ("134.00", "JPY", 134),
        ("134.0", "JPY", 134),
        ("134", "JPY", 134),
        ("150000.00", "USD", 15_000_000),
    ] {
        let currency = Currency::parse(code).unwrap();
        let expected = Money::from_minor(minor, currency);
        assert_eq!(total(text, code).await, Ok(Some(expected)), "{text} {code}");
    }
    let number = unexpected("an amount that is no number of its currency");
    for (text, code) in [
        ("1.234", "USD"),
        ("134.50", "JPY"),
        ("1e3", "USD"),
        ("1,000", "USD"),
        ("-5", "USD"),
        ("1.0ü", "USD"),
        ("NaN", "USD"),
        ("12345678901", "USD"),
    ] {
        assert_eq!(total(text, code).await, Err(number.clone()), "{text} {code}");
    }
    let currency = unexpected("an amount in an unknown currency");
    assert_eq!(total("1", "XAU").await, Err(currency));
    assert_eq!(total("1", "").await, Err(unexpected("half an amount")));
    assert_eq!(total("", "").await, Ok(None));
}

#[tokio::test]
async fn an_authorization_is_read_whole() {
    let captured = authorization_details("Closed", "MaxCapturesProcessed", &[CAPTURE]);
    let body = document("Authorize", &captured);
    let view = AuthorizationView {
        id: authorization(),
        key: KEY.to_owned(),
        state: AuthorizationState::Closed,
        reason: Some("MaxCapturesProcessed".to_owned()),
        amount: Some(usd("106")),
        captures: vec![capture()],
        shown: None,
    };
    let made = answered(&Effect::Authorize(authorize()), 200, &body).await;
    assert_eq!(made, Ok(Answer::Authorization(view.clone())));
    let body = document("GetAuthorizationDetails", &captured);
    let read = answered(&Effect::ReadAuthorization(authorization()), 200, &body).await;
    assert_eq!(read, Ok(Answer::Authorization(view)));
    for (text, state) in [
        ("Pending", AuthorizationState::Pending),
        ("Open", AuthorizationState::Open),
        ("Declined", AuthorizationState::Declined),
        ("Closed", AuthorizationState::Closed),
        ("Weighed", AuthorizationState::Other),
    ] {
        let body = document("Authorize", &authorization_details(text, "", &[]));
        match answered(&Effect::Authorize(authorize()), 200, &body).await {
            Ok(Answer::Authorization(view)) => {
                assert_eq!((view.state, view.reason, view.captures), (state, None, vec![]));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_capture_is_read_whole() {
    let details = |state: &str, id: &str| {
        format!(
            "<CaptureDetails><CaptureReferenceId>ord-42_c1</CaptureReferenceId><CaptureFee>\
             <CurrencyCode>ZZZ</CurrencyCode><Amount>?</Amount></CaptureFee>\
             <AmazonCaptureId>{id}</AmazonCaptureId><IdList/><CaptureStatus><State>{state}</State>\
             <ReasonCode>AmazonRejected</ReasonCode></CaptureStatus><RefundedAmount>\
             <Amount>6.00</Amount><CurrencyCode>USD</CurrencyCode></RefundedAmount>\
             <CaptureAmount><Amount>106.0</Amount><CurrencyCode>USD</CurrencyCode></CaptureAmount>\
             </CaptureDetails>"
        )
    };
    for (text, state) in [
        ("Pending", CaptureState::Pending),
        ("Completed", CaptureState::Completed),
        ("Declined", CaptureState::Declined),
        ("Closed", CaptureState::Closed),
        ("Lost", CaptureState::Other),
    ] {
        let view = CaptureView {
            id: capture(),
            key: "ord-42_c1".to_owned(),
            state,
            reason: Some("AmazonRejected".to_owned()),
            amount: Some(usd("106")),
            refunded: Some(usd("6")),
        };
        let body = document("Capture", &details(text, CAPTURE));
        let made = answered(&Effect::Capture(capture_call()), 200, &body).await;
        assert_eq!(made, Ok(Answer::Capture(view.clone())));
        let body = document("GetCaptureDetails", &details(text, CAPTURE));
        let read = answered(&Effect::ReadCapture(capture()), 200, &body).await;
        assert_eq!(read, Ok(Answer::Capture(view)));
    }
    let body = document("GetCaptureDetails", &details("Completed", "S01-another"));
    let read = answered(&Effect::ReadCapture(capture()), 200, &body).await;
    assert!(matches!(read, Err(Fault::Unexpected { .. })), "{read:?}");
    let body = document("Capture", &details("Completed", ""));
    let made = answered(&Effect::Capture(capture_call()), 200, &body).await;
    assert!(matches!(made, Err(Fault::Unexpected { .. })), "{made:?}");
}

#[tokio::test]
async fn results_may_be_empty_or_missing_where_nothing_is_to_be_said() {
    let without = |action: &str| {
        format!(
            "<?xml version=\"1.0\"?><{action}Response><ResponseMetadata><RequestId>r</RequestId>\
                 </ResponseMetadata></{action}Response>"
        )
    };
    for (effect, action) in [
        (Effect::Confirm(reference()), "ConfirmOrderReference"),
        (Effect::CloseAuthorization(authorization()), "CloseAuthorization"),
        (Effect::CloseReference(reference()), "CloseOrderReference"),
    ] {
        for body in [document(action, ""), without(action)] {
            let server = Server::saying(200, &body).await;
            let exchange = gateway(&server.base).call(&account(), &effect).await;
            assert_eq!(exchange.reply, Ok(Answer::Done));
            assert!(exchange.request_id.is_some());
        }
        // Somebody else's page, and somebody else's answer.
        for body in ["<html><body/></html>".to_owned(), document("GetServiceStatus", "")] {
            let reply = answered(&effect, 200, &body).await;
            assert!(matches!(reply, Err(Fault::Unexpected { .. })), "{reply:?}");
        }
    }
}

#[tokio::test]
async fn an_answer_cut_anywhere_is_unknown_and_garbage_is_unexpected() {
    let body = document("Authorize", &authorization_details("Open", "", &[]));
    let effect = Effect::Authorize(authorize());
    let cuts: Vec<usize> = (0..body.len()).step_by(23).chain([body.len() - 1]).collect();
    let acts = cuts.iter().map(|cut| Act::Answer(answer(200, &[], &body[..*cut])));
    let server = Server::start(acts).await;
    let gateway = gateway(&server.base);
    for cut in cuts {
        let reply = gateway.call(&account(), &effect).await.reply;
        assert_eq!(reply, Err(Fault::Unknown), "cut at {cut}");
    }
    for garbage in ["OK", "{}", "<a></b>", "<AuthorizeResponse>&what;</AuthorizeResponse>"] {
        let reply = answered(&effect, 200, garbage).await;
        let what = "Authorize was answered with something that is no document";
        assert_eq!(reply, Err(Fault::Unexpected { detail: what.to_owned() }), "{garbage}");
    }
    let empty = answered(&effect, 200, &document("Authorize", "")).await;
    assert!(matches!(empty, Err(Fault::Unexpected { .. })), "{empty:?}");
}

#[tokio::test]
async fn the_request_id_is_kept_wherever_it_stands() {
    let in_header = [("x-mws-request-id", "from-header")];
    let bare = "<ConfirmOrderReferenceResponse/>";
    let acts = [
        answer(200, &in_header, &document("ConfirmOrderReference", "")),
        answer(200, &in_header, bare),
        answer(400, &in_header, &error("ConstraintsExist")),
        answer(502, &in_header, "<html>"),
    ];
    let server = Server::start(acts.map(Act::Answer)).await;
    let gateway = gateway(&server.base);
    for expected in ["b1c459b9-61c7-4f0b-b0b6-d6afcd314ef9", "from-header", "r-1", "from-header"] {
        let exchange = gateway.call(&account(), &Effect::Confirm(reference())).await;
        assert_eq!(exchange.request_id.as_deref(), Some(expected));
    }
}

fn numbered(n: usize) -> AuthorizationId {
    AuthorizationId::new(format!("{AUTHORIZATION}-{n}")).unwrap()
}

fn keyed(n: usize, key: &str) -> Act {
    let details = authorization_details("Open", "", &[])
        .replace(AUTHORIZATION, numbered(n).as_str())
        .replace(KEY, key);
    Act::Answer(answer(200, &[], &document("GetAuthorizationDetails", &details)))
}

#[tokio::test]
async fn a_search_reads_the_newest_first_and_stops_at_our_key() {
    let ids: Vec<AuthorizationId> = (0..4).map(numbered).collect();
    let search =
        |key_text: &str| Effect::FindAuthorization { ids: ids.clone(), key: key(key_text) };
    let server = Server::start([keyed(3, "c"), keyed(2, "b"), keyed(1, "a")]).await;
    match gateway(&server.base).call(&account(), &search("b")).await.reply {
        Ok(Answer::Authorization(view)) => assert_eq!(view.id, numbered(2)),
        other => panic!("{other:?}"),
    }
    assert_eq!(server.heard().len(), 2);

    let server = Server::start((0..4).rev().map(|n| keyed(n, "other"))).await;
    let reply = gateway(&server.base).call(&account(), &search("b")).await.reply;
    assert_eq!(reply, Ok(Answer::NotFound));
}

#[tokio::test]
async fn a_search_that_cannot_see_everything_finds_nothing_absent() {
    let ids: Vec<AuthorizationId> = (0..2).map(numbered).collect();
    let search = Effect::FindAuthorization { ids, key: key("ours") };
    let throttled = Act::Answer(answer(503, &[], &error("RequestThrottled")));
    for acts in [vec![keyed(1, "x"), throttled], vec![keyed(1, "")], vec![keyed(0, "ours")]] {
        let server = Server::start(acts).await;
        let reply = gateway(&server.base).call(&account(), &search).await.reply;
        assert!(reply.is_err(), "{reply:?}");
    }
    let many = (0..26).map(numbered).collect();
    let search = Effect::FindAuthorization { ids: many, key: key("ours") };
    let reply = gateway("http://127.0.0.1:9").call(&account(), &search).await.reply;
    assert!(matches!(reply, Err(Fault::Unexpected { .. })), "{reply:?}");
    let none = Effect::FindAuthorization { ids: vec![], key: key("ours") };
    let reply = gateway("http://127.0.0.1:9").call(&account(), &none).await.reply;
    assert_eq!(reply, Ok(Answer::NotFound));
}
