//! What API v2 can do: the name of each operation, where it is, how it is metered.

use serde_json::Value;

use super::errors::Error;
use super::quotas::Metered;
use super::{Call, charges, complete, others, permissions, refunds, sessions};
use crate::World;

type Run = fn(&mut World, &Call<'_>) -> Result<(u16, Value), Error>;

/// Whether a call needs an idempotency key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keyed {
    Needed,
    Allowed,
    /// Keys mean nothing to it.
    No,
}

/// An operation: its name, where it is, how it is metered, what it does.
pub(super) struct Operation {
    pub(super) name: &'static str,
    method: &'static str,
    /// `{}` stands for the id.
    path: &'static str,
    pub(super) keyed: Keyed,
    pub(super) metered: Metered,
    pub(super) run: Run,
}

const fn operation(
    (name, method, path): (&'static str, &'static str, &'static str),
    keyed: Keyed,
    (live, sandbox): ((i64, i64), (i64, i64)),
    run: Run,
) -> Operation {
    Operation { name, method, path, keyed, metered: Metered::new(live, sandbox), run }
}

const OPERATIONS: &[Operation] = &[
    operation(
        ("CreateCheckoutSession", "POST", "checkoutSessions"),
        Keyed::Needed,
        ((40, 16), (5, 1)),
        sessions::create,
    ),
    operation(
        ("GetCheckoutSession", "GET", "checkoutSessions/{}"),
        Keyed::No,
        ((40, 8), (10, 1)),
        sessions::get,
    ),
    operation(
        ("UpdateCheckoutSession", "PATCH", "checkoutSessions/{}"),
        Keyed::No,
        ((40, 16), (5, 1)),
        sessions::update,
    ),
    operation(
        ("CompleteCheckoutSession", "POST", "checkoutSessions/{}/complete"),
        Keyed::Allowed,
        ((20, 4), (2, 1)),
        complete::complete,
    ),
    operation(
        ("FinalizeCheckoutSession", "POST", "checkoutSessions/{}/finalize"),
        Keyed::Allowed,
        ((20, 4), (2, 1)),
        complete::complete,
    ),
    operation(
        ("GetChargePermission", "GET", "chargePermissions/{}"),
        Keyed::No,
        ((20, 4), (10, 1)),
        permissions::get,
    ),
    operation(
        ("UpdateChargePermission", "PATCH", "chargePermissions/{}"),
        Keyed::No,
        ((10, 2), (5, 1)),
        permissions::update,
    ),
    operation(
        ("CloseChargePermission", "DELETE", "chargePermissions/{}/close"),
        Keyed::No,
        ((10, 2), (2, 1)),
        permissions::close,
    ),
    operation(
        ("CreateCharge", "POST", "charges"),
        Keyed::Needed,
        ((10, 4), (2, 1)),
        charges::create,
    ),
    operation(("GetCharge", "GET", "charges/{}"), Keyed::No, ((20, 4), (5, 1)), charges::get),
    operation(
        ("CaptureCharge", "POST", "charges/{}/capture"),
        Keyed::Needed,
        ((20, 4), (2, 1)),
        charges::capture,
    ),
    operation(
        ("CancelCharge", "DELETE", "charges/{}/cancel"),
        Keyed::No,
        ((10, 2), (2, 1)),
        charges::cancel,
    ),
    operation(
        ("CreateRefund", "POST", "refunds"),
        Keyed::Needed,
        ((10, 4), (2, 1)),
        refunds::create,
    ),
    operation(("GetRefund", "GET", "refunds/{}"), Keyed::No, ((20, 4), (5, 1)), refunds::get),
    operation(("GetBuyer", "GET", "buyers/{}"), Keyed::No, ((20, 4), (5, 1)), others::buyer),
    operation(
        ("GetAuthorizationToken", "GET", "authorizationTokens/{}"),
        Keyed::No,
        ((20, 4), (5, 1)),
        others::authorization_token,
    ),
    operation(
        ("CreateDeliveryTracker", "POST", "deliveryTrackers"),
        Keyed::Allowed,
        ((10, 1), (1, 1)),
        others::tracker,
    ),
];

/// The operation at a place, and the id in its path.
pub(super) fn find<'a>(method: &str, place: &'a str) -> Option<(&'static Operation, &'a str)> {
    OPERATIONS.iter().filter(|known| known.method == method).find_map(|known| {
        let id = match known.path.split_once("{}") {
            None => (known.path == place).then_some(""),
            Some((before, after)) => {
                let id = place.strip_prefix(before).and_then(|rest| rest.strip_suffix(after));
                id.filter(|id| !id.is_empty() && !id.contains('/'))
            }
        };
        id.map(|id| (known, id))
    })
}
