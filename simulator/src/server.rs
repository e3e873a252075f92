//! The accept loop. Its own, because a fault must be able to cut the connection under a call.

use std::convert::Infallible;
use std::io;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::line::Wire;
use super::secure::Opener;

/// How long connections may take to finish once the server is told to stop.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the loop waits when the machine has no more sockets to give.
const BREATH: Duration = Duration::from_millis(50);

/// Serves `router` until `stop` comes, then lets what is in hand finish.
pub(super) async fn serve(
    listener: TcpListener,
    router: Router,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let (tracker, stopping, over) =
        (TaskTracker::new(), CancellationToken::new(), CancellationToken::new());
    let opener = Opener::default();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        match accepted {
            Ok((stream, _)) => {
                let talk = converse(stream, opener.clone(), router.clone(), stopping.clone());
                tracker.spawn(over.clone().run_until_cancelled_owned(talk));
            }
            Err(_) => tokio::time::sleep(BREATH).await,
        }
    }
    drop(listener);
    stopping.cancel();
    tracker.close();
    if tokio::time::timeout(PATIENCE, tracker.wait()).await.is_err() {
        over.cancel();
        tracker.wait().await;
    }
    Ok(())
}

async fn converse(stream: TcpStream, opener: Opener, router: Router, stopping: CancellationToken) {
    // Without it a small answer waits for the caller's acknowledgement of the one before.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    let opened = tokio::select! {
        opened = opener.open(stream) => opened,
        () = stopping.cancelled() => return,
    };
    // A caller who hung up before he said anything, or whose handshake failed: nobody to tell.
    let Ok(stream) = opened else { return };
    let (wire, line) = Wire::new(stream);
    let router = TowerToHyperService::new(router);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(line.clone());
        let answer = router.call(request);
        async move { Ok::<_, Infallible>(answer.await.unwrap_or_else(|never| match never {})) }
    });
    let mut connection = pin!(http1::Builder::new().serve_connection(TokioIo::new(wire), service));
    tokio::select! {
        // A caller that hangs up, or a line that was cut on purpose: nobody to tell.
        _ended = &mut connection => return,
        () = stopping.cancelled() => connection.as_mut().graceful_shutdown(),
    }
    let _ended = connection.await;
}
