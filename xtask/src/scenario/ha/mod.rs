//! The disasters of the lab `ha`: one part of several is lost, and nobody recovers
//! anything by hand.

mod aim;
mod drain;
mod failover;
mod lessons;
pub mod loss;
mod node_loss;
mod partition;
mod pod_crash;
mod primary_loss;
mod server_loss;
mod volume_loss;

use anyhow::Result;
use terms::tr;

use crate::engine::Engine;
use crate::failure::Failure;
use crate::marker::Unfinished;
use crate::scenario::definition::Scenario;
pub use loss::wait_until_whole;

/// By their numbers.
pub const ALL: &[Scenario] = &[
    pod_crash::SCENARIO,
    primary_loss::SCENARIO,
    volume_loss::SCENARIO,
    node_loss::SCENARIO,
    server_loss::SCENARIO,
    partition::SCENARIO,
    drain::SCENARIO,
];

/// Opens the node that a disaster which was cut off has closed: nodes run and are
/// connected already.
///
/// # Errors
/// Somebody else has closed one, so that the lab does not become whole by itself.
pub fn put_back(engine: &dyn Engine, left: &Unfinished, dry_run: bool) -> Result<()> {
    let kube = engine.replicated()?;
    if let Some(node) = &left.closed {
        kube.uncordon(node)?;
    }
    // Nodes of a cluster that others run may be closed, and more than enough be open.
    if dry_run || engine.nodes().is_err() {
        return Ok(());
    }
    let nodes = kube.topology()?.nodes.into_iter();
    let mut closed = nodes.filter(|node| !node.schedulable).map(|node| node.name);
    let Some(node) = closed.next() else {
        return Ok(());
    };
    Err(Failure::usage(tr!(
        "{node} is closed to new pods, by somebody else than the scenario",
        "{node} est fermé aux nouveaux pods, et pas par le scénario",
    ))
    .next(tr!(
        "once that work on it is over: {open}, then cargo xtask setup",
        "une fois ce travail terminé : {open}, puis cargo xtask setup",
        open = kube.typed(&format!("uncordon {node}")),
    ))
    .into())
}
