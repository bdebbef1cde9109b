//! The external tools: pure functions that make argument lists and parse output.

pub mod ansible;
pub mod docker;
pub mod fetch;
pub mod k3d;
pub mod k3d_config;
pub mod known_errors;
pub mod kube_copies;
pub mod kube_diff;
pub mod kube_events;
pub mod kube_others;
pub mod kube_running;
pub mod kube_state;
pub mod kube_topology;
pub mod kubectl;
pub mod packer;
pub mod python;
pub mod toolbox;
pub mod venv;
