//! Login with Amazon: whose consent a token is, and the buyer's name and e-mail address. The token
//! travels in a header, and neither it nor what comes back reaches a log.

use reqwest::header::{HOST, HeaderValue};
use reqwest::{Method, Request};
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use super::http::Http;
use super::regions::Endpoints;
use crate::domain::gateway::Fault;
use crate::domain::merchant::MerchantAccount;
use crate::ports::gateway::BuyerError;

/// The login service in every region.
pub(super) struct Profile {
    pub(super) http: Http,
    pub(super) endpoints: Endpoints,
}

/// What a buyer's profile holds.
#[derive(Default)]
pub(super) struct Person {
    pub(super) name: Option<String>,
    pub(super) email: Option<String>,
}

impl Profile {
    /// Refuses a token that was issued for anybody but `client_id`: whoever trusts it otherwise
    /// takes any shop's token for this one's.
    pub(super) async fn check(
        &self,
        merchant: &MerchantAccount,
        token: &SecretString,
        client_id: &str,
    ) -> Result<(), BuyerError> {
        let told = self.get(merchant, "/auth/o2/tokeninfo", token).await?;
        let ours = |name: &str| told.get(name).and_then(Value::as_str) == Some(client_id);
        if ours("aud") || ours("app_id") { Ok(()) } else { Err(BuyerError::Token) }
    }

    /// Who gave the consent.
    pub(super) async fn person(
        &self,
        merchant: &MerchantAccount,
        token: &SecretString,
    ) -> Result<Person, BuyerError> {
        let told = self.get(merchant, "/user/profile", token).await?;
        let text = |name: &str| {
            let value = told.get(name).and_then(Value::as_str).map(str::trim);
            value.filter(|value| !value.is_empty()).map(str::to_owned)
        };
        Ok(Person { name: text("name"), email: text("email") })
    }

    async fn get(
        &self,
        merchant: &MerchantAccount,
        path: &str,
        token: &SecretString,
    ) -> Result<Value, BuyerError> {
        let endpoint = self.endpoints.at(merchant.region, merchant.sandbox);
        let mut url = endpoint.url.clone();
        url.set_path(path);
        let mut request = Request::new(Method::GET, url);
        // A token that is no header value is no token.
        let mut header =
            HeaderValue::from_str(token.expose_secret()).map_err(|_| BuyerError::Token)?;
        header.set_sensitive(true);
        request.headers_mut().insert("x-amz-access-token", header);
        request.headers_mut().insert(HOST, endpoint.host_header.clone());
        let received = self.http.send(request).await.map_err(BuyerError::Fault)?;
        let status = received.status;
        match status {
            200 => serde_json::from_slice(&received.body).map_err(|_| {
                let detail = format!("{path} was answered with something that is no document");
                BuyerError::Fault(Fault::Unexpected { detail })
            }),
            400 | 401 | 403 => Err(BuyerError::Token),
            _ => Err(BuyerError::Fault(Fault::Unavailable { code: format!("http_{status}") })),
        }
    }
}

/// The token as Amazon gave it: landers hand it on as it stood in their address, and a `|` that is
/// still encoded shows that.
pub(super) fn decoded(token: &SecretString) -> SecretString {
    let text = token.expose_secret();
    if text.contains("%7C") || text.contains("%7c") {
        let decoded = percent_encoding::percent_decode_str(text).decode_utf8_lossy();
        return SecretString::from(decoded.into_owned());
    }
    token.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_decoded_once_and_only_where_it_is_encoded() {
        for (given, expected) in [
            ("Atza|IwEB+x/y=", "Atza|IwEB+x/y="),
            ("Atza%7CIwEB%2Bx%2Fy%3D", "Atza|IwEB+x/y="),
            ("Atza%7cIwEB%252B", "Atza|IwEB%2B"),
            ("100%", "100%"),
        ] {
            assert_eq!(decoded(&given.into()).expose_secret(), expected);
        }
    }
}
