//! Measuring as a client: a load through the users' URL, a ledger of every
//! request, and the comparison of that ledger with what the database holds.

mod asked;
pub mod attack;
pub mod client;
pub mod compare;
pub mod downtime;
pub mod drill;
#[cfg(test)]
mod fake_app;
#[cfg(test)]
mod faulty_apps;
pub mod figures;
pub mod ledger;
pub mod ledger_file;
mod lines;
pub mod load;
#[cfg(test)]
mod modes;
pub mod observed;
pub mod promise;
mod queue;
pub mod reader;
pub mod result;
pub mod result_file;
pub mod rto;
pub mod schedule;
pub mod statistics;
mod turns;
pub mod writing;
