//! The MWS API: form in, signed; XML out. The order in which a call is judged is Amazon's: where it
//! went, quota, who signed, parameters, object, repeats, state. Words what the books answer and
//! decides nothing about money.

mod agreements;
mod errors;
mod list;
mod note;
mod orders;
mod render;
mod request;
mod signature;
mod status;
mod transactions;
pub(super) mod xml;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Uri};
use axum::response::Response;

use super::books::{Books, Environment, SellerAt};
use super::calls::Answered;
use super::clock::{self, MINUTE};
use super::deliver::{Answer, CallerLine, deliver};
use super::faults::{Api, Target};
use super::throttle::Class;
use super::{Simulator, World};
use errors::{Error, NAMESPACE};
use request::Params;
use xml::Xml;

/// How far a caller's clock may be from the machine's.
const SKEW_MAX: i64 = 15 * MINUTE;

/// A call that may be carried out.
struct Call<'a> {
    seller: SellerAt,
    environment: Environment,
    params: &'a Params,
}

type Run = fn(&mut Books, &Call<'_>) -> Result<String, Error>;

/// Every operation: its name, how it is metered, what it does.
const ACTIONS: &[(&str, Class, Run)] = &[
    ("GetOrderReferenceDetails", Class::Get, orders::get),
    ("SetOrderReferenceDetails", Class::Write, orders::set),
    ("SetOrderAttributes", Class::Write, orders::set_attributes),
    ("ConfirmOrderReference", Class::Write, orders::confirm),
    ("CancelOrderReference", Class::Write, orders::cancel),
    ("CloseOrderReference", Class::Write, orders::close),
    ("ListOrderReference", Class::Get, list::list),
    ("ListOrderReferenceByNextToken", Class::Get, list::next_page),
    ("Authorize", Class::Write, transactions::authorize),
    ("GetAuthorizationDetails", Class::Get, transactions::get_authorization),
    ("CloseAuthorization", Class::Write, transactions::close_authorization),
    ("Capture", Class::Write, transactions::capture),
    ("GetCaptureDetails", Class::Get, transactions::get_capture),
    ("Refund", Class::Write, transactions::refund),
    ("GetRefundDetails", Class::Get, transactions::get_refund),
    ("CreateOrderReferenceForId", Class::Write, agreements::create_order),
    ("GetBillingAgreementDetails", Class::Get, agreements::get),
    ("SetBillingAgreementDetails", Class::Write, agreements::set),
    ("ConfirmBillingAgreement", Class::Write, agreements::confirm),
    ("ValidateBillingAgreement", Class::Write, agreements::validate),
    ("AuthorizeOnBillingAgreement", Class::Write, agreements::authorize),
    ("CloseBillingAgreement", Class::Write, agreements::close),
    ("GetServiceStatus", Class::Status, status::service),
    ("GetMerchantAccountStatus", Class::Get, status::account),
];

/// Where the id of the object stands, whatever the operation.
const OBJECT_IDS: [&str; 6] = [
    "AmazonOrderReferenceId",
    "AmazonBillingAgreementId",
    "AmazonAuthorizationId",
    "AmazonCaptureId",
    "AmazonRefundId",
    "Id",
];

/// What came in.
struct Heard<'a> {
    method: &'a str,
    path: &'a str,
    host: &'a str,
    params: Params,
}

impl Heard<'_> {
    fn param(&self, name: &str) -> &str {
        self.params.get(name).unwrap_or("")
    }

    fn merchant(&self) -> &str {
        self.params.get("SellerId").unwrap_or_else(|| self.param("Merchant"))
    }

    fn environment(&self) -> Option<Environment> {
        match self.path.trim_end_matches('/') {
            "/OffAmazonPayments/2013-01-01" => Some(Environment::Live),
            "/OffAmazonPayments_Sandbox/2013-01-01" => Some(Environment::Sandbox),
            _ => None,
        }
    }
}

/// One call, from its bytes to its answer.
pub(super) async fn call(
    State(simulator): State<Simulator>,
    CallerLine(line): CallerLine,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form = if method == Method::GET { uri.query().unwrap_or("").as_bytes() } else { &body };
    let (params, twice) = match Params::parse(form) {
        Ok(params) => (params, None),
        Err(error) => (Params::default(), Some(error)),
    };
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or("");
    let heard = Heard { method: method.as_str(), path: uri.path(), host, params };
    let object_id = OBJECT_IDS.iter().find_map(|name| heard.params.get(name)).unwrap_or_default();
    let target = Target {
        api: Api::Mws,
        operation: heard.param("Action"),
        merchant_id: heard.merchant(),
        object_id,
    };
    let (ruling, request_id) = simulator.hear(&target);
    let result = match twice {
        _ if !ruling.has_effect() => Err(Error::injected(ruling.status, ruling.code.as_deref())),
        Some(error) => Err(error),
        None => perform(&simulator, &heard),
    };
    let result = match result {
        Ok(_) if ruling.answers() => Err(Error::injected(ruling.status, ruling.code.as_deref())),
        result => result,
    };
    let (answer, how) = render_answer(target.operation, result, &request_id);
    simulator.world().calls.answered(target.merchant_id, how);
    deliver(answer.with_request_id(&request_id), &ruling, simulator.latency_ms(), line).await
}

fn render_answer(
    operation: &str,
    result: Result<String, Error>,
    request_id: &str,
) -> (Answer, Answered) {
    match result {
        Ok(inside) => {
            let mut xml = Xml::default();
            xml.root(&format!("{operation}Response"), NAMESPACE, |xml| {
                let name = format!("{operation}Result");
                if inside.is_empty() {
                    xml.empty(&name);
                } else {
                    xml.within(&name, |xml| xml.raw(&inside));
                }
                xml.within("ResponseMetadata", |xml| xml.leaf("RequestId", request_id));
            });
            (Answer::xml(200, xml.into_text()), Answered::Otherwise)
        }
        Err(error) => {
            let how = if error.is_throttle() { Answered::Throttled } else { Answered::Refused };
            (Answer::xml(error.status, error.render(request_id)), how)
        }
    }
}

fn perform(simulator: &Simulator, heard: &Heard<'_>) -> Result<String, Error> {
    let Some(environment) = heard.environment() else {
        return Err(Error::gateway(400, "InvalidAddress", "There is no such section or version."));
    };
    if heard.method != "POST" && heard.method != "GET" {
        return Err(Error::gateway(400, "InvalidAddress", "Only POST and GET are understood."));
    }
    let name = heard.param("Action");
    let Some((name, class, run)) = ACTIONS.iter().find(|(known, ..)| *known == name) else {
        return Err(Error::gateway(400, "InvalidAction", "There is no such action."));
    };
    let secret = {
        let mut world = simulator.world();
        // Whether the quota is looked at before the signature or after it is reading 10.
        if !world.books.readings.second(10) {
            throttle(&mut world, heard, environment, name, *class)?;
        }
        signer_secret(&world, heard)?
    };
    if !signature::is_signed(&secret, heard.method, heard.host, heard.path, &heard.params) {
        return Err(Error::gateway(
            403,
            "SignatureDoesNotMatch",
            "The request signature we calculated does not match the signature you provided.",
        ));
    }
    let mut world = simulator.world();
    let seller = caller(&world.books, heard, name)?;
    if world.books.readings.second(10) {
        throttle(&mut world, heard, environment, name, *class)?;
    }
    run(&mut world.books, &Call { seller, environment, params: &heard.params })
}

fn throttle(
    world: &mut World,
    heard: &Heard<'_>,
    environment: Environment,
    name: &str,
    class: Class,
) -> Result<(), Error> {
    let who = (heard.merchant(), heard.param("AWSAccessKeyId"));
    let now = world.books.now();
    let quota = class.quota(environment);
    if !world.settings.quotas || world.buckets.take(who, environment, name, quota, now) {
        Ok(())
    } else {
        Err(Error::throttled())
    }
}

/// The secret by which this call must be signed, once all else about the signature is in order.
fn signer_secret(world: &World, heard: &Heard<'_>) -> Result<String, Error> {
    for name in ["AWSAccessKeyId", "Signature"] {
        if heard.param(name).is_empty() {
            let message = format!("The request must contain the parameter {name}.");
            return Err(Error::gateway(403, "MissingAuthenticationToken", message));
        }
    }
    let signer = world.books.signer(heard.param("AWSAccessKeyId"), heard.merchant());
    let Some(signer) = signer else {
        return Err(Error::gateway(
            403,
            "InvalidAccessKeyId",
            "The AWS Access Key Id you provided does not exist in our records.",
        ));
    };
    let unusual = match () {
        () if heard.param("SignatureVersion") != "2" => Some("SignatureVersion must be 2"),
        () if !matches!(heard.param("SignatureMethod"), "HmacSHA256" | "HmacSHA1") => {
            Some("SignatureMethod must be HmacSHA256 or HmacSHA1")
        }
        () if heard.param("Version") != "2013-01-01" => Some("Version must be 2013-01-01"),
        () => match clock::parse(heard.param("Timestamp")) {
            None => Some("Timestamp must be in ISO 8601"),
            Some(at) if (world.clock.machine() - at).abs() > SKEW_MAX => {
                Some("Timestamp is more than 15 minutes away")
            }
            Some(_) => None,
        },
    };
    match unusual {
        Some(what) => Err(Error::gateway(400, "InvalidParameterValue", what)),
        None => Ok(world.books[signer].secret_key.clone()),
    }
}

/// The seller for whom whoever signed may speak.
fn caller(books: &Books, heard: &Heard<'_>, name: &str) -> Result<SellerAt, Error> {
    let token = heard.params.get("MWSAuthToken").filter(|token| !token.is_empty());
    let speaks_for = |at: &SellerAt| {
        let seller = &books[*at];
        seller.access_key == heard.param("AWSAccessKeyId")
            && seller.mws_auth_token.as_deref() == token
    };
    let asks_for_account = name == "GetMerchantAccountStatus";
    let Some(at) = books.seller(heard.merchant()).filter(speaks_for) else {
        let message = "Access to the seller is denied.";
        return Err(if asks_for_account {
            Error::new(401, "UnauthorizedSolutionProvider", message)
        } else {
            Error::gateway(401, "AccessDenied", message)
        });
    };
    if !books[at].active && !asks_for_account && name != "GetServiceStatus" {
        let message = "The seller account is not active.";
        return Err(Error::new(403, "InvalidAccountStatus", message));
    }
    Ok(at)
}
