//! What the program needs from outside, as traits: store, broker, gateway, vault, clock. Their
//! error types say what the caller can do about it; nothing here knows how it is done.

pub mod broker;
pub mod clock;
pub mod desk;
pub mod gateway;
pub mod mandates;
pub mod merchants;
pub mod notifications;
pub mod relay;
pub mod retention;
pub mod store;
pub mod vault;
