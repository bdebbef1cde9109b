//! The part of `lab.toml` that says what the k3d engine is made of: cluster,
//! images, and the tools with their versions and checksums.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::version::Version;

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct K3d {
    pub node_image: String,
    servers: Spanned<u32>,
    agents: Spanned<u32>,
}

impl K3d {
    pub fn servers(&self) -> &Spanned<u32> {
        &self.servers
    }

    pub fn agents(&self) -> &Spanned<u32> {
        &self.agents
    }

    /// The Kubernetes of the nodes, from the tag of their image.
    pub fn kubernetes(&self) -> Option<Version> {
        // A digest may follow it.
        let tagged = self.node_image.split('@').next()?;
        Version::find(tagged.rsplit(':').next()?)
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Images {
    pub flask_base: String,
    pub nginx_base: String,
    /// The embedded store for copies elsewhere.
    pub store: String,
}

/// What watches a lab.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Monitoring {
    prometheus_port: Spanned<u16>,
    alertmanager_port: Spanned<u16>,
    ha_prometheus_port: Spanned<u16>,
    ha_alertmanager_port: Spanned<u16>,
    grafana_port: Spanned<u16>,
    ha_grafana_port: Spanned<u16>,
    pub images: MonitoringImages,
}

impl Monitoring {
    /// TCP ports on this machine of Prometheus, Alertmanager and Grafana; 0 takes any free one.
    pub fn ports(&self) -> [u16; 3] {
        let all = [
            &self.prometheus_port,
            &self.alertmanager_port,
            &self.grafana_port,
        ];
        all.map(|port| *port.get_ref())
    }

    /// Those of the lab `ha`.
    pub fn ha_ports(&self) -> [u16; 3] {
        let all = [
            &self.ha_prometheus_port,
            &self.ha_alertmanager_port,
            &self.ha_grafana_port,
        ];
        all.map(|port| *port.get_ref())
    }

    /// Each by its key.
    pub fn declared(&self) -> [(&'static str, &Spanned<u16>); 6] {
        [
            ("monitoring.prometheus_port", &self.prometheus_port),
            ("monitoring.alertmanager_port", &self.alertmanager_port),
            ("monitoring.ha_prometheus_port", &self.ha_prometheus_port),
            (
                "monitoring.ha_alertmanager_port",
                &self.ha_alertmanager_port,
            ),
            ("monitoring.grafana_port", &self.grafana_port),
            ("monitoring.ha_grafana_port", &self.ha_grafana_port),
        ]
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitoringImages {
    prometheus: String,
    alertmanager: String,
    kube_state_metrics: String,
    grafana: String,
}

impl MonitoringImages {
    /// Each with the name that the manifests have for it.
    pub fn all(&self) -> [(&'static str, &str); 4] {
        [
            ("quay.io/prometheus/prometheus", &self.prometheus),
            ("quay.io/prometheus/alertmanager", &self.alertmanager),
            (
                "registry.k8s.io/kube-state-metrics/kube-state-metrics",
                &self.kube_state_metrics,
            ),
            ("docker.io/grafana/grafana", &self.grafana),
        ]
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageWorkshop {
    mario_port: Spanned<u16>,
    nginx_port: Spanned<u16>,
}

impl ImageWorkshop {
    pub fn mario_port(&self) -> &Spanned<u16> {
        &self.mario_port
    }

    pub fn nginx_port(&self) -> &Spanned<u16> {
        &self.nginx_port
    }
}

/// The robust architecture.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ha {
    port: Spanned<u16>,
    storage_class: Spanned<String>,
    operator: Manifest,
}

impl Ha {
    /// TCP port on this machine; 0 takes any free one.
    pub fn port(&self) -> &Spanned<u16> {
        &self.port
    }

    /// Of the database's volumes; empty for the cluster's default.
    pub fn storage_class(&self) -> &Spanned<String> {
        &self.storage_class
    }

    pub fn operator(&self) -> &Manifest {
        &self.operator
    }
}

/// The manifest of a release, which `ansible/ha.yml` downloads and checks.
/// `{version}` stands for itself.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: Spanned<String>,
    url: Spanned<String>,
    sha256: Spanned<String>,
}

impl Manifest {
    pub fn version(&self) -> &Spanned<String> {
        &self.version
    }

    pub fn parsed_version(&self) -> Option<Version> {
        Version::find(self.version.get_ref())
    }

    pub fn url(&self) -> &Spanned<String> {
        &self.url
    }

    /// Where that version is.
    pub fn address(&self) -> String {
        self.url
            .get_ref()
            .replace("{version}", self.version.get_ref())
    }

    pub fn sha256(&self) -> &Spanned<String> {
        &self.sha256
    }

    /// Whether the checksum is one.
    pub fn is_checkable(&self) -> bool {
        let sha256 = self.sha256.get_ref();
        sha256.len() == 64 && sha256.bytes().all(|byte| byte.is_ascii_hexdigit())
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tools {
    mirror: Spanned<String>,
    pub k3d: Pin,
    pub kubectl: Pin,
    pub packer: Pin,
}

impl Tools {
    /// Put before the host of each download; empty for none.
    pub fn mirror(&self) -> &Spanned<String> {
        &self.mirror
    }

    pub fn pins(&self) -> [(&'static str, &Pin); 3] {
        [
            ("k3d", &self.k3d),
            ("kubectl", &self.kubectl),
            ("packer", &self.packer),
        ]
    }
}

/// One version of one tool and where it comes from. `{version}`, `{os}` and
/// `{arch}` stand for themselves.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    version: Spanned<String>,
    url: String,
    /// The release's own list of checksums.
    sums: String,
    /// By `os-arch`.
    #[serde(default)]
    sha256: BTreeMap<String, String>,
}

impl Pin {
    pub fn version(&self) -> &Spanned<String> {
        &self.version
    }

    pub fn parsed_version(&self) -> Option<Version> {
        Version::find(self.version.get_ref())
    }

    pub fn url(&self, platform: &Platform) -> String {
        self.filled(&self.url, platform)
    }

    pub fn sums(&self, platform: &Platform) -> String {
        self.filled(&self.sums, platform)
    }

    pub fn sha256(&self, platform: &Platform) -> Option<&str> {
        let key = format!("{}-{}", platform.os, platform.arch);
        self.sha256.get(&key).map(String::as_str)
    }

    fn filled(&self, template: &str, platform: &Platform) -> String {
        template
            .replace("{version}", self.version.get_ref())
            .replace("{os}", platform.os)
            .replace("{arch}", platform.arch)
    }
}

/// A machine, in the words that the projects use for their files.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Platform {
    pub os: &'static str,
    pub arch: &'static str,
}

impl Platform {
    /// Of this machine; `None` where no tool is published for it.
    pub fn here() -> Option<Self> {
        Self::of(std::env::consts::OS, std::env::consts::ARCH)
    }

    fn of(os: &str, arch: &str) -> Option<Self> {
        let os = match os {
            "linux" => "linux",
            "macos" => "darwin",
            _ => return None,
        };
        let arch = match arch {
            "x86_64" => "amd64",
            "aarch64" => "arm64",
            _ => return None,
        };
        Some(Self { os, arch })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Lab {
        tools: Tools,
        k3d: K3d,
        images: Images,
    }

    fn lab() -> Lab {
        toml::from_str(include_str!("../../lab.toml")).unwrap()
    }

    #[test]
    fn kubernetes_is_that_of_the_tag_also_where_a_digest_follows() {
        let mut k3d = lab().k3d;
        let version = k3d.kubernetes().unwrap();
        k3d.node_image += "@sha256:99";
        assert_eq!(k3d.kubernetes(), Some(version));
    }

    #[test]
    fn each_platform_has_its_address() {
        let tools = lab().tools;
        let mac = Platform::of("macos", "aarch64").unwrap();
        assert_eq!(
            tools.packer.url(&mac),
            "https://releases.hashicorp.com/packer/1.11.2/packer_1.11.2_darwin_arm64.zip"
        );
        let linux = Platform::of("linux", "x86_64").unwrap();
        assert_eq!(
            tools.kubectl.url(&linux),
            "https://dl.k8s.io/release/v1.34.1/bin/linux/amd64/kubectl"
        );
        assert!(Platform::of("windows", "x86_64").is_none());
    }

    #[test]
    fn checksums_are_sha256_for_platforms_that_exist() {
        let tools = lab().tools;
        for (tool, pin) in tools.pins() {
            for (platform, sha256) in &pin.sha256 {
                let (os, arch) = platform.split_once('-').unwrap();
                assert!(["linux", "darwin"].contains(&os), "{tool} {platform}");
                assert!(["amd64", "arm64"].contains(&arch), "{tool} {platform}");
                assert_eq!(sha256.len(), 64, "{tool} {platform}");
            }
        }
    }

    #[test]
    fn kubectl_fits_the_nodes() {
        let lab = lab();
        let (nodes, kubectl) = (lab.k3d.kubernetes().unwrap(), lab.tools.kubectl);
        let kubectl = kubectl.parsed_version().unwrap();
        assert!(nodes.0 == kubectl.0 && nodes.1.abs_diff(kubectl.1) <= 1);
    }

    /// The defaults of the templates are for people who type the commands.
    #[test]
    fn the_templates_start_from_the_same_images() {
        let images = lab().images;
        let flask = include_str!("../../packer/flask/flask.pkr.hcl");
        let nginx = include_str!("../../packer/nginx/nginx.pkr.hcl");
        assert!(flask.contains(&format!("default = \"{}\"", images.flask_base)));
        assert!(nginx.contains(&format!("default = \"{}\"", images.nginx_base)));
    }
}
