//! What the demo's orders are played on: the buyer at (simulated) Amazon, and the lander and the
//! CRM at ingest, as HTTP calls like everybody else's.

use std::time::Duration;

use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};

use super::{MERCHANT, NAME};
use crate::cli::api_client::Fresh;
use crate::cli::failure::Failure;
use crate::cli::session::Session;

/// The longest that an order may take to reach its end.
const PATIENCE_TRIES: u32 = 300;
const ENDS: [&str; 4] = ["paid", "declined", "failed", "canceled"];
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// A reference as the widgets leave it.
pub(super) struct Reference {
    pub(super) id: String,
    pub(super) token: String,
}

/// The stage.
pub(super) struct Stage {
    http: Client,
    /// Where Amazon is.
    pub(super) amazon: String,
    /// Where ingest is.
    pub(super) ingest: String,
    /// Who calls.
    pub(super) client: Fresh,
    /// Ids of this start: orders of an earlier one are paid already.
    run: String,
}

impl Stage {
    pub(super) fn new(
        session: &Session,
        amazon: &str,
        ingest: &str,
        client: Fresh,
    ) -> Result<Self, Failure> {
        // No certificate is trusted, because none will be seen: everything is on this machine.
        let builder = Client::builder().timeout(Duration::from_secs(60)).tls_certs_only([]);
        let http =
            builder.build().map_err(|error| Failure::because("the demo's client", &error))?;
        let run = session.clock().random_hex(3);
        Ok(Self { http, amazon: amazon.to_owned(), ingest: ingest.to_owned(), client, run })
    }

    /// The id of an order of this start.
    pub(super) fn order_id(&self, number: u32) -> String {
        format!("{}-{number}", self.run)
    }

    /// Makes the MID's seller known at Amazon.
    pub(super) async fn seller(&self, mid: &Value) -> Result<(), Failure> {
        let mut seller = json!({ "merchantId": MERCHANT });
        for name in ["accessKey", "secretKey", "clientId", "clientSecret", "region"] {
            seller[name] = mid[name].clone();
        }
        seller["ipnUrl"] = json!(format!("{}/ipn", self.ingest));
        self.play("/sellers", &seller).await.map(drop)
    }

    async fn play(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.http.post(format!("{}/_sim{path}", self.amazon));
        answer(request.body(body.to_string())).await
    }

    /// The buyer goes through the widgets.
    pub(super) async fn reference(&self, name: &str, plan: Value) -> Result<Reference, Failure> {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        let buyer = json!({ "name": name, "email": email });
        let body = json!({ "merchantId": MERCHANT, "buyer": buyer, "plan": plan });
        let made = self.play("/order-references", &body).await?;
        let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
        Ok(Reference { id: text("amazonOrderReferenceId"), token: text("accessToken") })
    }

    /// The same for an agreement to later charges.
    pub(super) async fn agreement(&self, name: &str, plan: Value) -> Result<Reference, Failure> {
        let email = format!("{}@example.com", name.to_lowercase().replace(' ', "."));
        let buyer = json!({ "name": name, "email": email });
        let body = json!({ "merchantId": MERCHANT, "buyer": buyer, "plan": plan });
        let made = self.play("/billing-agreements", &body).await?;
        let text = |field: &str| made[field].as_str().unwrap_or_default().to_owned();
        Ok(Reference { id: text("amazonBillingAgreementId"), token: text("accessToken") })
    }

    /// The buyer puts the payment method right.
    pub(super) async fn mend(&self, reference: &Reference) -> Result<(), Failure> {
        let path = format!("/objects/{}/payment-method", reference.id);
        self.play(&path, &json!({ "valid": true })).await.map(drop)
    }

    /// A lander's call on one of the CRM's paths.
    pub(super) async fn lander(
        &self,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Result<Value, Failure> {
        let request = self.http.post(format!("{}{path}", self.ingest));
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        answer(request.body(self.form(fields))).await
    }

    fn form(&self, fields: &[(&str, &str)]) -> String {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields);
        form.append_pair("amazonBillerId", NAME);
        form.append_pair("loginId", &self.client.login_id);
        form.append_pair("password", &self.client.password);
        form.finish()
    }

    /// A call of the project's own API.
    pub(super) async fn api(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.http.post(format!("{}{path}", self.ingest));
        let request = request.bearer_auth(&self.client.api_key);
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// The same, waiting for what comes of it.
    pub(super) async fn api_and_wait(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let request = self.http.post(format!("{}{path}", self.ingest));
        let request = request.bearer_auth(&self.client.api_key).header("prefer", "wait=30");
        answer(request.header("content-type", "application/json").body(body.to_string())).await
    }

    /// The payment at this path, once it stands as `wanted` or at another end; whatever it is when
    /// patience ends.
    pub(super) async fn reached(&self, path: &str, wanted: &str) -> Result<Value, Failure> {
        let mut payment = Value::Null;
        for _ in 0..PATIENCE_TRIES {
            let request = self.http.get(format!("{}{path}", self.ingest));
            payment = answer(request.bearer_auth(&self.client.api_key)).await?;
            let status = payment["status"].as_str().unwrap_or_default();
            if status == wanted || ENDS.contains(&status) {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
        }
        Ok(payment)
    }

    /// Waits until ingest takes orders.
    pub(super) async fn ready(&self) -> Result<(), Failure> {
        self.reached("/readyz", "ready").await.map(drop)
    }
}

async fn answer(request: RequestBuilder) -> Result<Value, Failure> {
    let failed = |error| Failure::because("a call of the demo", &error);
    let answer = request.send().await.map_err(failed)?;
    let text = answer.text().await.map_err(failed)?;
    serde_json::from_str(&text)
        .map_err(|_| Failure::new(format!("a call of the demo was answered without JSON: {text}")))
}
