//! Names of fields in logs and spans, so that one search finds a thing wherever it is told:
//! `info!({ fields::MID } = %mid, "…")`. None of them may ever hold a secret or personal data.

/// Row id of a payment.
pub const PAYMENT: &str = "payment.id";
/// Where a payment stands.
pub const PHASE: &str = "payment.phase";
/// `order`, `upsell`, `charge`.
pub const KIND: &str = "payment.kind";
/// Business counter of a payment.
pub const EPOCH: &str = "payment.epoch";
/// Runs of an epoch that ended in transient trouble.
pub const ATTEMPT: &str = "payment.attempt";
/// The rule behind a transition.
pub const RULE: &str = "payment.rule";
/// Merchant account: the contract's `amazonBillerId`.
pub const MID: &str = "mid";
/// `message_id` of a command.
pub const MESSAGE: &str = "message.id";
/// Routing key of a command or event.
pub const ROUTING_KEY: &str = "message.routing_key";
/// Lane that a delivery came from.
pub const LANE: &str = "message.lane";
/// Id of a result event.
pub const EVENT: &str = "event.id";
/// Subject of a result event.
pub const SUBJECT: &str = "event.subject";
/// Id of a dead letter.
pub const DEAD_LETTER: &str = "dead_letter.id";
/// Why something lies in the dead letters, was declined or refused.
pub const REASON: &str = "reason";
/// Which call to Amazon.
pub const OPERATION: &str = "amazon.operation";
/// Amazon's request id.
pub const REQUEST: &str = "amazon.request_id";
/// What came of it.
pub const RESULT: &str = "result";
/// How long it took.
pub const DURATION_MS: &str = "duration_ms";
/// How long is waited.
pub const WAIT_MS: &str = "wait_ms";
/// How many.
pub const COUNT: &str = "count";
/// A worker's id.
pub const WORKER: &str = "worker.id";
/// A role of this process.
pub const ROLE: &str = "role";
/// Where something listens.
pub const ADDRESS: &str = "address";
/// An API client's `loginId`.
pub const CLIENT: &str = "client";
/// HTTP path, without its query.
pub const PATH: &str = "http.path";
/// HTTP status.
pub const STATUS: &str = "http.status";
/// Number of an invariant.
pub const INVARIANT: &str = "invariant";
/// An error with its whole chain of causes.
pub const ERROR: &str = "error";
