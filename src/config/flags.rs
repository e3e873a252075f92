//! The settings as flags of the command line, made from the table. Values stay texts here, so that
//! a mistake in a flag is told together with those of the environment and the file.

use std::collections::BTreeMap;

use clap::{Arg, ArgMatches, Args, Command, Error, FromArgMatches};

use super::settings::{SETTINGS, Scope, Setting};

/// Settings given as flags, by their names.
#[derive(Debug, Clone, Default)]
pub struct Flags(pub BTreeMap<String, String>);

/// Flags of every command.
#[derive(Debug, Clone, Default)]
pub struct AllFlags(pub Flags);

/// Flags of commands that talk to Amazon.
#[derive(Debug, Clone, Default)]
pub struct AmazonFlags(pub Flags);

/// Flags of commands that run roles: those of Amazon too.
#[derive(Debug, Clone, Default)]
pub struct RoleFlags(pub Flags);

fn of(scopes: &'static [Scope]) -> impl Iterator<Item = &'static Setting> {
    SETTINGS.iter().filter(|setting| setting.flag && scopes.contains(&setting.scope))
}

fn augment(command: Command, scopes: &'static [Scope]) -> Command {
    of(scopes).fold(command, |command, setting| {
        let global = setting.scope == Scope::All;
        let arg = Arg::new(setting.name)
            .long(setting.flag_name())
            .value_name(setting.value)
            .help(format!("{} [{}; default: {}]", setting.help, setting.name, setting.default))
            .help_heading("Settings")
            .hide_short_help(true)
            .global(global);
        command.arg(arg)
    })
}

fn take(matches: &ArgMatches, scopes: &'static [Scope]) -> Flags {
    let given = of(scopes).filter_map(|setting| {
        let value = matches.get_one::<String>(setting.name)?;
        Some((setting.name.to_owned(), value.clone()))
    });
    Flags(given.collect())
}

macro_rules! args {
    ($type:ident, $scopes:expr) => {
        impl FromArgMatches for $type {
            fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
                Ok(Self(take(matches, $scopes)))
            }

            fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
                *self = Self(take(matches, $scopes));
                Ok(())
            }
        }

        impl Args for $type {
            fn augment_args(command: Command) -> Command {
                augment(command, $scopes)
            }

            fn augment_args_for_update(command: Command) -> Command {
                augment(command, $scopes)
            }
        }
    };
}

args!(AllFlags, &[Scope::All]);
args!(AmazonFlags, &[Scope::Amazon]);
args!(RoleFlags, &[Scope::Amazon, Scope::Roles]);

impl Flags {
    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Flags) -> Self {
        self.0.extend(other.0);
        self
    }
}
