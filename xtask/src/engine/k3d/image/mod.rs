//! The image of a workshop: built by Packer from what is in the checkout, and
//! brought to the nodes of its cluster.

mod build;
mod import;

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

/// The image on this machine, and the cluster that needs it.
#[derive(Clone)]
pub struct Images {
    pub ctx: Context,
    pub cluster: &'static str,
    pub recipe: Recipe,
}
