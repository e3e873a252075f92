//! Takes settings out of the sources one after the other and collects every mistake, so that they
//! are told together. A mistaken setting goes on with its default; nobody sees that configuration.

use std::time::Duration;

use super::sources::{Mistake, Sources};

/// The longest time that a setting may name: ten years, so that no sum of times overflows.
const SECONDS_MAX: u64 = 315_360_000;

/// Reads settings.
pub(super) struct Reader<'a> {
    sources: &'a Sources,
    mistakes: Vec<Mistake>,
}

impl<'a> Reader<'a> {
    /// A reader of these sources.
    #[must_use]
    pub(super) fn new(sources: &'a Sources) -> Self {
        Self { sources, mistakes: sources.mistakes.clone() }
    }

    /// The text of a setting.
    #[must_use]
    pub(super) fn text(&self, name: &str) -> Option<&'a str> {
        self.sources.text(name)
    }

    /// A setting by its parser, whose error says what the value must be.
    pub(super) fn parsed<T>(
        &mut self,
        name: &str,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let text = self.text(name)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(problem) => {
                self.mistake(name, problem);
                None
            }
        }
    }

    /// A whole number within bounds.
    pub(super) fn number(&mut self, name: &str, min: u64, max: u64) -> Option<u64> {
        self.parsed(name, |text| match text.parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => Ok(number),
            _ => Err(format!("must be a whole number from {min} to {max}")),
        })
    }

    /// A time in whole seconds, not below `min`.
    pub(super) fn seconds(&mut self, name: &str, default: u64, min: u64) -> Duration {
        let seconds = self.parsed(name, |text| match text.parse::<u64>() {
            Ok(number) if (min..=SECONDS_MAX).contains(&number) => Ok(number),
            _ => Err(format!("must be whole seconds from {min} to {SECONDS_MAX}")),
        });
        Duration::from_secs(seconds.unwrap_or(default))
    }

    /// Notes a mistake.
    pub(super) fn mistake(&mut self, name: &str, problem: impl Into<String>) {
        self.mistakes.push(Mistake::new(name, problem));
    }

    /// Every mistake so far.
    #[must_use]
    pub(super) fn mistakes(self) -> Vec<Mistake> {
        self.mistakes
    }
}

/// Splits `host`, `host:port` or `[v6]:port`.
///
/// # Errors
/// In words.
pub(super) fn authority(text: &str) -> Result<(&str, Option<u16>), String> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, after) = rest.split_once(']').ok_or("has a [ without its ]")?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| "has no IPv6 address within [ ]")?;
            match after {
                "" => (host, None),
                _ => (host, Some(after.strip_prefix(':').ok_or("has something behind its ]")?)),
            }
        }
        None => match text.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (text, None),
        },
    };
    let plain = |b: u8| b.is_ascii_alphanumeric() || b".-_:".contains(&b);
    if !host.bytes().all(plain) {
        return Err("has a host with characters that no host has".to_owned());
    }
    let port = match port {
        Some(port) => Some(port.parse::<u16>().map_err(|_| "has no port from 0 to 65535")?),
        None => None,
    };
    Ok((host, port))
}
