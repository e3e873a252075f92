//! The statements of a commit: one text for each set of sections that is there, and for which of
//! them have one row; how many others have is no matter. On PostgreSQL it is one statement, which
//! is done as a whole or not at all.

use super::entity::{audit, dead_letter, inbox, journal, mandate, outbox, payment, waiter};
use super::rows::{Dialect, Field, Given, Rows, fields, list};
use crate::domain::payment::Phase;
use crate::ports::store::DeadLetterStatus;

/// What a commit may have in it, in the order in which it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Section {
    DeletePayment,
    UpdatePayment,
    InsertPayment,
    InsertMandate,
    UpdateMandate,
    /// Mandates that are to be looked at, made where they are not there.
    LookAt,
    /// Payments that somebody joins: they must be in hand, and opened by this message still.
    Join,
    Inbox,
    Journal,
    Outbox,
    Waiters,
    DeadLetters,
    CloseDeadLetter,
    /// What ended although it lay in the dead letters.
    CloseLettersOf,
    Audit,
    /// Message ids that become rejections.
    Rejected,
    /// They wait no more.
    Forget,
}

impl Section {
    pub(super) const ALL: [Section; 17] = [
        Section::DeletePayment,
        Section::UpdatePayment,
        Section::InsertPayment,
        Section::InsertMandate,
        Section::UpdateMandate,
        Section::LookAt,
        Section::Join,
        Section::Inbox,
        Section::Journal,
        Section::Outbox,
        Section::Waiters,
        Section::DeadLetters,
        Section::CloseDeadLetter,
        Section::CloseLettersOf,
        Section::Audit,
        Section::Rejected,
        Section::Forget,
    ];

    /// The further column of an update or a delete: the version that must be there.
    pub(super) const EXPECTED: &'static str = "expected";
    /// The same for a payment: how often it must have been joined, if that matters.
    pub(super) const JOINS: &'static str = "joins";

    /// Its statement, with its rows as they are given. Unless it
    /// [comes to](Section::comes_to) any number, each of its rows must come to one row.
    fn sql(self, dialect: Dialect, given: Given) -> String {
        match self {
            Section::DeletePayment => delete_payment(dialect, given),
            Section::UpdatePayment => update_payment(dialect, given),
            Section::InsertPayment => insert::<payment::Entity>(dialect, "payments", given),
            Section::InsertMandate => insert::<mandate::Entity>(dialect, "mandates", given),
            Section::UpdateMandate => {
                update::<mandate::Entity>(dialect, "mandates", &[Section::EXPECTED], given)
            }
            Section::LookAt => look_at(dialect, given),
            Section::Join => join(dialect, given),
            Section::Inbox => insert::<inbox::Entity>(dialect, "inbox", given),
            Section::Journal => insert::<journal::Entity>(dialect, "journal", given),
            Section::Outbox => insert::<outbox::Entity>(dialect, "outbox", given),
            Section::Waiters => {
                let insert = insert::<waiter::Entity>(dialect, "waiters", given);
                format!(
                    "{insert} WHERE true ON CONFLICT (payment_id, message_id, \
                     COALESCE(reply_to, ''), COALESCE(correlation_id, '')) \
                     DO UPDATE SET message_id = excluded.message_id"
                )
            }
            Section::DeadLetters => insert::<dead_letter::Entity>(dialect, "dead_letters", given),
            Section::CloseDeadLetter => {
                let letters = dialect.table(&[Field::text("id"), Field::text("to")], given);
                format!(
                    "UPDATE dead_letters AS t SET status = n.\"to\" FROM {letters} \
                     WHERE t.id = n.id AND t.status = 'open'"
                )
            }
            Section::CloseLettersOf => {
                let settled = dialect.table(&[Field::text("payment_id")], given);
                let discarded = DeadLetterStatus::Discarded.as_str();
                format!(
                    "UPDATE dead_letters AS t SET status = '{discarded}' FROM {settled} \
                     WHERE t.payment_id = n.payment_id AND t.status = 'open'"
                )
            }
            Section::Audit => insert::<audit::Entity>(dialect, "audit_log", given),
            Section::Rejected => {
                let fields = [Field::text("message_id"), Field::text("event_id")];
                let rows = dialect.table(&fields, given);
                format!(
                    "UPDATE inbox AS t SET payment_id = NULL, event_id = n.event_id FROM {rows} \
                     WHERE t.message_id = n.message_id"
                )
            }
            Section::Forget => {
                let fields = [Field::text("payment_id"), Field::text("message_id")];
                let rows = dialect.table(&fields, given);
                format!(
                    "DELETE FROM waiters AS t WHERE (t.payment_id, t.message_id) IN \
                     (SELECT n.payment_id, n.message_id FROM {rows})"
                )
            }
        }
    }

    /// How many rows it comes to, seen from those that it is given.
    pub(super) const fn comes_to(self) -> Outcome {
        match self {
            Section::DeletePayment
            | Section::UpdatePayment
            | Section::UpdateMandate
            | Section::Join
            | Section::CloseDeadLetter => Outcome::AllOrConflict,
            Section::InsertPayment
            | Section::InsertMandate
            | Section::LookAt
            | Section::Inbox
            | Section::Journal
            | Section::Outbox
            | Section::Waiters
            | Section::DeadLetters
            | Section::Audit => Outcome::All,
            Section::CloseLettersOf | Section::Rejected | Section::Forget => Outcome::Any,
        }
    }
}

/// How many rows a section comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// As many as it is given, or it fails.
    All,
    /// As many as it is given; fewer are a conflict that must be looked for.
    AllOrConflict,
    /// However many there are.
    Any,
}

fn insert<E: sea_orm::EntityTrait>(dialect: Dialect, table: &str, given: Given) -> String {
    let fields = fields::<E>();
    let names = list(&fields, |field| format!("\"{}\"", field.name));
    let rows = dialect.table(&fields, given);
    format!("INSERT INTO {table} ({names}) SELECT {names} FROM {rows}")
}

/// Replaces rows whose versions are as expected; the id is the first column.
fn update<E: sea_orm::EntityTrait>(
    dialect: Dialect,
    table: &str,
    more: &[&'static str],
    given: Given,
) -> String {
    let mut fields = fields::<E>();
    let set = list(&fields[1..], |field| format!("\"{0}\" = n.\"{0}\"", field.name));
    fields.extend(more.iter().copied().map(Field::number));
    let rows = dialect.table(&fields, given);
    format!(
        "UPDATE {table} AS t SET {set} FROM {rows} WHERE t.id = n.id AND t.version = n.expected"
    )
}

/// An earlier time stays; the version fences off whoever read the row before.
fn look_at(dialect: Dialect, given: Given) -> String {
    let fields = fields::<mandate::Entity>();
    let names = list(&fields, |field| format!("\"{}\"", field.name));
    let rows = dialect.table(&fields, given);
    format!(
        "INSERT INTO mandates AS t ({names}) SELECT {names} FROM {rows} WHERE true \
         ON CONFLICT (id) DO UPDATE SET version = t.version + 1, polls = 0, \
         declined_at = COALESCE(excluded.declined_at, t.declined_at), \
         due_at = CASE WHEN t.due_at < excluded.due_at THEN t.due_at ELSE excluded.due_at END"
    )
}

fn update_payment(dialect: Dialect, given: Given) -> String {
    let more = [Section::EXPECTED, Section::JOINS];
    let update = update::<payment::Entity>(dialect, "payments", &more, given);
    format!("{update} AND COALESCE(n.joins, t.joins) = t.joins")
}

fn delete_payment(dialect: Dialect, given: Given) -> String {
    let numbers = [Section::EXPECTED, Section::JOINS].map(Field::number);
    let rows = dialect.table(&[&[Field::text("id")], &numbers[..]].concat(), given);
    let gone = format!("SELECT n.id, n.expected, n.joins FROM {rows}");
    format!("DELETE FROM payments AS t WHERE (t.id, t.version, t.joins) IN ({gone})")
}

/// Locks them too, so that whoever ends one either sees who joined it or is seen by them. The
/// version stays: whoever drives it loses no race to those who join.
fn join(dialect: Dialect, given: Given) -> String {
    let rows = dialect.table(&[Field::text("id"), Field::text("opener")], given);
    let phases = phases(Phase::in_hand);
    format!(
        "UPDATE payments AS t SET joins = t.joins + 1 FROM {rows} \
         WHERE t.id = n.id AND t.opener_message_id = n.opener AND t.phase IN ({phases})"
    )
}

/// The phases for which it is true, for behind `IN`.
pub(super) fn phases(which: impl Fn(Phase) -> bool) -> String {
    let words = Phase::ALL.iter().filter(|phase| which(**phase));
    words.map(|phase| format!("'{}'", phase.as_str())).collect::<Vec<_>>().join(", ")
}

/// The text for these sections. Its parameters are their rows, in order; on PostgreSQL then, in
/// the same order, how many rows those that may be a conflict must come to.
pub(super) fn commit(dialect: Dialect, sections: &[(Section, Rows)]) -> String {
    let mut next = 1;
    let given = sections.iter().map(|(section, rows)| {
        let (given, width) = rows.given(next);
        next += width;
        (*section, section.sql(dialect, given))
    });
    let statements: Vec<(Section, String)> = given.collect();
    match dialect {
        Dialect::Postgres => commit_postgres(&statements, next),
        Dialect::Sqlite => {
            statements.into_iter().map(|(_, sql)| sql).collect::<Vec<_>>().join("; ")
        }
    }
}

/// The counts begin with parameter `first_count`.
fn commit_postgres(statements: &[(Section, String)], first_count: usize) -> String {
    let (mut parts, mut complete) = (Vec::new(), Vec::new());
    for (at, (section, sql)) in statements.iter().enumerate() {
        let counted = section.comes_to() == Outcome::AllOrConflict;
        let returning = if counted { " RETURNING 1" } else { "" };
        parts.push(format!("s{at} AS ({sql}{returning})"));
        if counted {
            let count = first_count + complete.len();
            complete.push(format!("(SELECT count(*) FROM s{at}) = ${count}"));
        }
    }
    // A division by zero undoes it all; error.rs knows its code.
    let done = if complete.is_empty() {
        "1".to_owned()
    } else {
        format!("1 / (CASE WHEN {} THEN 1 ELSE 0 END)", complete.join(" AND "))
    };
    format!("WITH {} SELECT {done} AS done", parts.join(", "))
}
