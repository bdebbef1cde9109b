//! The folders of runs: which there are, what each holds, and which cannot be read.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use terms::tr;

use super::{Drill, Scenario};

/// What a folder under `.lab/runs/` holds.
#[derive(Debug)]
pub enum Document {
    Scenario(Box<Scenario>),
    Drill(Box<Drill>),
}

/// A result that is there and cannot be drawn, and why.
#[derive(Debug)]
pub struct Unreadable {
    pub name: String,
    pub why: String,
}

/// A folder with a result.
#[derive(Debug)]
pub struct Folder {
    pub path: PathBuf,
    pub name: String,
    pub document: Document,
}

impl Folder {
    /// Reads `result.json`; `None` where a run was cut off before it had one.
    pub fn read(path: &Path) -> Result<Option<Self>> {
        let file = path.join("result.json");
        if !file.exists() {
            return Ok(None);
        }
        let text = std::fs::read_to_string(&file)
            .with_context(|| tr!("reading {file}", "lecture de {file}", file = file.display()))?;
        let document = parse(&text)
            .with_context(|| tr!("reading {file}", "lecture de {file}", file = file.display()))?;
        let name = path.file_name().unwrap_or_default();
        Ok(Some(Self {
            name: name.to_string_lossy().into_owned(),
            path: path.to_owned(),
            document,
        }))
    }

    /// When it began: as the document says it, else as the folder is named.
    pub fn began(&self) -> String {
        let said = match &self.document {
            Document::Scenario(scenario) => scenario.began.clone(),
            Document::Drill(drill) => drill.began.clone(),
        };
        said.unwrap_or_else(|| from_name(&self.name))
    }
}

/// The newest format that is understood; results from before it state none.
const FORMAT: u64 = 1;

fn parse(text: &str) -> Result<Document> {
    let value: serde_json::Value = serde_json::from_str(text)?;
    let format = value
        .get("format")
        .map_or(Some(0), serde_json::Value::as_u64);
    anyhow::ensure!(
        format.is_some_and(|format| format <= FORMAT),
        "{}",
        tr!(
            "it is of another format than this program knows: draw it with the version that made \
             it",
            "il est d'un autre format que celui de ce programme : dessinez-le avec la version qui \
             l'a fait"
        )
    );
    Ok(if value.get("groups").is_some() {
        Document::Drill(Box::new(serde_json::from_value(value)?))
    } else {
        Document::Scenario(Box::new(serde_json::from_value(value)?))
    })
}

/// `2026-11-22T05-54-33-123Z-volume-loss` began at `2026-11-22T05:54:33Z`.
fn from_name(name: &str) -> String {
    let Some((date, rest)) = name.split_once('T') else {
        return name.to_owned();
    };
    let time: Vec<&str> = rest.splitn(4, '-').take(3).collect();
    format!("{date}T{}Z", time.join(":"))
}

/// Every result under `runs`, oldest first, and those that cannot be read: one
/// of them says nothing of the others.
///
/// # Errors
/// Where the folder cannot be listed.
pub fn all(runs: &Path) -> Result<(Vec<Folder>, Vec<Unreadable>)> {
    let entries = std::fs::read_dir(runs).with_context(|| {
        tr!(
            "listing {folder}",
            "liste de {folder}",
            folder = runs.display(),
        )
    })?;
    let (mut found, mut unreadable) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry
            .context(tr!("listing the runs", "liste des exécutions"))?
            .path();
        if !path.is_dir() {
            continue;
        }
        match Folder::read(&path) {
            Ok(folder) => found.extend(folder),
            Err(error) => unreadable.push(Unreadable::new(&path, &error)),
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    unreadable.sort_by(|a, b| a.name.cmp(&b.name));
    Ok((found, unreadable))
}

impl Unreadable {
    pub fn new(folder: &Path, error: &anyhow::Error) -> Self {
        let name = folder.file_name().unwrap_or_default();
        Self {
            name: name.to_string_lossy().into_owned(),
            why: format!("{error:#}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use terms::{Protection, ScenarioName};

    use super::*;

    #[test]
    fn a_drill_is_told_from_a_scenario() {
        let scenario = r#"{"scenario":"pod-crash","passed":true,"rto":{"seconds":0.5}}"#;
        let Document::Scenario(scenario) = parse(scenario).unwrap() else {
            panic!("a drill");
        };
        assert_eq!((scenario.passed, scenario.rto.seconds), (true, 0.5));
        assert_eq!(scenario.scenario, ScenarioName::PodCrash);
        let drill = parse(r#"{"groups":[]}"#).unwrap();
        assert!(matches!(drill, Document::Drill(_)));
    }

    /// One result with a word that is not known here must not stop the others.
    #[test]
    fn a_word_of_another_version_is_shown_as_it_is() {
        let text = r#"{"scenario":"meteor","engine":"podman","protection":"journal"}"#;
        let Document::Scenario(scenario) = parse(text).unwrap() else {
            panic!("a drill");
        };
        assert_eq!(scenario.scenario.to_string(), "meteor");
        assert_eq!(scenario.engine.to_string(), "podman");
        assert_eq!(scenario.protection, Protection::Journal);
    }

    #[test]
    fn the_folder_knows_when_it_began() {
        let name = "2026-11-22T05-54-33-123Z-drill";
        assert_eq!(from_name(name), "2026-11-22T05:54:33Z");
        assert_eq!(from_name("by-hand"), "by-hand");
    }
}
