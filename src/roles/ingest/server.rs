//! The accept loop. Its own, because the number of connections and the time for a request's head
//! have bounds, and because a head too long for the parser is answered in the contract's words.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::line::Line;

/// Open connections; more wait in the kernel's queue.
const CONNECTIONS: usize = 10_000;
/// For the head of a request, and between two requests of one connection.
const HEAD: Duration = Duration::from_secs(60);
/// How long the loop waits when the machine has no more sockets to give.
const BREATH: Duration = Duration::from_millis(50);

/// Serves `router` until `stop` comes, then lets what is in hand finish; whoever called decides
/// how long that may take.
pub(in crate::roles) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: &CancellationToken,
) {
    let (tracker, slots) = (TaskTracker::new(), Arc::new(Semaphore::new(CONNECTIONS)));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async {
                let slot = Arc::clone(&slots).acquire_owned().await;
                (slot, listener.accept().await)
            } => accepted,
        };
        match accepted {
            (Ok(slot), Ok((stream, _))) => {
                let talk = converse(stream, router.clone(), stop.clone());
                tracker.spawn(async move {
                    talk.await;
                    drop(slot);
                });
            }
            _ => tokio::time::sleep(BREATH).await,
        }
    }
    drop(listener);
    tracker.close();
    tracker.wait().await;
}

async fn converse(stream: TcpStream, router: Router, stop: CancellationToken) {
    // Without it a small answer waits for the caller's acknowledgement of the one before.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = router.call(request.map(Body::new));
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .serve_connection(TokioIo::new(Line::new(stream)), service)
    );
    tokio::select! {
        // A caller that hangs up: nobody to tell.
        _ended = &mut connection => return,
        () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}
