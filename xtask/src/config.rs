//! `lab.toml`: tool pins, names, ports, objectives and the engine. Everything
//! is checked before anything is done.

mod check;
mod client;
mod engine;
mod kubernetes;
mod lang;
mod objectives;
mod offsite;

use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use terms::tr;
use toml::Spanned;

use crate::failure::Failure;
use crate::pins::{Ha, ImageWorkshop, Images, K3d, Monitoring, Tools};
use check::{Complaint, complaint, in_range, line_of};
pub use client::{Client, Mode};
pub use engine::EngineChoice;
pub use kubernetes::{Kubernetes, Reach};
pub use lang::LangChoice;
pub use objectives::{Limits, Objectives};
pub use offsite::{Destination, Offsite, bucket_port};

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub engine: EngineChoice,
    #[serde(default)]
    pub lang: LangChoice,
    pub service: Service,
    pub python: Python,
    pub client: Client,
    pub objectives: Objectives,
    pub keep: Keep,
    pub k3d: K3d,
    #[serde(default)]
    pub kubernetes: Kubernetes,
    #[serde(default)]
    pub offsite: Offsite,
    pub images: Images,
    pub monitoring: Monitoring,
    #[serde(rename = "image_lab")]
    pub image_workshop: ImageWorkshop,
    pub ha: Ha,
    pub tools: Tools,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    port: Spanned<u16>,
}

impl Service {
    /// TCP port on this machine; 0 takes any free one.
    pub fn port(&self) -> u16 {
        *self.port.get_ref()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Python {
    minimum: Spanned<String>,
}

impl Python {
    /// The oldest Python that is supported, as (major, minor).
    pub fn minimum(&self) -> (u32, u32) {
        parse_minor(self.minimum.get_ref()).unwrap_or_default()
    }
}

/// How many old runs and logs are kept.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Keep {
    runs: Spanned<u32>,
    logs: Spanned<u32>,
}

impl Keep {
    /// Folders of runs.
    pub fn runs(&self) -> usize {
        *self.runs.get_ref() as usize
    }

    /// Logs of external commands.
    pub fn logs(&self) -> usize {
        *self.logs.get_ref() as usize
    }
}

/// Reads and checks `lab.toml`.
///
/// # Errors
/// [`crate::failure::Kind::Usage`] with file, line, key and what is allowed.
pub fn load(path: &Path) -> Result<Config> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("reading {}", path.display()))
        .map_err(|error| {
            let failure = Failure::usage(tr!(
                "the lab has no readable configuration",
                "le lab n'a pas de configuration lisible",
            ));
            error.context(failure.next("git restore lab.toml"))
        })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Config> {
    let name = path.display();
    let fix = tr!(
        "correct {name} and run the same command again",
        "corrigez {name} et relancez la même commande",
    );
    let config: Config = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let message = error.to_string();
        Failure::usage(tr!(
            "{name}, line {line}: {said}",
            "{name}, ligne {line} : {said}",
            said = message.trim_end(),
        ))
        .next(&fix)
    })?;
    config.check().map_err(|(offset, complaint)| {
        let line = line_of(text, offset);
        Failure::usage(tr!(
            "{name}, line {line}: {complaint}",
            "{name}, ligne {line} : {complaint}",
        ))
        .next(&fix)
    })?;
    Ok(config)
}

impl Config {
    fn check(&self) -> Result<(), Complaint> {
        in_range("client.rate", &self.client.rate, 1..=2000)?;
        in_range("client.connections", &self.client.connections, 1..=64)?;
        in_range("client.reads", &self.client.reads, 0..=100)?;
        in_range("keep.runs", &self.keep.runs, 1..=1_000_000)?;
        in_range("keep.logs", &self.keep.logs, 10..=1_000_000)?;
        self.objectives.check()?;
        self.pins_are_possible()?;
        self.ports_differ()?;
        self.kubernetes.check()?;
        self.offsite.check()?;
        let minimum = &self.python.minimum;
        if parse_minor(minimum.get_ref()).is_none() {
            return Err(complaint(
                "python.minimum",
                minimum,
                "a version such as \"3.10\"",
            ));
        }
        Ok(())
    }
}

impl Config {
    /// The labs can be there at the same time.
    fn ports_differ(&self) -> Result<(), Complaint> {
        let image = &self.image_workshop;
        let of_labs = [
            ("service.port", &self.service.port),
            ("image_lab.mario_port", image.mario_port()),
            ("image_lab.nginx_port", image.nginx_port()),
            ("ha.port", self.ha.port()),
        ];
        let of_watching = self.monitoring.declared();
        let ports: Vec<_> = of_labs.into_iter().chain(of_watching).collect();
        for (n, (key, port)) in ports.iter().copied().enumerate() {
            let mut others = ports[..n].iter();
            let same = others.find(|(_, other)| other.get_ref() == port.get_ref());
            // 0 is any free one.
            let Some((other, _)) = same.filter(|_| *port.get_ref() != 0) else {
                continue;
            };
            let allowed = tr!("another port than {other}", "un autre port que {other}");
            return Err(complaint(key, port, &allowed));
        }
        Ok(())
    }

    fn pins_are_possible(&self) -> Result<(), Complaint> {
        for (key, pin) in self.tools.pins() {
            let version = pin.version();
            if pin.parsed_version().is_none() {
                let key = format!("tools.{key}.version");
                return Err(complaint(&key, version, "a version such as \"1.2.3\""));
            }
        }
        self.robust_lab_is_possible()?;
        in_range("k3d.servers", self.k3d.servers(), 1..=1)?;
        in_range("k3d.agents", self.k3d.agents(), 0..=8)?;
        let mirror = self.tools.mirror();
        let possible = mirror.get_ref().is_empty() || mirror.get_ref().contains("://");
        if !possible {
            let allowed = "empty, or an address such as \"https://mirror.example\"";
            return Err(complaint("tools.mirror", mirror, allowed));
        }
        Ok(())
    }
}

impl Config {
    fn robust_lab_is_possible(&self) -> Result<(), Complaint> {
        let class = self.ha.storage_class();
        let possible = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || ".-".contains(c);
        if !class.get_ref().chars().all(possible) {
            let allowed = "empty, or a name that kubectl get storageclass lists";
            return Err(complaint("ha.storage_class", class, allowed));
        }
        let operator = self.ha.operator();
        if operator.parsed_version().is_none() {
            let allowed = "a version such as \"1.2.3\"";
            return Err(complaint(
                "ha.operator.version",
                operator.version(),
                allowed,
            ));
        }
        if !operator.url().get_ref().contains("{version}") {
            let allowed = "an address with {version} in it";
            return Err(complaint("ha.operator.url", operator.url(), allowed));
        }
        if !operator.is_checkable() {
            let allowed = "64 hexadecimal digits, as sha256sum prints them";
            return Err(complaint("ha.operator.sha256", operator.sha256(), allowed));
        }
        Ok(())
    }
}

fn parse_minor(version: &str) -> Option<(u32, u32)> {
    let (major, minor) = version.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}

/// The project's own configuration.
#[cfg(test)]
pub fn example() -> Config {
    parse(include_str!("../../lab.toml"), Path::new("lab.toml")).unwrap()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};
    use terms::{LabName, ScenarioName};

    const GOOD: &str = include_str!("../../lab.toml");

    fn complain(from: &str, to: &str) -> String {
        assert!(GOOD.contains(from), "lab.toml no longer has {from:?}");
        let text = GOOD.replacen(from, to, 1);
        let error = parse(&text, Path::new("lab.toml")).unwrap_err();
        assert_eq!(kind(&error), Kind::Usage);
        error.to_string()
    }

    #[test]
    fn the_projects_own_configuration_is_good() {
        assert_eq!(example().python.minimum(), (3, 10));
    }

    #[test]
    fn an_unknown_key_names_file_line_and_what_is_allowed() {
        let said = complain("rate = 60", "rate = 60\nspeed = 3");
        assert!(said.contains("lab.toml, line"), "{said}");
        assert!(
            said.contains("speed") && said.contains("connections"),
            "{said}"
        );
    }

    #[test]
    fn a_wrong_type_names_the_line() {
        let line = 1 + GOOD.lines().position(|l| l.starts_with("port")).unwrap();
        let said = complain("port = 8080", "port = \"web\"");
        assert!(said.contains(&format!("line {line}")), "{said}");
        let said = complain("port = 8080", "port = 70000");
        assert!(said.contains(&format!("line {line}")), "{said}");
    }

    #[test]
    fn an_impossible_value_names_key_and_range() {
        let said = complain("rate = 60", "rate = 0");
        assert!(said.contains("client.rate = 0"), "{said}");
        assert!(said.contains("1 to 2000"), "{said}");
        let said = complain("\"3.10\"", "\"three\"");
        assert!(said.contains("python.minimum"), "{said}");
    }

    #[test]
    fn two_labs_cannot_have_the_same_port() {
        for (from, to, key) in [
            ("port = 8083", "port = 8080", "ha.port"),
            ("port = 8083", "port = 8082", "ha.port"),
            (
                "mario_port = 8081",
                "mario_port = 8080",
                "image_lab.mario_port",
            ),
            (
                "prometheus_port = 9090",
                "prometheus_port = 8083",
                "monitoring.prometheus_port",
            ),
            (
                "ha_prometheus_port = 9091",
                "ha_prometheus_port = 9090",
                "monitoring.ha_prometheus_port",
            ),
        ] {
            let line = 1 + GOOD.lines().position(|line| line == from).unwrap();
            let said = complain(from, to);
            assert!(said.contains(&format!("line {line}: {key} = ")), "{said}");
            assert!(said.contains("another port than "), "{said}");
        }
        let any = GOOD.replace("port = 8083", "port = 0");
        let any = any.replace("port = 8080", "port = 0");
        assert!(parse(&any, Path::new("lab.toml")).is_ok());
    }

    #[test]
    fn what_the_robust_lab_cannot_use_is_named() {
        let said = complain("storage_class = \"\"", "storage_class = \"My Class\"");
        assert!(said.contains("ha.storage_class"), "{said}");
        let sum = example().ha.operator().sha256().get_ref().clone();
        let said = complain(&sum, &sum[1..]);
        assert!(said.contains("ha.operator.sha256"), "{said}");
        let said = complain("v{version}/cnpg-{version}.yaml", "v1/cnpg-1.yaml");
        assert!(said.contains("ha.operator.url"), "{said}");
    }

    #[test]
    fn a_scenario_can_have_an_objective_of_its_own() {
        let own = "\n[objectives.scenario.volume-loss]\nrto_seconds = 7\n";
        let config = parse(&format!("{GOOD}{own}"), Path::new("lab.toml")).unwrap();
        assert_eq!(
            config
                .objectives
                .of(LabName::Pra, ScenarioName::VolumeLoss)
                .rto_seconds,
            7.0
        );
        assert_eq!(
            config
                .objectives
                .of(LabName::Pra, ScenarioName::PodCrash)
                .rto_seconds,
            30.0
        );
        let wrong = format!("{GOOD}{}", own.replace("7", "-7"));
        let said = parse(&wrong, Path::new("lab.toml")).unwrap_err();
        assert!(
            said.to_string().contains("objectives.rto_seconds"),
            "{said}"
        );
    }

    #[test]
    fn each_lab_has_objectives_of_its_own() {
        let of = |lab, name| example().objectives.of(lab, name).rto_seconds;
        assert_eq!(of(LabName::Ha, ScenarioName::PrimaryLoss), 10.0);
        assert_eq!(of(LabName::Ha, ScenarioName::PodCrash), 30.0);
        assert_eq!(of(LabName::Pra, ScenarioName::VolumeLoss), 30.0);
        let said = complain("[objectives.ha.drain]", "[objectives.ha.drained]");
        assert!(said.contains("objectives.ha"), "{said}");
    }

    #[test]
    fn an_objective_of_a_scenario_that_there_is_not_names_those_there_are() {
        let header = "[objectives.scenario.cluster-loss]";
        let said = complain(header, "[objectives.scenario.cluster-lost]");
        let line = 1 + GOOD.lines().position(|l| l == header).unwrap();
        assert!(
            said.contains(&format!("line {line}: objectives.scenario")),
            "{said}"
        );
        assert!(
            said.contains("cluster-lost") && said.contains("cluster-loss"),
            "{said}"
        );
    }

    #[test]
    fn rows_can_be_left_out_of_the_objectives() {
        let config = example();
        assert!(
            config
                .objectives
                .of(LabName::Pra, ScenarioName::ClusterLoss)
                .rpo_rows
                .is_infinite()
        );
        let said = complain("rpo_rows = 0", "rpo_rows = nan");
        assert!(said.contains("objectives.rpo_rows"), "{said}");
    }

    #[test]
    fn an_unknown_engine_lists_the_known_ones() {
        let said = complain("\"auto\"", "\"podman\"");
        let line = 1 + GOOD.lines().position(|l| l.starts_with("engine")).unwrap();
        assert!(said.contains(&format!("line {line}")), "{said}");
        assert!(said.contains("auto") && said.contains("local"), "{said}");
    }
}
