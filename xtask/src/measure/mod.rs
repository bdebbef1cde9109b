//! Measuring as a client: a load through the users' URL, a ledger of every
//! request, and the comparison of that ledger with what the database holds.

pub mod client;
pub mod compare;
pub mod downtime;
pub mod drill;
#[cfg(test)]
mod faulty_apps;
pub mod figures;
pub mod ledger;
pub mod ledger_file;
pub mod observed;
pub mod promise;
pub mod reader;
pub mod result;
pub mod result_file;
pub mod rto;
pub mod schedule;
pub mod statistics;
