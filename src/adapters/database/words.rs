//! The words of enums whose domain types have no reader of their own. A word that was once written
//! is never changed.

use crate::domain::decline::{BuyerAction, Softness};
use crate::domain::payment::Exposure;

const EXPOSURES: [Exposure; 3] = [Exposure::Clear, Exposure::Open, Exposure::Sent];
const SOFTNESSES: [Softness; 2] = [Softness::Soft, Softness::Hard];
const BUYER_ACTIONS: [BuyerAction; 4] = [
    BuyerAction::UpdatePaymentMethod,
    BuyerAction::UseOtherMethod,
    BuyerAction::Authenticate,
    BuyerAction::None,
];

pub(super) const fn exposure_word(exposure: Exposure) -> &'static str {
    match exposure {
        Exposure::Clear => "clear",
        Exposure::Open => "open",
        Exposure::Sent => "sent",
    }
}

pub(super) fn exposure(word: &str) -> Option<Exposure> {
    EXPOSURES.into_iter().find(|one| exposure_word(*one) == word)
}

pub(super) fn softness(word: &str) -> Option<Softness> {
    SOFTNESSES.into_iter().find(|one| one.as_str() == word)
}

pub(super) fn buyer_action(word: &str) -> Option<BuyerAction> {
    BUYER_ACTIONS.into_iter().find(|one| one.as_str() == word)
}
