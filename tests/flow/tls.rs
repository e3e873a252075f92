//! The way to the broker over TLS: a RabbitMQ behind a certificate that the machine trusts is
//! spoken to, one behind a certificate that it does not trust is not.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

use crate::support::app::order;
use crate::support::{App, Combination};
use crate::world::{chargeable, verdict};

mod an_order_goes_to_the_broker_over_tls {
    crate::support::matrix::cells!(Mws, super::over_tls, rabbitmq_sqlite: RabbitMq Sqlite);
}

/// Lines that were opened over TLS.
static SECURE: AtomicUsize = AtomicUsize::new(0);

/// A listener with a certificate of its own before the broker; its port, and the certificate. It
/// has a thread of its own, because the command line is waited for.
fn listener(broker: String) -> (u16, String) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let port = listener.local_addr().unwrap().port();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    std::thread::spawn(move || runtime.block_on(listen(listener, acceptor, broker)));
    (port, made.cert.pem())
}

async fn listen(listener: std::net::TcpListener, acceptor: TlsAcceptor, broker: String) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        let (plain, _) = listener.accept().await.unwrap();
        let (acceptor, broker) = (acceptor.clone(), broker.clone());
        tokio::spawn(async move {
            // Who does not trust it goes away.
            let Ok(mut secure) = acceptor.accept(plain).await else { return };
            SECURE.fetch_add(1, Ordering::SeqCst);
            let mut line = TcpStream::connect(broker).await.unwrap();
            tokio::io::copy_bidirectional(&mut secure, &mut line).await.ok();
        });
    }
}

async fn over_tls(here: Combination) {
    let mut app = App::start(here).await;
    let plain = app.amqp.as_ref().unwrap().url().to_owned();
    let (login, address) = plain.split_once('@').unwrap();
    let (broker, vhost) = address.split_once('/').unwrap();
    let (port, certificate) = listener(broker.to_owned());
    let url = format!("{}@localhost:{port}/{vhost}", login.replace("amqp://", "amqps://"));
    let trusted = app.folder().join("trusted.pem");
    std::fs::write(&trusted, certificate).unwrap();

    app.env.retain(|(name, _)| name != "AMQP_URL");
    app.env.push(("AMQP_URL".to_owned(), url.clone()));
    let refused = app.cli(&["check-config"], "");
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said.contains("certificate"), "{said}");
    app.env.push(("SSL_CERT_FILE".to_owned(), trusted.to_str().unwrap().to_owned()));
    app.cli_done(&["check-config"]);
    // It is trusted under its own name alone.
    let by_address = url.replace("@localhost:", "@127.0.0.1:");
    app.env.retain(|(name, _)| name != "AMQP_URL");
    app.env.push(("AMQP_URL".to_owned(), by_address));
    let refused = app.cli(&["check-config"], "");
    let said = String::from_utf8_lossy(&refused.stdout).into_owned();
    assert!(!refused.status.success() && said.contains("certificate"), "{said}");

    let before = SECURE.load(Ordering::SeqCst);
    let process = app.process("worker");
    assert!(process.terminate().await.success());
    process.set("AMQP_URL", &url);
    process.set("SSL_CERT_FILE", trusted.to_str().unwrap());
    process.start_again();
    app.ready().await;
    for number in 0..20 {
        let (id, reference) = (format!("secure-{number}"), chargeable(&app, Value::Null).await);
        let event = verdict(&app, &id, &order(&id, &reference)).await;
        assert_eq!(event["data"]["status"], "paid", "{event}");
    }
    assert!(SECURE.load(Ordering::SeqCst) >= before + 2, "it publishes and consumes over TLS");
}
