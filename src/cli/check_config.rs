//! `check-config`: looks at everything that the program needs, one line each, and starts nothing.

use clap::Args;

use super::failure::{Failure, chain};
use super::output;
use super::session::{Common, Session};
use crate::app::credentials;
use crate::cli::mid;
use crate::config::flags::RoleFlags;
use crate::config::{Broker, Database, Need};
use crate::ports::gateway::Account;
use crate::ports::merchants::MerchantRow;
use crate::wiring::{self, Stores};

/// A clock that is off by so much makes Amazon refuse signatures soon.
const CLOCK_OFF_MS: i64 = 60_000;

/// Check configuration, broker, database, clock and every MID, one line each; starts nothing.
///
/// Exit code 0 where all is well, 1 where something is not, 2 where a setting is wrong.
#[derive(Debug, Args)]
pub(crate) struct CheckConfig {
    #[command(flatten)]
    settings: RoleFlags,
}

/// The lines, and whether one of them was bad.
#[derive(Default)]
struct Report {
    bad: u32,
}

impl Report {
    fn line(&mut self, what: &str, found: Result<String, String>) -> Result<(), Failure> {
        match found {
            Ok(text) => output::line(&format!("{what:<14} ok      {text}")),
            Err(text) => {
                self.bad += 1;
                output::line(&format!("{what:<14} FAILED  {text}"))
            }
        }
    }
}

impl CheckConfig {
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        let session = Session::open(common, self.settings.0, Need::MasterKey)?;
        let mut report = Report::default();
        let keys = session.config().master_keys.len();
        report.line("configuration", Ok(format!("{keys} master keys, the first seals")))?;
        report.line("broker", broker(&session).await)?;
        let stores = Stores::connect(session.config()).await.map_err(|error| chain(&error));
        let database = match &stores {
            Ok(stores) => database(&session, stores).await,
            Err(problem) => Err(problem.clone()),
        };
        let reachable = database.is_ok();
        report.line("database", database)?;
        report.line("clock", clock(&session).await)?;
        if let (Ok(stores), true) = (&stores, reachable) {
            mids(&session, stores, &mut report).await?;
        }
        match report.bad {
            0 => Ok(()),
            bad => Err(Failure::new(format!("{bad} of these need a person"))),
        }
    }
}

async fn broker(session: &Session) -> Result<String, String> {
    let name = match &session.config().broker {
        Broker::Embedded => "embedded, in the data folder",
        Broker::Amqp(_) => "RabbitMQ",
    };
    match wiring::look_at_broker(session.config(), session.clock()).await {
        Ok(()) => Ok(name.to_owned()),
        Err(error) => Err(format!("{name}: {}", chain(&*error))),
    }
}

async fn database(session: &Session, stores: &Stores) -> Result<String, String> {
    let name = match &session.config().database {
        Database::Sqlite(_) => "SQLite",
        Database::Postgres(_) => "PostgreSQL",
    };
    let migrations =
        stores.migrations().await.map_err(|error| format!("{name}: {}", chain(&error)))?;
    match migrations.iter().filter(|migration| !migration.applied).count() {
        0 => Ok(format!("{name}, its schema up to date")),
        missing if stores.is_sqlite() => {
            Ok(format!("{name}, {missing} migrations to come at the first start"))
        }
        _ => Err(wiring::BEHIND.to_owned()),
    }
}

/// Compares this machine's clock with Amazon's, whose signatures depend on it.
async fn clock(session: &Session) -> Result<String, String> {
    let Some(theirs) = wiring::time_at_amazon(session.config()).await else {
        return Ok("not compared: Amazon could not be asked for its time".to_owned());
    };
    let off = session.clock().now_ms() - theirs;
    let seconds = off / 1000;
    if off.abs() < CLOCK_OFF_MS {
        Ok(format!("{seconds} s off Amazon's"))
    } else {
        Err(format!("{seconds} s off Amazon's: signatures are refused beyond 15 min"))
    }
}

async fn mids(session: &Session, stores: &Stores, report: &mut Report) -> Result<(), Failure> {
    let rows = match stores.merchants.merchants().await {
        Ok(rows) => rows,
        // A schema that is still to come has no MIDs.
        Err(_) if stores.is_sqlite() => Vec::new(),
        Err(error) => return report.line("mids", Err(chain(&error))),
    };
    if rows.is_empty() {
        return report.line("mids", Ok("none yet: `mid add` makes one".to_owned()));
    }
    for row in rows {
        let name = format!("mid {}", row.merchant.id);
        report.line(&name, probe(session, row).await)?;
    }
    Ok(())
}

async fn probe(session: &Session, row: MerchantRow) -> Result<String, String> {
    let vault = session.vault().map_err(|_| "there is no master key".to_owned())?;
    let merchant = row.merchant;
    let opened = credentials::open(&**vault, &merchant.id, &row.secrets);
    let credentials = opened.map_err(|error| chain(&error))?;
    let state = if merchant.enabled { "" } else { ", but it is disabled" };
    let account = Account { merchant, credentials };
    let gateway = session.gateway().map_err(|_| "no client of Amazon can be made".to_owned())?;
    match gateway.probe(&account).await {
        Ok(()) => Ok(format!("Amazon accepts its keys{state}")),
        Err(fault) => Err(mid::words(&fault)),
    }
}
