//! The versions that a cluster says of itself.

use std::collections::{BTreeMap, BTreeSet};

use super::Kube;
use crate::tools::kubectl;

impl Kube {
    /// What answers; the rest is absent.
    pub fn versions(&self) -> BTreeMap<String, String> {
        let said = |args: &[&str]| {
            let cmd = self.kubectl().ok()?.cmd(args);
            let output = self.ctx.exec.probe(&cmd).ok()?;
            output.status.success().then_some(output.stdout)
        };
        let image = said(kubectl::GET_IMAGES).and_then(|said| images(&said));
        let image = image.map(|image| ("image".to_owned(), image));
        let mut versions: BTreeMap<String, String> = image.into_iter().collect();
        if let Some(said) = said(kubectl::GET_VERSIONS) {
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
