//! Asks a person at a terminal for a MID; secrets without an echo. Runs on a thread of its own,
//! because a person takes long.

use std::io::IsTerminal;

use serde_json::{Map, Value};

use crate::cli::failure::Failure;
use crate::cli::output;

/// What is asked, and whether it is hidden while it is typed.
const QUESTIONS: [(&str, &str, bool); 16] = [
    ("id", "id (amazonBillerId; empty: given out)", false),
    ("title", "title", false),
    ("descriptor", "descriptor on the buyer's statement (at most 16 characters)", false),
    ("midNumber", "MID #", false),
    ("region", "region (na, eu, uk, jp)", false),
    ("sandbox", "sandbox (yes, no; empty: no)", false),
    ("api", "api (mws, v2; empty: mws)", false),
    ("merchantId", "merchant id", false),
    ("accessKey", "access key", false),
    ("secretKey", "secret key", true),
    ("mwsAuthToken", "MWS auth token (empty: none)", true),
    ("clientId", "client id", false),
    ("clientSecret", "client secret", true),
    ("publicKeyId", "public key id", false),
    ("privateKeyFile", "file of the private key (PEM)", false),
    ("storeId", "store id", false),
];

/// Fields of one API that the other is not asked for.
const MWS_ONLY: [&str; 2] = ["accessKey", "secretKey"];
const V2_ONLY: [&str; 3] = ["publicKeyId", "privateKeyFile", "storeId"];

/// Asks for these fields; an empty answer leaves a field out.
///
/// # Errors
/// There is no terminal, or it was closed.
pub(crate) async fn ask(fields: &'static [&'static str]) -> Result<Map<String, Value>, Failure> {
    if !std::io::stdin().is_terminal() {
        let text = "there is no terminal to ask at: name a file with --file (- is standard input)";
        return Err(Failure::Usage(text.to_owned()));
    }
    let asked = tokio::task::spawn_blocking(move || all(fields)).await;
    asked.map_err(|error| Failure::because("the questions ended", &error))?
}

fn all(fields: &[&str]) -> Result<Map<String, Value>, Failure> {
    let mut object = Map::new();
    for (field, question, hidden) in QUESTIONS {
        let of_file = field == "privateKeyFile" && fields.contains(&"privateKey");
        let v2 = object.get("api").is_some_and(|api| api == "v2");
        let other_api: &[_] = if v2 { &MWS_ONLY } else { &V2_ONLY };
        let choosing = fields.contains(&"api");
        if !(fields.contains(&field) || of_file) || (choosing && other_api.contains(&field)) {
            continue;
        }
        let answer = one(question, hidden)?;
        if answer.is_empty() {
            continue;
        }
        match field {
            "sandbox" => {
                let yes = ["y", "yes", "true"].contains(&answer.to_lowercase().as_str());
                object.insert(field.to_owned(), Value::Bool(yes));
            }
            "privateKeyFile" => {
                let pem = std::fs::read_to_string(&answer)
                    .map_err(|error| Failure::because("the key cannot be read", &error))?;
                object.insert("privateKey".to_owned(), Value::String(pem));
            }
            _ => {
                object.insert(field.to_owned(), Value::String(answer));
            }
        }
    }
    Ok(object)
}

fn one(question: &str, hidden: bool) -> Result<String, Failure> {
    let failed = |error: std::io::Error| Failure::because("the answer cannot be read", &error);
    if hidden {
        let answer = rpassword::prompt_password(format!("{question}: ")).map_err(failed)?;
        return Ok(answer.trim().to_owned());
    }
    output::tell(&format!("{question}:"));
    let mut answer = String::new();
    if std::io::stdin().read_line(&mut answer).map_err(failed)? == 0 {
        return Err(Failure::new("the terminal was closed before all was answered"));
    }
    Ok(answer.trim().to_owned())
}
