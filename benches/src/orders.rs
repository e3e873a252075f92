//! Seller accounts, orders, and what Amazon would call them: every id follows from the run and the
//! number of an order, so that driver and stub know without a word what belongs together.

use serde_json::{Value, json};

use crate::queues::Subject;
use crate::{pss, sign};

/// Seller accounts that the orders are spread over: one alone may not fill the worker.
pub(crate) const ACCOUNTS: usize = 8;

/// A seller account by MWS.
pub(crate) fn merchant(account: usize) -> Value {
    json!({
        "id": format!("bench-{account}"),
        "title": format!("Bench {account}"),
        "descriptor": "BENCH",
        "midNumber": "1",
        "region": "na",
        "sandbox": true,
        "api": "mws",
        "merchantId": format!("A1BENCH{account}"),
        "accessKey": "AKIABENCH",
        "secretKey": sign::SECRET,
        "clientId": "amzn1.application-oa2-client.bench",
        "clientSecret": "bench-client-secret",
    })
}

/// One by API v2.
pub(crate) fn merchant_of_v2(account: usize) -> Value {
    json!({
        "id": format!("bench-v2-{account}"),
        "title": format!("Bench {account}, API v2"),
        "descriptor": "BENCH",
        "midNumber": "1",
        "region": "na",
        "sandbox": true,
        "api": "v2",
        "merchantId": format!("A1BENCHV2{account}"),
        "publicKeyId": format!("SANDBOX-BENCH{account:019}"),
        "privateKey": pss::PRIVATE,
        "storeId": "amzn1.application-oa2-client.bench",
    })
}

/// A live account with its own quotas.
pub(crate) fn live_merchant(account: usize) -> Value {
    let mut merchant = merchant(account);
    merchant["id"] = live_merchant_id(account).into();
    merchant["sandbox"] = false.into();
    merchant["merchantId"] = format!("A1LIVE{account}").into();
    merchant
}

/// Its id.
pub(crate) fn live_merchant_id(account: usize) -> String {
    format!("live-{account}")
}

/// The id of an order.
pub(crate) fn order_id(run: u32, number: usize) -> String {
    format!("b{run}-{number:06}")
}

/// What an order comes to.
pub(crate) fn total(number: usize) -> String {
    format!("{}.99", 10 + number % 90)
}

/// A checkout session of API v2, and what is made of it: every id follows from run and number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Session {
    run: u32,
    pub(crate) number: usize,
}

impl Session {
    pub(crate) fn id(self) -> String {
        format!("{:08}-0000-4000-8000-{:012}", self.run, self.number)
    }

    pub(crate) fn permission(self) -> String {
        format!("S01-{:07}-{:07}", self.run, self.number)
    }

    pub(crate) fn charge(self) -> String {
        format!("{}-C000001", self.permission())
    }

    pub(crate) fn of_id(id: &str) -> Option<Self> {
        let (run, rest) = id.split_once('-')?;
        let (_, number) = rest.rsplit_once('-')?;
        Some(Self { run: run.parse().ok()?, number: number.parse().ok()? })
    }

    pub(crate) fn of_permission(id: &str) -> Option<Self> {
        let (run, number) = id.strip_prefix("S01-")?.split_once('-')?;
        Some(Self { run: run.parse().ok()?, number: number.parse().ok()? })
    }
}

/// A command as the CRM would send it.
pub(crate) fn command(subject: Subject, run: u32, number: usize) -> String {
    let account = number % ACCOUNTS;
    let (merchant, reference) = match subject {
        Subject::Worker | Subject::Bare => {
            (format!("bench-{account}"), format!("S01-{run:07}-{number:07}"))
        }
        Subject::WorkerV2 => (format!("bench-v2-{account}"), Session { run, number }.id()),
    };
    order(&order_id(run, number), &merchant, &reference, &total(number)).to_string()
}

/// An order of the CRM.
pub(crate) fn order(id: &str, merchant: &str, reference: &str, amount: &str) -> Value {
    json!({
        "orderId": id,
        "amazonBillerId": merchant,
        "amazonOrderId": reference,
        "amount": amount,
        "currency": "USD",
        "paySource": "AMAZON",
        "firstName": "Ada",
        "lastName": "Lovelace",
        "emailAddress": "ada@example.com",
    })
}
