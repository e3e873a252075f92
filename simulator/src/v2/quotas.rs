//! How API v2 meters its operations.

use crate::books::Environment;
use crate::throttle::Quota;

/// A burst and a rate per second, live and in the sandbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Metered {
    live: (i64, i64),
    sandbox: (i64, i64),
}

impl Metered {
    pub(super) const fn new(live: (i64, i64), sandbox: (i64, i64)) -> Self {
        Self { live, sandbox }
    }

    pub(super) const fn quota(self, environment: Environment) -> Quota {
        let (max, rate) = match environment {
            Environment::Live => self.live,
            Environment::Sandbox => self.sandbox,
        };
        Quota::per_second(max, rate)
    }
}
