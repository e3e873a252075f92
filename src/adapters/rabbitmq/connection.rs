//! One supervised connection: opened, the topology declared, watched, and opened again with a
//! jittered wait when it is lost. lapin's own recovery stays off: whoever used the connection is
//! told, and what was in hand is found again by redelivery. It never gives up.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use lapin::uri::{AMQPScheme, AMQPUri};
use lapin::{Connection, ConnectionProperties};
use tokio::sync::watch;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{tls, topology};
use crate::ports::broker::BrokerError;
use crate::ports::clock::Schedule;

/// Where the URL does not say otherwise. A silent broker is lost after twice the heartbeat.
const HEARTBEAT_SECONDS: u16 = 10;
const CONNECT_TIMEOUT_MS: u64 = 5_000;
/// lapin keeps room for 32 frames each way on each connection. Messages have a kilobyte or two;
/// larger ones go in several frames.
const FRAME_MAX: u32 = 16 * 1024;
/// From the first packet to an open connection. Grows with the failures, because lapin keeps a
/// thread for a broker that took the connection and says nothing.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);
const HANDSHAKE_TIMEOUT_MAX: Duration = Duration::from_secs(120);
const DECLARE_TIMEOUT: Duration = Duration::from_secs(60);
/// The schedule of retries is for Amazon; a broker is looked for this much more often, and never
/// more rarely than at this step: with 2 s, 4 s … 32 s it is 0.25 s to 4 s.
const QUICKER: u32 = 8;
const SLOWEST_STEP: u32 = 5;
/// A closed connection tells us; this is for the case that it does not.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The broker's error with its causes, as an error of the port.
pub(super) fn away(error: &(dyn std::error::Error + 'static)) -> BrokerError {
    BrokerError::Away(chain(error))
}

pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

/// What both connections are opened with.
#[derive(Clone)]
pub(super) struct Opening {
    pub(super) uri: AMQPUri,
    /// What operators see in the broker's list of connections.
    pub(super) name: String,
    pub(super) schedule: Arc<dyn Schedule>,
    /// One declares at a time: two at once would make the same queues twice over.
    pub(super) declaring: Arc<tokio::sync::Mutex<()>>,
}

/// An open connection with the topology declared on it.
pub(super) struct Up {
    pub(super) connection: Connection,
    /// Tells this connection from the one before.
    pub(super) generation: u64,
    /// Which queue differs from what it should be, if one does.
    pub(super) differs: Result<(), BrokerError>,
}

impl Up {
    fn is_up(&self) -> bool {
        self.connection.status().connected()
    }

    /// Whether the broker takes messages from this connection at the moment.
    pub(super) fn takes_messages(&self) -> Result<(), BrokerError> {
        if self.connection.status().blocked() {
            let text = "it takes no messages: memory or disk alarm";
            return Err(BrokerError::Away(text.to_owned()));
        }
        Ok(())
    }
}

type State = Result<Arc<Up>, String>;

/// A connection that is opened again whenever it is lost, until this is dropped.
pub(super) struct Link {
    state: watch::Receiver<State>,
    _ends: DropGuard,
}

impl Link {
    pub(super) fn start(opening: Opening) -> Self {
        let (sender, state) = watch::channel(Err("not connected yet".to_owned()));
        let ended = CancellationToken::new();
        tokio::spawn(supervise(opening, sender, ended.clone()));
        Self { state, _ends: ended.drop_guard() }
    }

    /// The connection, waiting for one no longer than `patience`.
    pub(super) async fn up(&self, patience: Duration) -> Result<Arc<Up>, BrokerError> {
        let mut state = self.state.clone();
        let open = state.wait_for(|state| state.as_ref().is_ok_and(|up| up.is_up()));
        match tokio::time::timeout(patience, open).await {
            Ok(Ok(state)) => state.clone().map_err(BrokerError::Away),
            _ => Err(BrokerError::Away(match &*self.state.borrow() {
                Ok(_) => "the connection was lost".to_owned(),
                Err(reason) => reason.clone(),
            })),
        }
    }
}

async fn supervise(opening: Opening, state: watch::Sender<State>, ended: CancellationToken) {
    let mut failures = 0_u32;
    let mut generation = 0;
    loop {
        let opened = tokio::select! {
            () = ended.cancelled() => return,
            opened = open(&opening, failures) => opened,
        };
        let reason = match opened {
            Ok((connection, differs)) => {
                generation += 1;
                failures = 0;
                tracing::info!(connection = %opening.name, "connected to the broker");
                if let Err(error) = &differs {
                    tracing::error!(%error, "the broker needs an operator");
                }
                let up = Arc::new(Up { connection, generation, differs });
                state.send_modify(|state| *state = Ok(Arc::clone(&up)));
                tokio::select! {
                    () = ended.cancelled() => return,
                    reason = lost(&up.connection) => reason,
                }
            }
            Err(reason) => reason,
        };
        failures = failures.saturating_add(1);
        let wait = opening.schedule.delay(failures.min(SLOWEST_STEP)) / QUICKER;
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        tracing::warn!(connection = %opening.name, failures, wait_ms, reason, "no broker");
        state.send_modify(|state| *state = Err(reason));
        tokio::select! {
            () = ended.cancelled() => return,
            () = tokio::time::sleep(wait) => {}
        }
    }
}

type Opened = (Connection, Result<(), BrokerError>);

async fn open(opening: &Opening, failures: u32) -> Result<Opened, String> {
    let patience =
        HANDSHAKE_TIMEOUT.saturating_mul(failures.saturating_add(1)).min(HANDSHAKE_TIMEOUT_MAX);
    let connection = connect(opening.uri.clone(), &opening.name, patience).await?;
    let _alone = opening.declaring.lock().await;
    let declared = tokio::time::timeout(DECLARE_TIMEOUT, topology::declare(&connection)).await;
    match declared {
        Ok(Err(BrokerError::Away(reason))) => Err(reason),
        Ok(declared) => Ok((connection, declared)),
        Err(_) => Err("the broker does not answer when queues are declared".to_owned()),
    }
}

async fn connect(uri: AMQPUri, name: &str, patience: Duration) -> Result<Connection, String> {
    let properties = ConnectionProperties::default().with_connection_name(name.into());
    let connecting = async {
        match uri.scheme {
            AMQPScheme::AMQP => Connection::connect_uri(uri, properties).await,
            AMQPScheme::AMQPS => {
                let of_line = uri.query.connection_timeout.unwrap_or(CONNECT_TIMEOUT_MS);
                tls::connect(uri, properties, Duration::from_millis(of_line)).await
            }
        }
    };
    tokio::time::timeout(patience, Box::pin(connecting))
        .await
        .map_err(|_| "the broker does not answer".to_owned())?
        .map_err(|error| chain(&error))
}

/// One connection and one channel on it, closed again; nothing is declared.
pub(super) async fn look(uri: AMQPUri, name: &str) -> Result<(), BrokerError> {
    let connection = connect(uri, name, HANDSHAKE_TIMEOUT).await.map_err(BrokerError::Away)?;
    connection.create_channel().await.map_err(|error| away(&error))?;
    // Whether it says goodbye tells nothing more.
    connection.close(200, "looked".into()).await.ok();
    Ok(())
}

/// Waits until the connection is gone, and says why.
async fn lost(connection: &Connection) -> String {
    let mut events = std::pin::pin!(connection.events_listener());
    let mut reason = None;
    while connection.status().connected() {
        // Channels report their errors here too: only the connection's own end it.
        if let Ok(Some(lapin::Event::Error(error))) =
            tokio::time::timeout(LOOK_EVERY, events.next()).await
        {
            reason = Some(chain(&error));
        }
    }
    reason.unwrap_or_else(|| "the connection was closed".to_owned())
}

/// Fills in what the URL leaves open.
pub(super) fn with_defaults(mut uri: AMQPUri) -> AMQPUri {
    uri.query.heartbeat.get_or_insert(HEARTBEAT_SECONDS);
    uri.query.connection_timeout.get_or_insert(CONNECT_TIMEOUT_MS);
    uri.query.frame_max.get_or_insert(FRAME_MAX);
    uri
}
