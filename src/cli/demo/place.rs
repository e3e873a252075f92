//! Where the demo lies: a folder of this machine, whatever else is configured, with a master key of
//! its own where nobody gave one.

use std::io::{ErrorKind, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use secrecy::SecretString;

use crate::cli::failure::Failure;
use crate::config::{Broker, Config, Database, secrets};
use crate::ports::clock::Clock;

const KEY_FILE: &str = "master.key";

/// Prepares the folder; gives the file of the master key, where it is the demo's own.
pub(super) fn prepare(config: &mut Config, clock: &dyn Clock) -> Result<Option<PathBuf>, Failure> {
    let folder = config.data_dir.clone();
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::because(&format!("DATA_DIR {}", folder.display()), &error))?;
    let file = folder.join("payments.sqlite3");
    config.database = Database::Sqlite(SecretString::from(format!("sqlite://{}", file.display())));
    config.broker = Broker::Embedded;
    if !config.master_keys.is_empty() {
        return Ok(None);
    }
    let path = folder.join(KEY_FILE);
    let failed = |error| Failure::because(&path.display().to_string(), &error);
    make_key(&path, clock).map_err(failed)?;
    let text = std::fs::read_to_string(&path).map_err(failed)?;
    config.master_keys = secrets::parse(&text)
        .map_err(|problem| Failure::new(format!("{}: what it holds {problem}", path.display())))?;
    Ok(Some(path))
}

/// Makes the key, where it is not there yet, for nobody's eyes but its owner's.
fn make_key(path: &Path, clock: &dyn Clock) -> std::io::Result<()> {
    let mut file =
        match std::fs::File::options().write(true).create_new(true).mode(0o600).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(()),
            Err(error) => return Err(error),
        };
    let hex = clock.random_hex(32);
    let byte = |pair: &[u8]| {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        u8::from_str_radix(pair, 16).unwrap_or_default()
    };
    let key: Vec<u8> = hex.as_bytes().chunks(2).map(byte).collect();
    writeln!(file, "{}", STANDARD.encode(key))
}

/// How another terminal reaches the demo's data.
pub(super) fn command(data: &Path, key: Option<&Path>) -> String {
    let key = match key {
        Some(path) => format!("MASTER_KEY_FILE={} ", path.display()),
        None => String::new(),
    };
    format!("{key}amazon-pay-worker --data-dir {}", data.display())
}
