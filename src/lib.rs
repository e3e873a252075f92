//! The payment worker behind a CRM's Amazon Pay checkout; see ARCHITECTURE.md for the map.
//!
//! Reading order: [`domain`], [`contract`], [`ports`], [`app`], [`roles`], [`adapters`].

pub mod adapters;
pub mod app;
pub mod cli;
pub mod config;
pub mod contract;
pub mod domain;
pub mod ports;
pub mod roles;
pub mod telemetry;
pub mod wiring;
