//! What logs and debug forms show of an exchange: operation, MID and request id, and nothing of
//! keys, tokens, notes, or people.

use std::io::Write;
use std::sync::{Arc, Mutex};

use amazon_pay_worker::domain::gateway::Effect;
use amazon_pay_worker::ports::gateway::Gateway;
use secrecy::SecretString;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::FmtSpan;

use crate::fixtures::{account, authorize, document, error, gateway, reference, reference_details};
use crate::server::{Act, Server, answer};

#[derive(Clone, Default)]
struct Page(Arc<Mutex<Vec<u8>>>);

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Page {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn everything_is_logged_but_what_is_nobodys_business() {
    let page = Page::default();
    let subscriber = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_span_events(FmtSpan::CLOSE)
        .with_writer(page.clone())
        .finish();
    let guard = tracing::subscriber::set_default(subscriber);
    let person = "<Buyer><Name>Ada Lovelace</Name><Email>ada@example.com</Email></Buyer>";
    let info = r#"{"aud":"amzn1.application-oa2-client.c0ffee"}"#;
    let server = Server::start([
        Act::Answer(answer(405, &[], &error("InvalidOrderReferenceStatus"))),
        Act::Answer(answer(200, &[], info)),
        Act::Answer(answer(
            200,
            &[],
            &document("GetOrderReferenceDetails", &reference_details(person)),
        )),
    ])
    .await;
    let (gateway, account) = (gateway(&server.base), account());
    let exchange = gateway.call(&account, &Effect::Authorize(authorize())).await;
    let token = SecretString::from("Atza|consent");
    let buyer = gateway.buyer(&account, &reference(), Some(&token)).await;
    drop(guard);

    let log = String::from_utf8(page.0.lock().unwrap().clone()).unwrap();
    for shown in ["Authorize", "mid=\"7\"", "amazon.request_id=r-1", "refused"] {
        assert!(log.contains(shown), "{shown} is missing in {log}");
    }
    let debug = format!("{exchange:?} {buyer:?} {account:?}");
    let signature = server.heard()[0].param("Signature").unwrap();
    for secret in
        ["simulator/secret", "consent", "Atza", "Ada", "ada@", "Grüße", "Gr%C3", &signature]
    {
        assert!(!log.contains(secret), "{secret} in the log: {log}");
        assert!(!debug.contains(secret), "{secret} in {debug}");
    }
}
