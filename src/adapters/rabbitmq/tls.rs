//! AMQP over TLS, to brokers whose certificates the machine trusts, as on the lines to Amazon.
//! lapin's own TLS is left out: it would bring readers for keystores that nobody here has.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::Stream;
use futures_util::io::{AsyncRead, AsyncWrite};
use lapin::tcp::AsyncTcpStream;
use lapin::uri::AMQPUri;
use lapin::{Connection, ConnectionProperties};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// Opens a connection to the broker of an `amqps://` URI; `patience` is for the line itself.
pub(super) async fn connect(
    uri: AMQPUri,
    properties: ConnectionProperties,
    patience: Duration,
) -> lapin::Result<Connection> {
    let reactor = Secured::for_broker(&uri, patience).await?;
    let runtime = Runtime::new(RuntimeParts::new(Tokio::current(), reactor));
    let open = async |uri: AMQPUri, runtime: Runtime<RuntimeParts<Tokio, Secured>>| {
        let broker = (uri.authority.host, uri.authority.port);
        Ok(AsyncTcpStream::connect(&runtime, runtime.to_socket_addrs(broker)).await?)
    };
    Connection::connector(uri, runtime, open, properties).await
}

/// What lapin asks for time and lines: tokio's, with TLS on each line.
#[derive(Clone)]
struct Secured {
    tokio: Tokio,
    connector: TlsConnector,
    /// Whose certificate the broker must have.
    name: ServerName<'static>,
    patience: Duration,
}

impl Secured {
    async fn for_broker(uri: &AMQPUri, patience: Duration) -> io::Result<Self> {
        let name = ServerName::try_from(uri.authority.host.clone()).map_err(io::Error::other)?;
        // It reads the machine's certificates from files.
        let config = tokio::task::spawn_blocking(ClientConfig::with_platform_verifier).await?;
        let config = config.map_err(io::Error::other)?;
        let connector = TlsConnector::from(Arc::new(config));
        Ok(Self { tokio: Tokio::current(), connector, name, patience })
    }
}

impl std::fmt::Debug for Secured {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secured").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Reactor for Secured {
    type TcpStream = Compat<TlsStream<TcpStream>>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + AsFd + AsRawFd + Send + 'static>(
        &self,
        socket: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        self.tokio.register(socket)
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.tokio.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let (connector, name, patience) =
            (self.connector.clone(), self.name.clone(), self.patience);
        let open = async move {
            let line = TcpStream::connect(address).await?;
            line.set_nodelay(true)?;
            Ok(connector.connect(name, line).await?.compat())
        };
        async move {
            let opened = tokio::time::timeout(patience, open).await;
            opened.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))?
        }
    }
}
