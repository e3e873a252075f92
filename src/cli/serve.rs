//! `serve`, and each role as a command of its own: prepares the database, opens the addresses,
//! starts the roles, and leaves in good order when it is told to.

use std::collections::BTreeSet;
use std::io::ErrorKind;

use clap::Args;
use tokio::net::TcpListener;

use super::failure::Failure;
use super::session::{Common, Session, load};
use super::signals;
use crate::config::flags::RoleFlags;
use crate::config::{Mistake, Need};
use crate::telemetry::fields;
use crate::wiring::{self, Listeners, Role, Schema, Stores};

/// Run roles in one process, until SIGTERM or SIGINT.
///
/// Without --roles: all of them. SQLite is migrated by itself; PostgreSQL must be up to date, or
/// --migrate be given. A broker or database that is away ends no role: the work goes on when it is
/// back.
#[derive(Debug, Args)]
pub(crate) struct Serve {
    /// The roles, comma-separated: ingest, worker, relay, ipn.
    #[arg(long, value_name = "ROLES", value_delimiter = ',')]
    roles: Vec<String>,
    #[command(flatten)]
    how: OneRole,
}

/// How a role is run.
#[derive(Debug, Args)]
pub(crate) struct OneRole {
    /// Migrate a database that is behind before anything starts.
    #[arg(long)]
    migrate: bool,
    #[command(flatten)]
    settings: RoleFlags,
}

impl Serve {
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        let named: Vec<&str> = self.roles.iter().map(String::as_str).collect();
        serve(roles(&named), self.how, common).await
    }
}

impl OneRole {
    pub(crate) async fn run(self, role: &str, common: &Common) -> Result<(), Failure> {
        serve(roles(&[role]), self, common).await
    }
}

type Roles = Result<BTreeSet<Role>, Mistake>;

fn roles(named: &[&str]) -> Roles {
    if named.is_empty() {
        return Ok(Role::ALL.into_iter().collect());
    }
    let known: Vec<_> = Role::ALL.iter().map(|role| role.as_str()).collect();
    named
        .iter()
        .map(|name| {
            let text = || match *name {
                "console" => {
                    format!("role {name} is not in this version; there are {}", known.join(", "))
                }
                _ => format!("there is no role {name}; there are {}", known.join(", ")),
            };
            Role::parse(name.trim()).ok_or_else(|| Mistake::new("--roles", text()))
        })
        .collect()
}

async fn serve(roles: Roles, how: OneRole, common: &Common) -> Result<(), Failure> {
    let roles = match roles {
        Ok(roles) => roles,
        // What else is wrong is told with it.
        Err(mistake) => {
            let mut mistakes = vec![mistake];
            if let Err(Failure::Configuration(more)) =
                load(common, how.settings.0, Need::MasterKey, &[])
            {
                mistakes.extend(more);
            }
            return Err(Failure::Configuration(mistakes));
        }
    };
    let session = Session::serving(common, how.settings.0, Need::MasterKey)?;
    let stop = signals::stop()?;
    let listeners = open(&session, &roles).await?;
    let stores = Stores::connect(session.config())
        .await
        .map_err(|error| Failure::because("the database", &error))?;
    match stores.prepare(how.migrate).await {
        Ok(Schema::Current) => {}
        Ok(Schema::Behind) => return Err(Failure::new(wiring::BEHIND)),
        // A database that is away ends no role: it is prepared when it is there.
        Err(error) => {
            tracing::warn!({ fields::ERROR } = %error, "the database is away: trying again");
            stores.prepare_later(how.migrate, stop.clone());
        }
    }
    let parts = session.parts_over(stores)?;
    parts.run(&roles, listeners, stop).await.map_err(|error| {
        Failure::Configuration(vec![Mistake::new("AMQP_URL", super::failure::chain(&*error))])
    })?;
    session.close().await;
    Ok(())
}

/// Opens the addresses of the roles.
async fn open(session: &Session, roles: &BTreeSet<Role>) -> Result<Listeners, Failure> {
    let http = &session.config().http;
    let ingest = match roles.contains(&Role::Ingest) {
        true => Some(bind("INGEST_LISTEN", &http.ingest).await?),
        false => None,
    };
    let alone = roles.contains(&Role::Ipn) && !roles.contains(&Role::Ingest);
    let ipn = match alone {
        true => Some(bind("IPN_LISTEN", &http.ipn).await?),
        false => None,
    };
    let metrics = match TcpListener::bind(&http.metrics).await {
        Ok(listener) => Some(listener),
        // Two roles on one machine, as two commands with nothing set: the first has the page.
        Err(error) if error.kind() == ErrorKind::AddrInUse && !http.metrics_asked_for => {
            let address = &http.metrics;
            tracing::warn!(
                { fields::ADDRESS } = address,
                "no metrics page here: {address} is in use, and METRICS_LISTEN names no other"
            );
            None
        }
        Err(error) => {
            let what = format!("METRICS_LISTEN {}", http.metrics);
            return Err(Failure::because(&what, &error));
        }
    };
    Ok(Listeners { ingest, ipn, metrics })
}

async fn bind(setting: &str, address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address)
        .await
        .map_err(|error| Failure::because(&format!("{setting} {address}"), &error))
}
