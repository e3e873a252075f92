//! A small HTTP client for tests: sends what it is told to, and gives the whole answer back.

use std::sync::Once;
use std::time::Duration;

use reqwest::{Client, Method};
use serde_json::Value;

/// Longer than any wait that the program offers.
const TIMEOUT: Duration = Duration::from_secs(60);

/// An answer, read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text)
            .unwrap_or_else(|error| panic!("{}: no JSON ({error}): {}", self.status, self.text))
    }

    /// The JSON body of an answer that has this status.
    #[track_caller]
    pub(crate) fn expect(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A server by its address, with what is sent along with every request.
#[derive(Clone)]
pub(crate) struct Server {
    client: Client,
    base: String,
    bearer: Option<String>,
}

impl Server {
    pub(crate) fn new(base: impl Into<String>) -> Self {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // Fails where the test has installed one itself, which is as good.
            rustls::crypto::ring::default_provider().install_default().ok();
        });
        // No test speaks TLS to a program: to read the system's certificates takes longer than
        // most of what is tested.
        let client = Client::builder().timeout(TIMEOUT).no_proxy().tls_certs_only([]);
        let client = client.build().unwrap();
        Self { client, base: base.into(), bearer: None }
    }

    pub(crate) fn with_bearer(&self, key: impl Into<String>) -> Self {
        Self { bearer: Some(key.into()), ..self.clone() }
    }

    pub(crate) fn base(&self) -> &str {
        &self.base
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        self.send(Method::GET, path, &[], "").await
    }

    pub(crate) async fn delete(&self, path: &str) -> Reply {
        self.send(Method::DELETE, path, &[], "").await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Reply {
        self.post_with(path, &[], body).await
    }

    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: &Value,
    ) -> Reply {
        let headers = [&[("content-type", "application/json")], headers].concat();
        self.send(Method::POST, path, &headers, body.to_string()).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Reply {
        let headers = [("content-type", "application/json")];
        self.send(Method::PUT, path, &headers, body.to_string()).await
    }

    /// A form, as a browser sends it.
    pub(crate) async fn post_form(&self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        self.send(Method::POST, path, &headers, form).await
    }

    /// Anything, as it is. Fails the test where there is no answer.
    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> Reply {
        let what = format!("{method} {}{path}", self.base);
        match self.try_send(method, path, headers, body).await {
            Ok(reply) => reply,
            Err(error) => panic!("{what}: {error:?}"),
        }
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> reqwest::Result<Reply> {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).body(body);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(key) = &self.bearer {
            request = request.bearer_auth(key);
        }
        let answer = request.send().await?;
        let (status, headers) = (answer.status().as_u16(), answer.headers().clone());
        Ok(Reply { status, headers, text: answer.text().await? })
    }

    /// The status of a GET, or none while nobody answers.
    pub(crate) async fn status(&self, path: &str) -> Option<u16> {
        self.try_send(Method::GET, path, &[], "").await.ok().map(|reply| reply.status)
    }
}
