//! A merchant account (MID) without its secrets: what the core needs to judge a command.

use super::ids::MerchantAccountId;
use super::money::Currency;

/// Where the merchant is registered at Amazon.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Region {
    /// North America.
    Na,
    /// Euro zone.
    Eu,
    /// United Kingdom.
    Uk,
    /// Japan.
    Jp,
}

impl Region {
    /// Every region.
    pub const ALL: [Region; 4] = [Region::Na, Region::Eu, Region::Uk, Region::Jp];

    /// `na`, `eu`, `uk`, `jp`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Region::Na => "na",
            Region::Eu => "eu",
            Region::Uk => "uk",
            Region::Jp => "jp",
        }
    }

    /// Reads [`Region::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|region| region.as_str() == text)
    }

    /// The currency of the region's ledger, meant where none is named.
    #[must_use]
    pub const fn currency(self) -> Currency {
        match self {
            Region::Na => Currency::USD,
            Region::Eu => Currency::EUR,
            Region::Uk => Currency::GBP,
            Region::Jp => Currency::JPY,
        }
    }

    /// Whether Amazon takes this currency in the region.
    #[must_use]
    pub const fn has(self, currency: Currency) -> bool {
        match self {
            Region::Na => matches!(currency, Currency::USD),
            Region::Jp => matches!(currency, Currency::JPY),
            Region::Eu | Region::Uk => true,
        }
    }
}

/// Which of Amazon's APIs a merchant account speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Api {
    /// XML with Signature Version 2.
    Mws,
    /// JSON with RSA-PSS.
    V2,
}

impl Api {
    /// `mws` or `v2`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Api::Mws => "mws",
            Api::V2 => "v2",
        }
    }

    /// Whether a reference comes to us opened by the buyer, or in Draft, to be set and confirmed.
    #[must_use]
    pub const fn references_come_open(self) -> bool {
        match self {
            Api::Mws => false,
            Api::V2 => true,
        }
    }

    /// Whether Amazon judges a call as if for the first time while an earlier try of it is still at
    /// work, and keeps its "no" under the call's key: then such a "no" says nothing of that try.
    #[must_use]
    pub const fn keeps_refusals(self) -> bool {
        match self {
            Api::Mws => false,
            Api::V2 => true,
        }
    }

    /// By which API something goes on that was begun by this one, for an account that speaks
    /// `now`: what MWS made is known to both, what v2 made to v2 alone.
    #[must_use]
    pub const fn goes_on_by(self, now: Api) -> Api {
        match self {
            Api::Mws => now,
            Api::V2 => Api::V2,
        }
    }

    /// Reads [`Api::as_str`] back.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Api::Mws, Api::V2].into_iter().find(|api| api.as_str() == text)
    }
}

/// When the worker authorizes again by itself after the buyer mended the payment method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reauthorize {
    /// Off by default: CRMs run their own recycling.
    pub enabled: bool,
    /// How long after the decline, in seconds.
    pub window_s: u64,
    /// How many times.
    pub max: u32,
}

/// A merchant account as the core sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MerchantAccount {
    /// The contract's `amazonBillerId`.
    pub id: MerchantAccountId,
    /// Its name for people.
    pub title: String,
    /// What buyers read on their statement unless a command says otherwise, at most 16 characters.
    pub soft_descriptor: Option<String>,
    /// The CRM's "MID #".
    pub mid_number: Option<String>,
    /// Where it is registered.
    pub region: Region,
    /// Amazon's sandbox instead of live.
    pub sandbox: bool,
    /// Which API it speaks.
    pub api: Api,
    /// Amazon's merchant (seller) id.
    pub seller_id: String,
    /// A disabled account takes nothing new.
    pub enabled: bool,
    /// Re-authorization by itself.
    pub reauthorize: Reauthorize,
    /// Changes with every change of the row; a rotated or tested account is heard of by it.
    pub revision: i64,
}

impl MerchantAccount {
    /// The seller account in its environment: one quota, one name space of references, through
    /// whichever MID it is used.
    #[must_use]
    pub fn seller_account(&self) -> String {
        let environment = if self.sandbox { "sandbox" } else { "live" };
        [self.region.as_str(), environment, self.seller_id.as_str()].join("/")
    }
}
