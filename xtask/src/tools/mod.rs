//! The external tools: pure functions that make argument lists and parse output.

pub mod ansible;
pub mod docker;
pub mod fetch;
pub mod k3d;
pub mod known_errors;
pub mod kube_diff;
pub mod kube_running;
pub mod kube_state;
pub mod kubectl;
pub mod packer;
pub mod python;
pub mod toolbox;
pub mod venv;
