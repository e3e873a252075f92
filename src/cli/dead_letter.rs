//! `dead-letter`: the operators' desk on the command line.

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::failure::Failure;
use super::output;
use super::session::{Common, Session};
use super::since;
use crate::app::desk::{Act as Deed, Operator, Verdict};
use crate::app::trail::steps;
use crate::config::{Flags, Need};
use crate::contract::time::rfc3339;
use crate::domain::operation::OperationTag;
use crate::domain::payment::DeadLetterReason;
use crate::ports::desk::{DeadLetterFilter, DeadLetterRow};
use crate::ports::store::DeadLetterStatus;

/// Commands that could not be finished: look at them, send them back to work, give them up.
#[derive(Debug, Args)]
pub(crate) struct DeadLetters {
    #[command(subcommand)]
    act: Act,
}

/// Which dead letters.
#[derive(Debug, Args)]
struct Filter {
    /// Only with this reason: rejected, exhausted, unknown_outcome, configuration, poison.
    #[arg(long)]
    reason: Option<String>,
    /// Only of this MID.
    #[arg(long, value_name = "ID")]
    mid: Option<String>,
    /// Only since then: an RFC 3339 time, a date, or an age as 90m, 12h, 2d.
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Only in this status: open, redriven, discarded.
    #[arg(long)]
    status: Option<String>,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// List dead letters, oldest first.
    List {
        #[command(flatten)]
        filter: Filter,
        /// Print them as one JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Show one dead letter with the whole history of its payment.
    Show {
        /// Its id.
        id: String,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Send dead letters back to work: the same payment, the same reference, its budget anew.
    ///
    /// What was rejected is not redriven: mend it and send it again.
    Redrive {
        /// Their ids; without, a filter says which.
        ids: Vec<String>,
        #[command(flatten)]
        filter: Filter,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// Print what was done as a JSON array.
        #[arg(long)]
        json: bool,
    },
    /// Give dead letters up: the CRM hears that the payment failed.
    ///
    /// Refused while money may have moved. What was rejected is only filed away.
    Discard {
        /// Their ids; without, a filter says which.
        ids: Vec<String>,
        #[command(flatten)]
        filter: Filter,
        /// Why, in words: the CRM hears it.
        #[arg(long, value_name = "TEXT")]
        because: Option<String>,
        /// Say what would be done, and do nothing.
        #[arg(long)]
        dry_run: bool,
        /// Print what was done as a JSON array.
        #[arg(long)]
        json: bool,
    },
}

impl DeadLetters {
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        let need = match &self.act {
            Act::List { .. } | Act::Show { .. } => Need::NoKey,
            Act::Redrive { .. } | Act::Discard { .. } => Need::MasterKey,
        };
        let session = Session::open(common, Flags::default(), need)?;
        match self.act {
            Act::List { filter, json } => list(&session, &filter, json).await,
            Act::Show { id, json } => show(&session, id, json).await,
            Act::Redrive { ids, filter, dry_run, json } => {
                let which = which(&session, ids, &filter)?;
                operate(&session, which, &Deed::Redrive, dry_run, json).await
            }
            Act::Discard { ids, filter, because, dry_run, json } => {
                let which = which(&session, ids, &filter)?;
                operate(&session, which, &Deed::Discard(because), dry_run, json).await
            }
        }
    }
}

impl Filter {
    fn is_empty(&self) -> bool {
        self.reason.is_none() && self.mid.is_none() && self.since.is_none() && self.status.is_none()
    }

    fn read(&self, session: &Session) -> Result<DeadLetterFilter, Failure> {
        let reason = self.reason.as_deref().map(|text| {
            let words: Vec<_> = DeadLetterReason::ALL.iter().map(|one| one.as_str()).collect();
            let wrong = || Failure::Usage(format!("--reason must be one of {}", words.join(", ")));
            DeadLetterReason::parse(text).ok_or_else(wrong)
        });
        let status = self.status.as_deref().map(|text| {
            let words: Vec<_> = DeadLetterStatus::ALL.iter().map(|one| one.as_str()).collect();
            let wrong = || Failure::Usage(format!("--status must be one of {}", words.join(", ")));
            DeadLetterStatus::parse(text).ok_or_else(wrong)
        });
        let now = session.clock().now_ms();
        let since = self.since.as_deref().map(|text| {
            let form = "--since must be an RFC 3339 time, a date, or an age as 90m, 12h, 2d";
            since::read(text, now).ok_or_else(|| Failure::Usage(form.to_owned()))
        });
        Ok(DeadLetterFilter {
            ids: Vec::new(),
            reason: reason.transpose()?,
            mid: self.mid.clone(),
            since: since.transpose()?,
            status: status.transpose()?,
        })
    }
}

/// Ids or a filter, and never everything by forgetting both.
fn which(
    session: &Session,
    ids: Vec<String>,
    filter: &Filter,
) -> Result<DeadLetterFilter, Failure> {
    if ids.is_empty() && filter.is_empty() {
        let text = "name ids, or a filter (--reason, --mid, --since, --status)";
        return Err(Failure::Usage(text.to_owned()));
    }
    let by_filter = ids.is_empty();
    let mut which = DeadLetterFilter { ids, ..filter.read(session)? };
    if by_filter && which.status.is_none() {
        which.status = Some(DeadLetterStatus::Open);
    }
    Ok(which)
}

async fn find(session: &Session, filter: &DeadLetterFilter) -> Result<Vec<DeadLetterRow>, Failure> {
    let stores = session.stores().await?;
    let found = stores.desk.dead_letters(filter).await.map_err(|error| away(&error))?;
    for id in &filter.ids {
        if !found.iter().any(|row| row.letter.id == *id) {
            return Err(Failure::new(format!("there is no dead letter {id} like that")));
        }
    }
    Ok(found)
}

async fn list(session: &Session, filter: &Filter, json: bool) -> Result<(), Failure> {
    let rows = find(session, &filter.read(session)?).await?;
    if json {
        return output::json(&rows.iter().map(row_json).collect());
    }
    let cells = rows.iter().map(|row| {
        let letter = &row.letter;
        let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
        let key = [&letter.order_id, &letter.upsell_id, &letter.charge_id];
        let key: Vec<_> = key.into_iter().flatten().map(String::as_str).collect();
        vec![
            letter.id.clone(),
            rfc3339(letter.since),
            letter.reason.as_str().to_owned(),
            text(&letter.mid),
            text(&letter.kind),
            key.join("/"),
            row.status.as_str().to_owned(),
            letter.detail.clone(),
        ]
    });
    let heads = ["id", "since", "reason", "mid", "kind", "key", "status", "detail"];
    output::table(&heads, &cells.collect::<Vec<_>>())
}

/// A dead letter as the contract has it.
fn row_json(row: &DeadLetterRow) -> Value {
    let letter = &row.letter;
    json!({
        "id": letter.id,
        "reason": letter.reason.as_str(),
        "messageId": letter.message_id,
        "routingKey": letter.routing_key,
        "amazonBillerId": letter.mid,
        "kind": letter.kind,
        "orderId": letter.order_id,
        "upsellId": letter.upsell_id,
        "chargeId": letter.charge_id,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "since": rfc3339(letter.since),
        "status": row.status.as_str(),
    })
}

async fn show(session: &Session, id: String, as_json: bool) -> Result<(), Failure> {
    let filter = DeadLetterFilter { ids: vec![id], ..DeadLetterFilter::default() };
    let rows = find(session, &filter).await?;
    let Some(row) = rows.first() else { return Ok(()) };
    let stores = session.stores().await?;
    let timeline = match row.letter.payment_id.as_deref().map(|id| OperationTag::split(id).0) {
        Some(payment) => stores.desk.timeline(payment).await.map_err(|error| away(&error))?,
        None => Vec::new(),
    };
    let timeline = steps(&timeline);
    let mut shown = row_json(row);
    if as_json {
        shown["timeline"] = timeline
            .iter()
            .map(|step| {
                json!({
                    "at": rfc3339(step.at),
                    "kind": step.kind,
                    "name": step.name,
                    "detail": step.detail,
                })
            })
            .collect();
        return output::json(&shown);
    }
    for (name, value) in shown.as_object().into_iter().flatten() {
        match value {
            Value::Null => {}
            Value::String(text) => output::line(&format!("{name:<15} {text}"))?,
            other => output::line(&format!("{name:<15} {other}"))?,
        }
    }
    for step in &timeline {
        let detail = if step.detail.is_null() { String::new() } else { step.detail.to_string() };
        let line = format!("{}  {:<9} {:<22} {detail}", rfc3339(step.at), step.kind, step.name);
        output::line(line.trim_end())?;
    }
    Ok(())
}

async fn operate(
    session: &Session,
    which: DeadLetterFilter,
    deed: &Deed,
    dry_run: bool,
    as_json: bool,
) -> Result<(), Failure> {
    let rows = find(session, &which).await?;
    let engine = session.engine().await?;
    let operator = Operator { actor: session.config().actor(), dry_run };
    let done = match (deed, dry_run) {
        (Deed::Redrive, false) => "redriven",
        (Deed::Redrive, true) => "would be redriven",
        (Deed::Discard(_), false) => "discarded",
        (Deed::Discard(_), true) => "would be discarded",
    };
    let (mut results, mut refused) = (Vec::new(), 0);
    for row in &rows {
        let id = &row.letter.id;
        let verdict = engine.operate(row, deed, &operator).await.map_err(|error| away(&error))?;
        let (result, detail) = match verdict {
            Verdict::Done => (done, None),
            Verdict::Refused(why) => {
                refused += 1;
                ("refused", Some(why))
            }
        };
        if as_json {
            results.push(json!({ "id": id, "result": result, "detail": detail }));
        } else {
            let why = detail.map(|why| format!(": {why}")).unwrap_or_default();
            output::line(&format!("{id}  {result}{why}"))?;
        }
    }
    if as_json {
        output::json(&Value::Array(results))?;
    } else if rows.is_empty() {
        output::tell("no dead letter is meant by that");
    }
    if refused > 0 {
        return Err(Failure::new(format!("{refused} of {} were refused", rows.len())));
    }
    Ok(())
}

fn away(error: &dyn std::error::Error) -> Failure {
    Failure::because("the dead letters", error)
}
