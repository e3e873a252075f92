//! Every path that ingest answers, and which of them are whose: the CRM's own, those without a
//! client, the rest.

/// The CRM's calls that are answered, without the trailing slash that is optional.
pub(super) const CRM: [&str; 3] = ["/order/import", "/upsale/import", "/order/query"];
/// Those of its calls that are refused in its own language.
const CRM_REFUSED: [&str; 2] = ["/order/cancel", "/order/refund"];

pub(super) const ORDERS: &str = "/v1/orders";
pub(super) const UPSELLS: &str = "/v1/upsells";
pub(super) const CHARGES: &str = "/v1/charges";
pub(super) const ORDER: &str = "/v1/orders/{mid}/{orderId}";
pub(super) const UPSELL: &str = "/v1/upsells/{mid}/{orderId}/{upsellId}";
pub(super) const CHARGE: &str = "/v1/charges/{mid}/{chargeId}";
pub(super) const EVENTS: &str = "/v1/events";
pub(super) const LIVE: &str = "/livez";
pub(super) const READY: &str = "/readyz";
pub(super) const OPENAPI: &str = "/openapi.json";

pub(super) const IPN: &str = crate::roles::ipn::PATH;

/// All of them.
pub(super) const ROUTES: [&str; 14] = [
    CRM[0], CRM[1], CRM[2], ORDERS, UPSELLS, CHARGES, ORDER, UPSELL, CHARGE, EVENTS, IPN, LIVE,
    READY, OPENAPI,
];
/// Notifications are Amazon's, and signed.
const OPEN: [&str; 4] = [IPN, LIVE, READY, OPENAPI];

/// Whether the path speaks the CRM's language.
pub(super) fn is_crm(path: &str) -> bool {
    CRM.into_iter().chain(CRM_REFUSED).any(|crm| crm == plain(path))
}

/// Whether the path needs no client.
pub(super) fn is_open(path: &str) -> bool {
    OPEN.contains(&path)
}

/// The pattern of a route for metrics and logs, never the path that was sent.
pub(super) fn name(matched: Option<&str>) -> &'static str {
    let matched = matched.map(plain);
    ROUTES.into_iter().find(|route| Some(*route) == matched).unwrap_or("none")
}

fn plain(path: &str) -> &str {
    path.strip_suffix('/').unwrap_or(path)
}
