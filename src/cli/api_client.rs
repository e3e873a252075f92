//! `api-client`: who may call ingest. Password and key are random, shown once and stored as
//! digests only.

use clap::{Args, Subcommand};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::failure::Failure;
use super::output;
use super::session::{Common, Session};
use crate::config::{Flags, Need};
use crate::domain::ids::MerchantAccountId;
use crate::ports::merchants::ApiClient;

/// Who may call ingest: the CRM, its landers, the billing scheduler.
#[derive(Debug, Args)]
pub(crate) struct ApiClients {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Add a client, and print its password and key once.
    ///
    /// Landers send loginId and password as parameters; everybody else sends the key as
    /// `Authorization: Bearer …`. Neither can be shown again: revoke the client and add another.
    Add {
        /// Its name for people.
        #[arg(long)]
        name: String,
        /// A MID that it may use; several times for several. Without it: every MID.
        #[arg(long = "mid", value_name = "ID")]
        mids: Vec<String>,
        /// Print loginId, password and apiKey as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List all clients, without their secrets.
    List {
        /// Print them as a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Shut a client out; running roles know within five seconds.
    Revoke {
        /// Its loginId, or its name where only one has it.
        client: String,
    },
}

impl ApiClients {
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        let session = Session::open(common, Flags::default(), Need::NoKey)?;
        match self.act {
            Act::Add { name, mids, json } => add(&session, name, &mids, json).await,
            Act::List { json } => list(&session, json).await,
            Act::Revoke { client } => revoke(&session, &client).await,
        }
    }
}

async fn add(session: &Session, name: String, mids: &[String], json: bool) -> Result<(), Failure> {
    let mut allowed = Vec::new();
    for mid in mids {
        let id = MerchantAccountId::new(mid.as_str())
            .map_err(|error| Failure::Usage(format!("--mid {mid}: {error}")))?;
        allowed.push(id);
    }
    if name.trim().is_empty() {
        return Err(Failure::Usage("--name must not be empty".to_owned()));
    }
    let stores = session.stores().await?;
    for mid in &allowed {
        let known = stores.merchants.merchant(mid).await.map_err(|error| away(&error))?;
        if known.is_none() {
            output::tell(&format!("warning: there is no mid {mid} yet"));
        }
    }
    let fresh = Fresh::draw(session);
    let client = fresh.client(name, allowed);
    stores.merchants.put_client(&client).await.map_err(|error| away(&error))?;
    session.audit("api-client.add", &format!("api-client/{}", client.login_id), "").await?;
    let Fresh { login_id, password, api_key } = fresh;
    if json {
        return output::json(&json!({
            "loginId": login_id,
            "password": password,
            "apiKey": api_key,
        }));
    }
    output::line(&format!("loginId   {login_id}"))?;
    output::line(&format!("password  {password}"))?;
    output::line(&format!("apiKey    {api_key}"))?;
    output::tell("keep password and key: they are not shown again");
    Ok(())
}

/// What a new client is given, in clear.
pub(crate) struct Fresh {
    /// Its id.
    pub(crate) login_id: String,
    /// Its password, 32 characters: landers' forms take no more.
    pub(crate) password: String,
    /// Its key, 32 characters.
    pub(crate) api_key: String,
}

impl Fresh {
    /// Draws id, password and key.
    pub(crate) fn draw(session: &Session) -> Self {
        let clock = session.clock();
        Self {
            login_id: clock.random_hex(8),
            password: clock.random_hex(16),
            api_key: clock.random_hex(16),
        }
    }

    /// The client as it is stored.
    pub(crate) fn client(&self, name: String, mids: Vec<MerchantAccountId>) -> ApiClient {
        ApiClient {
            login_id: self.login_id.clone(),
            name,
            password_hash: sha256_hex(&self.password),
            api_key_hash: sha256_hex(&self.api_key),
            mids,
            revoked: false,
        }
    }
}

fn sha256_hex(text: &str) -> String {
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn list(session: &Session, json: bool) -> Result<(), Failure> {
    let stores = session.stores().await?;
    let clients = stores.merchants.clients().await.map_err(|error| away(&error))?;
    let mids = |client: &ApiClient| -> Vec<String> {
        client.mids.iter().map(ToString::to_string).collect()
    };
    if json {
        let all = clients.iter().map(|client| {
            json!({
                "loginId": client.login_id,
                "name": client.name,
                "mids": mids(client),
                "revoked": client.revoked,
            })
        });
        return output::json(&Value::Array(all.collect()));
    }
    let rows = clients.iter().map(|client| {
        let mids = mids(client);
        let mids = if mids.is_empty() { "every".to_owned() } else { mids.join(",") };
        let state = if client.revoked { "revoked" } else { "active" };
        vec![client.login_id.clone(), client.name.clone(), mids, state.to_owned()]
    });
    output::table(&["loginId", "name", "mids", "state"], &rows.collect::<Vec<_>>())
}

async fn revoke(session: &Session, named: &str) -> Result<(), Failure> {
    let stores = session.stores().await?;
    let clients = stores.merchants.clients().await.map_err(|error| away(&error))?;
    let by_id = clients.iter().find(|client| client.login_id == named);
    let by_name: Vec<_> =
        clients.iter().filter(|client| client.name == named && !client.revoked).collect();
    let mut client = match (by_id, by_name.as_slice()) {
        (Some(client), _) => client.clone(),
        (None, [client]) => (*client).clone(),
        (None, []) => return Err(Failure::new(format!("there is no client {named}"))),
        (None, _) => {
            let text = format!("several clients are called {named}: name the loginId");
            return Err(Failure::new(text));
        }
    };
    client.revoked = true;
    stores.merchants.put_client(&client).await.map_err(|error| away(&error))?;
    session.audit("api-client.revoke", &format!("api-client/{}", client.login_id), "").await?;
    output::line(&format!("revoked client {}", client.login_id))
}

fn away(error: &dyn std::error::Error) -> Failure {
    Failure::because("the clients", error)
}
