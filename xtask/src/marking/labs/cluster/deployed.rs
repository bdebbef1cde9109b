//! How a work came onto its cluster.

use terms::tr;

/// How a work came onto the cluster, and what of its own way failed.
#[derive(Clone, Debug, Default)]
pub struct Deployed {
    /// The images that its template built.
    pub images: Vec<String>,
    /// Why its template built nothing.
    pub no_image: Option<String>,
    pub playbook: Option<String>,
    /// Why the playbook did not do it.
    pub no_playbook: Option<String>,
}

impl Deployed {
    pub fn told(&self) -> String {
        match (&self.playbook, &self.no_playbook) {
            (Some(playbook), None) => tr!("deployed by {playbook}", "déployé par {playbook}"),
            _ => tr!("deployed by kubectl apply", "déployé par kubectl apply"),
        }
    }

    /// What did not go the work's own way.
    pub fn remarks(&self) -> Vec<String> {
        let image = self.no_image.as_ref().map(|why| {
            tr!(
                "Packer built no image that the manifests ask for: {why}",
                "Packer n'a construit aucune image demandée par les manifestes : {why}"
            )
        });
        let playbook = self.no_playbook.as_ref().map(|why| {
            tr!(
                "the playbook did not deploy it: {why}",
                "le playbook ne l'a pas déployé : {why}"
            )
        });
        image.into_iter().chain(playbook).collect()
    }
}
