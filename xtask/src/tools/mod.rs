//! The tools we drive: pure functions from an intent to an argument list and
//! from an output to facts, and the few steps around them.

pub mod python;
