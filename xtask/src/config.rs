//! `lab.toml`: tool pins, names, ports, objectives and the engine. Everything
//! is checked before anything is done.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use anyhow::{Context, Result};
use clap::ValueEnum;
use serde::Deserialize;
use terms::{EngineName, ScenarioName};
use toml::Spanned;

use crate::failure::Failure;
use crate::pins::{ImageLab, Images, K3d, Tools};

/// Where the pods run.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum EngineChoice {
    /// k3d when a Docker daemon answers, else local
    Auto,
    /// Processes of this machine: no Docker, no root
    Local,
    /// A Kubernetes cluster in Docker
    K3d,
}

impl EngineChoice {
    /// The engine that this is, where it says one.
    pub fn named(self) -> Option<EngineName> {
        match self {
            Self::Local => Some(EngineName::Local),
            Self::K3d => Some(EngineName::K3d),
            Self::Auto => None,
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    pub engine: EngineChoice,
    pub service: Service,
    pub python: Python,
    pub client: Client,
    pub objectives: Objectives,
    pub keep: Keep,
    pub k3d: K3d,
    pub images: Images,
    pub image_lab: ImageLab,
    pub tools: Tools,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// TCP port on this machine; 0 takes any free one.
    pub port: u16,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Python {
    minimum: Spanned<String>,
}

impl Python {
    /// The oldest Python that will do, as (major, minor).
    pub fn minimum(&self) -> (u32, u32) {
        parse_minor(self.minimum.get_ref()).unwrap_or_default()
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Client {
    rate: Spanned<u32>,
    connections: Spanned<u32>,
    reads: Spanned<u32>,
}

impl Client {
    /// Writes a second, whatever the answers do.
    pub fn rate(&self) -> u32 {
        *self.rate.get_ref()
    }

    /// Writers that stand ready.
    pub fn connections(&self) -> u32 {
        *self.connections.get_ref()
    }

    /// Looks of the reader a second.
    pub fn reads(&self) -> u32 {
        *self.reads.get_ref()
    }
}

/// How much is kept of what the lab leaves behind.
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

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Objectives {
    rpo_rows: Spanned<f64>,
    rpo_seconds: Spanned<f64>,
    rto_seconds: Spanned<f64>,
    /// Other limits for some scenarios, by their names.
    #[serde(default)]
    scenario: BTreeMap<Spanned<String>, Exceptions>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exceptions {
    rpo_rows: Option<Spanned<f64>>,
    rpo_seconds: Option<Spanned<f64>>,
    rto_seconds: Option<Spanned<f64>>,
}

/// What one scenario is held against.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Acknowledged rows that may be lost with the journal.
    pub rpo_rows: f64,
    /// Seconds' worth of acknowledged writes that may be lost.
    pub rpo_seconds: f64,
    /// How long the service may be away.
    pub rto_seconds: f64,
}

impl Objectives {
    pub fn of(&self, scenario: ScenarioName) -> Limits {
        let none = Exceptions::default();
        let own = self.scenario.get(scenario.word()).unwrap_or(&none);
        let value = |own: &Option<Spanned<f64>>, common: &Spanned<f64>| {
            *own.as_ref().unwrap_or(common).get_ref()
        };
        Limits {
            rpo_rows: value(&own.rpo_rows, &self.rpo_rows),
            rpo_seconds: value(&own.rpo_seconds, &self.rpo_seconds),
            rto_seconds: value(&own.rto_seconds, &self.rto_seconds),
        }
    }

    fn check(&self) -> Result<(), Complaint> {
        // Of a misspelt name nothing would ever be held against it.
        let known = || ScenarioName::ALL.iter().map(|one| one.word());
        let mut names = self.scenario.keys();
        if let Some(name) = names.find(|name| !known().any(|one| one == name.get_ref())) {
            let allowed = known().collect::<Vec<_>>().join(", ");
            return Err(complaint("objectives.scenario", name, &allowed));
        }
        let common = [
            ("rpo_rows", Some(&self.rpo_rows)),
            ("rpo_seconds", Some(&self.rpo_seconds)),
            ("rto_seconds", Some(&self.rto_seconds)),
        ];
        let own = self.scenario.values().flat_map(|one| {
            [
                ("rpo_rows", one.rpo_rows.as_ref()),
                ("rpo_seconds", one.rpo_seconds.as_ref()),
                ("rto_seconds", one.rto_seconds.as_ref()),
            ]
        });
        for (name, value) in common.into_iter().chain(own) {
            // Infinity says that this does not count.
            if let Some(value) = value.filter(|value| *value.get_ref() != f64::INFINITY) {
                in_range(&format!("objectives.{name}"), value, 0.0..=86_400.0)?;
            }
        }
        Ok(())
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
            let failure = Failure::usage("the lab has no readable configuration");
            error.context(failure.next("git restore lab.toml"))
        })?;
    parse(&text, path)
}

fn parse(text: &str, path: &Path) -> Result<Config> {
    let name = path.display();
    let fix = format!("correct {name} and run the same command again");
    let config: Config = toml::from_str(text).map_err(|error| {
        let line = error.span().map_or(1, |span| line_of(text, span.start));
        let message = error.to_string();
        Failure::usage(format!("{name}, line {line}: {}", message.trim_end())).next(&fix)
    })?;
    config.check().map_err(|(offset, complaint)| {
        let line = line_of(text, offset);
        Failure::usage(format!("{name}, line {line}: {complaint}")).next(&fix)
    })?;
    Ok(config)
}

type Complaint = (usize, String);

impl Config {
    fn check(&self) -> Result<(), Complaint> {
        in_range("client.rate", &self.client.rate, 1..=2000)?;
        in_range("client.connections", &self.client.connections, 1..=64)?;
        in_range("client.reads", &self.client.reads, 0..=100)?;
        in_range("keep.runs", &self.keep.runs, 1..=1_000_000)?;
        in_range("keep.logs", &self.keep.logs, 10..=1_000_000)?;
        self.objectives.check()?;
        self.pins_are_possible()?;
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
    fn pins_are_possible(&self) -> Result<(), Complaint> {
        for (key, pin) in self.tools.pins() {
            let version = pin.version();
            if pin.parsed_version().is_none() {
                let key = format!("tools.{key}.version");
                return Err(complaint(&key, version, "a version such as \"1.2.3\""));
            }
        }
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

fn in_range<T>(key: &str, value: &Spanned<T>, allowed: RangeInclusive<T>) -> Result<(), Complaint>
where
    T: PartialOrd + std::fmt::Debug,
{
    if allowed.contains(value.get_ref()) {
        return Ok(());
    }
    let allowed = format!("a number from {:?} to {:?}", allowed.start(), allowed.end());
    Err(complaint(key, value, &allowed))
}

fn complaint<T: std::fmt::Debug>(key: &str, value: &Spanned<T>, allowed: &str) -> Complaint {
    (
        value.span().start,
        format!(
            "{key} = {:?} is not possible; allowed: {allowed}",
            value.get_ref()
        ),
    )
}

fn line_of(text: &str, offset: usize) -> usize {
    let before = &text.as_bytes()[..offset.min(text.len())];
    before.iter().filter(|byte| **byte == b'\n').count() + 1
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
    fn a_scenario_can_have_an_objective_of_its_own() {
        let own = "\n[objectives.scenario.volume-loss]\nrto_seconds = 7\n";
        let config = parse(&format!("{GOOD}{own}"), Path::new("lab.toml")).unwrap();
        assert_eq!(
            config.objectives.of(ScenarioName::VolumeLoss).rto_seconds,
            7.0
        );
        assert_eq!(
            config.objectives.of(ScenarioName::PodCrash).rto_seconds,
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
                .of(ScenarioName::ClusterLoss)
                .rpo_rows
                .is_infinite()
        );
        let said = complain("rpo_rows = 0", "rpo_rows = nan");
        assert!(said.contains("objectives.rpo_rows"), "{said}");
    }

    #[test]
    fn an_unknown_engine_lists_the_known_ones() {
        let said = complain("\"auto\"", "\"podman\"");
        assert!(said.contains("auto") && said.contains("local"), "{said}");
    }
}
