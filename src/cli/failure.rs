//! Why a command did not do it, and the exit code that says so.

use std::error::Error;
use std::fmt::Write;

use super::output;
use crate::config::Mistake;

/// Why a command ends without success.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Settings that cannot be used, all of them.
    Configuration(Vec<Mistake>),
    /// The command was called in a way that it cannot be.
    Usage(String),
    /// It was tried and failed.
    Failed(String),
}

impl Failure {
    /// It failed, in words.
    #[must_use]
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Failure::Failed(what.into())
    }

    /// It failed because of an error, told with its whole chain of causes.
    #[must_use]
    pub(crate) fn because(what: &str, error: &dyn Error) -> Self {
        Failure::Failed(format!("{what}: {}", chain(error)))
    }

    /// Tells it on standard error; 1 the command failed, 2 wrong usage or configuration.
    #[must_use]
    pub(crate) fn tell(&self) -> u8 {
        match self {
            Failure::Configuration(mistakes) => {
                let count = mistakes.len();
                let (noun, verb) = if count == 1 { ("setting", "is") } else { ("settings", "are") };
                output::tell(&format!("error: {count} {noun} {verb} wrong, nothing was started"));
                for Mistake { setting, problem } in mistakes {
                    output::tell(&format!("  {setting}: {problem}"));
                }
                2
            }
            Failure::Usage(text) => {
                output::tell(&format!("error: {text}"));
                2
            }
            Failure::Failed(text) => {
                output::tell(&format!("error: {text}"));
                1
            }
        }
    }
}

/// An error and its causes as one text.
#[must_use]
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        // Writing to a text cannot fail.
        let _written = write!(text, ": {error}");
        cause = error.source();
    }
    text
}
