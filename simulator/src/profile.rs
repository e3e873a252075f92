//! Login with Amazon: whose access token it is, and who the buyer is. Plain JSON, no signature;
//! the token is all that a caller needs.

use axum::extract::{RawQuery, State};
use axum::http::HeaderMap;
use axum::response::Response;
use serde_json::{Value, json};

use super::Simulator;
use super::books::{Books, Token};
use super::calls::Answered;
use super::clock::SECOND;
use super::deliver::{Answer, CallerLine, deliver};
use super::faults::{Api, Target};

/// The token, from the header of today or the query of the older SDKs.
fn token(headers: &HeaderMap, query: Option<&str>) -> String {
    if let Some(token) = headers.get("x-amz-access-token").and_then(|token| token.to_str().ok()) {
        return token.to_owned();
    }
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    if let Some((scheme, token)) = given.and_then(|value| value.split_once(' '))
        // SDKs spell it in both ways.
        && scheme.eq_ignore_ascii_case("bearer")
    {
        return token.to_owned();
    }
    let query = query.unwrap_or("").as_bytes();
    let found = form_urlencoded::parse(query).find(|(name, _)| name == "access_token");
    found.map(|(_, token)| token.into_owned()).unwrap_or_default()
}

/// `GET /auth/o2/tokeninfo`
pub(super) async fn token_info(
    state: State<Simulator>,
    line: CallerLine,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(state, line, query, headers, "tokeninfo", |books, token| {
        let seller = &books[token.seller];
        json!({
            "aud": seller.client_id,
            "user_id": token.buyer.user_id,
            "iss": "https://www.amazon.com",
            "exp": token.seconds_left(books.now()),
            "app_id": seller.client_id.replace("application-oa2-client", "application"),
            "iat": token.issued / SECOND,
        })
    })
    .await
}

/// `GET /user/profile`
pub(super) async fn profile(
    state: State<Simulator>,
    line: CallerLine,
    query: RawQuery,
    headers: HeaderMap,
) -> Response {
    answer(state, line, query, headers, "profile", |_, token| {
        let buyer = &token.buyer;
        let mut profile = json!({
            "user_id": buyer.user_id,
            "name": buyer.name,
            "email": buyer.email,
        });
        let postal_code = buyer.address.as_ref().and_then(|address| address.postal_code.as_ref());
        if let Some(code) = postal_code {
            profile["postal_code"] = Value::from(code.as_str());
        }
        profile
    })
    .await
}

async fn answer(
    State(simulator): State<Simulator>,
    CallerLine(line): CallerLine,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    operation: &str,
    tell: impl FnOnce(&Books, &Token) -> Value,
) -> Response {
    let text = token(&headers, query.as_deref());
    let (found, merchant_id) = {
        let world = simulator.world();
        let token = world.books.token(&text);
        let merchant = token.map(|token| world.books[token.seller].merchant_id.clone());
        (token.map(|token| tell(&world.books, token)), merchant.unwrap_or_default())
    };
    let target = Target { api: Api::Lwa, operation, merchant_id: &merchant_id, object_id: "" };
    let (ruling, request_id) = simulator.hear(&target);
    let refuse = |status, error: &str, why: &str| {
        (status, json!({"error": error, "error_description": why}))
    };
    let (status, body) = match found {
        _ if ruling.answers() => {
            let code = ruling.code.as_deref().unwrap_or("server_error");
            refuse(ruling.status, code, "injected")
        }
        Some(found) => (200, found),
        None => refuse(400, "invalid_token", "The request has an invalid parameter: access_token"),
    };
    let how = if status < 400 { Answered::Otherwise } else { Answered::Refused };
    simulator.world().calls.answered(&merchant_id, how);
    let answer = Answer::json(status, body.to_string()).with_request_id(&request_id);
    deliver(answer, &ruling, simulator.latency_ms(), line).await
}
