//! What a buyer leaves at a lander: a reference in Draft, or a checkout session that was approved,
//! by the API that the MID speaks; and what a lander makes of a session that it completes itself.

use reqwest::Method;
use serde_json::{Value, json};

use super::app::App;
use super::sim::Reference;
use super::v2;

/// The buyer of whom nothing else is said.
pub(crate) fn ada() -> Value {
    json!({ "name": "Ada Lovelace", "email": "ada@example.com" })
}

/// The currency of a MID's region.
fn currency(mid: &Value) -> &'static str {
    match mid["region"].as_str().expect("region") {
        "na" => "USD",
        "eu" => "EUR",
        "uk" => "GBP",
        "jp" => "JPY",
        other => panic!("{other} is no region"),
    }
}

/// An amount and its currency.
pub(crate) type Price<'a> = (&'a str, &'a str);

fn price((amount, currency): Price<'_>) -> Value {
    json!({ "amount": amount, "currencyCode": currency })
}

impl App {
    /// For an order of 29.95 at the first MID; `plan` as in the contract, or null.
    pub(crate) async fn reference(&self, plan: Value) -> Reference {
        self.reference_of("29.95", plan).await
    }

    /// The same for an order of this amount.
    pub(crate) async fn reference_of(&self, amount: &str, plan: Value) -> Reference {
        self.reference_at(&self.mid, amount, plan).await
    }

    /// The same at another MID; it may be one that the program does not know.
    pub(crate) async fn reference_at(&self, mid: &Value, amount: &str, plan: Value) -> Reference {
        self.reference_from(&ada(), mid, (amount, currency(mid)), plan).await
    }

    /// The same of another buyer, in any currency.
    pub(crate) async fn reference_from(
        &self,
        buyer: &Value,
        mid: &Value,
        price: Price<'_>,
        plan: Value,
    ) -> Reference {
        if mid["api"] == "mws" {
            let seller = mid["merchantId"].as_str().expect("merchantId");
            return self.sim.order_reference_from(buyer, seller, plan).await;
        }
        let asked = once(mid, "Confirm", price);
        self.sim.checkout_session(&v2::Account::of(mid), buyer, &asked, plan).await
    }

    /// An approved checkout session of the first MID, with this intent and amount.
    pub(crate) async fn session(&self, intent: &str, amount: &str, plan: Value) -> Reference {
        self.session_at(&self.mid, intent, amount, plan).await
    }

    /// The same of another MID.
    pub(crate) async fn session_at(
        &self,
        mid: &Value,
        intent: &str,
        amount: &str,
        plan: Value,
    ) -> Reference {
        let asked = once(mid, intent, (amount, currency(mid)));
        self.sim.checkout_session(&v2::Account::of(mid), &ada(), &asked, plan).await
    }

    /// A permission for one sale of 29.95, as a lander leaves it that completed its session itself.
    pub(crate) async fn permission(&self, plan: Value) -> Reference {
        let session = self.session("Confirm", "29.95", plan).await;
        self.completed(&self.mid, session, "29.95").await
    }

    /// A permission for many charges.
    pub(crate) async fn standing_permission(&self, plan: Value) -> Reference {
        self.standing_permission_at(&self.mid, plan).await
    }

    /// The same of another MID.
    pub(crate) async fn standing_permission_at(&self, mid: &Value, plan: Value) -> Reference {
        let asked = standing(mid, "Confirm", ("29.95", currency(mid)));
        let session = self.sim.checkout_session(&v2::Account::of(mid), &ada(), &asked, plan).await;
        self.completed(mid, session, "29.95").await
    }

    /// An approved checkout session of 29.95 at the first MID whose buyer agrees to later charges.
    pub(crate) async fn standing_session(&self, intent: &str, plan: Value) -> Reference {
        let asked = standing(&self.mid, intent, ("29.95", currency(&self.mid)));
        let account = v2::Account::of(&self.mid);
        self.sim.checkout_session(&account, &ada(), &asked, plan).await
    }

    async fn completed(&self, mid: &Value, session: Reference, amount: &str) -> Reference {
        let path = format!("checkoutSessions/{}/complete", session.id);
        let body = json!({ "chargeAmount": price((amount, currency(mid))) });
        let (account, call) = (v2::Account::of(mid), (Method::POST, path.as_str()));
        let done = v2::call(&self.sim.server, &account, call, None, &body).await.expect(200);
        let id = done["chargePermissionId"].as_str().unwrap().to_owned();
        Reference { id, token: session.token }
    }

    /// A billing agreement of the MID's seller in Draft, or a permission for many charges.
    pub(crate) async fn agreement_at(&self, mid: &Value, consent: bool, plan: Value) -> Reference {
        if mid["api"] == "v2" {
            return self.standing_permission_at(mid, plan).await;
        }
        let mut body =
            json!({ "merchantId": mid["merchantId"], "buyer": ada(), "consent": consent });
        if !plan.is_null() {
            body["plan"] = plan;
        }
        let made = self.sim.play("/billing-agreements", &body).await;
        let text = |name: &str| made[name].as_str().unwrap().to_owned();
        Reference { id: text("amazonBillingAgreementId"), token: text("accessToken") }
    }
}

/// What a merchant's back end asks a session for that is for one sale.
fn once(mid: &Value, intent: &str, amount: Price<'_>) -> Value {
    let details = json!({
        "paymentIntent": intent,
        "chargeAmount": price(amount),
        "allowOvercharge": true,
    });
    json!({ "storeId": mid["storeId"], "paymentDetails": details })
}

/// … and what for one whose buyer agrees to later charges.
pub(crate) fn standing(mid: &Value, intent: &str, amount: Price<'_>) -> Value {
    json!({
        "storeId": mid["storeId"],
        "chargePermissionType": "Recurring",
        "recurringMetadata": { "frequency": { "unit": "Variable", "value": "0" } },
        "paymentDetails": { "paymentIntent": intent, "chargeAmount": price(amount) },
    })
}
