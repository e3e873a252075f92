//! Commands as fields again, in one canonical form: what is published, what is published again
//! sealed, and (but for how an amount is written) what the fingerprint is taken of. Personal data
//! is never among these fields.

use serde_json::{Map, Value, json};

use super::command::{
    Biller, ChargeCommand, CloseAgreement, Command, OperationCommand, SaleCommand, Wanted,
};
use super::time::rfc3339;
use crate::domain::command::{Subject, Texts};
use crate::domain::money::Money;

struct Out(Map<String, Value>);

impl Out {
    fn put(&mut self, name: &str, value: impl ToString) {
        self.0.insert(name.to_owned(), Value::String(value.to_string()));
    }

    fn put_some<T: ToString>(&mut self, name: &str, value: Option<&T>) {
        if let Some(value) = value {
            self.put(name, value.to_string());
        }
    }

    fn money(&mut self, money: Money) {
        self.put("amount", money.amount());
        self.put("currency", money.currency());
    }

    fn subject(&mut self, subject: &Subject) {
        match subject {
            Subject::Order(order) => self.put("orderId", order),
            Subject::Upsell(order, upsell) => {
                self.put("orderId", order);
                self.put("upsellId", upsell);
            }
            Subject::Charge(charge) => self.put("chargeId", charge),
        }
    }

    fn texts(&mut self, texts: &Texts) {
        self.put_some("softDescriptor", texts.soft_descriptor.as_ref());
        self.put_some("note", texts.note.as_ref());
        self.put_some("customInformation", texts.custom_information.as_ref());
        self.put_some("storeName", texts.store_name.as_ref());
        if let Some(cycle) = &texts.cycle {
            self.0.insert("cycle".to_owned(), cycle_value(cycle));
        }
    }
}

/// A billing cycle as it was sent: it is kept as its JSON literal.
pub(super) fn cycle_value(cycle: &str) -> Value {
    serde_json::from_str(cycle).unwrap_or_else(|_| Value::String(cycle.to_owned()))
}

/// The fields of a command as they are published: an amount whose currency only the payment knows
/// keeps its fraction, be it `.00`, because yen has none.
pub(super) fn as_written(command: &Command) -> Map<String, Value> {
    let mut out = Out(fields(command));
    if let Command::Operation(operation) = command
        && let Wanted { hundredths: Some(hundredths), fraction: true, .. } = operation.wanted
    {
        out.put("amount", format!("{}.{:02}", hundredths / 100, hundredths % 100));
    }
    out.0
}

/// The fields of a command.
pub(super) fn fields(command: &Command) -> Map<String, Value> {
    let mut out = Out(Map::new());
    match command {
        Command::Sale(sale) => sale_fields(&mut out, sale),
        Command::Charge(charge) => charge_fields(&mut out, charge),
        Command::Operation(operation) => operation_fields(&mut out, operation),
        Command::CloseAgreement(close) => close_fields(&mut out, close),
    }
    out.0
}

fn sale_fields(out: &mut Out, sale: &SaleCommand) {
    let draft = &sale.draft;
    match &sale.biller {
        Biller::Named(mid) => out.put("amazonBillerId", mid),
        // It stands in the sealed part.
        Biller::OfOrder { .. } => {}
    }
    out.subject(&draft.subject);
    out.put_some("amazonOrderId", draft.reference.as_ref());
    out.money(draft.amount);
    out.put("paySource", "AMAZON");
    out.put("capture", draft.capture.as_str());
    out.put("authorization", draft.authorization.as_str());
    out.texts(&draft.texts);
    out.0.insert("recurring".to_owned(), json!({ "initialCharge": draft.initial_charge }));
}

fn charge_fields(out: &mut Out, charge: &ChargeCommand) {
    out.put("amazonBillerId", &charge.key.mid);
    out.subject(&charge.key.subject);
    out.put("amazonBillingAgreementId", &charge.agreement);
    out.money(charge.amount);
    out.put_some("orderId", charge.order.as_ref());
    out.put_some("notBefore", charge.not_before.map(rfc3339).as_ref());
    out.texts(&charge.texts);
}

fn operation_fields(out: &mut Out, operation: &OperationCommand) {
    out.put("amazonBillerId", &operation.key.mid);
    out.subject(&operation.key.subject);
    out.put("requestId", &operation.request);
    let Wanted { hundredths, currency, fraction: _ } = operation.wanted;
    if let Some(hundredths) = hundredths {
        // Without a fraction where it has none: the currency may be yen.
        let (whole, cents) = (hundredths / 100, hundredths % 100);
        out.put(
            "amount",
            if cents == 0 { whole.to_string() } else { format!("{whole}.{cents:02}") },
        );
    }
    out.put_some("currency", currency.as_ref());
    out.put_some("reason", operation.reason.as_ref());
}

fn close_fields(out: &mut Out, close: &CloseAgreement) {
    out.put("amazonBillerId", &close.mid);
    out.put("amazonBillingAgreementId", &close.agreement);
    out.put("requestId", &close.request);
    out.put_some("reason", close.reason.as_ref());
}
