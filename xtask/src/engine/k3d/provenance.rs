//! The versions of what a cluster is made of.

use std::collections::{BTreeMap, BTreeSet};

use crate::exec::Cmd;
use crate::tools::kubectl;
use crate::version::Version;

use super::docker;
use super::site::Site;

impl Site {
    /// What answers; the rest is absent.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let said = |cmd: anyhow::Result<Cmd>| {
            let output = self.ctx.exec.probe(&cmd.ok()?).ok()?;
            output.status.success().then_some(output.stdout)
        };
        let kubectl = |args: &[&str]| said(self.kubectl().map(|kubectl| kubectl.cmd(args)));
        let docker = docker::info(&self.ctx).map(|info| info.shown_version().to_owned());
        let k3d = said(self.k3d(["version"])).and_then(|said| Version::find(&said));
        let image = kubectl(kubectl::GET_IMAGES).and_then(|said| images(&said));
        let known = [
            ("docker", docker),
            ("k3d", k3d.map(|version| version.to_string())),
            ("image", image),
        ];
        let known = known.into_iter().filter_map(|(name, value)| {
            let value = value?;
            Some((name.to_owned(), value))
        });
        let mut versions: BTreeMap<String, String> = known.collect();
        if let Some(said) = kubectl(kubectl::GET_VERSIONS) {
            versions.extend(kubectl::versions(&said));
        }
        versions
    }
}

/// The images that the replicas run; more than one while they are replaced.
fn images(said: &str) -> Option<String> {
    let words = said.split_whitespace();
    let images: BTreeSet<&str> = words.filter(|word| word.contains("sha256:")).collect();
    let images: Vec<&str> = images.into_iter().collect();
    (!images.is_empty()).then(|| images.join(", "))
}

#[cfg(test)]
mod tests {
    use super::images;

    #[test]
    fn replicas_of_one_image_name_it_once() {
        assert_eq!(images("sha256:a sha256:a").as_deref(), Some("sha256:a"));
        assert_eq!(
            images("x@sha256:b sha256:a").as_deref(),
            Some("sha256:a, x@sha256:b")
        );
        assert_eq!(images(r#"{"items":[]}"#), None);
    }
}
