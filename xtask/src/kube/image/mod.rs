//! The image of a workshop, built by Packer and Docker of this machine from what is in
//! the checkout. How it comes to where pods run is an engine's own doing.

mod build;
pub mod docker;
mod push;
pub mod pushed;

use crate::context::Context;
use crate::tools::packer::Vars;

/// The tag of the images, as the workshop types it.
pub const TAG: &str = "1.0";

/// What an image is built from, and what it is called.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// The image without its tag.
    pub repository: &'static str,
    /// The folder of its Packer template.
    pub template: &'static str,
    pub base: String,
}

impl Recipe {
    /// The application of the lab.
    pub fn flask(ctx: &Context) -> Self {
        Self {
            repository: "pra/flask-sqlite",
            template: "packer/flask",
            base: ctx.config.images.flask_base.clone(),
        }
    }

    pub fn image(&self) -> String {
        format!("{}:{TAG}", self.repository)
    }

    pub fn vars(&self) -> Vars<'_> {
        Vars {
            tag: TAG,
            base: &self.base,
        }
    }
}

/// The image on this machine.
#[derive(Clone)]
pub struct Images {
    pub ctx: Context,
    pub recipe: Recipe,
}
