//! Which database, and the folder of what lies on this machine.

use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::reader::Reader;

/// Where payments lie.
#[derive(Debug, Clone)]
pub enum Database {
    /// A SQLite database, by its `sqlite://` URL.
    Sqlite(SecretString),
    /// PostgreSQL, by its URL. It may hold a password.
    Postgres(SecretString),
}

impl Database {
    pub(super) fn read(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        let given = reader.parsed("DATABASE_URL", |text| {
            if let Some(rest) = text.strip_prefix("sqlite:") {
                return match rest.trim_start_matches('/') {
                    "" => Err("must name a file, as sqlite://payments.sqlite3".to_owned()),
                    _ if rest.contains(":memory:") => {
                        Err("must name a file: the commands share it".to_owned())
                    }
                    _ => Ok(Database::Sqlite(SecretString::from(text))),
                };
            }
            let rest = text
                .strip_prefix("postgres://")
                .or_else(|| text.strip_prefix("postgresql://"))
                .ok_or("must begin with sqlite:// or postgres://")?;
            if rest.is_empty() {
                return Err("must name a host and a database".to_owned());
            }
            Ok(Database::Postgres(SecretString::from(text)))
        });
        given.unwrap_or_else(|| {
            let file = data_dir.join("payments.sqlite3");
            Database::Sqlite(SecretString::from(format!("sqlite://{}", file.display())))
        })
    }

    /// The URL, whichever database it names.
    #[must_use]
    pub const fn url(&self) -> &SecretString {
        match self {
            Database::Sqlite(url) | Database::Postgres(url) => url,
        }
    }
}

pub(super) fn data_dir(reader: &mut Reader<'_>) -> PathBuf {
    PathBuf::from(reader.text("DATA_DIR").unwrap_or("./data"))
}
