//! `mid.json`: a MID with its secrets, as one JSON object. Every field at fault is named at once,
//! and no message shows what a field holds.

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::domain::ids::MerchantAccountId;
use crate::domain::merchant::{Api, MerchantAccount, Reauthorize, Region};
use crate::ports::gateway::Credentials;
use crate::wiring;

/// Amazon's bound for what a statement shows.
const DESCRIPTOR_MAX: usize = 16;
const TITLE_MAX: usize = 128;
/// A key in PEM is the longest of the secrets.
const SECRET_MAX: usize = 16_384;
/// A day after which nobody expects a charge any more, and how often at most.
const REAUTHORIZE: Reauthorize = Reauthorize { enabled: false, window_s: 604_800, max: 3 };

/// A field and what is wrong with it.
pub(crate) type Problem = (String, String);

/// The fields that are secrets or belong to them, in the order in which they are asked for.
pub(crate) const KEYS: [&str; 8] = [
    "accessKey",
    "secretKey",
    "mwsAuthToken",
    "clientId",
    "clientSecret",
    "publicKeyId",
    "privateKey",
    "storeId",
];

const OTHERS: [&str; 10] = [
    "id",
    "title",
    "descriptor",
    "midNumber",
    "region",
    "sandbox",
    "api",
    "merchantId",
    "enabled",
    "reauthorize",
];

/// Reads fields out of an object and collects what is wrong with them.
struct Fields<'a> {
    object: &'a Map<String, Value>,
    problems: Vec<Problem>,
}

impl Fields<'_> {
    fn wrong(&mut self, field: &str, problem: impl Into<String>) {
        self.problems.push((field.to_owned(), problem.into()));
    }

    /// A text; an empty one counts as absent.
    fn text(&mut self, field: &str, max: usize) -> Option<String> {
        match self.object.get(field) {
            None | Some(Value::Null) => None,
            Some(Value::String(text)) => {
                let text = text.trim();
                if text.chars().count() > max {
                    self.wrong(field, format!("must be at most {max} characters"));
                    return None;
                }
                (!text.is_empty()).then(|| text.to_owned())
            }
            Some(_) => {
                self.wrong(field, "must be a text");
                None
            }
        }
    }

    fn required(&mut self, field: &str, max: usize) -> String {
        let before = self.problems.len();
        let text = self.text(field, max);
        if text.is_none() && self.problems.len() == before {
            self.wrong(field, "is required");
        }
        text.unwrap_or_default()
    }

    fn flag(&mut self, field: &str, default: bool) -> bool {
        match self.object.get(field) {
            None | Some(Value::Null) => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.wrong(field, "must be true or false");
                default
            }
        }
    }

    fn word<T: Copy>(
        &mut self,
        field: &str,
        parse: fn(&str) -> Option<T>,
        words: &str,
    ) -> Option<T> {
        let text = self.text(field, 16)?;
        let word = parse(&text);
        if word.is_none() {
            self.wrong(field, format!("must be {words}"));
        }
        word
    }

    fn reauthorize(&mut self, before: Reauthorize) -> Reauthorize {
        let value = match self.object.get("reauthorize") {
            None | Some(Value::Null) => return before,
            Some(value) => value,
        };
        let Some(object) = value.as_object() else {
            self.wrong("reauthorize", "must be {enabled, windowSeconds, max}");
            return before;
        };
        let mut inner = Fields { object, problems: Vec::new() };
        let read = Reauthorize {
            enabled: inner.flag("enabled", before.enabled),
            window_s: inner.number("windowSeconds", 31_536_000).unwrap_or(before.window_s),
            max: inner
                .number("max", 100)
                .and_then(|max| u32::try_from(max).ok())
                .unwrap_or(before.max),
        };
        inner.unknown(&["enabled", "windowSeconds", "max"]);
        let named = |(field, problem)| (format!("reauthorize.{field}"), problem);
        self.problems.extend(inner.problems.into_iter().map(named));
        read
    }

    fn number(&mut self, field: &str, max: u64) -> Option<u64> {
        let number = match self.object.get(field) {
            None | Some(Value::Null) => return None,
            Some(value) => value.as_u64().filter(|number| *number <= max),
        };
        if number.is_none() {
            self.wrong(field, format!("must be a whole number from 0 to {max}"));
        }
        number
    }

    fn unknown(&mut self, known: &[&str]) {
        for field in self.object.keys() {
            if !known.contains(&field.as_str()) {
                self.problems.push((field.clone(), "is no field of a MID".to_owned()));
            }
        }
    }

    fn secret(&mut self, field: &str) -> Option<SecretString> {
        self.text(field, SECRET_MAX).map(SecretString::from)
    }
}

/// A new MID; `given_id` is its id where the file names none.
///
/// # Errors
/// Every field at fault.
pub(crate) fn read(
    object: &Map<String, Value>,
    given_id: &str,
) -> Result<(MerchantAccount, Credentials), Vec<Problem>> {
    let mut fields = Fields { object, problems: Vec::new() };
    fields.unknown(&[&OTHERS[..], &KEYS].concat());
    let id = fields.text("id", 64).unwrap_or_else(|| given_id.to_owned());
    let id = MerchantAccountId::new(id).map_err(|error| error.to_string());
    if let Err(rule) = &id {
        fields.wrong("id", rule.clone());
    }
    let title = fields.text("title", TITLE_MAX).unwrap_or_default();
    let soft_descriptor = fields.text("descriptor", DESCRIPTOR_MAX);
    let mid_number = fields.text("midNumber", 64);
    let region = fields.word("region", Region::parse, "na, eu, uk or jp");
    if region.is_none() && !fields.problems.iter().any(|(field, _)| field == "region") {
        fields.wrong("region", "is required");
    }
    let api = fields.word("api", Api::parse, "mws or v2").unwrap_or(Api::Mws);
    let sandbox = fields.flag("sandbox", false);
    let enabled = fields.flag("enabled", true);
    let seller_id = fields.required("merchantId", 64);
    if !seller_id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        fields.wrong("merchantId", "must be Amazon's merchant id: letters and digits");
    }
    let reauthorize = fields.reauthorize(REAUTHORIZE);
    let credentials = credentials(&mut fields, api, sandbox);
    match (fields.problems.is_empty(), id, region) {
        (true, Ok(id), Some(region)) => {
            let merchant = MerchantAccount {
                id,
                title,
                soft_descriptor,
                mid_number,
                region,
                sandbox,
                api,
                seller_id,
                enabled,
                reauthorize,
                revision: 0,
            };
            Ok((merchant, credentials))
        }
        _ => Err(fields.problems),
    }
}

fn credentials(fields: &mut Fields<'_>, api: Api, sandbox: bool) -> Credentials {
    let credentials = Credentials {
        access_key: fields.text("accessKey", 128),
        secret_key: fields.secret("secretKey"),
        mws_auth_token: fields.secret("mwsAuthToken"),
        client_id: fields.text("clientId", 256),
        client_secret: fields.secret("clientSecret"),
        public_key_id: fields.text("publicKeyId", 128),
        private_key: fields.secret("privateKey"),
        store_id: fields.text("storeId", 256),
    };
    for field in lacking(api, &credentials) {
        if !fields.problems.iter().any(|(named, _)| named == field) {
            fields.wrong(field, format!("is required for api {}", api.as_str()));
        }
    }
    if let Some(key) = &credentials.private_key {
        let id = credentials.public_key_id.as_deref().unwrap_or_default();
        if let Some((field, problem)) = key_problem(id, key.expose_secret(), sandbox) {
            fields.wrong(field, problem);
        }
    }
    credentials
}

/// What is wrong with a pair of keys of API v2: the field, and the problem.
pub(crate) fn key_problem(
    public_key_id: &str,
    private_key: &str,
    sandbox: bool,
) -> Option<(&'static str, &'static str)> {
    if !wiring::is_private_key(private_key) {
        return Some(("privateKey", "must be an RSA key in PEM (PKCS#1 or PKCS#8)"));
    }
    // Such a key decides where its calls go, whatever the MID says.
    let other = if sandbox { "LIVE" } else { "SANDBOX" };
    let head = public_key_id.get(..other.len()).unwrap_or_default();
    head.eq_ignore_ascii_case(other).then_some(if sandbox {
        ("publicKeyId", "is of the live environment, and the MID is of the sandbox")
    } else {
        ("publicKeyId", "is of the sandbox, and the MID is live")
    })
}

/// What the API cannot do without.
fn lacking(api: Api, credentials: &Credentials) -> Vec<&'static str> {
    let needed = match api {
        Api::Mws => [
            ("accessKey", credentials.access_key.is_some()),
            ("secretKey", credentials.secret_key.is_some()),
        ],
        Api::V2 => [
            ("publicKeyId", credentials.public_key_id.is_some()),
            ("privateKey", credentials.private_key.is_some()),
        ],
    };
    needed.into_iter().filter(|(_, there)| !there).map(|(field, _)| field).collect()
}

/// Changes of a MID: new keys, and what people read of it. Whose account it is stays: payments
/// that have begun belong to it.
///
/// # Errors
/// Every field at fault.
pub(crate) fn change(
    object: &Map<String, Value>,
    merchant: &MerchantAccount,
    credentials: &Credentials,
) -> Result<(MerchantAccount, Credentials), Vec<Problem>> {
    let mut whole = show(merchant, credentials);
    for (name, secret) in secrets(credentials) {
        if let Some(secret) = secret {
            whole.insert(name.to_owned(), Value::from(secret.expose_secret()));
        }
    }
    let mut problems = Vec::new();
    for field in ["id", "region", "sandbox", "api", "merchantId"] {
        if object.get(field).is_some_and(|value| *value != whole[field]) {
            let problem = "cannot be changed: add another MID".to_owned();
            problems.push((field.to_owned(), problem));
        }
    }
    for (field, value) in object {
        whole.insert(field.clone(), value.clone());
    }
    match read(&whole, merchant.id.as_str()) {
        Ok(changed) if problems.is_empty() => Ok(changed),
        Ok(_) => Err(problems),
        Err(more) => Err([problems, more].concat()),
    }
}

fn secrets(credentials: &Credentials) -> [(&'static str, Option<&SecretString>); 4] {
    [
        ("secretKey", credentials.secret_key.as_ref()),
        ("mwsAuthToken", credentials.mws_auth_token.as_ref()),
        ("clientSecret", credentials.client_secret.as_ref()),
        ("privateKey", credentials.private_key.as_ref()),
    ]
}

/// The MID as JSON without its secrets; what is left can be read again.
#[must_use]
pub(crate) fn show(merchant: &MerchantAccount, credentials: &Credentials) -> Map<String, Value> {
    let value = json!({
        "id": merchant.id.as_str(),
        "title": merchant.title,
        "descriptor": merchant.soft_descriptor,
        "midNumber": merchant.mid_number,
        "region": merchant.region.as_str(),
        "sandbox": merchant.sandbox,
        "api": merchant.api.as_str(),
        "merchantId": merchant.seller_id,
        "accessKey": credentials.access_key,
        "clientId": credentials.client_id,
        "publicKeyId": credentials.public_key_id,
        "storeId": credentials.store_id,
        "enabled": merchant.enabled,
        "reauthorize": {
            "enabled": merchant.reauthorize.enabled,
            "windowSeconds": merchant.reauthorize.window_s,
            "max": merchant.reauthorize.max,
        },
    });
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
