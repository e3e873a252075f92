//! The ports made real, one folder or file for each outside system. They know the domain and the
//! ports, never each other, and are named by the wiring alone.

pub mod amazon;
pub mod amazon_time;
pub mod database;
pub mod embedded;
pub mod rabbitmq;
pub mod schedule;
pub mod system;
pub mod vault;
