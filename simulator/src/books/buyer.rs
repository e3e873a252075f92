//! Buyers, where they live, and the tokens by which they logged in.

use std::sync::Arc;

use super::{Books, SellerAt};
use crate::clock::{HOUR, Millis, SECOND};

/// A postal address, as far as the buyer filled it in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Address {
    pub(crate) name: Option<String>,
    pub(crate) address_line1: Option<String>,
    pub(crate) address_line2: Option<String>,
    pub(crate) address_line3: Option<String>,
    pub(crate) city: Option<String>,
    pub(crate) state_or_region: Option<String>,
    pub(crate) postal_code: Option<String>,
    pub(crate) country_code: Option<String>,
    pub(crate) phone: Option<String>,
}

impl Address {
    /// Where the demo buyer lives.
    pub(crate) fn demo(name: &str) -> Self {
        let some = |text: &str| Some(text.to_owned());
        Self {
            name: some(name),
            address_line1: some("1 Main St"),
            address_line2: None,
            address_line3: None,
            city: some("Springfield"),
            state_or_region: some("IL"),
            postal_code: some("62701"),
            country_code: some("US"),
            phone: some("800-555-0100"),
        }
    }
}

/// A buyer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Buyer {
    pub(crate) user_id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) address: Option<Address>,
}

/// An access token: who logged in, where, and when.
#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) seller: SellerAt,
    pub(crate) buyer: Arc<Buyer>,
    pub(crate) issued: Millis,
}

impl Token {
    /// How long the token is good for still.
    pub(crate) fn seconds_left(&self, now: Millis) -> i64 {
        (self.issued + HOUR - now) / SECOND
    }
}

impl Books {
    /// The account of whoever has this e-mail address: always the same.
    pub(crate) fn user_id(&mut self, email: &str) -> String {
        if let Some(known) = self.users.get(email) {
            return known.clone();
        }
        let user_id = format!("amzn1.account.{}", self.ids.capitals(28));
        self.users.insert(email.to_owned(), user_id.clone());
        user_id
    }

    /// Gives out an access token for a buyer who logged in at a seller's.
    pub(super) fn issue_token(&mut self, seller: SellerAt, buyer: &Arc<Buyer>) -> String {
        let text = self.ids.access_token();
        let token = Token { seller, buyer: Arc::clone(buyer), issued: self.now };
        self.tokens.insert(text.clone(), token);
        text
    }

    /// The access token of this text, if it is one and has not run out.
    pub(crate) fn token(&self, text: &str) -> Option<&Token> {
        self.tokens.get(text).filter(|token| token.seconds_left(self.now) > 0)
    }

    /// Whether this token is good, and of this buyer at one of this client's sellers.
    pub(super) fn is_token_of(&self, text: &str, seller: SellerAt, buyer: &Buyer) -> bool {
        let client = |seller: SellerAt| &self[seller].client_id;
        self.token(text).is_some_and(|token| {
            client(token.seller) == client(seller) && token.buyer.user_id == buyer.user_id
        })
    }
}
