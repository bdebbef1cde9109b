//! What some engines can do and others cannot. An engine says what it lacks, a
//! scenario says what it needs.

use anyhow::Result;
use terms::lang::{Both, both};
use terms::{EngineName, tr};

use crate::failure::Failure;

/// Something that only some engines can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// It finds out by itself where users reach the application.
    Url,
    /// Its nodes can be stopped and started: [`Nodes`].
    Nodes,
    /// It brings an image that was built on this machine to where the pods run.
    Import,
    /// It gives the image to a registry, which the nodes pull it from.
    Push,
    /// What it runs in is the lab's own, so that it can be lost altogether and made anew.
    Whole,
}

/// A capability that an engine has not, and why.
#[derive(Clone, Copy, Debug)]
pub struct Lack {
    pub what: Capability,
    pub why: Both,
}

/// The nodes that a lab runs on.
pub trait Nodes {
    /// Ends the node that holds the volumes, without warning; says which.
    fn stop(&self) -> Result<String>;

    /// Ends this node without warning.
    fn kill(&self, node: &str) -> Result<()>;

    /// Cuts a node off from these addresses, of the other nodes and of their pods; who
    /// reaches it from outside still does.
    fn cut_off(&self, node: &str, others: &str) -> Result<()>;

    /// Ends such a cut.
    fn connect(&self, node: &str) -> Result<()>;

    /// Starts every node that is stopped, and connects every one that was cut off;
    /// returns when all are ready. None is where the lab is gone.
    fn start(&self) -> Result<()>;

    /// What a person types to see which node each pod runs on.
    fn look(&self) -> String;
}

/// The stages of [`super::Engine::up`] in a cluster that is there, one at a time; the ones
/// before have to be done.
pub trait Stages {
    /// Refuses what is another checkout's.
    fn insist_on_ownership(&self) -> Result<()>;

    fn image(&self) -> Result<()>;

    /// The image comes to where the pods run.
    fn deliver(&self) -> Result<()>;

    fn deploy(&self) -> Result<()>;

    fn forward(&self) -> Result<()>;

    /// The process that keeps a forward to a service alive on a port; ends when it is told to.
    fn keep_forward(&self, service: &str, host: u16) -> Result<()>;

    /// Tools that the stages need are at hand, with Docker where an image is built.
    fn ensure_tools(&self, builds: bool) -> Result<()>;
}

/// Why something that needs these capabilities is not possible; `None` where it is.
pub fn hindrance(needs: &[Capability], lacks: &'static [Lack]) -> Option<Both> {
    let found = lacks.iter().find(|lack| needs.contains(&lack.what));
    found.map(|lack| lack.why)
}

/// The refusal of something that an engine cannot do.
pub fn refusal(who: &str, engine: EngineName, why: Both) -> Failure {
    Failure::usage(tr!(
        "{who} is not possible on {engine}: {why}",
        "{who} n'est pas possible sur {engine} : {why}",
    ))
}

/// The same where a capability itself is asked for.
pub fn lacking(engine: EngineName, what: Capability, lacks: &'static [Lack]) -> Failure {
    let who = match what {
        Capability::Url => both(
            "finding the application's URL",
            "trouver l'URL de l'application",
        ),
        Capability::Nodes => both(
            "stopping and starting nodes",
            "arrêter et démarrer des nœuds",
        ),
        Capability::Import => both("importing the image", "importer l'image"),
        Capability::Push => both("pushing the image", "envoyer l'image vers un registre"),
        Capability::Whole => both("making the cluster", "créer le cluster"),
    };
    let why = hindrance(&[what], lacks).unwrap_or(both(
        "it has no means for it",
        "il n'a pas de quoi le faire",
    ));
    refusal(who.text(), engine, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEBODY_ELSES: Both = both("it is somebody else's", "il est à quelqu'un d'autre");
    const LACKS: &[Lack] = &[Lack {
        what: Capability::Whole,
        why: SOMEBODY_ELSES,
    }];

    #[test]
    fn only_what_is_needed_hinders() {
        let both = [Capability::Url, Capability::Nodes];
        assert_eq!(hindrance(&both, LACKS), None);
        let all = [Capability::Url, Capability::Whole];
        assert_eq!(hindrance(&all, LACKS), Some(SOMEBODY_ELSES));
    }

    #[test]
    fn an_engine_says_what_it_lacks_and_why() {
        let said = lacking(EngineName::K3d, Capability::Whole, LACKS).message;
        assert_eq!(
            said,
            "making the cluster is not possible on k3d: it is somebody else's"
        );
    }
}
