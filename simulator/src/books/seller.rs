//! Sellers and what they sign with.

use super::{Books, OrderAt, SellerAt};
use amazon_pay_money::Currency;

/// Where a seller is registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Region {
    #[default]
    Na,
    Eu,
    Uk,
    Jp,
}

impl Region {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        [Region::Na, Region::Eu, Region::Uk, Region::Jp].into_iter().find(|r| r.text() == text)
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Region::Na => "na",
            Region::Eu => "eu",
            Region::Uk => "uk",
            Region::Jp => "jp",
        }
    }

    /// The two digits behind the letter of an id.
    pub(crate) const fn digits(self) -> &'static str {
        match self {
            Region::Na => "01",
            Region::Eu | Region::Uk => "02",
            Region::Jp => "03",
        }
    }

    /// The currency of the seller's own account.
    pub(crate) const fn currency(self) -> Currency {
        match self {
            Region::Na => Currency::USD,
            Region::Eu => Currency::EUR,
            Region::Uk => Currency::GBP,
            Region::Jp => Currency::JPY,
        }
    }

    /// Whether an order of this region may be in `currency`.
    pub(crate) fn has(self, currency: Currency) -> bool {
        match self {
            Region::Na => currency == Currency::USD,
            Region::Jp => currency == Currency::JPY,
            Region::Eu | Region::Uk => true,
        }
    }
}

/// A seller account.
#[derive(Debug, Clone)]
pub(crate) struct Seller {
    pub(crate) merchant_id: String,
    pub(crate) access_key: String,
    pub(crate) secret_key: String,
    /// Where a solution provider's key signs: the token by which the seller allowed it.
    pub(crate) mws_auth_token: Option<String>,
    pub(crate) client_id: String,
    pub(crate) client_secret: String,
    pub(crate) public_key_id: Option<String>,
    pub(crate) public_key: Option<String>,
    pub(crate) store_id: Option<String>,
    pub(crate) ipn_url: Option<String>,
    pub(crate) active: bool,
    pub(crate) region: Region,
    pub(crate) upgrade_keys: Vec<String>,
    pub(super) orders: Vec<OrderAt>,
}

/// What is said of a seller; what is absent stays, or is given out.
#[derive(Debug, Clone, Default)]
pub(crate) struct SellerChange {
    pub(crate) access_key: Option<String>,
    pub(crate) secret_key: Option<String>,
    pub(crate) mws_auth_token: Option<String>,
    pub(crate) client_id: Option<String>,
    pub(crate) client_secret: Option<String>,
    pub(crate) public_key_id: Option<String>,
    pub(crate) public_key: Option<String>,
    pub(crate) store_id: Option<String>,
    pub(crate) ipn_url: Option<String>,
    pub(crate) active: Option<bool>,
    pub(crate) region: Option<Region>,
    pub(crate) upgrade_keys: Option<Vec<String>>,
}

impl Books {
    /// Registers a seller, or changes one; `true` where it is new.
    pub(crate) fn register(&mut self, merchant: &str, change: SellerChange) -> (SellerAt, bool) {
        let known = self.seller(merchant);
        let at = known.unwrap_or_else(|| self.new_seller(merchant));
        let seller = &mut self[at];
        let set = |field: &mut String, value: Option<String>| {
            if let Some(value) = value {
                *field = value;
            }
        };
        set(&mut seller.access_key, change.access_key);
        set(&mut seller.secret_key, change.secret_key);
        set(&mut seller.client_id, change.client_id);
        set(&mut seller.client_secret, change.client_secret);
        let set = |field: &mut Option<String>, value: Option<String>| {
            if value.is_some() {
                *field = value;
            }
        };
        set(&mut seller.mws_auth_token, change.mws_auth_token);
        set(&mut seller.public_key_id, change.public_key_id);
        set(&mut seller.public_key, change.public_key);
        set(&mut seller.store_id, change.store_id);
        set(&mut seller.ipn_url, change.ipn_url);
        seller.active = change.active.unwrap_or(seller.active);
        seller.region = change.region.unwrap_or(seller.region);
        if let Some(keys) = change.upgrade_keys {
            seller.upgrade_keys = keys;
        }
        (at, known.is_none())
    }

    fn new_seller(&mut self, merchant: &str) -> SellerAt {
        let at = SellerAt(self.sellers.len());
        let seller = Seller {
            merchant_id: merchant.to_owned(),
            access_key: format!("AKIA{}", self.ids.capitals(16)),
            secret_key: self.ids.hex(40),
            mws_auth_token: None,
            client_id: format!("amzn1.application-oa2-client.{}", self.ids.hex(32)),
            client_secret: self.ids.hex(64),
            public_key_id: None,
            public_key: None,
            store_id: None,
            ipn_url: None,
            active: true,
            region: Region::default(),
            upgrade_keys: Vec::new(),
            orders: Vec::new(),
        };
        self.sellers.push(seller);
        self.by_merchant.insert(merchant.to_owned(), at);
        at
    }

    /// The seller of this merchant id.
    pub(crate) fn seller(&self, merchant: &str) -> Option<SellerAt> {
        self.by_merchant.get(merchant).copied()
    }

    /// Who signs with this access key: of several, the one that is named, else the first.
    pub(crate) fn signer(&self, access_key: &str, merchant: &str) -> Option<SellerAt> {
        let holds = |at: &SellerAt| self[*at].access_key == access_key;
        self.seller(merchant).filter(holds).or_else(|| {
            // Only a call that is about to be refused comes here: no index is worth its upkeep.
            (0..self.sellers.len()).map(SellerAt).find(holds)
        })
    }
}
