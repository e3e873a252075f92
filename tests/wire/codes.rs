//! Every error that Amazon documents, and the layouts that it comes in.

use amazon_pay_worker::domain::gateway::{Answer, Effect, Fault};
use amazon_pay_worker::ports::gateway::Gateway;

use crate::fixtures::{account, answered, authorize, error, gateway, reference, refused};
use crate::server::{Act, Server, answer};

fn unavailable(code: &str) -> Fault {
    Fault::Unavailable { code: code.to_owned() }
}

fn credentials(code: &str) -> Fault {
    Fault::Credentials { code: code.to_owned() }
}

const THROTTLED: Fault = Fault::Throttled { retry_after_ms: None };

async fn fault(status: u16, body: &str) -> Fault {
    answered(&Effect::Authorize(authorize()), status, body).await.unwrap_err()
}

#[tokio::test]
async fn every_business_answer_keeps_its_code() {
    for (code, status) in [
        ("AmbiguousToken", 400),
        ("BillingAgreementConstraintsExist", 400),
        ("BillingAgreementNotModifiable", 405),
        ("CaptureNotRefundable", 405),
        ("ConstraintsExist", 404),
        ("ConstraintsExist", 400),
        ("CurrencyMismatch", 400),
        ("CurrencyUnsupported", 400),
        ("DuplicateReferenceId", 400),
        ("DuplicateRequest", 400),
        ("InvalidAddress", 400),
        ("InvalidAddress", 404),
        ("InvalidAddressConsentToken", 404),
        ("InvalidAuthorizationStatus", 405),
        ("InvalidBillingAgreementId", 404),
        ("InvalidBillingAgreementStatus", 405),
        ("InvalidCancelAttempt", 405),
        ("InvalidCloseAttempt", 405),
        ("InvalidOrderReferenceId", 404),
        ("InvalidOrderReferenceStatus", 405),
        // Expired timestamps too: only an operator mends a clock.
        ("InvalidParameterValue", 400),
        ("InvalidSandboxSimulationSpecified", 400),
        ("InvalidTransactionId", 404),
        ("OrderReferenceCountExceeded", 405),
        ("OrderReferenceNotModifiable", 405),
        ("OrderReferenceNotModifiable", 404),
        ("PaymentMethodNotUpdated", 405),
        ("PeriodicAmountExceeded", 400),
        ("TransactionAmountExceeded", 400),
        ("TransactionCountExceeded", 405),
    ] {
        assert_eq!(fault(status, &error(code)).await, refused(code));
    }
}

#[tokio::test]
async fn what_is_wrong_with_keys_tokens_or_account_is_told_apart() {
    for (code, status) in [
        ("AccessDenied", 401),
        ("InvalidAccessKeyId", 403),
        ("InvalidAccountStatus", 403),
        ("InvalidClientTokenId", 403),
        ("MissingAuthenticationToken", 401),
        ("MissingAuthenticationToken", 403),
        ("SignatureDoesNotMatch", 403),
        ("UnauthorizedAccess", 401),
        ("UnauthorizedSolutionProvider", 400),
        ("SomethingNew", 401),
        ("SomethingNew", 403),
    ] {
        assert_eq!(fault(status, &error(code)).await, credentials(code));
    }
    assert_eq!(fault(403, "<html>forbidden</html>").await, credentials("http_403"));
    for missing in ["no_access_key", "no_secret_key"] {
        let mut account = account();
        match missing {
            "no_access_key" => account.credentials.access_key = None,
            _ => account.credentials.secret_key = None,
        }
        let exchange =
            gateway("http://127.0.0.1:9").call(&account, &Effect::Confirm(reference())).await;
        assert_eq!(exchange.reply, Err(credentials(missing)));
    }
}

#[tokio::test]
async fn what_failed_inside_amazon_leaves_the_outcome_open() {
    for (code, status) in [
        ("InputStreamDisconnected", 400),
        ("InternalError", 500),
        ("InternalServerError", 500),
        ("ServiceUnavailable", 503),
        ("SomethingNew", 502),
        ("InvalidOrderReferenceId", 500),
    ] {
        let fault = fault(status, &error(code)).await;
        assert!(fault.leaves_unknown());
        assert_eq!(fault, unavailable(code));
    }
    for status in [408, 500, 502, 503, 504] {
        let expected = unavailable(&format!("http_{status}"));
        assert_eq!(fault(status, "<html><br>Bad gateway</html>").await, expected);
        assert_eq!(fault(status, "").await, expected);
    }
    let receiver = error("SomethingNew").replace("Sender", "Receiver");
    assert_eq!(fault(400, &receiver).await, unavailable("SomethingNew"));
}

#[tokio::test]
async fn throttles_are_throttles_wherever_they_stand() {
    let gateway_layout = "<ErrorResponse><Error><Type></Type><Code>RequestThrottled</Code>\
        <Message>Request is throttled</Message></Error><RequestID>r-2</RequestID></ErrorResponse>";
    let server = Server::saying(503, gateway_layout).await;
    let exchange = gateway(&server.base).call(&account(), &Effect::Confirm(reference())).await;
    assert_eq!(exchange.reply, Err(THROTTLED));
    assert_eq!(exchange.request_id.as_deref(), Some("r-2"));
    assert_eq!(fault(503, &error("QuotaExceeded")).await, THROTTLED);
    assert_eq!(fault(429, "slow down").await, THROTTLED);
    // A body may say no under a status that says yes.
    assert_eq!(fault(200, &error("RequestThrottled")).await, THROTTLED);
    assert_eq!(
        fault(200, &error("TransactionAmountExceeded")).await,
        refused("TransactionAmountExceeded")
    );
    assert_eq!(fault(200, &error("InternalServerError")).await, unavailable("InternalServerError"));
}

#[tokio::test]
async fn hints_of_the_quota_are_read_where_they_are_given() {
    let throttled = |hint| Fault::Throttled { retry_after_ms: hint };
    let resets = ("x-mws-quota-resetsOn", "2026-11-23T08:05:00.000Z");
    for (code, headers, hint) in [
        ("RequestThrottled", vec![("Retry-After", "7")], Some(7_000)),
        ("RequestThrottled", vec![("Retry-After", "0")], None),
        ("RequestThrottled", vec![("Retry-After", "soon")], None),
        ("RequestThrottled", vec![("Retry-After", "99999999999999999999")], None),
        ("RequestThrottled", vec![("Retry-After", "999999999")], Some(86_400_000)),
        ("RequestThrottled", vec![("Retry-After", "Mon, 23 Nov 2026 08:00:30 GMT")], Some(30_000)),
        // The hour's quota is another layer: its end says nothing while there is some left.
        ("RequestThrottled", vec![resets, ("x-mws-quota-remaining", "100.0")], None),
        ("RequestThrottled", vec![resets, ("x-mws-quota-remaining", "0")], Some(300_000)),
        ("QuotaExceeded", vec![resets], Some(300_000)),
        ("QuotaExceeded", vec![("x-mws-quota-resetsOn", "2026-11-23T07:00:00Z")], None),
    ] {
        let answer = answer(503, &headers, &error(code));
        let server = Server::start([Act::Answer(answer)]).await;
        let exchange = gateway(&server.base).call(&account(), &Effect::Confirm(reference())).await;
        assert_eq!(exchange.reply, Err(throttled(hint)), "{code} {headers:?}");
    }
}

#[tokio::test]
async fn loose_layouts_and_plain_text_are_understood() {
    let loose = "<Error><Code>DuplicateRequest</Code><Message>m</Message></Error>\
                 <RequestID>r-3</RequestID>";
    let server = Server::saying(400, loose).await;
    let exchange = gateway(&server.base).call(&account(), &Effect::Confirm(reference())).await;
    assert_eq!(exchange.reply, Err(refused("DuplicateRequest")));
    assert_eq!(exchange.request_id.as_deref(), Some("r-3"));
    let plain = "InvalidOrderReferenceStatus: The OrderReference is in state Draft";
    assert_eq!(fault(405, plain).await, refused("InvalidOrderReferenceStatus"));
    assert_eq!(fault(503, "RequestThrottled").await, THROTTLED);
    let two = error("ConstraintsExist")
        .replace("</Error>", "</Error><Error><Code>InternalServerError</Code></Error>");
    assert_eq!(fault(400, &two).await, refused("ConstraintsExist"), "the first counts");
    let cut = &error("TransactionAmountExceeded")[..150];
    assert!(cut.contains("<Code>Trans") && !cut.contains("</Code>"));
    for nothing in [cut, "<html><title>Code</title></html>", "Not Found", "{}"] {
        let detail = "http status 404 without a code".to_owned();
        assert_eq!(fault(404, nothing).await, Fault::Unexpected { detail });
    }
}

#[tokio::test]
async fn closing_what_is_closed_already_is_as_good_as_closing_it() {
    let close = Effect::CloseReference(reference());
    for code in ["InvalidCloseAttempt", "InvalidOrderReferenceStatus"] {
        assert_eq!(answered(&close, 405, &error(code)).await, Ok(Answer::Done));
    }
    let unknown = answered(&close, 404, &error("InvalidOrderReferenceId")).await;
    assert_eq!(unknown, Err(refused("InvalidOrderReferenceId")));
    let authorization = Effect::CloseAuthorization(crate::fixtures::authorization());
    let code = "InvalidAuthorizationStatus";
    assert_eq!(answered(&authorization, 405, &error(code)).await, Err(refused(code)));
}

#[tokio::test]
async fn a_probe_finds_the_keys_good_when_amazon_gets_as_far_as_looking() {
    for (status, code, verdict) in [
        (404, "InvalidOrderReferenceId", Ok(())),
        (403, "SignatureDoesNotMatch", Err(credentials("SignatureDoesNotMatch"))),
        (403, "InvalidAccessKeyId", Err(credentials("InvalidAccessKeyId"))),
        (401, "AccessDenied", Err(credentials("AccessDenied"))),
        (400, "InvalidParameterValue", Err(refused("InvalidParameterValue"))),
        (503, "RequestThrottled", Err(THROTTLED)),
    ] {
        let server = Server::saying(status, &error(code)).await;
        assert_eq!(gateway(&server.base).probe(&account()).await, verdict);
        let heard = server.heard();
        assert_eq!(heard[0].param("Action").as_deref(), Some("GetOrderReferenceDetails"));
    }
}
