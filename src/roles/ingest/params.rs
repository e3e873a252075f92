//! Parameters as landers send them: five encodings, one list. Card and bank fields are dropped
//! while reading, so that nothing behind this point can keep them. Has no debug form on purpose.

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, Multipart, Request};
use axum::http::header::CONTENT_TYPE;
use serde_json::value::RawValue;

use super::json;
use super::refusal::Refusal;
use crate::domain::decline::FieldError;
use crate::domain::money::{Currency, Money};

/// Where a parameter stood.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Query,
    Body,
}

struct Param {
    name: String,
    value: String,
    place: Place,
}

/// What a request says, in order; empty values and the text `null` count as not sent.
#[derive(Default)]
pub(super) struct Params(Vec<Param>);

/// What stands in an amount's place, so that `19.9` and `19.90` are no contradiction.
const AMOUNTS: &[&str] =
    &["amount", "salesTax", "productQty", "productPrice", "productShipPrice", "productSalesTax"];

impl Params {
    /// The parameters of a query.
    pub(super) fn of_query(query: Option<&str>) -> Self {
        let mut params = Self::default();
        params.add_form(query.unwrap_or_default().as_bytes(), Place::Query);
        params
    }

    /// The parameters of a CRM request, in whichever encoding.
    ///
    /// # Errors
    /// The body is not what its content type says.
    pub(super) async fn of_crm(
        query: Option<&str>,
        content_type: &str,
        body: &Bytes,
    ) -> Result<Self, Refusal> {
        let mut params = Self::of_query(query);
        let media = content_type.split(';').next().unwrap_or_default().trim();
        if body.is_empty() {
            // Everything is in the query, whatever the content type says.
        } else if media.eq_ignore_ascii_case("multipart/form-data") {
            params.add_multipart(content_type, body.clone()).await?;
        } else if is_json(media, body) {
            params.add_json(body)?;
        } else {
            params.add_form(body, Place::Body);
        }
        Ok(params)
    }

    /// The value: the body's before the query's, the last of several.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let last =
            |place| self.0.iter().rev().find(|param| param.place == place && param.name == name);
        last(Place::Body).or_else(|| last(Place::Query)).map(|param| param.value.as_str())
    }

    /// Whether a flag is set.
    pub(super) fn flag(&self, name: &str) -> bool {
        self.get(name).is_some_and(|value| !is_no(value))
    }

    /// Every name, once per parameter.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|param| param.name.as_str())
    }

    /// Amounts, currencies, ids and Amazon's fields that are sent twice with different values.
    pub(super) fn contradictions(&self) -> Vec<FieldError> {
        let mut found: Vec<FieldError> = Vec::new();
        for (index, param) in self.0.iter().enumerate() {
            if !must_agree(&param.name) || found.iter().any(|error| error.field == param.name) {
                continue;
            }
            let mut later = self.0[index + 1..].iter().filter(|other| other.name == param.name);
            if later.any(|other| !same(&param.name, &other.value, &param.value)) {
                found.push(FieldError::new(&param.name, "is sent twice with different values"));
            }
        }
        found
    }

    /// A parameter of a JSON body, as it is written there; what is no text in Unicode is left out.
    pub(super) fn add_literal(&mut self, name: &str, value: &RawValue) -> bool {
        let text = literal(value);
        self.add(name, text.as_deref().unwrap_or_default(), Place::Body);
        text.is_some()
    }

    fn add(&mut self, name: &str, value: &str, place: Place) {
        if value.is_empty() || value == "null" || is_card_field(name) {
            return;
        }
        self.0.push(Param { name: name.to_owned(), value: value.to_owned(), place });
    }

    fn add_form(&mut self, form: &[u8], place: Place) {
        for (name, value) in form_urlencoded::parse(form) {
            self.add(&name, &value, place);
        }
    }

    fn add_json(&mut self, body: &[u8]) -> Result<(), Refusal> {
        let entries = json::entries(body)
            .ok_or_else(|| Refusal::Unreadable("the body is no JSON object in UTF-8".to_owned()))?;
        for (name, value) in entries {
            if !self.add_literal(&name, &value) {
                let why = format!("the value of {name} is no text in Unicode");
                return Err(Refusal::Unreadable(why));
            }
        }
        Ok(())
    }

    async fn add_multipart(&mut self, content_type: &str, body: Bytes) -> Result<(), Refusal> {
        let unreadable = || Refusal::Unreadable("the body is no multipart form".to_owned());
        let request = Request::builder()
            .header(CONTENT_TYPE, content_type)
            .body(Body::from(body))
            .map_err(|_| unreadable())?;
        let mut form = Multipart::from_request(request, &()).await.map_err(|_| unreadable())?;
        while let Some(field) = form.next_field().await.map_err(|_| unreadable())? {
            let name = field.name().unwrap_or_default().to_owned();
            let bytes = field.bytes().await.map_err(|_| unreadable())?;
            self.add(&name, &String::from_utf8_lossy(&bytes), Place::Body);
        }
        Ok(())
    }
}

/// Small clients forget the content type, so an object is taken for one under any.
fn is_json(media: &str, body: &[u8]) -> bool {
    let first = body.iter().find(|byte| !byte.is_ascii_whitespace());
    media.eq_ignore_ascii_case("application/json") || first == Some(&b'{')
}

/// A JSON value as a parameter: texts unquoted, everything else as it is written.
fn literal(value: &RawValue) -> Option<String> {
    let raw = value.get();
    if raw.starts_with('"') { serde_json::from_str(raw).ok() } else { Some(raw.to_owned()) }
}

pub(super) fn is_no(value: &str) -> bool {
    ["0", "false", "no", "off"].iter().any(|no| value.eq_ignore_ascii_case(no))
}

fn must_agree(name: &str) -> bool {
    name == "currency"
        || is_amount(name)
        || name.ends_with("Id")
        || name.ends_with("_id")
        || name.starts_with("amazon")
}

fn is_amount(name: &str) -> bool {
    let of_line = name.starts_with("product")
        && ["_qty", "_price", "_shipPrice"].iter().any(|end| name.ends_with(end));
    of_line || AMOUNTS.contains(&name)
}

fn same(name: &str, one: &str, other: &str) -> bool {
    // Two decimals at most, so any currency with two digits compares them as numbers.
    let number = |text| Money::parse_or_zero(text, Currency::USD).ok();
    one == other || (is_amount(name) && number(one).is_some() && number(one) == number(other))
}

/// Card and bank details that landers post along; they are none of our business.
fn is_card_field(name: &str) -> bool {
    const NAMES: &[&str] = &["iban", "ddbic", "accountholder", "routingnumber", "accountnumber"];
    let name = name.to_ascii_lowercase();
    let of_card = name.starts_with("card") && name != "cardtype";
    of_card || name.starts_with("ach") || name.contains("cvv") || NAMES.contains(&name.as_str())
}
