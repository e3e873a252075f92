//! Which fields each command has, and what they become. The only list of them in code; the JSON
//! Schemas are the same list for producers, and a test holds the two together.

use serde_json::{Map, Value};

use super::command::{
    Biller, ChargeCommand, CloseAgreement, Command, OperationCommand, OperationKind, SaleCommand,
    SaleDraft, Wanted,
};
use super::fields::{Fields, currency};
use super::personal::{Personal, SEALED, Wire, both_forms};
use super::time::parse_rfc3339;
use crate::domain::command::{AuthorizationMode, CaptureMode, Kind, PaymentKey, Subject, Texts};
use crate::domain::decline::FieldError;
use crate::domain::ids::{ChargeId, MerchantAccountId, OrderId, ReferenceId, RequestId, UpsellId};
use crate::domain::money::{Currency, Money};
use crate::domain::operation::hundredths;

/// The largest number of characters of texts that have no bound of their own.
const ANY: usize = usize::MAX;

/// What a body comes to.
pub(super) struct Reading {
    /// The command; none only where something is wrong.
    pub(super) command: Option<Command>,
    /// What is wrong.
    pub(super) errors: Vec<FieldError>,
    /// Fields that the command does not have.
    pub(super) unknown: Vec<FieldError>,
}

/// Reads the fields of the command that `routing_key` names. `sealed` is what was sealed beside
/// them, `client` the client of ingest among whose accounts an upsell's order may be sought.
pub(super) fn command(
    routing_key: &str,
    values: &Map<String, Value>,
    sealed: Option<Wire>,
    client: Option<String>,
) -> Reading {
    let told = Told { values, sealed, client };
    let mut fields = Fields::new(values);
    let command = match routing_key {
        "order.import" => sale(&mut fields, Kind::Order, told),
        "upsell.import" => sale(&mut fields, Kind::Upsell, told),
        "charge.recurring" => charge(&mut fields),
        "capture.request" => operation(&mut fields, OperationKind::Capture),
        "refund.request" => operation(&mut fields, OperationKind::Refund),
        "cancel.request" => operation(&mut fields, OperationKind::Cancel),
        "agreement.close" => close_agreement(&mut fields),
        // Said by whoever looked at the properties.
        _ => None,
    };
    Reading { command, unknown: fields.unknown(), errors: fields.errors }
}

/// What a sale is told beside its fields.
struct Told<'a> {
    values: &'a Map<String, Value>,
    sealed: Option<Wire>,
    client: Option<String>,
}

/// Every field is taken before anything is left, so that all that is wrong is told at once.
fn sale(fields: &mut Fields<'_>, kind: Kind, told: Told<'_>) -> Option<Command> {
    let order = fields.required("orderId", OrderId::new);
    let upsell = match kind {
        Kind::Upsell => fields.required("upsellId", UpsellId::new).map(Some),
        Kind::Order | Kind::Charge => Some(None),
    };
    let biller = biller(fields, kind, told.client);
    let reference = match kind {
        Kind::Upsell => Some(fields.optional("amazonOrderId", ReferenceId::new)),
        Kind::Order | Kind::Charge => fields.required("amazonOrderId", ReferenceId::new).map(Some),
    };
    let amount = fields.required_money();
    fields.word("paySource", (), |word| (word == "AMAZON").then_some(()), "AMAZON");
    let personal = personal(fields, told.values, told.sealed);
    let capture =
        fields.word("capture", CaptureMode::Immediate, CaptureMode::parse, "immediate or manual");
    let authorization = fields.word(
        "authorization",
        AuthorizationMode::SyncThenAsync,
        AuthorizationMode::parse,
        "sync_then_async, sync or async",
    );
    let texts = Texts {
        soft_descriptor: fields.words("softDescriptor", 16),
        note: fields.words("note", 255),
        custom_information: fields.words("customInformation", ANY),
        store_name: fields.words("storeName", ANY),
        cycle: None,
    };
    let initial_charge = recurring(fields);

    let subject = match upsell? {
        Some(upsell) => Subject::Upsell(order?, upsell),
        None => Subject::Order(order?),
    };
    let draft = SaleDraft {
        subject,
        reference: reference?,
        amount: amount?,
        capture: capture?,
        authorization: authorization?,
        initial_charge,
        texts,
    };
    Some(Command::Sale(Box::new(SaleCommand { biller: biller?, draft, personal })))
}

fn biller(fields: &mut Fields<'_>, kind: Kind, client: Option<String>) -> Option<Biller> {
    match client {
        Some(client) if kind == Kind::Upsell && !fields.has("amazonBillerId") => {
            Some(Biller::OfOrder { client })
        }
        _ => fields.required("amazonBillerId", MerchantAccountId::new).map(Biller::Named),
    }
}

fn personal(
    fields: &mut Fields<'_>,
    values: &Map<String, Value>,
    sealed: Option<Wire>,
) -> Personal {
    let clear = Personal::read(fields);
    if fields.text(SEALED).is_some() {
        fields.errors.append(&mut both_forms(values));
    }
    sealed.map_or(clear, Personal::from)
}

fn recurring(fields: &mut Fields<'_>) -> bool {
    let value = match fields.value("recurring") {
        None => return true,
        Some(Value::Object(members)) => members.get("initialCharge"),
        Some(_) => {
            fields.wrong("recurring", "must be an object");
            return true;
        }
    };
    match value {
        None | Some(Value::Null) => true,
        Some(Value::Bool(initial)) => *initial,
        Some(_) => {
            fields.wrong("recurring.initialCharge", "must be true or false");
            true
        }
    }
}

fn charge(fields: &mut Fields<'_>) -> Option<Command> {
    let charge = fields.required("chargeId", ChargeId::new);
    let mid = fields.required("amazonBillerId", MerchantAccountId::new);
    let agreement = fields.required("amazonBillingAgreementId", ReferenceId::new);
    let amount = fields.required_money();
    let order = fields.optional("orderId", OrderId::new);
    let not_before = fields.optional("notBefore", |text| {
        parse_rfc3339(text).ok_or("must be a time as in RFC 3339, like 2026-01-31T06:00:00Z")
    });
    let texts = Texts {
        soft_descriptor: fields.words("softDescriptor", 16),
        note: fields.words("note", 255),
        cycle: cycle(fields),
        ..Texts::default()
    };
    Some(Command::Charge(Box::new(ChargeCommand {
        key: PaymentKey { mid: mid?, subject: Subject::Charge(charge?) },
        agreement: agreement?,
        amount: amount?,
        order,
        not_before,
        texts,
    })))
}

/// Schedulers count cycles or name them; either comes back in the events as it was sent.
fn cycle(fields: &mut Fields<'_>) -> Option<String> {
    match fields.value("cycle")? {
        Value::Number(number) if number.is_i64() => Some(number.to_string()),
        Value::Number(_) => {
            fields.wrong("cycle", "must be text or a whole number");
            None
        }
        _ => fields.words("cycle", ANY).map(|text| Value::String(text).to_string()),
    }
}

fn operation(fields: &mut Fields<'_>, operation: OperationKind) -> Option<Command> {
    let subject = subject(fields);
    let mid = fields.required("amazonBillerId", MerchantAccountId::new);
    let request = fields.required("requestId", RequestId::new);
    let wanted = wanted(fields);
    let reason = fields.words("reason", ANY);
    Some(Command::Operation(Box::new(OperationCommand {
        operation,
        key: PaymentKey { mid: mid?, subject: subject? },
        request: request?,
        wanted,
        reason,
    })))
}

fn subject(fields: &mut Fields<'_>) -> Option<Subject> {
    let named = [fields.has("orderId"), fields.has("upsellId"), fields.has("chargeId")];
    match named {
        [true, false, false] => fields.optional("orderId", OrderId::new).map(Subject::Order),
        [_, true, false] => {
            let order = fields.required("orderId", OrderId::new);
            let upsell = fields.optional("upsellId", UpsellId::new);
            Some(Subject::Upsell(order?, upsell?))
        }
        [false, false, true] => fields.optional("chargeId", ChargeId::new).map(Subject::Charge),
        [false, false, false] => {
            fields.wrong("orderId", "is required, or chargeId of a charge");
            None
        }
        [_, _, true] => {
            // Money must not move on a guess.
            fields.wrong("chargeId", "names another payment than orderId");
            None
        }
    }
}

fn wanted(fields: &mut Fields<'_>) -> Wanted {
    let currency = fields.optional("currency", currency);
    // Without one it is the payment's, and judged when that is known.
    let assumed = currency.unwrap_or(Currency::USD);
    let amount = fields.optional("amount", |text| {
        Money::parse(text, assumed).map(|amount| (hundredths(amount), text.contains('.')))
    });
    Wanted {
        hundredths: amount.map(|(hundredths, _)| hundredths),
        currency,
        fraction: amount.is_some_and(|(_, fraction)| fraction),
    }
}

fn close_agreement(fields: &mut Fields<'_>) -> Option<Command> {
    let agreement = fields.required("amazonBillingAgreementId", ReferenceId::new);
    let mid = fields.required("amazonBillerId", MerchantAccountId::new);
    let request = fields.required("requestId", RequestId::new);
    let reason = fields.words("reason", ANY);
    Some(Command::CloseAgreement(CloseAgreement {
        mid: mid?,
        agreement: agreement?,
        request: request?,
        reason,
    }))
}
