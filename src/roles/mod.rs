//! The roles of the program: loops around the application, seeing ports and nothing else.

pub mod ingest;
pub mod ipn;
pub mod relay;
pub mod worker;
