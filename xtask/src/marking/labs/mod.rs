//! The labs that can be observed: the local engine with a copy of a checkout, and a
//! cluster that exists for the marking alone.

pub mod building;
pub mod cluster;
pub mod fault;
pub mod lab;
pub mod local;
pub mod page;
mod page_source;
