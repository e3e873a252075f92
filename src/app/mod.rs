//! The imperative shell around the core: load, judge, commit, act, repeat. Sees ports, never an
//! adapter; decides nothing that the domain could decide.

pub mod credentials;
pub mod merchants;
