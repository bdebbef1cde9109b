//! One module a command, each with a `run`.

pub mod add;
pub mod backup;
pub mod bench;
pub mod completions;
mod consent;
pub mod copy;
pub mod drill;
pub mod faults;
pub mod gameday;
pub mod guide;
pub mod image_workshop;
pub mod local;
pub mod logs;
pub mod open;
pub mod preflight;
pub mod report;
pub mod reset;
pub mod restore;
pub mod runs;
pub mod scenario;
mod scenario_all;
pub mod setup;
pub mod stages;
pub mod status;
pub mod teardown;
pub mod test;
pub mod tour;
