//! Marking a lab and a repository against the workshops' own schemes.
//!
//! Three things that know nothing of each other: [`observe`] and [`repository`] gather
//! [`facts`] (of a lab that runs, through [`labs`]; of files and of the history),
//! [`judge`] makes points with reasons of them, [`show`] prints the [`sheet`].

pub mod facts;
pub mod judge;
pub mod labs;
pub mod marked;
pub mod observe;
pub mod page_facts;
pub mod repository;
pub mod sheet;
pub mod show;
