//! Where the program listens, and how it treats those who call.

use std::time::Duration;

use super::reader::{Reader, authority};

/// Addresses and limits of the HTTP servers.
#[derive(Debug, Clone)]
pub struct Http {
    /// Ingest's address, `host:port`.
    pub ingest: String,
    /// The console's address.
    pub console: String,
    /// The metrics page's address.
    pub metrics: String,
    /// Whether somebody asked for that address: the page of its own accord stops no role.
    pub metrics_asked_for: bool,
    /// The notifications' address, where ingest does not run.
    pub ipn: String,
    /// Hosts trusted for the certificate of notifications, besides Amazon's.
    pub ipn_cert_hosts: Vec<String>,
    /// How long the CRM paths wait for the verdict.
    pub crm_wait: Duration,
    /// Requests per second of one client; no limit where none.
    pub rate_per_client: Option<u32>,
}

impl Http {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        let mut address = |name: &str, default: &str| {
            reader.parsed(name, listen).unwrap_or_else(|| default.to_owned())
        };
        let ingest = address("INGEST_LISTEN", "127.0.0.1:8080");
        let console = address("CONSOLE_LISTEN", "127.0.0.1:8081");
        let metrics = address("METRICS_LISTEN", "127.0.0.1:9464");
        let ipn = address("IPN_LISTEN", "127.0.0.1:8082");
        let rate = reader.number("INGEST_RATE_PER_CLIENT", 1, u64::from(u32::MAX));
        Self {
            ingest,
            console,
            metrics_asked_for: reader.text("METRICS_LISTEN").is_some(),
            metrics,
            ipn,
            ipn_cert_hosts: reader.parsed("IPN_CERT_HOSTS", hosts).unwrap_or_default(),
            crm_wait: reader.seconds("CRM_WAIT", 18, 0),
            rate_per_client: rate.and_then(|rate| u32::try_from(rate).ok()),
        }
    }
}

/// An address to listen on.
///
/// # Errors
/// It is not `host:port` or `:port`.
pub fn listen(text: &str) -> Result<String, String> {
    match authority(text) {
        // Nobody means the whole network by naming no host.
        Ok(("", Some(port))) => Ok(format!("127.0.0.1:{port}")),
        Ok((_, Some(_))) => Ok(text.to_owned()),
        Ok((_, None)) => Err("must be host:port, as 127.0.0.1:8080".to_owned()),
        Err(problem) => Err(format!("must be host:port, but {problem}")),
    }
}

fn hosts(text: &str) -> Result<Vec<String>, String> {
    let mut hosts = Vec::new();
    for host in text.split(',').map(str::trim).filter(|host| !host.is_empty()) {
        match authority(host) {
            Ok(("", _)) | Err(_) => {
                return Err("must be host or host:port, comma-separated".to_owned());
            }
            Ok(_) => hosts.push(host.to_ascii_lowercase()),
        }
    }
    Ok(hosts)
}
