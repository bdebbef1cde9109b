//! Game days: a disaster that is not told, recovered by hand against the clock, and judged
//! by what a client measured all along. What breaks is what the scenarios break.

pub mod begin;
pub mod client;
pub mod damaged;
pub mod draw;
mod excuse;
pub mod faults;
pub mod going_on;
pub mod hints;
mod lessons;
mod noticed;
pub mod orphan;
mod par;
pub mod put_back;
pub mod result;
pub mod score;
pub mod symptoms;
pub mod told;
pub mod verify;
