//! The labs that can be observed: the local engine with a copy of a checkout, and a
//! cluster that exists for the marking alone.

pub mod cluster;
pub mod lab;
pub mod local;
