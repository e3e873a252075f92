//! Ten months of five hundred subscriptions, in a minute: real worker, store, broker and client of
//! MWS against the simulator, on one clock that the test moves. After each month Amazon's ledger
//! and the events must agree to the cent. `MONTHS_SEED=…` draws other months.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test stops where it fails")]
#![allow(clippy::disallowed_methods, reason = "the seed is the machine's choice, not a setting")]
#![allow(missing_docs, reason = "nobody links against a test")]

mod books;
#[path = "../model/broker.rs"]
#[allow(dead_code, reason = "nobody dies here")]
mod broker;
mod draw;
#[path = "../model/life.rs"]
#[allow(dead_code, reason = "nobody dies here")]
mod life;
#[path = "../model/quiet.rs"]
mod quiet;
mod session;
#[path = "../model/store.rs"]
mod store;
#[path = "../support/mod.rs"]
mod support;
mod told;
mod world;

use std::collections::HashMap;

use draw::{Subscription, text};
use serde_json::{Value, json};
use support::chance::Chance;
use time::{Date, Month};
use told::{Sums, Told};
use world::{Mid, World};

const SUBSCRIPTIONS: usize = 500;
const MIDS: usize = 10;
const MONTHS: u8 = 10;
const YEAR: i32 = 2031;
/// Longer than from the first of a month until the buyers mend their methods.
pub(crate) const REAUTHORIZED_WITHIN_S: u64 = 20 * 86_400;

const MINUTES: i64 = 60;

/// The beginning of a day of the story, in milliseconds since the epoch.
fn day(month: u8, day: u8) -> i64 {
    let month = Month::try_from(month + 1).unwrap();
    let date = Date::from_calendar_date(YEAR, month, day).unwrap();
    date.midnight().assume_utc().unix_timestamp() * 1_000
}

/// What the CRM knows, and what it does.
struct Story {
    chance: Chance,
    world: World,
    mids: Vec<Mid>,
    subscriptions: Vec<Subscription>,
    told: Told,
    /// Payments of each subscription, by month.
    payments: Vec<Vec<Vec<String>>>,
    /// The command of each payment, to be sent again.
    commands: HashMap<String, (&'static str, Value)>,
    /// What was asked back: payment and request.
    refunds: Vec<(String, String)>,
    /// When an agreement was closed, and whether the CRM had asked for it.
    closed: HashMap<String, (u8, bool)>,
    messages: u64,
    /// What was told of each agreement when the month began, and how long the ledger was.
    before: HashMap<String, Sums>,
    ledger_read: usize,
}

impl Story {
    async fn begin(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let mids: Vec<Mid> = (0..MIDS).map(Mid::new).collect();
        let world = World::start(seed, &mids, day(0, 1) + 1_000).await;
        let subscriptions: Vec<Subscription> = (0..SUBSCRIPTIONS)
            .map(|number| Subscription::draw(number, MIDS, &mut chance))
            .collect();
        Self {
            chance,
            world,
            mids,
            payments: vec![vec![Vec::new(); usize::from(MONTHS)]; SUBSCRIPTIONS],
            subscriptions,
            told: Told::default(),
            commands: HashMap::new(),
            refunds: Vec::new(),
            closed: HashMap::new(),
            messages: 0,
            before: HashMap::new(),
            ledger_read: 0,
        }
    }

    fn message(&mut self) -> String {
        self.messages += 1;
        format!("crm:{}", self.messages)
    }

    fn listen(&mut self) {
        for document in self.world.heard() {
            self.told.hear(document);
        }
    }

    async fn wait(&mut self, seconds: i64) {
        self.world.wait(seconds).await;
        self.listen();
    }

    async fn wait_until(&mut self, at: i64) {
        self.world.wait_until(at).await;
        self.listen();
    }

    /// Sends commands; some of them again, under the same message id or under another.
    async fn send(&mut self, commands: Vec<(&'static str, Value)>) {
        for (key, body) in commands {
            let id = self.message();
            if self.chance.percent(3) {
                self.world.send(key, id.clone(), &body);
            }
            if self.chance.percent(3) {
                let other = self.message();
                self.world.send(key, other, &body);
            }
            self.world.send(key, id, &body);
        }
        self.world.calm().await;
        self.listen();
    }

    /// A payment of this month that was never asked for before.
    fn note(&mut self, number: usize, month: u8, id: &str, key: &'static str, body: Value) {
        self.payments[number][usize::from(month)].push(id.to_owned());
        self.commands.insert(id.to_owned(), (key, body));
    }

    /// Everybody agrees, and most are charged at once.
    async fn sign_up(&mut self) {
        let mut orders = Vec::new();
        for number in 0..SUBSCRIPTIONS {
            let Self { chance, subscriptions, mids, world, .. } = self;
            let subscription = &mut subscriptions[number];
            let mid = &mids[subscription.mid];
            let mut body = json!({ "merchantId": mid.seller(), "sandbox": false });
            body["plan"] = subscription.plan(chance);
            let made = world.play("/billing-agreements", &body).await;
            let text_of = |name: &str| made[name].as_str().unwrap().to_owned();
            subscription.agreement = text_of("amazonBillingAgreementId");
            subscription.token = text_of("accessToken");
            let order = json!({
                "orderId": subscription.order(),
                "amazonBillerId": mid.id,
                "amazonOrderId": subscription.agreement,
                "amazonAddressConsent": subscription.token,
                "amount": text(subscription.price),
                "currency": "USD",
                "recurring": { "initialCharge": subscription.charged_at_once },
            });
            let id = subscription.order();
            self.note(number, 0, &id, "order.import", order.clone());
            orders.push(("order.import", order));
        }
        self.send(orders).await;
    }

    /// The billing scheduler at midnight.
    async fn charge(&mut self, month: u8) {
        let mut charges = Vec::new();
        for number in 0..SUBSCRIPTIONS {
            let subscription = &self.subscriptions[number];
            if subscription.is_over {
                continue;
            }
            for cycle in 0..subscription.charges {
                let subscription = &self.subscriptions[number];
                let id = format!("c-{number}-{month}-{cycle}");
                let mut charge = json!({
                    "chargeId": id,
                    "amazonBillerId": self.mids[subscription.mid].id,
                    "amazonBillingAgreementId": subscription.agreement,
                    "amount": text(subscription.price),
                    "currency": "USD",
                    "orderId": subscription.order(),
                    "cycle": format!("{month}/{cycle}"),
                });
                if self.chance.percent(10) {
                    charge["notBefore"] = json!(format!("{YEAR}-{:02}-04T00:00:00Z", month + 1));
                }
                self.note(number, month, &id, "charge.recurring", charge.clone());
                charges.push(("charge.recurring", charge));
            }
        }
        self.send(charges).await;
    }

    /// Some of those who were paid want money back: of this month, or of the one before.
    async fn refund(&mut self, month: u8) {
        let mut asked = Vec::new();
        for number in 0..SUBSCRIPTIONS {
            for (of, percent) in [(month, 12), (month.saturating_sub(1), 3)] {
                for id in self.payments[number][usize::from(of)].clone() {
                    let sums = self.told.payment(&id).sums;
                    if sums.captured == 0 || !self.chance.percent(percent) {
                        continue;
                    }
                    for amount in draw::refunds(sums.captured, &mut self.chance) {
                        let request = format!("r-{}", self.refunds.len());
                        let mid = &self.mids[self.subscriptions[number].mid].id;
                        let mut body = json!({ "amazonBillerId": mid, "requestId": request });
                        let of = if id.starts_with('o') { "orderId" } else { "chargeId" };
                        body[of] = json!(id);
                        if let Some(cents) = amount {
                            body["amount"] = json!(text(cents));
                        }
                        self.refunds.push((id.clone(), request));
                        asked.push(("refund.request", body));
                    }
                }
            }
        }
        self.send(asked).await;
    }

    /// Buyers mend their payment methods, and the CRM charges again where the worker does not.
    /// Those that were begun again by themselves, and in which epoch each had waited.
    async fn mend(&mut self, month: u8) -> Vec<(String, u64)> {
        let mut mended = Vec::new();
        for number in 0..SUBSCRIPTIONS {
            let agreement = self.subscriptions[number].agreement.clone();
            if self.told.agreement(&agreement) == "suspended" && self.chance.percent(75) {
                let path = format!("/objects/{agreement}/payment-method");
                self.world.play(&path, &json!({ "valid": true })).await;
                mended.push(number);
            }
        }
        let waiting = |story: &Self, number: &usize| -> Vec<(String, u64)> {
            let ids = story.payments[*number][usize::from(month)].iter();
            let of = |id: &String| (id.clone(), story.told.payment(id).epoch());
            let waits = |id: &&String| story.told.payment(id).waits_for_the_buyer();
            ids.filter(waits).map(of).collect()
        };
        let before: Vec<Vec<(String, u64)>> =
            mended.iter().map(|number| waiting(self, number)).collect();
        // What is suspended is looked at four times a day at least; what fails inside Amazon then
        // is asked for again, twice.
        self.wait(361 * MINUTES).await;
        self.wait(10 * MINUTES).await;
        self.wait(10 * MINUTES).await;
        let (mut again, mut begun) = (Vec::new(), Vec::new());
        for (number, before) in mended.iter().zip(before) {
            let subscription = &self.subscriptions[*number];
            let news = &self.told.agreements[&subscription.agreement];
            assert!(news.iter().any(|news| news == "reopened"), "{number}: {news:?}");
            let by_itself = self.mids[subscription.mid].reauthorizes;
            for (id, epoch) in before {
                // One may still wait for what another of the agreement does to the month.
                let grown = self.world.epoch(&id) > epoch;
                assert_eq!(grown, by_itself, "{id} waited in epoch {epoch}");
                if !by_itself && self.chance.percent(80) {
                    again.push(self.commands[&id].clone());
                }
                if by_itself {
                    begun.push((id, epoch));
                }
            }
        }
        self.send(again).await;
        begun
    }

    /// The CRM closes some agreements, and some buyers do it at Amazon's.
    async fn close(&mut self, month: u8) {
        let mut closings = Vec::new();
        for number in 0..SUBSCRIPTIONS {
            let subscription = &self.subscriptions[number];
            let agreement = subscription.agreement.clone();
            if subscription.is_over || self.closed.contains_key(&agreement) {
                continue;
            }
            match self.chance.below(100) {
                0 => {
                    let mid = &self.mids[subscription.mid].id;
                    closings.push((
                        "agreement.close",
                        json!({
                            "amazonBillingAgreementId": agreement,
                            "amazonBillerId": mid,
                            "requestId": "bye",
                        }),
                    ));
                    self.closed.insert(agreement, (month, true));
                }
                1 => {
                    let path = format!("/objects/{agreement}/close");
                    self.world.play(&path, &json!({ "reason": "BuyerClosed" })).await;
                    self.closed.insert(agreement, (month, false));
                }
                _ => {}
            }
        }
        self.send(closings).await;
    }

    /// What is over is charged no more; of what a buyer closed, one charge learns that.
    fn leave(&mut self, month: u8) {
        for subscription in &mut self.subscriptions {
            let order = self.told.payment(&subscription.order()).status();
            let closed = self.closed.get(&subscription.agreement);
            let is_closed = closed.is_some_and(|(at, asked)| *asked || *at < month);
            subscription.is_over |= is_closed || !matches!(order, "paid" | "authorized");
        }
    }

    async fn live(&mut self, month: u8) {
        match month {
            0 => self.sign_up().await,
            _ => self.charge(month).await,
        }
        // What failed inside Amazon is asked for again, twice; what is pending is decided.
        self.wait(10 * MINUTES).await;
        self.wait(10 * MINUTES).await;
        self.wait_until(day(month, 4) + 1_000).await;
        self.wait(10 * MINUTES).await;
        self.wait_until(day(month, 10)).await;
        self.refund(month).await;
        let begun = self.mend(month).await;
        self.wait(10 * MINUTES).await;
        self.wait(10 * MINUTES).await;
        self.wait_until(day(month, 25)).await;
        for (id, epoch) in begun {
            assert!(self.told.payment(&id).epoch() > epoch, "{id} was begun again and never told");
        }
        self.close(month).await;
        self.leave(month);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_months_of_subscriptions_agree_with_the_ledger_to_the_cent() {
    let seed = std::env::var("MONTHS_SEED").map_or(5, |text| text.parse().unwrap());
    eprintln!("seed {seed}");
    let mut story = Story::begin(seed).await;
    for month in 0..MONTHS {
        if month > 0 {
            story.wait_until(day(month, 1) + 1_000).await;
        }
        story.live(month).await;
        story.agree(month).await;
    }
    story.judge_the_whole();
}
