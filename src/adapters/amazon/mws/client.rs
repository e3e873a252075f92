//! One signed exchange with MWS: sign, send, read to the end, say what it came to. Never repeats a
//! call, and judges no answer.

use std::sync::Arc;

use reqwest::header::{CONTENT_TYPE, HOST, HeaderValue};
use reqwest::{Method, Request};
use tracing::Instrument;
use tracing::field::{Empty, display};

use super::faults::{self, Told};
use super::map::Call;
use super::sign::{Keys, SignedRequest, sign};
use super::wire::{Broken, Document, Element};
use crate::adapters::amazon::http::{Http, Received};
use crate::adapters::amazon::regions::{Endpoint, Endpoints};
use crate::adapters::amazon::timestamp::timestamp;
use crate::domain::gateway::Fault;
use crate::ports::clock::Clock;
use crate::ports::gateway::Account;
use crate::telemetry::fields;
use crate::telemetry::trace::AMAZON_CALL;

const FORM: HeaderValue =
    HeaderValue::from_static("application/x-www-form-urlencoded; charset=utf-8");

/// What an exchange came to, and Amazon's request id.
pub(super) type Outcome<T> = (Result<T, Fault>, Option<String>);

/// MWS in every region.
pub(super) struct Client {
    pub(super) http: Http,
    pub(super) endpoints: Endpoints,
    pub(super) clock: Arc<dyn Clock>,
}

impl Client {
    /// Makes one call; `read` takes what is wanted out of the answer's document.
    pub(super) async fn exchange<T>(
        &self,
        account: &Account,
        call: Call<'_>,
        read: impl FnOnce(Element<'_>) -> Result<T, &'static str>,
    ) -> Outcome<T> {
        let began = self.clock.now_ms();
        let span = tracing::info_span!(
            AMAZON_CALL,
            { fields::OPERATION } = call.action,
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

    async fn exchange_within<T>(
        &self,
        account: &Account,
        call: Call<'_>,
        read: impl FnOnce(Element<'_>) -> Result<T, &'static str>,
        now_ms: i64,
    ) -> Outcome<T> {
        let merchant = &account.merchant;
        let endpoint = self.endpoints.at(merchant.region, merchant.sandbox);
        let action = call.action;
        let signed = match signed(account, endpoint, call, now_ms) {
            Ok(signed) => signed,
            Err(fault) => return (Err(fault), None),
        };
        let received = match self.http.send(request(endpoint, signed)).await {
            Ok(received) => received,
            Err(fault) => return (Err(fault), None),
        };
        let (result, request_id) = if (200..300).contains(&received.status) {
            read_answer(&received, action, read, now_ms)
        } else {
            let (fault, request_id) = faults::of_answer(&received, now_ms);
            (Err(fault), request_id)
        };
        let in_header = || received.header("x-mws-request-id").map(str::to_owned);
        (result, request_id.or_else(in_header))
    }
}

fn signed(
    account: &Account,
    endpoint: &Endpoint,
    call: Call<'_>,
    now_ms: i64,
) -> Result<SignedRequest, Fault> {
    let missing = |code: &str| Fault::Credentials { code: code.to_owned() };
    let credentials = &account.credentials;
    let keys = Keys {
        access_key: credentials.access_key.as_deref().ok_or_else(|| missing("no_access_key"))?,
        secret_key: credentials.secret_key.as_ref().ok_or_else(|| missing("no_secret_key"))?,
        auth_token: credentials.mws_auth_token.as_ref(),
        seller_id: &account.merchant.seller_id,
    };
    let timestamp = timestamp(now_ms);
    Ok(sign(&keys, (&endpoint.host, endpoint.path), call.action, call.params, &timestamp))
}

fn request(endpoint: &Endpoint, signed: SignedRequest) -> Request {
    let mut request = Request::new(Method::POST, endpoint.url.clone());
    let headers = request.headers_mut();
    headers.insert(CONTENT_TYPE, FORM);
    headers.insert(HOST, endpoint.host_header.clone());
    *request.body_mut() = Some(signed.into_body().into());
    request
}

fn read_answer<T>(
    received: &Received,
    action: &str,
    read: impl FnOnce(Element<'_>) -> Result<T, &'static str>,
    now_ms: i64,
) -> Outcome<T> {
    let unexpected = |what: &str| {
        let detail = format!("{action} was answered with {what}");
        Err(Fault::Unexpected { detail })
    };
    let document = match Document::parse(&received.body) {
        Ok(document) => document,
        // It said yes or no, and was cut off before it said which.
        Err(Broken::Truncated) => return (Err(Fault::Unknown), None),
        Err(Broken::Garbled) => return (unexpected("something that is no document"), None),
    };
    let root = document.root();
    if let Some(told) = Told::of(root) {
        let request_id = told.request_id.clone();
        return (Err(faults::of_told(told, received, now_ms)), request_id);
    }
    let request_id = faults::request_id(root);
    if root.name().strip_suffix("Response") != Some(action) {
        return (unexpected("another document"), request_id);
    }
    (read(root).or_else(unexpected), request_id)
}
