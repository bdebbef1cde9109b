//! The stage `import`: every node holds exactly the image that was built.

use anyhow::{Context as _, Result};
use terms::lang::both;
use terms::tr;

use super::site::Site;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::tools::docker::{self, Image};
use crate::tools::k3d::{self, Import};
use crate::tools::toolbox::Tool;
use crate::wait;

/// The names under which each node has the image; empty where it has not.
pub struct Held(Vec<(String, Vec<String>)>);

impl Held {
    /// The nodes that do not hold exactly this one.
    fn lacking(&self, image: &Image) -> Vec<&str> {
        let lacks = |(_, ids): &&(String, Vec<String>)| !ids.contains(&image.id);
        let nodes = self.0.iter().filter(lacks);
        nodes.map(|(node, _)| node.as_str()).collect()
    }

    /// A node may call the image by its manifest where Docker does not.
    pub fn is_known(&self, id: &str) -> bool {
        let mut known = self.0.iter().flat_map(|(_, ids)| ids);
        known.any(|name| id.ends_with(name.as_str()))
    }

    fn nodes(&self) -> Vec<&str> {
        self.0.iter().map(|(node, _)| node.as_str()).collect()
    }
}

impl Site {
    /// The import as a person types it.
    pub fn show_import(&self) -> Result<()> {
        self.import(&self.images.recipe.image(), Import::Usual)
    }

    /// What the nodes hold, asked side by side.
    pub fn held_by(&self, nodes: &[&str]) -> Result<Held> {
        std::thread::scope(|scope| {
            let ask = |node: &str| Ok((node.to_owned(), self.identities_on(node)?));
            let asked = nodes.iter().map(|node| scope.spawn(move || ask(node)));
            let asked: Vec<_> = asked.collect();
            let told = asked.into_iter().map(wait::join);
            Ok(Held(told.collect::<Result<_>>()?))
        })
    }

    fn identities_on(&self, node: &str) -> Result<Vec<String>> {
        let ask = Cmd::new("docker").args(docker::node_image(node, &self.images.recipe.image()));
        Ok(docker::node_identities(&self.ctx.exec.probe(&ask)?.stdout))
    }

    /// Returns what the nodes hold afterwards.
    pub fn import_where_lacking(&self, here: &Image, held: Held) -> Result<Held> {
        let image = self.images.recipe.image();
        let lacking = held.lacking(here).len();
        if lacking == 0 {
            self.ctx.ui.note(&tr!(
                "every node holds this {image}",
                "chaque nœud a cette {image}"
            ));
            return Ok(held);
        }
        let step = self
            .ctx
            .ui
            .step(tr!("import of {image}", "import de {image}"));
        let held = self.import_somehow(&image, here, &held)?;
        step.done(tr!(
            "{lacking} nodes lacked it",
            "{lacking} nœuds ne l'avaient pas"
        ));
        Ok(held)
    }

    /// Tries the ways of importing in turn: some images of newer Docker versions fail
    /// with one and not with another (k3d#1538).
    fn import_somehow(&self, image: &str, here: &Image, held: &Held) -> Result<Held> {
        let nodes = held.nodes();
        let archive = self.ctx.workspace.home().join("image.tar");
        let archive = archive.to_string_lossy();
        let mut failed = match self.import_wholly(image, Import::Usual, here, &nodes) {
            Ok(held) => return Ok(held),
            Err(error) => error,
        };
        for (how, words) in [
            (Import::Archive(&archive), both("by archive", "par archive")),
            (Import::Direct, both("directly", "directement")),
        ] {
            wait::check_interrupt()?;
            let said = tr!(
                "importing failed ({error}): now {words}",
                "l'import a échoué ({error}) : maintenant {words}",
                error = reason(&failed),
            );
            self.ctx.ui.warn(&said);
            failed = match self.import_wholly(image, how, here, &nodes) {
                Ok(held) => return Ok(held),
                Err(error) => error,
            };
        }
        Err(failed.context(
            Failure::tool(tr!(
                "{image} could not be imported in any of three ways",
                "{image} n'a pu être importée d'aucune des trois façons",
            ))
            .next(tr!(
                "k3d image import {image} -c {cluster} says what the nodes refuse",
                "k3d image import {image} -c {cluster} dit ce que les nœuds refusent",
                cluster = self.name,
            )),
        ))
    }

    /// k3d reports success also where a node refused the image.
    fn import_wholly(
        &self,
        image: &str,
        how: Import,
        here: &Image,
        nodes: &[&str],
    ) -> Result<Held> {
        self.import(image, how)?;
        let held = self.held_by(nodes)?;
        let lacking = held.lacking(here).join(", ");
        if lacking.is_empty() {
            return Ok(held);
        }
        let said = tr!(
            "k3d reported success, yet it is not on {lacking}",
            "k3d a annoncé un succès, et pourtant elle n'est pas sur {lacking}",
        );
        Err(Failure::tool(said).into())
    }

    fn import(&self, image: &str, how: Import) -> Result<()> {
        let k3d = self.ctx.tools.program(Tool::K3d)?;
        let args = k3d::import(self.name, image, how);
        let cmd = Cmd::new(k3d).args(args).limit(wait::IMPORT);
        let Import::Archive(path) = how else {
            return self.ctx.exec.run(&cmd);
        };
        let save = Cmd::new("docker").args(["save", "--output", path, image]);
        self.ctx.exec.run(&save.limit(wait::IMPORT))?;
        let imported = self.ctx.exec.run(&cmd);
        std::fs::remove_file(path).context("removing the archive of the image")?;
        imported
    }
}

/// The line that says what went wrong, for a remark.
fn reason(error: &anyhow::Error) -> String {
    let said = format!("{error:#}");
    let known = "content digest";
    let line = said.lines().find(|line| line.contains(known));
    let line = line.or_else(|| said.lines().next());
    line.unwrap_or_default().trim().chars().take(160).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reason_of_a_failed_import_is_the_line_that_matters() {
        let error: anyhow::Error = Failure::tool(
            "`k3d` failed (exit status: 1):\n    INFO importing\n    \
             ERRO content digest sha256:1: not found",
        )
        .into();
        assert_eq!(reason(&error), "ERRO content digest sha256:1: not found");
    }

    #[test]
    fn a_node_is_named_where_it_knows_another_image_by_this_name() {
        let image = Image::parse(r#"{"Id":"sha256:b","Config":{}}"#).unwrap();
        let names = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        let held = Held(vec![
            ("same".to_owned(), names(&["sha256:a", "sha256:b"])),
            ("older".to_owned(), names(&["sha256:c", "sha256:d"])),
            ("empty".to_owned(), names(&[])),
        ]);
        assert_eq!(held.lacking(&image), ["older", "empty"]);
        assert!(held.is_known("docker.io/library/import@sha256:a"));
        assert!(!held.is_known("sha256:e"));
    }
}
