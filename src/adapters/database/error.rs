//! What a database error means to the caller: told by codes and types, never by texts.

use std::ops::Deref;

use sea_orm::sqlx::Error as SqlxError;
use sea_orm::{DbErr, RuntimeErr, SqlErr};

use crate::ports::store::StoreError;

/// A column that cannot be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Corrupt(pub(super) &'static str);

pub(super) const fn corrupt(column: &'static str) -> Corrupt {
    Corrupt(column)
}

impl Corrupt {
    /// With the row that it is in.
    pub(super) fn of(self, table: &str, row: &str) -> StoreError {
        StoreError::Corrupt(format!("{table} {row}: column {}", self.0))
    }
}

/// What became of a statement that failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Failure {
    /// Somebody else was first; nothing was written.
    Conflict,
    /// The database refused the statement; nothing was written.
    Refused,
    /// The connection broke: perhaps it was written.
    Broken,
    /// A row cannot be read.
    Corrupt,
}

/// Our own word for "a row that must be there is not" on PostgreSQL: the statement divides by zero.
const DIVISION_BY_ZERO: &str = "22012";
const SERIALIZATION_FAILURE: &str = "40001";
const DEADLOCK: &str = "40P01";
/// Classes of PostgreSQL's codes that are about the server: connection, resources, intervention,
/// system.
const SERVER: [&str; 4] = ["08", "53", "57", "58"];
/// A standby that is no primary yet, or no more.
const READ_ONLY: &str = "25006";
/// SQLite's primary codes that are about the statement: error, too big, constraint, mismatch. All
/// others are about the file: busy, full, unreadable.
const SQLITE_STATEMENT: [u32; 4] = [1, 18, 19, 20];

pub(super) fn failure(error: &DbErr) -> Failure {
    if let Some(SqlErr::UniqueConstraintViolation(_)) = error.sql_err() {
        return Failure::Conflict;
    }
    match error {
        // SQLite's writer says it so.
        DbErr::RecordNotUpdated => Failure::Conflict,
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Failure::Broken,
        DbErr::Exec(RuntimeErr::SqlxError(error)) | DbErr::Query(RuntimeErr::SqlxError(error)) => {
            sqlx_failure(error.deref())
        }
        DbErr::Type(_) | DbErr::Json(_) | DbErr::TryIntoErr { .. } => Failure::Corrupt,
        _ => Failure::Refused,
    }
}

fn sqlx_failure(error: &SqlxError) -> Failure {
    match error {
        SqlxError::Database(error) => {
            let code = error.code().unwrap_or_default();
            match code.deref() {
                DIVISION_BY_ZERO | SERIALIZATION_FAILURE | DEADLOCK => Failure::Conflict,
                code if is_about_the_statement(code) => Failure::Refused,
                _ => Failure::Broken,
            }
        }
        SqlxError::ColumnDecode { .. }
        | SqlxError::ColumnNotFound(_)
        | SqlxError::Decode(_)
        | SqlxError::TypeNotFound { .. } => Failure::Corrupt,
        _ => Failure::Broken,
    }
}

/// PostgreSQL's codes have five characters, SQLite's are numbers with at most four digits.
fn is_about_the_statement(code: &str) -> bool {
    if code.len() == 5 {
        return code != READ_ONLY && !SERVER.iter().any(|class| code.starts_with(class));
    }
    code.parse::<u32>().is_ok_and(|code| SQLITE_STATEMENT.contains(&(code & 0xff)))
}

/// A connection that was there broke; another one may be whole.
pub(super) fn is_broken(error: &DbErr) -> bool {
    let had_connection = !matches!(error, DbErr::ConnectionAcquire(_) | DbErr::Conn(_));
    had_connection && failure(error) == Failure::Broken
}

pub(super) fn store_error(error: &DbErr) -> StoreError {
    match failure(error) {
        Failure::Conflict => StoreError::Conflict,
        Failure::Corrupt => StoreError::Corrupt(error.to_string()),
        Failure::Refused => StoreError::Refused(error.to_string()),
        Failure::Broken => StoreError::Away(error.to_string()),
    }
}
