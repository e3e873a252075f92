//! How Amazon is reached.

use std::time::Duration;

use super::reader::{Reader, authority};

/// Amazon's hosts, or what stands in for them.
#[derive(Debug, Clone)]
pub struct Gateway {
    /// In place of the MWS hosts: `scheme://host[:port]`.
    pub mws: Option<String>,
    /// In place of the v2 hosts.
    pub v2: Option<String>,
    /// In place of the Login with Amazon hosts.
    pub profile: Option<String>,
    /// The longest that one call may take.
    pub timeout: Duration,
}

impl Gateway {
    pub(super) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            mws: reader.parsed("AMAZON_MWS_ENDPOINT", endpoint),
            v2: reader.parsed("AMAZON_V2_ENDPOINT", endpoint),
            profile: reader.parsed("AMAZON_PROFILE_ENDPOINT", endpoint),
            timeout: reader.seconds("AMAZON_TIMEOUT", 20, 1),
        }
    }
}

fn endpoint(text: &str) -> Result<String, String> {
    let form = "must be scheme://host[:port] with http or https, and no path";
    let (scheme, rest) = text.split_once("://").ok_or(form)?;
    if scheme != "http" && scheme != "https" {
        return Err(form.to_owned());
    }
    // A lone slash names the same place.
    let place = rest.strip_suffix('/').unwrap_or(rest);
    match authority(place) {
        Ok(("", _)) | Err(_) => Err(form.to_owned()),
        Ok(_) => Ok(format!("{scheme}://{place}")),
    }
}
