//! What a disaster hits: the primary, its node, and others, by where they are now.

use anyhow::{Context as _, Result};
use terms::tr;

use crate::engine::Engine;
use crate::exec::variable;
use crate::facts::topology::Topology;

/// Names of this very moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Aim {
    /// The instance that takes writes, and its node.
    pub primary: String,
    pub node: String,
    /// Of every other node, and of the pods there.
    pub addresses_of_others: String,
    /// The operator that leads, where that is known.
    pub leader: Option<String>,
}

pub fn no_primary() -> String {
    tr!("the database has no primary", "la base n'a pas de primaire")
}

impl Aim {
    pub fn at_the_primary(topology: &Topology) -> Result<Self> {
        let node = topology.primary_node().with_context(no_primary)?;
        Ok(Self {
            primary: topology.database.primary.clone(),
            node: node.to_owned(),
            addresses_of_others: topology.addresses_of_others(node),
            leader: None,
        })
    }

    /// The same for the shell of a dry run, which looks it up when it runs.
    pub fn shown(engine: &dyn Engine) -> Result<Self> {
        engine
            .replicated()?
            .show_primary("PRIMARY", "NODE", "OTHERS")?;
        Ok(Self {
            primary: variable("PRIMARY"),
            node: variable("NODE"),
            addresses_of_others: variable("OTHERS"),
            leader: None,
        })
    }
}
