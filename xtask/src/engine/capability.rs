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
    /// It can be removed with all that is in it, and made anew: [`Teardown`].
    Teardown,
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

    /// Starts every node that is stopped; returns when all are ready. None is
    /// where the lab is gone.
    fn start(&self) -> Result<()>;

    /// What a person types to see which node each pod runs on.
    fn look(&self) -> String;
}

/// Removing a lab.
pub trait Teardown {
    /// Removes the lab and everything that belongs to it, and nothing else.
    fn down(&self) -> Result<()>;
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
        Capability::Teardown => both("removing the lab", "supprimer le lab"),
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
        what: Capability::Teardown,
        why: SOMEBODY_ELSES,
    }];

    #[test]
    fn only_what_is_needed_hinders() {
        let both = [Capability::Url, Capability::Nodes];
        assert_eq!(hindrance(&both, LACKS), None);
        let all = [Capability::Url, Capability::Teardown];
        assert_eq!(hindrance(&all, LACKS), Some(SOMEBODY_ELSES));
    }

    #[test]
    fn an_engine_says_what_it_lacks_and_why() {
        let said = lacking(EngineName::K3d, Capability::Teardown, LACKS).message;
        assert_eq!(
            said,
            "removing the lab is not possible on k3d: it is somebody else's"
        );
    }
}
