//! Why a request is not done, once, and its two renderings: a problem document (RFC 9457) for the
//! project's own API, the CRM's envelope for the CRM paths. Never says what was in a secret field.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use crate::domain::decline::FieldError;

const NOT_ALLOWED: &str = "may not be used by this client";

/// What could not be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Away {
    /// The message broker.
    Broker,
    /// The database.
    Database,
}

/// Why a request is not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// The body cannot be read as what it is said to be.
    Unreadable(String),
    /// No client that we know.
    Unauthorized,
    /// The client may not use the merchant account that it names.
    NotAllowed,
    /// Nothing there.
    NotFound(&'static str),
    /// Not by this method.
    Method,
    /// It contradicts what is known; the event that says so, where there is one.
    Conflict { errors: Vec<FieldError>, more: Map<String, Value> },
    /// The query or the body.
    TooLarge(&'static str),
    /// Not JSON.
    MediaType,
    /// Every field at fault.
    Fields(Vec<FieldError>),
    /// Above the client's rate; seconds until the next request is taken.
    TooFast(u64),
    /// Try the same request again later.
    Unavailable(Away),
    /// What is stored cannot be read.
    Broken,
}

impl Refusal {
    /// One field at fault.
    pub(super) fn field(field: &str, message: impl Into<String>) -> Self {
        Refusal::Fields(vec![FieldError::new(field, message)])
    }

    const fn status(&self) -> StatusCode {
        match self {
            Refusal::Unreadable(_) => StatusCode::BAD_REQUEST,
            Refusal::Unauthorized => StatusCode::UNAUTHORIZED,
            Refusal::NotAllowed => StatusCode::FORBIDDEN,
            Refusal::NotFound(_) => StatusCode::NOT_FOUND,
            Refusal::Method => StatusCode::METHOD_NOT_ALLOWED,
            Refusal::Conflict { .. } => StatusCode::CONFLICT,
            Refusal::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Refusal::MediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Fields(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Refusal::TooFast(_) => StatusCode::TOO_MANY_REQUESTS,
            Refusal::Unavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Refusal::Broken => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    const fn name(&self) -> (&'static str, &'static str) {
        match self {
            Refusal::Unreadable(_) => ("unreadable-body", "The body cannot be read"),
            Refusal::Unauthorized => ("unauthorized", "No known client"),
            Refusal::NotAllowed => ("not-allowed", "Merchant account not allowed"),
            Refusal::NotFound(_) => ("not-found", "Not found"),
            Refusal::Method => ("method-not-allowed", "Method not allowed"),
            Refusal::Conflict { .. } => ("conflict", "Contradicts what is known already"),
            Refusal::TooLarge(_) => ("too-large", "Too large"),
            Refusal::MediaType => ("media-type", "Not application/json"),
            Refusal::Fields(_) => ("invalid-fields", "Fields are not acceptable"),
            Refusal::TooFast(_) => ("too-fast", "Too many requests"),
            Refusal::Unavailable(_) => ("unavailable", "Not available at the moment"),
            Refusal::Broken => ("internal", "Internal error"),
        }
    }

    fn detail(&self) -> String {
        match self {
            Refusal::Unreadable(why) => why.clone(),
            Refusal::Unauthorized => {
                "send Authorization: Bearer with an API key, or loginId and password".to_owned()
            }
            Refusal::NotAllowed => format!("amazonBillerId {NOT_ALLOWED}"),
            Refusal::NotFound(what) => (*what).to_owned(),
            Refusal::Method => "see the Allow header".to_owned(),
            Refusal::Conflict { errors, .. } | Refusal::Fields(errors) => sentence(errors),
            Refusal::TooLarge(what) => format!("the {what} is too large: 64 KiB are allowed"),
            Refusal::MediaType => "send the body as Content-Type: application/json".to_owned(),
            Refusal::TooFast(seconds) => format!("try again in {seconds} s"),
            Refusal::Unavailable(Away::Broker) => "the broker did not confirm the message: it may \
                be there or not; the same request is safe to send again"
                .to_owned(),
            Refusal::Unavailable(Away::Database) => {
                "the database cannot be reached; send the same request again later".to_owned()
            }
            Refusal::Broken => "what is stored cannot be read; an operator must act".to_owned(),
        }
    }

    fn errors(&self) -> Vec<FieldError> {
        match self {
            Refusal::Conflict { errors, .. } | Refusal::Fields(errors) => errors.clone(),
            Refusal::NotAllowed => vec![FieldError::new("amazonBillerId", NOT_ALLOWED)],
            _ => Vec::new(),
        }
    }

    /// The text of the problem document.
    pub(super) fn problem_body(&self) -> String {
        let (name, title) = self.name();
        let mut document = match self {
            Refusal::Conflict { more, .. } => more.clone(),
            _ => Map::new(),
        };
        document.insert("type".to_owned(), format!("urn:amazon-pay-worker:problem:{name}").into());
        document.insert("title".to_owned(), title.into());
        document.insert("status".to_owned(), self.status().as_u16().into());
        document.insert("detail".to_owned(), self.detail().into());
        let errors: Vec<Value> = self
            .errors()
            .iter()
            .map(|error| json!({"field": error.field, "message": error.message}))
            .collect();
        document.insert("errors".to_owned(), errors.into());
        Value::Object(document).to_string()
    }

    /// As a problem document.
    pub(super) fn problem(&self) -> Response {
        let media = [(CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status(), media, self.problem_body()).into_response();
        if matches!(self, Refusal::Unauthorized) {
            response.headers_mut().insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        self.put_retry_after(&mut response);
        response
    }

    /// As the CRM's envelope: HTTP 200 but for what the transport must know.
    pub(super) fn envelope(&self) -> Response {
        let status = match self {
            Refusal::TooLarge(_)
            | Refusal::TooFast(_)
            | Refusal::Unavailable(_)
            | Refusal::Method
            | Refusal::Broken => self.status(),
            _ => StatusCode::OK,
        };
        let media = [(CONTENT_TYPE, "application/json")];
        let mut response = (status, media, self.envelope_body()).into_response();
        self.put_retry_after(&mut response);
        response
    }

    /// The text of the envelope.
    pub(super) fn envelope_body(&self) -> String {
        let errors = self.errors();
        let message =
            if errors.is_empty() { Value::from(self.detail()) } else { by_field(&errors) };
        json!({"result": "ERROR", "message": message}).to_string()
    }

    fn put_retry_after(&self, response: &mut Response) {
        let seconds = match self {
            Refusal::TooFast(seconds) => *seconds,
            Refusal::Unavailable(_) => 5,
            _ => return,
        };
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.problem()
    }
}

/// An answer of the CRM paths.
pub(super) fn envelope(result: &str, message: Value) -> Response {
    let body = json!({"result": result, "message": message}).to_string();
    ([(CONTENT_TYPE, "application/json")], body).into_response()
}

/// `{field: text}`; several texts of one field stand behind each other.
pub(super) fn by_field(errors: &[FieldError]) -> Value {
    let mut fields = Map::new();
    for error in errors {
        let text = match fields.get(&error.field).and_then(Value::as_str) {
            Some(before) => format!("{before}; {}", error.message),
            None => error.message.clone(),
        };
        fields.insert(error.field.clone(), text.into());
    }
    Value::Object(fields)
}

fn sentence(errors: &[FieldError]) -> String {
    let parts: Vec<_> =
        errors.iter().map(|error| format!("{} {}", error.field, error.message)).collect();
    parts.join("; ")
}
