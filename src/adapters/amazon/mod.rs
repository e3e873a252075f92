//! Amazon's payment APIs. Each API is a folder of its own with the same file names; what they share
//! is here: where Amazon is reached, how bytes go there and back, and Login with Amazon.

mod http;
pub mod mws;
mod profile;
mod regions;
pub mod sns;

pub use http::SetupError;
