//! `order`: one payment with everything that happened to it, and lists of payments. Shows no
//! buyer's data and no secret.

use clap::{Args, Subcommand};
use serde_json::{Map, Value, json};

use super::failure::Failure;
use super::output;
use super::session::{Common, Session};
use crate::app::trail::{Step, steps};
use crate::config::{Flags, Need};
use crate::contract::time::rfc3339;
use crate::contract::{payment_view, status};
use crate::domain::command::Kind;
use crate::domain::payment::{Operation, Payment, Phase};
use crate::ports::desk::PaymentFilter;

/// Payments, and what happened to them.
#[derive(Debug, Args)]
pub(crate) struct Orders {
    #[command(subcommand)]
    act: Act,
}

#[derive(Debug, Subcommand)]
enum Act {
    /// Show one payment with its whole timeline.
    ///
    /// Message, calls, answers, events, and the rule behind every transition. `order show ORDER`
    /// looks through every MID; `order show MID ORDER` through one; `order show MID ORDER UPSELL`
    /// shows an upsell. A chargeId or any of Amazon's ids does as well.
    Show {
        /// MID and id of the payment, or its id alone.
        #[arg(required = true, num_args = 1..=3, value_name = "ID")]
        ids: Vec<String>,
        /// Only of this MID.
        #[arg(long, value_name = "ID")]
        mid: Option<String>,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// List payments, newest first.
    List {
        /// Only of this MID.
        #[arg(long, value_name = "ID")]
        mid: Option<String>,
        /// Only where they stand, as paid, declined, authorizing.
        #[arg(long, value_name = "PHASE")]
        phase: Option<String>,
        /// At most so many.
        #[arg(long, value_name = "NUMBER", default_value_t = 50)]
        limit: u32,
        /// Print them as a JSON array.
        #[arg(long)]
        json: bool,
    },
}

impl Orders {
    pub(crate) async fn run(self, common: &Common) -> Result<(), Failure> {
        match self.act {
            Act::Show { ids, mid, json } => {
                let session = Session::open(common, Flags::default(), Need::MasterKey)?;
                show(&session, &ids, mid, json).await
            }
            Act::List { mid, phase, limit, json } => {
                let session = Session::open(common, Flags::default(), Need::NoKey)?;
                list(&session, PaymentFilter { mid, phase, limit }, json).await
            }
        }
    }
}

async fn show(
    session: &Session,
    ids: &[String],
    mid: Option<String>,
    as_json: bool,
) -> Result<(), Failure> {
    let (mid, key) = match ids {
        [id] => (mid, vec![id.clone()]),
        [of, rest @ ..] => (mid.or_else(|| Some(of.clone())), rest.to_vec()),
        [] => return Err(Failure::Usage("name a payment".to_owned())),
    };
    let stores = session.stores().await?;
    let found = stores.desk.find(&key[0]).await.map_err(|error| away(&error))?;
    let found =
        found.into_iter().filter(|one| mid.as_ref().is_none_or(|mid| mid == one.key.mid.as_str()));
    let payment = choose(found.collect(), &key)?;
    let id = payment.id();
    let rows = stores.desk.timeline(&id).await.map_err(|error| away(&error))?;
    let timeline = steps(&rows);
    let event = match &payment.latest_event {
        Some(event) => stores.payments.event(event).await.map_err(|error| away(&error))?,
        None => None,
    };
    let document = match event {
        Some(entry) => {
            let identity = format!("event/{}", entry.event_id);
            let opened = session.vault()?.open(&identity, &entry.body);
            Some(opened.map_err(|error| Failure::because("the last event", &error))?)
        }
        None => None,
    };
    let mut view = payment_view(&payment, document.as_deref());
    hide_the_buyer(&mut view);
    if as_json {
        about(&mut view, &payment);
        view.insert("timeline".to_owned(), timeline.iter().map(step_json).collect());
        return output::json(&Value::Object(view));
    }
    tell(&payment, &timeline)
}

/// The one payment that is meant.
fn choose(found: Vec<Payment>, key: &[String]) -> Result<Payment, Failure> {
    let wanted = key.join("/");
    let exact = |payment: &&Payment| payment.key.subject.key() == wanted;
    let mut exactly = found.iter().filter(exact);
    let one = match (exactly.next(), exactly.next()) {
        (Some(one), None) => Some(one),
        (Some(_), Some(_)) | (None, Some(_)) => None,
        (None, None) if key.len() == 1 && found.len() == 1 => found.first(),
        (None, None) => None,
    };
    if let Some(one) = one {
        return Ok(one.clone());
    }
    if found.is_empty() {
        return Err(Failure::new(format!("no payment {wanted} is known")));
    }
    let lines = found.iter().map(|payment| {
        let key = payment.key.subject.key().replace('/', " ");
        format!("\n  order show {} {key}", payment.key.mid)
    });
    Err(Failure::new(format!("several payments answer to {wanted}:{}", lines.collect::<String>())))
}

/// A terminal is no place for the buyer's name and address.
fn hide_the_buyer(view: &mut Map<String, Value>) {
    for name in ["buyer", "shippingAddress"] {
        view.remove(name);
        if let Some(Value::Object(data)) = view.get_mut("data") {
            data.remove(name);
        }
    }
}

/// What operators ask beyond what the CRM is told.
fn about(view: &mut Map<String, Value>, payment: &Payment) {
    let time = |at: Option<i64>| at.map_or(Value::Null, |at| Value::from(rfc3339(at)));
    let reason = payment.dead_letter.map(|reason| reason.as_str());
    for (name, value) in [
        ("phase", Value::from(payment.phase.as_str())),
        ("attempt", Value::from(payment.effort.attempt)),
        ("deadLetter", reason.map_or(Value::Null, Value::from)),
        ("dueAt", time(payment.next_due())),
        ("operations", payment.operations.iter().map(operation_json).collect()),
        ("createdAt", time(Some(payment.created_at))),
        ("updatedAt", time(Some(payment.updated_at))),
    ] {
        view.insert(name.to_owned(), value);
    }
}

fn operation_json(one: &Operation) -> Value {
    json!({
        "operation": one.tag.kind.as_str(),
        "requestId": one.tag.request.as_str(),
        "amount": one.amount.map(|amount| amount.amount()),
        "phase": one.phase.as_str(),
        "amazonRefundId": one.refund_id.as_ref().map(|id| id.as_str()),
        "attempt": one.effort.attempt,
        "deadLetter": one.dead_letter.map(|reason| reason.as_str()),
        "dueAt": one.due_at.map(rfc3339),
    })
}

fn step_json(step: &Step) -> Value {
    json!({
        "at": rfc3339(step.at),
        "kind": step.kind,
        "name": step.name,
        "detail": step.detail,
    })
}

fn tell(payment: &Payment, timeline: &[Step]) -> Result<(), Failure> {
    let subject = &payment.key.subject;
    output::line(&format!(
        "{} {} of mid {}: {}, {}",
        subject.kind().as_str(),
        subject.key(),
        payment.key.mid,
        payment.amount,
        status(payment)
    ))?;
    let text = |name: &str, value: &str| output::line(&format!("  {name:<13} {value}"));
    text("phase", payment.phase.as_str())?;
    text("epoch", &payment.epoch.to_string())?;
    text("captured", &payment.captured.to_string())?;
    if let Some(reference) = &payment.reference {
        text("reference", reference.as_str())?;
    }
    if let Some(authorization) = &payment.authorization_id {
        text("authorization", authorization.as_str())?;
    }
    if let Some(capture) = &payment.capture_id {
        text("capture", capture.as_str())?;
    }
    if let Some(decline) = &payment.decline {
        text("because", &format!("{} ({})", decline.code, decline.softness.as_str()))?;
        text("fix", &decline.fix)?;
    }
    if let Some(reason) = payment.dead_letter {
        text("dead letter", reason.as_str())?;
    }
    if let Some(due) = payment.next_due() {
        text("due", &rfc3339(due))?;
    }
    if !payment.refunded.is_zero() {
        text("refunded", &payment.refunded.to_string())?;
    }
    for one in &payment.operations {
        let amount = one.amount.map(|amount| format!(" of {amount}")).unwrap_or_default();
        let lies = one.dead_letter.map(|reason| format!(", dead letter {}", reason.as_str()));
        let shown =
            format!("{}{amount}: {}{}", one.tag, one.phase.as_str(), lies.unwrap_or_default());
        text("operation", &shown)?;
    }
    output::line("")?;
    for step in timeline {
        let detail = match &step.detail {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        let line = format!("{}  {:<9} {:<22} {detail}", rfc3339(step.at), step.kind, step.name);
        output::line(line.trim_end())?;
    }
    Ok(())
}

async fn list(session: &Session, filter: PaymentFilter, as_json: bool) -> Result<(), Failure> {
    if let Some(phase) = &filter.phase
        && Phase::parse(phase).is_none()
    {
        let words: Vec<_> = Phase::ALL.iter().map(|phase| phase.as_str()).collect();
        return Err(Failure::Usage(format!("--phase must be one of {}", words.join(", "))));
    }
    let stores = session.stores().await?;
    let payments = stores.desk.payments(&filter).await.map_err(|error| away(&error))?;
    if as_json {
        let all = payments.iter().map(|payment| {
            let mut view = payment_view(payment, None);
            view.remove("data");
            about(&mut view, payment);
            Value::Object(view)
        });
        return output::json(&Value::Array(all.collect()));
    }
    let rows = payments.iter().map(|payment| {
        let kind: Kind = payment.key.subject.kind();
        vec![
            rfc3339(payment.updated_at),
            payment.key.mid.to_string(),
            kind.as_str().to_owned(),
            payment.key.subject.key(),
            payment.amount.to_string(),
            status(payment).to_owned(),
            payment.phase.as_str().to_owned(),
        ]
    });
    let heads = ["updated", "mid", "kind", "id", "amount", "status", "phase"];
    output::table(&heads, &rows.collect::<Vec<_>>())
}

fn away(error: &dyn std::error::Error) -> Failure {
    Failure::because("the payments", error)
}
