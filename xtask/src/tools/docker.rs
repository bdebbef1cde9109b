//! Argument lists of Docker, and its output.

use anyhow::{Context as _, Result};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

use crate::version::Version;

/// k3d 5 wants at least this one.
pub const OLDEST: Version = Version(20, 10, 5);

/// The label of an image with the hash of what it was made from; written by
/// the templates of packer/.
pub const INPUTS: &str = "atelier-pra.inputs";

pub const INFO: &[&str] = &["info", "--format", "{{json .}}"];

/// What `docker info` says of the daemon.
#[derive(Clone, Debug, Deserialize)]
pub struct Info {
    #[serde(rename = "ServerVersion", default)]
    version: String,
    #[serde(rename = "MemTotal", default)]
    pub memory: u64,
    #[serde(rename = "NCPU", default)]
    pub cores: u32,
    #[serde(rename = "DockerRootDir", default)]
    pub root: String,
}

impl Info {
    /// `None` where no daemon answered: the client alone still prints a document.
    pub fn parse(text: &str) -> Option<Self> {
        let info: Self = serde_json::from_str(text.trim()).ok()?;
        (!info.version.is_empty()).then_some(info)
    }

    pub fn version(&self) -> Option<Version> {
        Version::find(&self.version)
    }

    pub fn shown_version(&self) -> &str {
        &self.version
    }
}

/// An image of the daemon.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
pub struct Image {
    #[serde(rename = "Id")]
    pub id: String,
    #[serde(rename = "Config")]
    config: Config,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Eq)]
struct Config {
    #[serde(rename = "Labels", default)]
    labels: Option<BTreeMap<String, String>>,
}

pub fn inspect_image(image: &str) -> Vec<String> {
    ["image", "inspect", image, "--format", "{{json .}}"]
        .map(str::to_owned)
        .into()
}

impl Image {
    pub fn parse(text: &str) -> Result<Self> {
        serde_json::from_str(text.trim()).context("reading the answer of `docker image inspect`")
    }

    /// The hash of what it was made from.
    pub fn inputs(&self) -> Option<&str> {
        let labels = self.config.labels.as_ref()?;
        labels.get(INPUTS).map(String::as_str)
    }
}

/// Images made by the template of that title, also those that lost their tag.
pub fn built_images(title: &str) -> Vec<String> {
    let filter = format!("label=org.opencontainers.image.title={title}");
    ["images", "--quiet", "--no-trunc", "--filter", &filter]
        .map(str::to_owned)
        .into()
}

/// The values of two labels of those containers of a k3d cluster that have the
/// first, running or not: a line for each.
pub fn labels(cluster: &str, first: &str, second: &str) -> Vec<String> {
    let has = format!("label={first}");
    let theirs = format!("label=k3d.cluster={cluster}");
    let what = format!("{{{{.Label \"{first}\"}}}} {{{{.Label \"{second}\"}}}}");
    [
        "ps", "--all", "--filter", &has, "--filter", &theirs, "--format", &what,
    ]
    .map(str::to_owned)
    .into()
}

/// Identity and role of every container of a k3d cluster, running or not.
pub fn containers(cluster: &str) -> Vec<String> {
    let theirs = format!("label=k3d.cluster={cluster}");
    let what = "{{.ID}} {{.Label \"k3d.role\"}}";
    [
        "ps",
        "--all",
        "--no-trunc",
        "--filter",
        &theirs,
        "--format",
        what,
    ]
    .map(str::to_owned)
    .into()
}

/// The identities of those that make up the cluster: k3d has helpers that come
/// and go.
pub fn parts(said: &str) -> BTreeSet<String> {
    let lines = said.lines().filter_map(|line| line.split_once(' '));
    let lasting = lines.filter(|(_, role)| ["server", "agent", "loadbalancer"].contains(role));
    lasting.map(|(id, _)| id.to_owned()).collect()
}

/// Ends a container at once, as a node that loses its power does.
pub fn kill(container: &str) -> Vec<String> {
    ["kill", container].map(str::to_owned).into()
}

pub fn start(container: &str) -> Vec<String> {
    ["start", container].map(str::to_owned).into()
}

/// Asks the containerd of a node for an image by its whole name: digest and
/// manifest, in one go, with what the shell of the node's image has built in.
pub fn node_image(node: &str, image: &str) -> Vec<String> {
    let script = "ctr image ls name==\"$0\" | while read -r name type digest rest; do \
                  if [ \"$name\" = \"$0\" ]; then \
                  echo \"$digest\"; ctr content get \"$digest\"; fi; done";
    let name = format!("docker.io/{image}");
    ["exec", node, "sh", "-c", script, &name]
        .map(str::to_owned)
        .into()
}

/// The names under which a node knows an image: its manifest and, as Docker
/// calls it without its containerd store, its configuration. None where it
/// lacks it.
pub fn node_identities(said: &str) -> Vec<String> {
    #[derive(Deserialize)]
    struct Manifest {
        config: Descriptor,
    }
    #[derive(Deserialize)]
    struct Descriptor {
        digest: String,
    }
    let Some((digest, manifest)) = said.split_once('\n') else {
        return Vec::new();
    };
    let config = serde_json::from_str::<Manifest>(manifest).ok();
    let config = config.map(|manifest| manifest.config.digest);
    std::iter::once(digest.to_owned()).chain(config).collect()
}

/// An image's place and, as kustomize wants it, its tag, with the digest where it has one
/// (`tag@sha256:...`); `None` where it has no tag. The place may have a port.
pub fn place_and_tag(image: &str) -> Option<(&str, &str)> {
    let without_digest = image.split('@').next()?;
    let colon = without_digest.rfind(':')?;
    let tag = &image[colon + 1..];
    (!without_digest[colon..].contains('/')).then_some((&image[..colon], tag))
}

/// The format of `docker image inspect` for the digests that registries told, a line each.
pub const DIGESTS: &str = "{{range .RepoDigests}}{{println .}}{{end}}";

/// The digest among them that the registry of this image told, with its `@`.
pub fn digest_in(told: &str, image: &str) -> Option<String> {
    let (place, _) = place_and_tag(image)?;
    let mut told = told.lines().filter_map(|line| line.split_once('@'));
    let found = told.find(|(of, _)| short(of) == short(place));
    found.map(|(_, digest)| format!("@{digest}"))
}

/// Docker leaves its own hub out of the name of an image.
fn short(place: &str) -> &str {
    let hub = ["docker.io/", "index.docker.io/"];
    let rest = hub.iter().find_map(|hub| place.strip_prefix(hub));
    let rest = rest.unwrap_or(place);
    rest.strip_prefix("library/").unwrap_or(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_follows_its_tag() {
        let place = "r.example:5000/team/flask-sqlite";
        let digest = "@sha256:0123";
        let told = format!("other/flask-sqlite@sha256:9\n{place}{digest}\n");
        let image = format!("{place}:1");
        assert_eq!(digest_in(&told, &image).as_deref(), Some(digest));
        assert_eq!(digest_in("\n", &image), None);
        let hub = format!("team/flask-sqlite{digest}\n");
        for image in ["docker.io/team/flask-sqlite:1", "team/flask-sqlite:1"] {
            assert_eq!(digest_in(&hub, image).as_deref(), Some(digest));
        }
        let whole = format!("{image}{digest}");
        assert_eq!(place_and_tag(&whole), Some((place, "1@sha256:0123")));
        assert_eq!(place_and_tag(place), None);
        assert_eq!(
            place_and_tag("prom/prometheus:v3.5.0"),
            Some(("prom/prometheus", "v3.5.0"))
        );
    }

    #[test]
    fn a_client_without_daemon_is_no_daemon() {
        let alone = r#"{"ServerErrors":["Cannot connect"],"ServerVersion":""}"#;
        assert!(Info::parse(alone).is_none());
        assert!(Info::parse("Cannot connect to the Docker daemon").is_none());
        let there = r#"{"ServerVersion":"20.10.24+dfsg1","MemTotal":8000000000}"#;
        let info = Info::parse(there).unwrap();
        assert_eq!(info.version(), Some(Version(20, 10, 24)));
        assert!(info.version().unwrap() >= OLDEST);
    }

    #[test]
    fn an_image_tells_its_inputs() {
        let text = r#"{"Id":"sha256:1","Config":{"Labels":{"atelier-pra.inputs":"abc"}}}"#;
        assert_eq!(Image::parse(text).unwrap().inputs(), Some("abc"));
        let foreign = r#"{"Id":"sha256:1","Config":{"Labels":null}}"#;
        assert_eq!(Image::parse(foreign).unwrap().inputs(), None);
    }

    #[test]
    fn a_node_knows_an_image_by_two_names() {
        let said = "sha256:aa\n{\"schemaVersion\":2,\"config\":{\"digest\":\"sha256:bb\"}}";
        assert_eq!(node_identities(said), ["sha256:aa", "sha256:bb"]);
        // An index has no configuration of its own.
        assert_eq!(
            node_identities("sha256:aa\n{\"manifests\":[]}"),
            ["sha256:aa"]
        );
        assert!(node_identities("").is_empty());
    }
}
