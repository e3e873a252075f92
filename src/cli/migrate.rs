//! `migrate`: the database schema. SQLite is migrated by whoever needs it; PostgreSQL by this.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::failure::Failure;
use super::output;
use super::session::{Common, Session};
use crate::config::{Flags, Need};
use crate::wiring::Stores;

/// The database schema.
#[derive(Debug, Args)]
pub(crate) struct Migrate {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Apply what is missing. Safe while the program runs, and safe to repeat.
    Up,
    /// Take back the last migration. The data that it holds goes with it.
    Down {
        /// How many to take back.
        #[arg(long, value_name = "NUMBER", default_value_t = 1, conflicts_with = "all")]
        steps: u32,
        /// Take back all of them: nothing is left.
        #[arg(long)]
        all: bool,
    },
    /// Say which migrations the database has.
    Status {
        /// Print them as a JSON array.
        #[arg(long)]
        json: bool,
    },
}

impl Migrate {
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        let session = Session::open(common, Flags::default(), Need::NoKey)?;
        let stores = Stores::connect(session.config())
            .await
            .map_err(|error| Failure::because("the database", &error))?;
        let failed = |error| Failure::because("the schema", &error);
        match self.act {
            Act::Up => {
                let before = stores.migrations().await.map_err(failed)?;
                stores.migrate_up().await.map_err(failed)?;
                let applied = before.iter().filter(|migration| !migration.applied).count();
                output::line(&format!(
                    "the schema is up to date, {applied} migrations were applied"
                ))
            }
            Act::Down { steps, all } => {
                stores.migrate_down((!all).then_some(steps)).await.map_err(failed)?;
                let after = stores.migrations().await.map_err(failed)?;
                let left = after.iter().filter(|migration| migration.applied).count();
                output::line(&format!("taken back, {left} migrations are left"))
            }
            Act::Status { json } => {
                let all = stores.migrations().await.map_err(failed)?;
                if json {
                    let rows =
                        all.iter().map(|one| json!({ "name": one.name, "applied": one.applied }));
                    return output::json(&Value::Array(rows.collect()));
                }
                let rows = all.iter().map(|one| {
                    let state = if one.applied { "applied" } else { "missing" };
                    vec![one.name.clone(), state.to_owned()]
                });
                output::table(&["migration", "state"], &rows.collect::<Vec<_>>())
            }
        }
    }
}
