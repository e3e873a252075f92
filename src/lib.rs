//! The payment worker behind a CRM's Amazon Pay checkout; see ARCHITECTURE.md for the map.

pub mod domain;
