//! `mid test`: one harmless signed call, and in words what came of it.

use crate::cli::failure::Failure;
use crate::cli::output;
use crate::cli::session::Session;
use crate::domain::gateway::Fault;
use crate::ports::gateway::Account;

/// Tests a MID; a good answer wakes what waits for its credentials.
pub(super) async fn run(session: &Session, id: &str) -> Result<(), Failure> {
    let (merchant, credentials) = super::load(session, id).await?;
    let account = Account { merchant, credentials };
    match session.gateway()?.probe(&account).await {
        Ok(()) => {
            super::save(session, &account.merchant, &account.credentials, "mid.test").await?;
            output::line(&format!("mid {id} is fine: Amazon accepts its keys"))
        }
        Err(fault) => Err(Failure::new(format!("mid {id}: {}", words(&fault)))),
    }
}

/// What is wrong, and what to do about it.
pub(crate) fn words(fault: &Fault) -> String {
    match fault {
        Fault::Credentials { code } => {
            format!("Amazon refuses the credentials ({code}): {}", advice(code))
        }
        Fault::NotSent => {
            "Amazon could not be reached: the call was never sent. Check the network, \
                           DNS, and the AMAZON_… settings"
                .to_owned()
        }
        Fault::Unknown => "Amazon took the call and did not answer in time: try again".to_owned(),
        Fault::Unavailable { code } => {
            format!("Amazon answered that it failed ({code}): try again later")
        }
        Fault::Throttled { .. } => {
            "Amazon throttles this seller account just now; its keys were not judged: try again"
                .to_owned()
        }
        Fault::Refused { code } | Fault::Declined { reason: code } => {
            format!("Amazon refuses the call ({code}): {}", advice(code))
        }
        Fault::Unexpected { detail } => format!(
            "an answer that is not Amazon's ({detail}): check region, sandbox and the AMAZON_… \
             settings"
        ),
    }
}

fn advice(code: &str) -> &'static str {
    match code {
        "InvalidAccessKeyId" => "the access key is unknown; copy it again from Seller Central",
        "SignatureDoesNotMatch" => "the secret key does not belong to the access key",
        "InvalidAuthentication" => {
            "Amazon does not know the public key id in this region and environment"
        }
        "InvalidRequestSignature" | "unreadable_private_key" | "unusable_private_key" => {
            "the private key does not belong to the public key id"
        }
        "AccessDenied" | "UnauthorizedAccess" | "InvalidSellerId" => {
            "these keys may not act for this merchant id in this region; check merchant id, region \
             and the MWS auth token"
        }
        "AccountInactive" | "InvalidAccountStatus" => {
            "Amazon holds the seller account inactive; settle it in Seller Central"
        }
        "RequestExpired" => "this machine's clock is wrong; Amazon allows 15 minutes",
        _ => "look the code up in Amazon's documents",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fault_has_its_words() {
        let code = "SignatureDoesNotMatch".to_owned();
        assert!(words(&Fault::Credentials { code }).contains("secret key"));
        assert!(words(&Fault::NotSent).contains("reached"));
    }
}
