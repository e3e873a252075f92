//! Rows as they lie in the tables, one file per table. Plain values: what they mean is read and
//! written next door, by what belongs together.
#![allow(unreachable_pub, missing_docs, reason = "the ORM's derives want it so; it is private")]

pub mod audit;
pub mod client;
pub mod dead_letter;
pub mod inbox;
pub mod journal;
pub mod mandate;
pub mod merchant;
pub mod notification;
pub mod outbox;
pub mod payment;
pub mod waiter;
