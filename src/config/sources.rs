//! Where settings come from: flags, then the environment, then the file. The only reader of the
//! process's environment; whoever needs a value of it adds a setting.

use std::collections::BTreeMap;
use std::path::Path;

use super::settings::SETTINGS;

/// The prefix of the variables that the OpenTelemetry SDK reads by itself.
const OTEL: &str = "OTEL_";

/// A setting that cannot be used, by its name, and why. Never shows a value that may be secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// The setting's name, or the file's.
    pub setting: String,
    /// What is wrong with it.
    pub problem: String,
}

impl Mistake {
    /// `setting` is wrong because of `problem`.
    #[must_use]
    pub fn new(setting: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { setting: setting.into(), problem: problem.into() }
    }
}

/// Every text that was given for a setting, by the setting's name.
#[derive(Default)]
pub struct Sources {
    flags: BTreeMap<String, String>,
    environment: BTreeMap<String, String>,
    file: BTreeMap<String, String>,
    /// What a command means where nobody says anything.
    defaults: BTreeMap<String, String>,
    /// What could not even be gathered.
    pub(super) mistakes: Vec<Mistake>,
    /// Who runs the program, as the environment says.
    pub(super) user: Option<String>,
}

impl Sources {
    /// Reads the environment of this process and the file, if one is named. Mistakes are kept for
    /// [`super::Config::read`], which tells all together.
    #[must_use]
    pub fn gather(flags: BTreeMap<String, String>, file: Option<&Path>) -> Self {
        let mut mistakes = Vec::new();
        let environment = environment(&mut mistakes);
        let file = file.map_or_else(BTreeMap::new, |path| read_file(path, &mut mistakes));
        Self { flags, environment, file, mistakes, user: user(), ..Self::default() }
    }

    /// The same with the defaults of a command, weaker than everything that was given.
    #[must_use]
    pub fn or_else(mut self, defaults: &[(&str, &str)]) -> Self {
        let pairs = defaults.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        self.defaults.extend(pairs);
        self
    }

    /// Sources of given texts, for tests.
    #[must_use]
    pub fn of_environment(pairs: &[(&str, &str)]) -> Self {
        let pairs = pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        Self { environment: pairs.collect(), ..Self::default() }
    }

    /// The strongest text for a setting; an empty one counts as absent.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        [&self.flags, &self.environment, &self.file, &self.defaults]
            .into_iter()
            .filter_map(|source| source.get(name))
            .map(|text| text.trim())
            .find(|text| !text.is_empty())
    }
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn environment(mistakes: &mut Vec<Mistake>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, value) in std::env::vars_os() {
        let Ok(name) = name.into_string() else { continue };
        if !name.starts_with(OTEL) && SETTINGS.iter().all(|setting| setting.name != name) {
            continue;
        }
        match value.into_string() {
            Ok(value) => {
                found.insert(name, value);
            }
            Err(_) => mistakes.push(Mistake::new(name, "must be UTF-8")),
        }
    }
    found
}

/// For the audit log, which says who acted as far as is known.
#[expect(clippy::disallowed_methods, reason = "the one reader of the environment")]
fn user() -> Option<String> {
    ["SUDO_USER", "USER", "LOGNAME"].into_iter().find_map(|name| std::env::var(name).ok())
}

fn read_file(path: &Path, mistakes: &mut Vec<Mistake>) -> BTreeMap<String, String> {
    let name = || path.display().to_string();
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            mistakes.push(Mistake::new(name(), format!("cannot be read: {error}")));
            return BTreeMap::new();
        }
    };
    match toml::from_str::<toml::Table>(&text) {
        Ok(table) => take_table(&table, mistakes),
        Err(error) => {
            // The parser's own text quotes the line, and that may be a secret.
            let line = error.span().map_or(1, |span| {
                text.get(..span.start).map_or(1, |before| before.matches('\n').count() + 1)
            });
            mistakes.push(Mistake::new(name(), format!("line {line} is not TOML")));
            BTreeMap::new()
        }
    }
}

fn take_table(table: &toml::Table, mistakes: &mut Vec<Mistake>) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (key, value) in table {
        let Some(setting) = SETTINGS.iter().find(|setting| setting.key() == *key) else {
            mistakes.push(Mistake::new(key, "is no setting (in the file)"));
            continue;
        };
        match scalar(value) {
            Some(text) => {
                found.insert(setting.name.to_owned(), text);
            }
            None => mistakes.push(Mistake::new(
                setting.name,
                "must be a text, a number or a list of texts (in the file)",
            )),
        }
    }
    found
}

fn scalar(value: &toml::Value) -> Option<String> {
    match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Array(list) => {
            let texts: Option<Vec<_>> = list.iter().map(toml::Value::as_str).collect();
            texts.map(|texts| texts.join(","))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str) -> Result<BTreeMap<String, String>, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let found = take_table(&toml::from_str(text).unwrap(), &mut mistakes);
        if mistakes.is_empty() { Ok(found) } else { Err(mistakes) }
    }

    #[test]
    fn a_flag_beats_the_environment_and_that_the_file() {
        let pair = |text: &str| BTreeMap::from([("CRM_WAIT".to_owned(), text.to_owned())]);
        let mut sources = Sources {
            flags: pair("1"),
            environment: pair("2"),
            file: pair("3"),
            ..Sources::default()
        };
        assert_eq!(sources.text("CRM_WAIT"), Some("1"));
        sources.flags.clear();
        assert_eq!(sources.text("CRM_WAIT"), Some("2"));
        sources.environment = pair(" ");
        assert_eq!(sources.text("CRM_WAIT"), Some("3"));
    }

    #[test]
    fn the_file_has_numbers_texts_and_lists() {
        let found =
            file("crm_wait = 3\ndata_dir = \"x\"\nipn_cert_hosts = [\"a\", \"b:1\"]").unwrap();
        assert_eq!(found["CRM_WAIT"], "3");
        assert_eq!(found["DATA_DIR"], "x");
        assert_eq!(found["IPN_CERT_HOSTS"], "a,b:1");
    }

    #[test]
    fn unknown_keys_and_odd_values_of_the_file_are_all_named() {
        let mistakes = file("crm_wait = 1.5\nnonsense = 1\n[broker]\nurl = \"\"").unwrap_err();
        let names: Vec<_> = mistakes.iter().map(|mistake| mistake.setting.as_str()).collect();
        assert_eq!(names, ["broker", "CRM_WAIT", "nonsense"].map(|name| name));
    }

    #[test]
    fn a_broken_file_is_told_by_its_line_and_never_quoted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("c.toml");
        std::fs::write(&path, "crm_wait = 1\nmaster_key = \"top secret").unwrap();
        let mistakes = Sources::gather(BTreeMap::new(), Some(&path)).mistakes;
        assert!(mistakes[0].problem.contains("line 2"), "{mistakes:?}");
        assert!(!mistakes[0].problem.contains("secret"), "{mistakes:?}");
    }
}
