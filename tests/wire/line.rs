//! The line: what counts as never sent, what as unknown, and that nothing is ever sent twice.

use std::sync::Arc;
use std::time::Duration;

use amazon_pay_worker::domain::gateway::{Answer, Effect, Fault};
use amazon_pay_worker::ports::gateway::Gateway;
use tokio::net::TcpListener;

use crate::fixtures::{
    Still, account, authorization_details, authorize, document, gateway, gateway_with, reference,
};
use crate::server::{Act, Server, answer};

async fn fault(server: &Server) -> Fault {
    let effect = Effect::Authorize(authorize());
    gateway(&server.base).call(&account(), &effect).await.reply.unwrap_err()
}

fn paid() -> String {
    let details = authorization_details("Closed", "MaxCapturesProcessed", &["C-1"]);
    document("Authorize", &details)
}

#[tokio::test]
async fn where_nobody_listens_nothing_was_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let effect = Effect::Authorize(authorize());
    let exchange = gateway(&base).call(&account(), &effect).await;
    assert_eq!(exchange.reply, Err(Fault::NotSent));
    assert_eq!(exchange.request_id, None);
}

#[tokio::test]
async fn a_line_that_breaks_after_the_request_leaves_it_unknown_and_is_not_tried_again() {
    let paid = paid();
    let cut = answer(200, &[], &paid);
    let without_length = format!("HTTP/1.1 200 OK\r\n\r\n{}", &paid[..paid.len() - 20]);
    for act in [
        Act::HangUp,
        Act::BreakOff(b"HTTP/1.1 200 ".to_vec()),
        Act::BreakOff(cut[..60].to_vec()),
        Act::BreakOff(cut[..cut.len() - 1].to_vec()),
        Act::BreakOff(without_length.into_bytes()),
        Act::BreakOff(b"no http at all\r\n\r\n".to_vec()),
    ] {
        // The second act would be a success, if the request came again.
        let server = Server::start([act, Act::Answer(answer(200, &[], &paid))]).await;
        assert_eq!(fault(&server).await, Fault::Unknown);
        assert_eq!(server.heard().len(), 1, "sent once, whatever happens");
    }
}

#[tokio::test]
async fn a_kept_connection_that_breaks_under_a_request_leaves_that_one_unknown() {
    let whole = Act::Answer(answer(200, &[], &paid()));
    let server = Server::start([whole.clone(), Act::HangUp, whole]).await;
    let gateway = gateway(&server.base);
    let effect = Effect::Authorize(authorize());
    assert!(gateway.call(&account(), &effect).await.reply.is_ok());
    let second = gateway.call(&account(), &effect).await;
    assert_eq!(second.reply, Err(Fault::Unknown));
    let connections: Vec<usize> = server.heard().iter().map(|heard| heard.connection).collect();
    assert_eq!(connections, [0, 0], "the connection was kept, and nothing went over another");
    assert!(gateway.call(&account(), &effect).await.reply.is_ok());
}

#[tokio::test]
async fn silence_is_unknown_once_the_time_is_over() {
    let server = Server::start([Act::Silence]).await;
    let timeout = Duration::from_millis(200);
    let gateway = gateway_with(&server.base, timeout, Arc::new(Still));
    let effect = Effect::Confirm(reference());
    assert_eq!(gateway.call(&account(), &effect).await.reply, Err(Fault::Unknown));
    let search = Effect::FindAuthorization {
        ids: vec![crate::fixtures::authorization()],
        key: crate::fixtures::key("x"),
    };
    assert_eq!(gateway.call(&account(), &search).await.reply, Err(Fault::Unknown));
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let elsewhere = Server::saying(200, &paid()).await;
    let there = [("Location", elsewhere.base.as_str())];
    for status in [301, 302, 303, 307, 308] {
        let server = Server::start([Act::Answer(answer(status, &there, ""))]).await;
        let Fault::Unexpected { detail } = fault(&server).await else { panic!("{status}") };
        assert_eq!(detail, format!("http status {status} without a code"));
    }
    assert!(elsewhere.heard().is_empty());
}

#[tokio::test]
async fn an_endless_answer_is_not_read_to_its_end() {
    let huge = "x".repeat(3 << 20);
    let server = Server::saying(200, &huge).await;
    let Fault::Unexpected { detail } = fault(&server).await else { panic!() };
    assert_eq!(detail, "an answer of more than a megabyte");
}

#[tokio::test]
async fn connections_are_kept_for_the_next_call() {
    let acts: Vec<Act> = (0..5).map(|_| Act::Answer(answer(200, &[], &paid()))).collect();
    let server = Server::start(acts).await;
    let gateway = gateway(&server.base);
    for _ in 0..5 {
        let exchange = gateway.call(&account(), &Effect::Authorize(authorize())).await;
        assert!(matches!(exchange.reply, Ok(Answer::Authorization(_))));
    }
    assert!(server.heard().iter().all(|heard| heard.connection == 0));
}
