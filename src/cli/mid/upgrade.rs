//! `mid upgrade-key`: from MWS to API v2 and back. The keys of both are kept: what has begun is
//! finished by the API that began it, and what went over can go back.

use secrecy::ExposeSecret;

use super::file;
use super::test::words;
use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::session::Session;
use crate::domain::merchant::{Api, MerchantAccount};
use crate::ports::gateway::{Account, Credentials};

/// Lets a MID speak API v2 from now on, with keys that Amazon gives for its MWS keys.
pub(super) async fn forward(session: &Session, id: &str, json: bool) -> Result<(), Failure> {
    let (mut merchant, mut credentials) = super::load(session, id).await?;
    if merchant.api == Api::Mws {
        if credentials.public_key_id.is_none() || credentials.private_key.is_none() {
            exchange(session, &merchant, &mut credentials).await?;
        }
        merchant.api = Api::V2;
        accepted(session, &merchant, &credentials).await?;
        super::save(session, &merchant, &credentials, "mid.upgrade-key").await?;
    }
    if json {
        return super::show(&merchant, &credentials, true);
    }
    let back = if credentials.secret_key.is_some() {
        format!("; its MWS keys are kept, and `mid upgrade-key {id} --back` goes back to them")
    } else {
        String::new()
    };
    output::line(&format!("mid {id} speaks v2{back}"))
}

/// Lets a MID speak MWS again; its v2 keys are kept for what they have begun.
pub(super) async fn back(session: &Session, id: &str, json: bool) -> Result<(), Failure> {
    let (mut merchant, credentials) = super::load(session, id).await?;
    if credentials.access_key.is_none() || credentials.secret_key.is_none() {
        return Err(Failure::new(format!("mid {id} has no MWS keys to go back to")));
    }
    if merchant.api == Api::V2 {
        merchant.api = Api::Mws;
        super::save(session, &merchant, &credentials, "mid.upgrade-key.back").await?;
    }
    if json {
        return super::show(&merchant, &credentials, true);
    }
    output::line(&format!("mid {id} speaks MWS; its v2 keys are kept for what they have begun"))
}

/// The private key is stored before Amazon hears of it: should this process end in between, the
/// same key is sent again, and no id is left without its key.
async fn exchange(
    session: &Session,
    merchant: &MerchantAccount,
    credentials: &mut Credentials,
) -> Result<(), Failure> {
    let id = &merchant.id;
    let exchange = session.key_exchange()?;
    if credentials.private_key.is_none() {
        let made = exchange.generate().await;
        credentials.private_key =
            Some(made.ok_or_else(|| Failure::new("this machine makes no key pair"))?);
        super::save(session, merchant, credentials, "mid.upgrade-key.pair").await?;
    }
    let private_key =
        credentials.private_key.clone().ok_or_else(|| Failure::new("there is no key pair"))?;
    let account = Account { merchant: merchant.clone(), credentials: credentials.clone() };
    let given = exchange.exchange(&account, &private_key).await.map_err(|fault| {
        Failure::new(format!("mid {id} stays as it is, its keys were not taken: {}", words(&fault)))
    })?;
    credentials.public_key_id = Some(given);
    super::save(session, merchant, credentials, "mid.upgrade-key.exchanged").await
}

/// Nothing is switched before Amazon accepts the new keys.
async fn accepted(
    session: &Session,
    merchant: &MerchantAccount,
    credentials: &Credentials,
) -> Result<(), Failure> {
    let id = &merchant.id;
    let key = credentials.private_key.as_ref().map(|key| key.expose_secret()).unwrap_or_default();
    let named = credentials.public_key_id.as_deref().unwrap_or_default();
    if let Some((field, problem)) = file::key_problem(named, key, merchant.sandbox) {
        return Err(Failure::new(format!("mid {id} stays as it is: {field} {problem}")));
    }
    let account = Account { merchant: merchant.clone(), credentials: credentials.clone() };
    session.gateway()?.probe(&account).await.map_err(|fault| {
        let words = words(&fault);
        Failure::new(format!("mid {id} speaks MWS still, its new keys are kept: {words}"))
    })
}
