//! House rules as a test: sizes, arrows between modules, who may derive or import what, words that
//! have no place. Each message says how to mend it; CONTRIBUTING.md says why there is a rule.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test that cannot go on must stop")]

mod arrows;
mod source;
mod text;

/// Fails with every place at once, and with what to do.
fn assert_none(found: Vec<String>, mend: &str) {
    assert!(found.is_empty(), "\n{}\n=> {mend}\n", found.join("\n"));
}
