//! The values that options take, and their parsers.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::{PossibleValue, PossibleValuesParser, TypedValueParser};
use terms::lang::Lang;
use terms::{LabName, Protection};

use crate::config::EngineChoice;

/// The parts of the test command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TestPart {
    /// Formatting and lints
    Lint,
    /// Unit tests, and end-to-end tests on the local engine
    Rust,
    /// The application's tests
    Python,
    /// The real flow on k3d: needs Docker, and clusters named pra and lab are made and removed
    Cluster,
    /// Copies of the lab on k3d in a store beside it: a cluster named pra is made and removed twice
    Offsite,
    /// The lab ha on k3d, with a lost primary and a lost node: a cluster named ha is made and
    /// removed, in ten minutes
    Ha,
    /// All disasters of the lab ha on k3d, and the lab in a cluster of somebody else
    HaLong,
    /// What takes longest on k3d: the guide as it is typed and by its short commands, an account
    /// with few rights, the alerts of all disasters, works that are marked, and two hundred pods
    /// that are deleted under load
    ClusterLong,
}

/// The shells whose completion is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompletedShell {
    Bash,
    Zsh,
    Fish,
}

/// What can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum BenchPart {
    /// Cold build of all dependencies against the eight named crates alone
    Build,
    /// `setup` on a lab that is up
    Setup,
    /// `scenario 2` in all, and its RTO against a bare start of the application
    Scenario,
    /// `restore --list` over 10,000 points
    Points,
    /// `setup` on k3d against the typed commands, again, and `restore --list` (needs Docker, 5 minutes)
    Cluster,
    /// `scenario 2` on k3d against a bare pod start, and `scenario 1` (needs Docker, 5 minutes)
    Recovery,
    /// Writes to three synchronous instances of PostgreSQL against one alone (needs the lab ha, 3 minutes)
    Replication,
    /// Journaled writes, with one writer and with several, against writes of the same durability
    Writes,
    /// Snapshot, restore and replay against plain copies
    Protection,
    /// The server of the application beside others: rates, slow clients, stops
    Http,
}

/// Parses seconds, at most a day.
pub(super) fn operator_delay(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok();
    let seconds = seconds.filter(|seconds| (0.0..=86_400.0).contains(seconds));
    seconds.ok_or_else(|| "it has to be from 0 to 86400 seconds".to_owned())
}

/// Parses a path that is UTF-8: commands, messages and documents name it as text.
pub(super) fn text_path(text: &str) -> Result<PathBuf, std::convert::Infallible> {
    Ok(PathBuf::from(text))
}

/// Parses a [`Protection`] that a lab can be put under; help and completion list the values.
pub(super) fn protections() -> impl TypedValueParser<Value = Protection> {
    let words = [Protection::Snapshot, Protection::Journal].map(Protection::word);
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

/// Parses a [`Lang`]; help and completion list the values.
pub(super) fn languages() -> impl TypedValueParser<Value = Lang> {
    PossibleValuesParser::new(Lang::ALL.map(Lang::tag)).try_map(|tag| tag.parse())
}

/// Parses a [`LabName`]; help and completion list the values.
pub(super) fn labs() -> impl TypedValueParser<Value = LabName> {
    let all = LabName::ALL.iter();
    let words = all.map(|one| PossibleValue::new(one.word()).help(one.about()));
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}

/// Parses an [`EngineChoice`]; help and completion list the values.
pub(super) fn engines() -> impl TypedValueParser<Value = EngineChoice> {
    let words = EngineChoice::words().map(|(word, about)| PossibleValue::new(word).help(about));
    PossibleValuesParser::new(words).try_map(|word| word.parse())
}
