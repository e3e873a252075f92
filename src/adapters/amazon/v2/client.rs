//! One signed exchange with API v2: sign, send, read to the end, say what it came to. Never repeats
//! a call, and judges no answer.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, HeaderName, HeaderValue};
use reqwest::{Method, Request};
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use tracing::Instrument;
use tracing::field::{Empty, display};

use super::delegation::{self, Delegations};
use super::faults;
use super::map::{Call, Kind};
use super::sign::{self, Key, MEDIA, Unsigned};
use super::wire::{self, Broken};
use crate::adapters::amazon::http::{Http, Received};
use crate::adapters::amazon::regions::{Endpoint, Endpoints};
use crate::adapters::amazon::timestamp;
use crate::domain::gateway::Fault;
use crate::domain::merchant::Region;
use crate::ports::clock::Clock;
use crate::ports::gateway::Account;
use crate::telemetry::fields;
use crate::telemetry::trace::AMAZON_CALL;

/// Private keys that are kept read; reading one again costs less than a call.
const KEYS_MAX: usize = 1024;

/// What an exchange came to, and Amazon's request id.
pub(super) type Outcome<T> = (Result<T, Fault>, Option<String>);

/// API v2 in every region.
pub(super) struct Client {
    pub(super) http: Http,
    pub(super) endpoints: Endpoints,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) keys: KeyRing,
    pub(super) delegations: Delegations,
}

/// Private keys, read once. By what they are, so that a rotated one is another.
#[derive(Default)]
pub(super) struct KeyRing(Mutex<HashMap<[u8; 32], Arc<Key>>>);

impl KeyRing {
    fn key(&self, public_key_id: &str, pem: &str) -> Result<Arc<Key>, sign::BadKey> {
        let name = name_of(&[public_key_id, pem]);
        let locked = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(key) = locked().get(&name) {
            return Ok(Arc::clone(key));
        }
        let key = Arc::new(Key::read(public_key_id, pem)?);
        let mut keys = locked();
        if keys.len() >= KEYS_MAX {
            keys.clear();
        }
        keys.insert(name, Arc::clone(&key));
        Ok(key)
    }
}

/// The name of what is kept in memory by what it is: none of it can be read there.
pub(super) fn name_of(parts: &[&str]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

impl Client {
    /// Makes one call; `read` takes what is wanted out of the answer's document.
    pub(super) async fn exchange<D: DeserializeOwned, T>(
        &self,
        account: &Account,
        call: &Call,
        read: impl FnOnce(D) -> Result<T, &'static str>,
    ) -> Outcome<T> {
        let began = self.clock.now_ms();
        let span = tracing::info_span!(
            AMAZON_CALL,
            { fields::OPERATION } = call.name,
            { fields::MID } = account.merchant.id.as_str(),
            { fields::REQUEST } = Empty,
            { fields::RESULT } = Empty,
            { fields::DURATION_MS } = Empty,
        );
        let (result, request_id) =
            self.exchange_within(account, call, read, began).instrument(span.clone()).await;
        span.record(fields::DURATION_MS, self.clock.now_ms() - began);
        span.record(fields::RESULT, result.as_ref().err().map_or("answered", Fault::name));
        if let Some(id) = &request_id {
            span.record(fields::REQUEST, display(id));
        }
        (result, request_id)
    }

    /// With the token of a solution provider, where one acts for the account.
    async fn exchange_within<D: DeserializeOwned, T>(
        &self,
        account: &Account,
        call: &Call,
        read: impl FnOnce(D) -> Result<T, &'static str>,
        now_ms: i64,
    ) -> Outcome<T> {
        let Some(place) = self.delegations.place(account) else {
            return self.send(account, call, None, read, now_ms).await;
        };
        let mut kept = place.lock().await;
        let known = delegation::fresh(&kept, now_ms);
        let is_known = known.is_some();
        let token = match known {
            Some(token) => token,
            None => match self.ask_to_act(account, now_ms).await {
                Ok(token) => kept.insert((token, now_ms)).0.clone(),
                Err(fault) => return (Err(delegation::before_the_call(fault)), None),
            },
        };
        drop(kept);
        let mut answer = self.send(account, call, Some(&token), read, now_ms).await;
        if matches!(answer.0, Err(Fault::Credentials { .. })) {
            *place.lock().await = None;
            if is_known {
                // It may only have run out: the next try has a new one.
                answer.0 = Err(Fault::NotSent);
            }
        }
        answer
    }

    /// Exchanges the seller's MWS token for one of this API.
    async fn ask_to_act(&self, account: &Account, now_ms: i64) -> Result<HeaderValue, Fault> {
        let credentials = &account.credentials;
        let token = credentials.mws_auth_token.as_ref();
        let token = token.map(ExposeSecret::expose_secret).unwrap_or_default();
        let call = Call {
            name: "GetAuthorizationToken",
            method: "GET",
            resource: format!("authorizationTokens/{token}"),
            query: vec![("merchantId", account.merchant.seller_id.clone())],
            body: Vec::new(),
            key: None,
            kind: Kind::Done,
            object: None,
            is_recurring: false,
        };
        let read = |given: wire::GivenToken| {
            let mut token = HeaderValue::from_str(&given.authorization_token)
                .map_err(|_| "a token that is none")?;
            token.set_sensitive(true);
            Ok(token)
        };
        self.send(account, &call, None, read, now_ms).await.0
    }

    async fn send<D: DeserializeOwned, T>(
        &self,
        account: &Account,
        call: &Call,
        acting: Option<&HeaderValue>,
        read: impl FnOnce(D) -> Result<T, &'static str>,
        now_ms: i64,
    ) -> Outcome<T> {
        let merchant = &account.merchant;
        let endpoint = self.endpoints.at(merchant.region, merchant.sandbox);
        let request = match self.request(account, endpoint, call, acting, now_ms) {
            Ok(request) => request,
            Err(fault) => return (Err(fault), None),
        };
        let received = match self.http.send(request).await {
            Ok(received) => received,
            Err(fault) => return (Err(fault), None),
        };
        let request_id = received.header("x-amz-pay-request-id").map(str::to_owned);
        let result = if (200..300).contains(&received.status) {
            answer(&received, call.name, read)
        } else {
            Err(faults::of_answer(&received, now_ms))
        };
        (result, request_id)
    }

    /// The request, signed: what is signed is what it holds.
    fn request(
        &self,
        account: &Account,
        endpoint: &Endpoint,
        call: &Call,
        acting: Option<&HeaderValue>,
        now_ms: i64,
    ) -> Result<Request, Fault> {
        let refused = |code: &str| Fault::Credentials { code: code.to_owned() };
        let credentials = &account.credentials;
        let id = credentials.public_key_id.as_deref().ok_or_else(|| refused("no_public_key_id"))?;
        let pem = credentials.private_key.as_ref().ok_or_else(|| refused("no_private_key"))?;
        let key = self.keys.key(id, pem.expose_secret());
        let key = key.map_err(|_| refused("unreadable_private_key"))?;
        let prefix = match (sign::is_of_one_environment(id), account.merchant.sandbox) {
            (true, _) => "/v2",
            (false, true) => "/sandbox/v2",
            (false, false) => "/live/v2",
        };
        let path = sign::path(&format!("{prefix}/{}", call.resource));
        let date = timestamp(now_ms);
        let region = region(account.merchant.region);
        let query: Vec<_> =
            call.query.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let unsigned = Unsigned {
            method: call.method,
            path: &path,
            query: &query,
            host: &endpoint.host,
            region,
            date: &date,
            auth_token: acting.and_then(|token| token.to_str().ok()),
            idempotency_key: call.key.as_deref(),
            body: &call.body,
        };
        let authorization = unsigned.sign(&key).map_err(|_| refused("unusable_private_key"))?;
        let method = Method::from_bytes(call.method.as_bytes()).map_err(|_| Fault::NotSent)?;
        let mut url = endpoint.url.clone();
        url.set_path(&path);
        if !query.is_empty() {
            url.set_query(Some(&sign::query(&query)));
        }
        let mut request = Request::new(method, url);
        let headers = request.headers_mut();
        // Keys and ids are letters, digits and hyphens; what is not was never sent.
        let value = |text: &str| HeaderValue::from_str(text).map_err(|_| Fault::NotSent);
        headers.insert(HOST, endpoint.host_header.clone());
        headers.insert(ACCEPT, HeaderValue::from_static(MEDIA));
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA));
        headers.insert(HeaderName::from_static("x-amz-pay-date"), value(&date)?);
        headers.insert(HeaderName::from_static("x-amz-pay-host"), endpoint.host_header.clone());
        headers
            .insert(HeaderName::from_static("x-amz-pay-region"), HeaderValue::from_static(region));
        if let Some(token) = acting {
            headers.insert(HeaderName::from_static(delegation::HEADER), token.clone());
        }
        if let Some(key) = &call.key {
            headers.insert(HeaderName::from_static("x-amz-pay-idempotency-key"), value(key)?);
        }
        let mut authorization = value(&authorization)?;
        authorization.set_sensitive(true);
        headers.insert(AUTHORIZATION, authorization);
        if !call.body.is_empty() {
            *request.body_mut() = Some(call.body.clone().into());
        }
        Ok(request)
    }
}

fn answer<D: DeserializeOwned, T>(
    received: &Received,
    name: &str,
    read: impl FnOnce(D) -> Result<T, &'static str>,
) -> Result<T, Fault> {
    let unexpected = |what: &str| {
        let detail = format!("{name} was answered with {what}");
        Err(Fault::Unexpected { detail })
    };
    match wire::parse::<D>(&received.body) {
        Ok(document) => read(document).or_else(unexpected),
        // It said yes, and was cut off before it said to what.
        Err(Broken::Truncated) => Err(Fault::Unknown),
        Err(Broken::Garbled) => unexpected("something that is no such document"),
    }
}

const fn region(region: Region) -> &'static str {
    match region {
        Region::Na => "na",
        Region::Eu | Region::Uk => "eu",
        Region::Jp => "jp",
    }
}

/// `20261123T080000Z`, as most of Amazon's own SDKs write it.
fn timestamp(now_ms: i64) -> String {
    timestamp::timestamp(now_ms).replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_are_whole_seconds_of_utc_without_signs() {
        assert_eq!(timestamp(0), "19700101T000000Z");
        assert_eq!(timestamp(1_795_420_799_999), "20261123T075959Z");
    }
}
