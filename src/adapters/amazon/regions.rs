//! Where Amazon is reached: its regional hosts, or what the configuration puts in their place
//! (scheme, host and port; the paths stay).

use reqwest::Url;
use reqwest::header::HeaderValue;

use super::http::SetupError;
use crate::domain::merchant::Region;

const MWS_LIVE: &str = "/OffAmazonPayments/2013-01-01";
const MWS_SANDBOX: &str = "/OffAmazonPayments_Sandbox/2013-01-01";

/// An id of the right region and environment that nothing can have, because Amazon may answer
/// others with 500.
pub(super) const fn impossible_reference(region: Region, sandbox: bool) -> &'static str {
    match (region, sandbox) {
        (Region::Na, true) => "S01-0000000-0000000",
        (Region::Na, false) => "P01-0000000-0000000",
        (Region::Eu | Region::Uk, true) => "S02-0000000-0000000",
        (Region::Eu | Region::Uk, false) => "P02-0000000-0000000",
        (Region::Jp, true) => "S03-0000000-0000000",
        (Region::Jp, false) => "P03-0000000-0000000",
    }
}

/// Where the calls of one region and environment go.
#[derive(Debug, Clone)]
pub(super) struct Endpoint {
    /// The whole address.
    pub(super) url: Url,
    /// The host as it is signed and sent, with its port where that is not the scheme's own.
    pub(super) host: String,
    /// The same as a header, so that what is sent cannot differ from what is signed.
    pub(super) host_header: HeaderValue,
    /// The path as it is signed and sent.
    pub(super) path: &'static str,
}

/// The endpoints of one API in every region and environment.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    all: Vec<(Region, bool, Endpoint)>,
}

impl Endpoints {
    /// MWS at Amazon's hosts, or at `instead`.
    pub(super) fn mws(instead: Option<&str>) -> Result<Self, SetupError> {
        Self::of(mws_host, |sandbox| if sandbox { MWS_SANDBOX } else { MWS_LIVE }, instead)
            .map_err(|reason| SetupError::Endpoint { api: "MWS", reason })
    }

    /// API v2 at Amazon's hosts, or at `instead`; the path is only a root, because it depends on
    /// the key.
    pub(super) fn v2(instead: Option<&str>) -> Result<Self, SetupError> {
        Self::of(v2_host, |_| "/", instead)
            .map_err(|reason| SetupError::Endpoint { api: "API v2", reason })
    }

    /// Login with Amazon at Amazon's hosts, or at `instead`; the path is only a root.
    pub(super) fn profile(instead: Option<&str>) -> Result<Self, SetupError> {
        Self::of(profile_host, |_| "/", instead)
            .map_err(|reason| SetupError::Endpoint { api: "Login with Amazon", reason })
    }

    fn of(
        host: fn(Region, bool) -> &'static str,
        path: fn(bool) -> &'static str,
        instead: Option<&str>,
    ) -> Result<Self, &'static str> {
        let instead = instead.map(base).transpose()?;
        let mut all = Vec::new();
        for region in Region::ALL {
            for sandbox in [false, true] {
                let base = match &instead {
                    Some(base) => base.clone(),
                    None => base(&format!("https://{}", host(region, sandbox)))?,
                };
                all.push((region, sandbox, endpoint(base, path(sandbox))?));
            }
        }
        Ok(Self { all })
    }

    /// The endpoint of a region and environment.
    pub(super) fn at(&self, region: Region, sandbox: bool) -> &Endpoint {
        let found = self.all.iter().find(|(of, test, _)| *of == region && *test == sandbox);
        match found {
            Some((_, _, endpoint)) => endpoint,
            None => unreachable!("every region and environment was given an endpoint"),
        }
    }

    /// Whether every call stays unencrypted, so that no certificate is ever needed.
    pub(super) fn are_plain(&self) -> bool {
        self.all.iter().all(|(_, _, endpoint)| endpoint.url.scheme() == "http")
    }
}

const fn mws_host(region: Region, _sandbox: bool) -> &'static str {
    match region {
        Region::Na => "mws.amazonservices.com",
        Region::Eu | Region::Uk => "mws-eu.amazonservices.com",
        Region::Jp => "mws.amazonservices.jp",
    }
}

const fn v2_host(region: Region, _sandbox: bool) -> &'static str {
    match region {
        Region::Na => "pay-api.amazon.com",
        Region::Eu | Region::Uk => "pay-api.amazon.eu",
        Region::Jp => "pay-api.amazon.jp",
    }
}

const fn profile_host(region: Region, sandbox: bool) -> &'static str {
    match (region, sandbox) {
        (Region::Na, false) => "api.amazon.com",
        (Region::Na, true) => "api.sandbox.amazon.com",
        (Region::Eu | Region::Uk, false) => "api.amazon.co.uk",
        (Region::Eu | Region::Uk, true) => "api.sandbox.amazon.co.uk",
        (Region::Jp, false) => "api.amazon.co.jp",
        (Region::Jp, true) => "api.sandbox.amazon.co.jp",
    }
}

/// Reads scheme, host and port, and nothing else. What is wrong is told without the text, which may
/// hold a password.
fn base(text: &str) -> Result<Url, &'static str> {
    let url = Url::parse(text).map_err(|_| "it is no address like https://host:port")?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err("it must begin with http:// or https://");
    }
    let bare = matches!(url.path(), "" | "/") && url.query().is_none() && url.fragment().is_none();
    if url.host_str().is_none() || !url.username().is_empty() || url.password().is_some() || !bare {
        return Err("it must be scheme, host and port alone");
    }
    Ok(url)
}

fn endpoint(mut url: Url, path: &'static str) -> Result<Endpoint, &'static str> {
    let name = url.host_str().unwrap_or_default();
    let host = match url.port() {
        Some(port) => format!("{name}:{port}"),
        None => name.to_owned(),
    };
    let host_header = HeaderValue::from_str(&host).map_err(|_| "its host is no host name")?;
    url.set_path(path);
    Ok(Endpoint { url, host, host_header, path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sandbox_and_live_differ_by_the_path_alone() {
        let endpoints = Endpoints::mws(None).unwrap();
        for (region, sandbox, url) in [
            (Region::Na, false, "https://mws.amazonservices.com/OffAmazonPayments/2013-01-01"),
            (Region::Eu, false, "https://mws-eu.amazonservices.com/OffAmazonPayments/2013-01-01"),
            (Region::Jp, false, "https://mws.amazonservices.jp/OffAmazonPayments/2013-01-01"),
            (
                Region::Uk,
                true,
                "https://mws-eu.amazonservices.com/OffAmazonPayments_Sandbox/2013-01-01",
            ),
        ] {
            let endpoint = endpoints.at(region, sandbox);
            assert_eq!(endpoint.url.as_str(), url);
            assert_eq!(Some(endpoint.host.as_str()), endpoint.url.host_str());
            assert_eq!(endpoint.path, endpoint.url.path());
        }
        assert!(!endpoints.are_plain());
    }

    #[test]
    fn what_stands_in_for_amazon_keeps_the_paths_and_its_own_port() {
        let endpoints = Endpoints::mws(Some("http://127.0.0.1:9090")).unwrap();
        let endpoint = endpoints.at(Region::Eu, true);
        assert_eq!(endpoint.host, "127.0.0.1:9090");
        assert_eq!(
            endpoint.url.as_str(),
            "http://127.0.0.1:9090/OffAmazonPayments_Sandbox/2013-01-01"
        );
        assert!(endpoints.are_plain());
        let upper = Endpoints::mws(Some("HTTPS://Proxy.Example:443/")).unwrap();
        assert_eq!(upper.at(Region::Na, false).host, "proxy.example");
    }

    #[test]
    fn an_address_is_scheme_host_and_port() {
        for bad in [
            "",
            "127.0.0.1:9090",
            "ftp://host",
            "http://host/path",
            "http://host/?q",
            "http://user:secret@host",
        ] {
            assert!(Endpoints::mws(Some(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn profiles_have_hosts_of_their_own() {
        let endpoints = Endpoints::profile(None).unwrap();
        assert_eq!(endpoints.at(Region::Na, true).url.as_str(), "https://api.sandbox.amazon.com/");
        assert_eq!(endpoints.at(Region::Uk, false).url.as_str(), "https://api.amazon.co.uk/");
        assert_eq!(endpoints.at(Region::Jp, false).url.as_str(), "https://api.amazon.co.jp/");
    }
}
