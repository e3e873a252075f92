//! `mid`: Amazon Pay MIDs. Secrets come from a file, standard input or a terminal, never from an
//! argument, and none is ever printed.

pub(crate) mod file;
mod prompt;
mod test;
mod upgrade;

pub(crate) use test::words;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde_json::{Map, Value};

use super::failure::Failure;
use super::output;
use super::session::{Common, Session};
use crate::app::credentials;
use crate::config::Need;
use crate::config::flags::AmazonFlags;
use crate::domain::ids::MerchantAccountId;
use crate::domain::merchant::MerchantAccount;
use crate::ports::gateway::Credentials;
use crate::ports::merchants::MerchantRow;

/// Fields that `mid add` asks for.
const ADD: &[&str] = &[
    "id",
    "title",
    "descriptor",
    "midNumber",
    "region",
    "sandbox",
    "api",
    "merchantId",
    "accessKey",
    "secretKey",
    "mwsAuthToken",
    "clientId",
    "clientSecret",
    "publicKeyId",
    "privateKey",
    "storeId",
];

/// Amazon Pay MIDs: the merchant accounts that orders are paid through.
///
/// Running roles know a new or changed MID within five seconds.
#[derive(Debug, Args)]
pub(crate) struct Mid {
    #[command(subcommand)]
    act: Act,
    #[command(flatten)]
    settings: AmazonFlags,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Add a MID: from a file, or asked for at a terminal.
    ///
    /// The file is a JSON object: id (given out if absent), title, descriptor (at most 16
    /// characters), midNumber, region (na, eu, uk, jp), sandbox (bool), api (mws, v2), merchantId,
    /// accessKey, secretKey, mwsAuthToken, clientId, clientSecret, publicKeyId, privateKey (PEM),
    /// storeId, reauthorize {enabled, windowSeconds, max}. Secrets are sealed before they are
    /// stored, and never shown again.
    Add {
        /// The file, or - for standard input.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print the MID, without its secrets, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List all MIDs.
    List {
        /// Print them as a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Show a MID, without its secrets.
    Show {
        /// Its id (amazonBillerId).
        id: String,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Take nothing new through a MID; what has begun is finished.
    Disable {
        /// Its id (amazonBillerId).
        id: String,
    },
    /// Take orders through a MID again.
    Enable {
        /// Its id (amazonBillerId).
        id: String,
    },
    /// Change the keys of a MID, and wake what waits for them.
    ///
    /// The file holds what changes: any of the keys, and title, descriptor, midNumber and
    /// reauthorize. Whose account it is cannot change: payments that have begun belong to it.
    Rotate {
        /// Its id (amazonBillerId).
        id: String,
        /// The file, or - for standard input; without it the keys are asked for.
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// Print the MID, without its secrets, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Exchange the MWS keys of a MID for keys of API v2, and speak v2 from now on.
    ///
    /// The keys of both are kept: what has begun is finished by the API that began it, order
    /// references and billing agreements go on working, and --back goes back to MWS.
    UpgradeKey {
        /// Its id (amazonBillerId).
        id: String,
        /// Speak MWS again.
        #[arg(long)]
        back: bool,
        /// Print the MID, without its secrets, as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Make a harmless signed call to Amazon and say in words what is wrong.
    Test {
        /// Its id (amazonBillerId).
        id: String,
    },
}

impl Mid {
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        let session = Session::open(common, self.settings.0, Need::MasterKey)?;
        match self.act {
            Act::Add { file, json } => add(&session, file.as_deref(), json).await,
            Act::List { json } => list(&session, json).await,
            Act::Show { id, json } => {
                let (merchant, credentials) = load(&session, &id).await?;
                show(&merchant, &credentials, json)
            }
            Act::Disable { id } => switch(&session, &id, false).await,
            Act::Enable { id } => switch(&session, &id, true).await,
            Act::Rotate { id, file, json } => rotate(&session, &id, file.as_deref(), json).await,
            Act::UpgradeKey { id, back: false, json } => {
                upgrade::forward(&session, &id, json).await
            }
            Act::UpgradeKey { id, back: true, json } => upgrade::back(&session, &id, json).await,
            Act::Test { id } => test::run(&session, &id).await,
        }
    }
}

async fn add(session: &Session, file: Option<&Path>, json: bool) -> Result<(), Failure> {
    let object = given(file, ADD).await?;
    let stores = session.stores().await?;
    let rows = stores.merchants.merchants().await.map_err(|error| away(&error))?;
    let numbers = rows.iter().filter_map(|row| row.merchant.id.as_str().parse::<u32>().ok());
    let next = numbers.max().unwrap_or(0).saturating_add(1).to_string();
    let (merchant, credentials) =
        file::read(&object, &next).map_err(|problems| refused(&problems))?;
    if rows.iter().any(|row| row.merchant.id == merchant.id) {
        let id = &merchant.id;
        let text = format!("mid {id} is there already: `mid rotate {id}` changes its keys");
        return Err(Failure::new(text));
    }
    save(session, &merchant, &credentials, "mid.add").await?;
    if json {
        return show(&merchant, &credentials, true);
    }
    output::line(&format!("added mid {}", merchant.id))
}

/// Adds or replaces a MID of the program's own making.
pub(crate) async fn put(session: &Session, object: &Map<String, Value>) -> Result<(), Failure> {
    let (merchant, credentials) = file::read(object, "").map_err(|problems| refused(&problems))?;
    save(session, &merchant, &credentials, "mid.add").await
}

async fn list(session: &Session, json: bool) -> Result<(), Failure> {
    let stores = session.stores().await?;
    let rows = stores.merchants.merchants().await.map_err(|error| away(&error))?;
    if json {
        let mut all = Vec::new();
        for row in &rows {
            all.push(Value::Object(file::show(&row.merchant, &opened(session, row)?)));
        }
        return output::json(&Value::Array(all));
    }
    let cells = rows.iter().map(|row| {
        let merchant = &row.merchant;
        vec![
            merchant.id.to_string(),
            merchant.title.clone(),
            merchant.region.as_str().to_owned(),
            if merchant.sandbox { "sandbox" } else { "live" }.to_owned(),
            merchant.api.as_str().to_owned(),
            merchant.seller_id.clone(),
            if merchant.enabled { "enabled" } else { "disabled" }.to_owned(),
        ]
    });
    let heads = ["id", "title", "region", "environment", "api", "merchant", "state"];
    output::table(&heads, &cells.collect::<Vec<_>>())
}

fn show(merchant: &MerchantAccount, credentials: &Credentials, json: bool) -> Result<(), Failure> {
    let shown = file::show(merchant, credentials);
    if json {
        return output::json(&Value::Object(shown));
    }
    for (field, value) in shown {
        let text = match value {
            Value::Null => continue,
            Value::String(text) => text,
            other => other.to_string(),
        };
        output::line(&format!("{field:<12} {text}"))?;
    }
    Ok(())
}

async fn switch(session: &Session, id: &str, enabled: bool) -> Result<(), Failure> {
    let (mut merchant, credentials) = load(session, id).await?;
    merchant.enabled = enabled;
    let (act, word) = if enabled { ("mid.enable", "enabled") } else { ("mid.disable", "disabled") };
    save(session, &merchant, &credentials, act).await?;
    output::line(&format!("{word} mid {id}"))
}

async fn rotate(
    session: &Session,
    id: &str,
    file: Option<&Path>,
    json: bool,
) -> Result<(), Failure> {
    let (merchant, credentials) = load(session, id).await?;
    let object = given(file, &file::KEYS).await?;
    let (merchant, credentials) =
        file::change(&object, &merchant, &credentials).map_err(|problems| refused(&problems))?;
    save(session, &merchant, &credentials, "mid.rotate").await?;
    if json {
        return show(&merchant, &credentials, true);
    }
    output::line(&format!("rotated mid {id}"))
}

/// Stores a MID with a line in the audit log, and wakes what waits for its credentials.
async fn save(
    session: &Session,
    merchant: &MerchantAccount,
    credentials: &Credentials,
    act: &str,
) -> Result<(), Failure> {
    let stores = session.stores().await?;
    let secrets = credentials::seal(&**session.vault()?, &merchant.id, credentials);
    let row = MerchantRow { merchant: merchant.clone(), secrets };
    stores.merchants.put_merchant(&row).await.map_err(|error| away(&error))?;
    session.audit(act, &format!("mid/{}", merchant.id), "").await?;
    let now = session.clock().now_ms();
    stores.payments.wake(&merchant.id, now).await.map_err(|error| away(&error))?;
    Ok(())
}

async fn load(session: &Session, id: &str) -> Result<(MerchantAccount, Credentials), Failure> {
    let unknown = || Failure::new(format!("there is no mid {id}"));
    let key = MerchantAccountId::new(id).map_err(|_| unknown())?;
    let stores = session.stores().await?;
    let row = stores.merchants.merchant(&key).await.map_err(|error| away(&error))?;
    let row = row.ok_or_else(unknown)?;
    let credentials = opened(session, &row)?;
    Ok((row.merchant, credentials))
}

fn opened(session: &Session, row: &MerchantRow) -> Result<Credentials, Failure> {
    let id = &row.merchant.id;
    credentials::open(&**session.vault()?, id, &row.secrets)
        .map_err(|error| Failure::because(&format!("the secrets of mid {id}"), &error))
}

fn away(error: &dyn std::error::Error) -> Failure {
    Failure::because("the MIDs", error)
}

fn refused(problems: &[file::Problem]) -> Failure {
    let lines = problems.iter().map(|(field, problem)| format!("\n  {field} {problem}"));
    Failure::new(format!("the MID cannot be taken:{}", lines.collect::<String>()))
}

/// The object of a file or of standard input, or what a person answers.
async fn given(
    file: Option<&Path>,
    fields: &'static [&'static str],
) -> Result<Map<String, Value>, Failure> {
    let Some(path) = file else { return prompt::ask(fields).await };
    let text = if path == Path::new("-") {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| Failure::because(&path.display().to_string(), &error))?;
    match serde_json::from_str(&text) {
        Ok(Value::Object(object)) => Ok(object),
        // The parser's own words may quote what is in the file.
        Ok(_) | Err(_) => Err(Failure::new(format!("{} holds no JSON object", path.display()))),
    }
}
