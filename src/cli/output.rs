//! What commands print: results to standard output, everything else to standard error. The only
//! file that writes to either; a reader who went away (a closed pipe) is no failure.

use std::io::{ErrorKind, Write};

use serde_json::Value;

use super::failure::Failure;

/// Prints one line of a result.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn line(text: &str) -> Result<(), Failure> {
    let mut out = std::io::stdout().lock();
    let written = writeln!(out, "{text}").and_then(|()| out.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(Failure::because("the result cannot be written", &error))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

/// Prints a result as JSON, for people and machines alike.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn json(value: &Value) -> Result<(), Failure> {
    line(&format!("{value:#}"))
}

/// Prints rows under their heads, columns aligned.
///
/// # Errors
/// Standard output cannot be written.
pub(crate) fn table(heads: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
    let heads: Vec<String> = heads.iter().map(|head| head.to_uppercase()).collect();
    let mut widths = vec![0; heads.len()];
    for row in std::iter::once(&heads).chain(rows) {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    for row in std::iter::once(&heads).chain(rows) {
        let cells = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}"));
        line(cells.collect::<Vec<_>>().join("  ").trim_end())?;
    }
    Ok(())
}

/// Tells a person something that is no result. Nobody to read it is no failure.
pub(crate) fn tell(text: &str) {
    drop(writeln!(std::io::stderr().lock(), "{text}"));
}
