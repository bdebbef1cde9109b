//! The stage `image`: it is built from what is in the checkout.

use std::collections::BTreeSet;
use terms::tr;

use anyhow::{Context as _, Result};

use super::Images;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::tools::docker::{self, Image};
use crate::tools::known_errors::{self, KnownError};
use crate::tools::packer;
use crate::tools::toolbox::Tool;
use crate::wait;

impl Images {
    /// Builds the image unless there is one made from the same inputs; `None`
    /// where a dry run has built none.
    pub fn ensure(&self) -> Result<Option<Image>> {
        let image = self.recipe.image();
        let before = self.here()?;
        if self.is_made_of_the_inputs(before.as_ref())? {
            self.ctx
                .ui
                .note(&tr!("{image} is up to date", "{image} est à jour"));
            return Ok(before);
        }
        let step = self.ctx.ui.step(format!("image {image}"));
        let folder = self.ctx.workspace.root.join(self.recipe.template);
        let packer = self.ctx.tools.program(Tool::Packer)?;
        let init = packer::cmd(&packer, packer::init(&folder));
        self.ctx.exec.run(&init).map_err(explain_plugin)?;
        let pull = !self.has_base()?;
        let build = packer::cmd(&packer, packer::build(&folder, &self.recipe.vars(), pull));
        let built = self.ctx.exec.run(&build);
        built.map_err(|error| known_errors::explain(error, KNOWN_ERRORS))?;
        let now = self.here()?;
        if let Some(before) = before.filter(|before| Some(before) != now.as_ref()) {
            self.forget(&before)?;
        }
        step.done(tr!("built", "construite"));
        Ok(now)
    }

    /// Building would give the image that is there.
    pub fn is_current(&self) -> Result<bool> {
        self.is_made_of_the_inputs(self.here()?.as_ref())
    }

    fn is_made_of_the_inputs(&self, image: Option<&Image>) -> Result<bool> {
        let Some(built) = image.and_then(Image::inputs) else {
            return Ok(false);
        };
        Ok(self.inputs()?.as_deref() == Some(built))
    }

    /// The image as Docker has it.
    ///
    /// # Errors
    /// Docker does not have it.
    pub fn built(&self) -> Result<Image> {
        let here = self.here()?;
        here.with_context(|| {
            tr!(
                "{image} is not built",
                "{image} n'est pas construite",
                image = self.recipe.image(),
            )
        })
    }

    /// The same, where Docker has it.
    pub fn here(&self) -> Result<Option<Image>> {
        let cmd = Cmd::new("docker").args(docker::inspect_image(&self.recipe.image()));
        let output = self.ctx.exec.probe(&cmd)?;
        match output.status.success() {
            true => Image::parse(&output.stdout).map(Some),
            false => Ok(None),
        }
    }

    /// The hash of what the image would be made from; `None` while Packer has
    /// no plugin yet.
    pub(super) fn inputs(&self) -> Result<Option<String>> {
        let packer = self.ctx.tools.program(Tool::Packer)?;
        let folder = self.ctx.workspace.root.join(self.recipe.template);
        let args = packer::inputs(&folder, &self.recipe.vars());
        let cmd = packer::cmd(&packer, args).input(packer::INPUTS_QUESTION);
        Ok(packer::parse_inputs(&self.ctx.exec.probe(&cmd)?.stdout))
    }

    /// Removes every image that was built for the workshop. Base images stay: they are
    /// Docker's cache, not the lab's.
    pub fn remove(&self) -> Result<()> {
        let list = Cmd::new("docker").args(docker::built_images(self.recipe.repository));
        let listed = self.ctx.exec.read(&list)?;
        let images: BTreeSet<&str> = listed.split_whitespace().collect();
        if images.is_empty() {
            return Ok(());
        }
        let cmd = Cmd::new("docker").args(["rmi", "--force"]).args(images);
        self.ctx.exec.run(&cmd.limit(wait::CLUSTER))
    }

    fn has_base(&self) -> Result<bool> {
        self.is_here(&self.recipe.base)
    }

    /// Whether Docker has an image.
    fn is_here(&self, image: &str) -> Result<bool> {
        let cmd = Cmd::new("docker").args(["image", "inspect", image]);
        Ok(self.ctx.exec.probe(&cmd)?.status.success())
    }

    /// Pulls an image that Docker does not have.
    pub fn ensure_here(&self, image: &str) -> Result<()> {
        if self.is_here(image)? {
            return Ok(());
        }
        let step = self.ctx.ui.step(format!("image {image}"));
        let pull = Cmd::new("docker").args(["pull", "--quiet", image]);
        let pulled = self.ctx.exec.run(&pull.limit(wait::CLUSTER));
        pulled.map_err(|error| known_errors::explain(error, KNOWN_ERRORS))?;
        step.done(tr!("pulled", "téléchargée"));
        Ok(())
    }

    /// Removes the image that lost its tag to the new one.
    fn forget(&self, before: &Image) -> Result<()> {
        let cmd = Cmd::new("docker").args(["rmi", &before.id]);
        // A container that still uses it keeps it, which is right.
        self.ctx.exec.probe(&cmd)?;
        Ok(())
    }
}

fn explain_plugin(error: anyhow::Error) -> anyhow::Error {
    error.context(
        Failure::tool(tr!(
            "Packer's Docker plugin could not be installed",
            "l'extension Docker de Packer n'a pas pu être installée",
        ))
        .next(tr!(
            "check the network (it comes from github.com), then run the same command again",
            "vérifiez le réseau (elle vient de github.com), puis relancez la même commande",
        )),
    )
}

/// Why a build fails.
const KNOWN_ERRORS: &[KnownError] = &[known_errors::RATE_LIMIT, known_errors::OTHER_HASH];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};

    #[test]
    fn a_rate_limit_is_no_broken_template() {
        let error = known_errors::explain(
            Failure::tool("`packer` failed")
                .printed("toomanyrequests: rate limit")
                .into(),
            KNOWN_ERRORS,
        );
        assert_eq!(kind(&error), Kind::Preflight);
    }
}
