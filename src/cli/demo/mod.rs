//! `demo`: the whole program in one process with nothing to install, and a handful of orders that
//! go through it as they would in earnest: over HTTP, into the broker, to (simulated) Amazon.

mod orders;
mod place;
mod stage;

use std::collections::BTreeSet;

use amazon_pay_simulator::Simulator;
use clap::Args;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use self::stage::Stage;
use super::api_client::Fresh;
use super::failure::Failure;
use super::session::{Common, Session, load};
use super::{mid, output, signals};
use crate::config::flags::RoleFlags;
use crate::config::{Config, Need};
use crate::wiring::{self, Listeners, Role};

/// The demo's MID, and the loginId of its client.
const NAME: &str = "demo";
/// The seller behind it, whom the simulator alone knows.
const MERCHANT: &str = "A1DEMOSELLER";

/// Everything in one process, with nothing to install.
///
/// SQLite in a data folder, the embedded broker, the Amazon Pay simulator, ingest, worker and
/// relay. Makes a demo MID and sends real-looking orders, upsells and recurring charges through it:
/// paid, declined softly then mended and paid, declined hard, pending then paid. Shows each
/// reaching its end, then stays up and prints the addresses.
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Leave when the orders are done; non-zero if any ended otherwise than expected.
    #[arg(long)]
    exit: bool,
    #[command(flatten)]
    settings: RoleFlags,
}

impl Demo {
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        // A demo is watched: pending payments are looked at soon, and only trouble is logged.
        let defaults = [("RUST_LOG", "warn"), ("PENDING_POLL_FIRST", "1")];
        let mut config = load(common, self.settings.0, Need::NoKey, &defaults)?;
        let key_file = place::prepare(&mut config, &*wiring::clock())?;
        let stop = signals::stop()?;
        let over = CancellationToken::new();
        let amazon = simulate(&mut config, over.clone()).await?;
        let session = Session::of(config)?;
        let secret = session.clock().random_hex(20);
        let client = people(&session, &secret).await?;
        let (listeners, ingest, metrics) = addresses(&session).await?;
        let parts = session.parts().await?;
        let until = over.clone();
        let roles: BTreeSet<Role> = Role::ALL.into_iter().collect();
        let serving =
            tokio::spawn(async move { Box::pin(parts.run(&roles, listeners, until)).await });

        let stage = Stage::new(&session, &amazon, &ingest, client)?;
        stage.seller(&seller(&secret)).await?;
        let played = tokio::select! {
            played = Box::pin(orders::play(&stage)) => played,
            () = stop.cancelled() => Ok(()),
        };
        if !self.exit && !stop.is_cancelled() {
            if let Err(failure) = &played {
                // It goes on all the same: the code is for --exit.
                let _code = failure.tell();
            }
            let data = &session.config().data_dir;
            tell_addresses(&stage, &metrics, &place::command(data, key_file.as_deref()))?;
            stop.cancelled().await;
        }
        over.cancel();
        // Whatever the roles had to say is in the log.
        drop(serving.await);
        session.close().await;
        if self.exit { played } else { Ok(()) }
    }
}

/// Starts Amazon in this process, and points the configuration at it.
async fn simulate(config: &mut Config, over: CancellationToken) -> Result<String, Failure> {
    let failed = |error| Failure::because("the simulator", &error);
    let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
    let place = listener.local_addr().map_err(failed)?.to_string();
    let address = format!("http://{place}");
    let amazon = Simulator::new(amazon_pay_simulator::Config::default());
    tokio::spawn(async move { amazon.serve(listener, over.cancelled_owned()).await });
    config.gateway.mws = Some(address.clone());
    config.gateway.v2 = Some(address.clone());
    config.gateway.profile = Some(address.clone());
    config.http.ipn_cert_hosts.push(place);
    Ok(address)
}

/// The MID as `mid add` would take it.
fn seller(secret: &str) -> Value {
    json!({
        "id": NAME,
        "title": "Demo shop",
        "descriptor": "DEMO*SHOP",
        "midNumber": "0001",
        "region": "na",
        "sandbox": true,
        "api": "mws",
        "merchantId": MERCHANT,
        "accessKey": "AKIADEMO",
        "secretKey": secret,
        "clientId": "amzn1.application-oa2-client.demo",
        "clientSecret": secret,
    })
}

/// The demo's MID and client, with fresh secrets at each start.
async fn people(session: &Session, secret: &str) -> Result<Fresh, Failure> {
    let Value::Object(file) = seller(secret) else {
        return Err(Failure::new("the demo's MID is no object"));
    };
    mid::put(session, &file).await?;
    let fresh = Fresh { login_id: NAME.to_owned(), ..Fresh::draw(session) };
    let stores = session.stores().await?;
    let stored = stores.merchants.put_client(&fresh.client(NAME.to_owned(), Vec::new())).await;
    stored.map_err(|error| Failure::because("the demo's client", &error))?;
    Ok(fresh)
}

/// Opens the addresses; where somebody has one already, a free one instead.
async fn addresses(session: &Session) -> Result<(Listeners, String, String), Failure> {
    let http = &session.config().http;
    let (ingest, at) = bind("INGEST_LISTEN", &http.ingest).await?;
    let (metrics, page) = bind("METRICS_LISTEN", &http.metrics).await?;
    Ok((Listeners { ingest: Some(ingest), ipn: None, metrics: Some(metrics) }, at, page))
}

async fn bind(setting: &str, wanted: &str) -> Result<(TcpListener, String), Failure> {
    let failed = |error| Failure::because(&format!("{setting} {wanted}"), &error);
    let listener = match TcpListener::bind(wanted).await {
        Ok(listener) => listener,
        Err(error) if error.kind() == std::io::ErrorKind::AddrInUse => {
            let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
            let address = listener.local_addr().map_err(failed)?;
            output::tell(&format!("{setting} {wanted} is in use: taking {address}"));
            listener
        }
        Err(error) => return Err(failed(error)),
    };
    let address = listener.local_addr().map_err(failed)?;
    Ok((listener, format!("http://{address}")))
}

fn tell_addresses(stage: &Stage, metrics: &str, command: &str) -> Result<(), Failure> {
    let client = &stage.client;
    output::line("")?;
    output::line(&format!("ingest     {}  (OpenAPI at /openapi.json)", stage.ingest))?;
    output::line(&format!("simulator  {}/_sim/ledger", stage.amazon))?;
    output::line(&format!("metrics    {metrics}/metrics"))?;
    output::line(&format!("client     loginId={} password={}", client.login_id, client.password))?;
    output::line(&format!("           Authorization: Bearer {}", client.api_key))?;
    output::line("")?;
    output::line("one payment with everything that happened to it, from another terminal:")?;
    output::line(&format!("  {command} order show {}", stage.order_id(1)))?;
    output::line("")?;
    output::line("Ctrl-C ends the demo; started again, it goes on with the same data")
}
