//! SIGTERM and SIGINT as one token that everything running listens to.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::failure::Failure;
use super::output;

/// A token that is cancelled by the first signal.
///
/// # Errors
/// The system gives no signals.
pub(crate) fn stop() -> Result<CancellationToken, Failure> {
    let heard = |kind| signal(kind).map_err(|error| Failure::because("signals", &error));
    let (mut terminate, mut interrupt) =
        (heard(SignalKind::terminate())?, heard(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        output::tell("stopping: finishing what is in hand");
        told.cancel();
    });
    Ok(stop)
}
