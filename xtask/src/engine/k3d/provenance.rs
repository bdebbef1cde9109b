//! The versions of what a k3d cluster is made of.

use std::collections::BTreeMap;

use super::site::Site;
use crate::kube::image::docker;
use crate::version::Version;

impl Site {
    /// What answers; the rest is absent.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let mut versions = self.kube.versions();
        if let Some(info) = docker::info(&self.ctx) {
            versions.insert("docker".to_owned(), info.shown_version().to_owned());
        }
        if let Some(version) = self.k3d_version() {
            versions.insert("k3d".to_owned(), version.to_string());
        }
        versions
    }

    fn k3d_version(&self) -> Option<Version> {
        let asked = self.k3d(["version"]).ok()?;
        let output = self.ctx.exec.probe(&asked).ok()?;
        let said = output.status.success().then_some(output.stdout)?;
        Version::find(&said)
    }
}
