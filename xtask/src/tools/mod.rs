//! The tools we drive: pure functions from an intent to an argument list and
//! from an output to facts, and the few steps around them.

pub mod ansible;
pub mod docker;
pub mod fetch;
pub mod k3d;
pub mod kube_diff;
pub mod kube_running;
pub mod kube_state;
pub mod kubectl;
pub mod packer;
pub mod python;
pub mod toolbox;
pub mod trouble;
pub mod venv;
