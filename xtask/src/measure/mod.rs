//! Measuring as a client: a load through the users' URL, a ledger of every
//! request, and the comparison of that ledger with what the database holds.

pub mod client;
pub mod compare;
pub mod downtime;
pub mod drill;
pub mod figures;
#[cfg(test)]
mod honesty;
pub mod journey;
pub mod kept;
pub mod ledger;
pub mod promise;
pub mod reader;
pub mod result;
pub mod schedule;
pub mod statistics;
