//! Amazon's payment APIs. Each API is a folder of its own with the same file names; what they share
//! is here: where Amazon is reached, how bytes go there and back, and Login with Amazon.

mod amount;
mod http;
pub mod mws;
mod profile;
mod regions;
mod router;
pub mod sns;
mod timestamp;
pub mod v2;

pub use http::SetupError;
pub use router::{AmazonGateway, AmazonOptions};
