//! What crosses the queue: commands in, result events out, as the public contract words them.
//!
//! The one place outside the adapters that knows JSON. It turns messages into types of the domain
//! that cannot be wrong, and what happened into documents; it decides nothing and acts on nothing.

pub mod agreement;
mod buyer;
pub mod command;
pub mod event;
mod event_data;
mod fields;
mod fingerprint;
pub mod ids;
pub mod json;
mod parse;
mod personal;
pub mod publish;
mod read;
mod render;
pub mod time;
mod view;

pub use buyer::{details_from_json, details_to_json};
pub use command::{Command, check_region};
pub use event::{Event, render, render_rejected};
pub use ids::ReadableIds;
pub use parse::{Parsed, Refusal, Rejection, parse};
pub use personal::{Personal, PersonalError};
pub use publish::{Unknown, Validated, sealed_copy, validate};
pub use view::{payment_view, status};
