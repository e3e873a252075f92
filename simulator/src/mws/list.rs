//! Finding order references by the seller's own order id. The token for the next page carries the
//! whole question, so nothing is remembered between the pages.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Call;
use super::errors::Error;
use super::render;
use super::request::Reader;
use super::xml::Xml;
use crate::books::{Books, Order};
use crate::clock::{self, DAY, Millis};

const STATES: [&str; 4] = ["Open", "Closed", "Suspended", "Canceled"];
const DOMAINS: [&str; 4] = ["NA_USD", "EU_EUR", "EU_GBP", "FE_JPY"];
const PAGE: u32 = 20;

/// What is looked for, and how much of it was shown already.
struct Query {
    order_id: String,
    from: Option<Millis>,
    to: Option<Millis>,
    descending: bool,
    page: usize,
    states: Vec<String>,
    shown: usize,
}

/// `ListOrderReference`
pub(super) fn list(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    const START: &str = "CreatedTimeRange.StartTime";
    const END: &str = "CreatedTimeRange.EndTime";
    let mut reader = Reader::new(call.params);
    let order_id = reader.required("QueryId", 1024);
    reader.required("QueryIdType", 127);
    reader.one_of("QueryIdType", &["SellerOrderId"]);
    reader.one_of("PaymentDomain", &DOMAINS);
    let order = reader.one_of("SortOrder", &["Ascending", "Descending"]);
    let page = reader.number("PageSize", PAGE, (1, 100));
    let states = reader.list("OrderReferenceStatusListFilter.OrderReferenceStatus");
    for state in &states {
        if !STATES.iter().any(|known| known.eq_ignore_ascii_case(state)) {
            reader.reject("OrderReferenceStatusListFilter", "Member must be a known status");
        }
    }
    let (start, end) = (reader.optional(START, 64), reader.optional(END, 64));
    let range = match (&start, &end) {
        (None, None) => Some((None, None)),
        (Some(start), Some(end)) => match (clock::parse(start), clock::parse(end)) {
            (Some(from), Some(to)) if (0..=31 * DAY).contains(&(to - from)) => {
                Some((Some(from), Some(to)))
            }
            _ => None,
        },
        _ => None,
    };
    let Some((from, to)) = range else {
        reader.reject(START, "Members must be two times, at most 31 days from each other");
        return Err(reader.finish().err().unwrap_or_else(|| Error::invalid("range")));
    };
    reader.finish()?;
    let descending = order.is_some_and(|order| order.eq_ignore_ascii_case("Descending"));
    let page = usize::try_from(page).unwrap_or(usize::MAX);
    Ok(show(books, call, Query { order_id, from, to, descending, page, states, shown: 0 }))
}

/// `ListOrderReferenceByNextToken`
pub(super) fn next_page(books: &mut Books, call: &Call<'_>) -> Result<String, Error> {
    let mut reader = Reader::new(call.params);
    let text = reader.required("NextPageToken", 8192);
    let query = read_token(&text);
    if query.is_none() && !text.is_empty() {
        reader.reject("NextPageToken", "Member must be a token from an earlier answer");
    }
    reader.finish()?;
    let query = query.ok_or_else(|| Error::invalid("no token"))?;
    Ok(show(books, call, query))
}

fn read_token(text: &str) -> Option<Query> {
    let token: Value = serde_json::from_slice(&STANDARD.decode(text).ok()?).ok()?;
    let query: Value = serde_json::from_str(token["nextPageToken"].as_str()?).ok()?;
    let number = |name: &str| query[name].as_u64().and_then(|n| usize::try_from(n).ok());
    let states = query["states"].as_array()?.iter();
    Some(Query {
        order_id: query["orderId"].as_str()?.to_owned(),
        from: query["from"].as_i64(),
        to: query["to"].as_i64(),
        descending: query["descending"].as_bool()?,
        page: number("page")?,
        states: states.filter_map(Value::as_str).map(str::to_owned).collect(),
        shown: number("shown")?,
    })
}

/// Opaque to the caller: what there is to say, in a text within a text, as Amazon does it.
fn write_token(query: &Query) -> String {
    let inside = json!({
        "orderId": query.order_id,
        "from": query.from,
        "to": query.to,
        "descending": query.descending,
        "page": query.page,
        "states": query.states,
        "shown": query.shown,
    });
    let token = json!({"nextPageToken": inside.to_string(), "marketplaceId": "A3BXB0YN3XH17H"});
    STANDARD.encode(token.to_string())
}

fn show(books: &Books, call: &Call<'_>, mut query: Query) -> String {
    let wanted = |order: &&Order| {
        order.environment == Some(call.environment)
            && order.attributes.seller_order_id.as_deref() == Some(&query.order_id)
            && query.from.is_none_or(|from| order.created >= from)
            && query.to.is_none_or(|to| order.created <= to)
            && (query.states.is_empty()
                || query.states.iter().any(|s| s.eq_ignore_ascii_case(order.state.text())))
    };
    let mut found: Vec<&Order> = books.orders_of(call.seller).filter(wanted).collect();
    if query.descending {
        found.reverse();
    }
    let end = query.shown.saturating_add(query.page).min(found.len());
    let shown = found.get(query.shown..end).unwrap_or_default();
    let mut xml = Xml::default();
    if shown.is_empty() {
        xml.empty("OrderReferenceList");
    } else {
        xml.within("OrderReferenceList", |xml| {
            shown.iter().for_each(|order| render::listed(xml, order));
        });
    }
    let more = end < found.len();
    query.shown = end;
    if more {
        xml.leaf("NextPageToken", &write_token(&query));
    }
    xml.into_text()
}
