//! The table of settings: one row gives the flag, the variable and the key of the file, and what
//! `--help` says. A setting that is not here does not exist; tests compare it with the README.

/// Which commands take the setting as a flag; variable and file work for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scope {
    /// Every command that has a configuration.
    All,
    /// Commands that talk to Amazon.
    Amazon,
    /// Commands that run roles.
    Roles,
}

/// One setting.
#[derive(Debug)]
pub struct Setting {
    /// Its name in the environment.
    pub name: &'static str,
    /// What stands for its value in the help.
    pub value: &'static str,
    /// Its default, for the help.
    pub default: &'static str,
    /// What it is for.
    pub help: &'static str,
    /// Which commands have the flag.
    pub scope: Scope,
    /// Whether there is a flag: never for a secret, because arguments are seen by everybody.
    pub flag: bool,
}

impl Setting {
    /// Its key in the file: the name in lower case.
    #[must_use]
    pub fn key(&self) -> String {
        self.name.to_ascii_lowercase()
    }

    /// Its flag without the dashes in front: the name in lower case, with hyphens.
    #[must_use]
    pub fn flag_name(&self) -> String {
        self.key().replace('_', "-")
    }
}

const fn row(
    scope: Scope,
    name: &'static str,
    value: &'static str,
    default: &'static str,
    help: &'static str,
) -> Setting {
    Setting { name, value, default, help, scope, flag: true }
}

/// Every setting, in the order of the help.
pub const SETTINGS: &[Setting] = &[
    row(
        Scope::All,
        "DATA_DIR",
        "FOLDER",
        "./data",
        "Folder for what lies on this machine: the SQLite file, the embedded broker, demo's key",
    ),
    row(
        Scope::All,
        "DATABASE_URL",
        "URL",
        "a SQLite file in DATA_DIR",
        "Where payments lie: sqlite://… or postgres://… (a password is safer in the variable)",
    ),
    Setting {
        name: "MASTER_KEY",
        value: "KEYS",
        default: "none",
        help: "Base64 of the 32 bytes that seal secrets at rest; several, comma-separated, for \
               rotation: the first seals, all open",
        scope: Scope::All,
        flag: false,
    },
    row(Scope::All, "MASTER_KEY_FILE", "FILE", "none", "A file with what MASTER_KEY would hold"),
    row(
        Scope::All,
        "RUST_LOG",
        "FILTER",
        "info",
        "What is logged to standard error, as target=level directives",
    ),
    row(Scope::All, "LOG_FORMAT", "text|json", "text on a terminal, else json", "How it is logged"),
    row(
        Scope::Amazon,
        "AMAZON_MWS_ENDPOINT",
        "URL",
        "Amazon's regional hosts",
        "Scheme, host and port in place of Amazon's MWS hosts (a simulator or a proxy)",
    ),
    row(
        Scope::Amazon,
        "AMAZON_V2_ENDPOINT",
        "URL",
        "Amazon's regional hosts",
        "The same for API v2",
    ),
    row(
        Scope::Amazon,
        "AMAZON_PROFILE_ENDPOINT",
        "URL",
        "Amazon's regional hosts",
        "The same for Login with Amazon, which knows the buyer's name",
    ),
    row(Scope::Amazon, "AMAZON_TIMEOUT", "SECONDS", "20", "The longest that one call may take"),
    row(
        Scope::Roles,
        "AMQP_URL",
        "URL",
        "the embedded broker in DATA_DIR",
        "RabbitMQ: amqp://… or amqps://… (a password is safer in the variable)",
    ),
    row(
        Scope::Roles,
        "INGEST_LISTEN",
        "ADDRESS",
        "127.0.0.1:8080",
        "Where ingest takes the CRM's calls; host:port, and :port is this machine alone",
    ),
    row(Scope::Roles, "CONSOLE_LISTEN", "ADDRESS", "127.0.0.1:8081", "Where the console answers"),
    row(
        Scope::Roles,
        "METRICS_LISTEN",
        "ADDRESS",
        "127.0.0.1:9464",
        "Where GET /metrics answers, for Prometheus, without a password",
    ),
    row(
        Scope::Roles,
        "IPN_LISTEN",
        "ADDRESS",
        "127.0.0.1:8082",
        "Where Amazon's notifications arrive if this process does not run ingest",
    ),
    row(
        Scope::Roles,
        "IPN_CERT_HOSTS",
        "HOSTS",
        "none",
        "Further hosts trusted for the certificate of notifications, comma-separated",
    ),
    row(
        Scope::Roles,
        "WORKER_CONCURRENCY",
        "NUMBER",
        "chosen from the machine",
        "Payments in hand at once",
    ),
    row(
        Scope::Roles,
        "SHUTDOWN_TIMEOUT",
        "SECONDS",
        "25",
        "How long work in hand may take to finish when the program is told to stop",
    ),
    row(
        Scope::Roles,
        "CRM_WAIT",
        "SECONDS",
        "18",
        "How long a call on the CRM's paths waits for the verdict before it says PENDING",
    ),
    row(
        Scope::Roles,
        "RETRY_BUDGET_CHECKOUT",
        "SECONDS",
        "1800",
        "How long transient trouble of an order or upsell may last before an operator must look",
    ),
    row(
        Scope::Roles,
        "RETRY_BUDGET_OPERATIONS",
        "SECONDS",
        "86400",
        "The same for captures, refunds and cancels",
    ),
    row(
        Scope::Roles,
        "RETRY_BUDGET_RECURRING",
        "SECONDS",
        "86400",
        "The same for recurring charges",
    ),
    row(
        Scope::Roles,
        "PROCESSING_FAILURE_WAIT",
        "SECONDS",
        "90",
        "How long to wait before a new attempt after Amazon's ProcessingFailure",
    ),
    row(
        Scope::Roles,
        "PENDING_POLL_FIRST",
        "SECONDS",
        "20",
        "When something pending at Amazon is first looked at; later looks grow apart",
    ),
    row(
        Scope::Roles,
        "REFERENCE_OPEN_FOR",
        "SECONDS",
        "86400",
        "How long an order reference stays open for upsells after its capture",
    ),
    row(
        Scope::Roles,
        "RECONCILE_FIRST",
        "SECONDS",
        "86400",
        "When a payment is first looked at again for refunds and disputes; later looks grow apart",
    ),
    row(
        Scope::Roles,
        "RECONCILE_FOR",
        "SECONDS",
        "15552000",
        "How long after a payment such looks go on; 0 is never",
    ),
    row(
        Scope::Roles,
        "KEEP_MESSAGES",
        "SECONDS",
        "15552000",
        "How long message ids are remembered, so that a repeat is known; 180 days at least",
    ),
    row(
        Scope::Roles,
        "KEEP_NOTIFICATIONS",
        "SECONDS",
        "2592000",
        "How long Amazon's notifications are remembered, so that a repeat is known",
    ),
    row(
        Scope::Roles,
        "POISON_AFTER",
        "NUMBER",
        "3",
        "How many times a message, alone in hand, may crash the worker",
    ),
    row(
        Scope::Roles,
        "INGEST_RATE_PER_CLIENT",
        "NUMBER",
        "no limit",
        "Requests per second of one API client",
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_shouted() {
        for (index, one) in SETTINGS.iter().enumerate() {
            assert!(
                one.name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            );
            assert!(SETTINGS[index + 1..].iter().all(|other| other.name != one.name));
        }
    }

    #[test]
    fn the_readme_names_every_setting() {
        let readme = include_str!("../../README.md");
        for setting in SETTINGS {
            assert!(readme.contains(&format!("`{}`", setting.name)), "{}", setting.name);
        }
    }

    #[test]
    fn no_secret_can_be_an_argument() {
        let hidden: Vec<_> = SETTINGS.iter().filter(|one| !one.flag).map(|one| one.name).collect();
        assert_eq!(hidden, ["MASTER_KEY"]);
    }
}
