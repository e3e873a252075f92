//! Every path that ingest answers, and which of them are whose: the CRM's own, those without a
//! client, the rest.

/// The CRM's calls that are answered, without the trailing slash that is optional.
pub(super) const CRM: [&str; 5] =
    ["/order/import", "/upsale/import", "/order/query", "/order/cancel", "/order/refund"];

pub(super) const ORDERS: &str = "/v1/orders";
pub(super) const UPSELLS: &str = "/v1/upsells";
pub(super) const CHARGES: &str = "/v1/charges";
pub(super) const ORDER: &str = "/v1/orders/{mid}/{orderId}";
pub(super) const UPSELL: &str = "/v1/upsells/{mid}/{orderId}/{upsellId}";
pub(super) const CHARGE: &str = "/v1/charges/{mid}/{chargeId}";
/// What is done under a payment's address.
pub(super) const ORDER_OPERATIONS: [&str; 3] = [
    "/v1/orders/{mid}/{orderId}/captures",
    "/v1/orders/{mid}/{orderId}/refunds",
    "/v1/orders/{mid}/{orderId}/cancel",
];
pub(super) const UPSELL_OPERATIONS: [&str; 3] = [
    "/v1/upsells/{mid}/{orderId}/{upsellId}/captures",
    "/v1/upsells/{mid}/{orderId}/{upsellId}/refunds",
    "/v1/upsells/{mid}/{orderId}/{upsellId}/cancel",
];
pub(super) const CHARGE_OPERATIONS: [&str; 3] = [
    "/v1/charges/{mid}/{chargeId}/captures",
    "/v1/charges/{mid}/{chargeId}/refunds",
    "/v1/charges/{mid}/{chargeId}/cancel",
];
pub(super) const EVENTS: &str = "/v1/events";
pub(super) const LIVE: &str = "/livez";
pub(super) const READY: &str = "/readyz";
pub(super) const OPENAPI: &str = "/openapi.json";

pub(super) const IPN: &str = crate::roles::ipn::PATH;

/// All of them.
pub(super) const ROUTES: [&str; 25] = [
    CRM[0],
    CRM[1],
    CRM[2],
    CRM[3],
    CRM[4],
    ORDERS,
    UPSELLS,
    CHARGES,
    ORDER,
    UPSELL,
    CHARGE,
    ORDER_OPERATIONS[0],
    ORDER_OPERATIONS[1],
    ORDER_OPERATIONS[2],
    UPSELL_OPERATIONS[0],
    UPSELL_OPERATIONS[1],
    UPSELL_OPERATIONS[2],
    CHARGE_OPERATIONS[0],
    CHARGE_OPERATIONS[1],
    CHARGE_OPERATIONS[2],
    EVENTS,
    IPN,
    LIVE,
    READY,
    OPENAPI,
];
/// Notifications are Amazon's, and signed.
const OPEN: [&str; 4] = [IPN, LIVE, READY, OPENAPI];

/// Whether the path speaks the CRM's language.
pub(super) fn is_crm(path: &str) -> bool {
    CRM.into_iter().any(|crm| crm == plain(path))
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
