//! The manifests of `k8s/` and `pra/`, read as the local engine reads them:
//! every field is honoured, ignored for a stated reason, or refused.

mod checks;
pub mod declared;
pub mod fields;
pub mod model;
pub mod substitute;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_norway::{Deserializer, Value};

use crate::failure::Failure;
pub use checks::is_object_name;
use declared::Manifests;
use model::{ConfigMap, CronJob, Deployment, Job, Named, Service};

/// One document of a file.
#[derive(Clone, Debug)]
enum Document {
    Namespace,
    ConfigMap(ConfigMap),
    Claim(Named),
    Deployment(Box<Deployment>),
    Service(Service),
    CronJob(Box<CronJob>),
    Job(Box<Job>),
}

/// Reads and checks everything in `k8s/`, or in what stands for it.
///
/// # Errors
/// [`crate::failure::Kind::Usage`], naming file and field.
pub fn load(root: &Path) -> Result<Manifests> {
    let dir = substitute::folder(root, terms::EngineName::Local);
    let mut found = Collected::default();
    for file in yaml_files(&dir)? {
        for document in read(root, &file)? {
            found.add(root, &file, document)?;
        }
    }
    let manifests = found.complete(&dir)?;
    checks::lab(&manifests).map_err(|complaint| unusable(&complaint))?;
    Ok(manifests)
}

/// Reads and checks `pra/50-job-restore.yaml`.
///
/// # Errors
/// [`crate::failure::Kind::Usage`], naming file and field.
pub fn load_restore_job(root: &Path, manifests: &Manifests) -> Result<Job> {
    let file = root.join("pra/50-job-restore.yaml");
    let mut documents = read(root, &file)?;
    match (documents.pop(), documents.is_empty()) {
        (Some(Document::Job(job)), true) => {
            checks::job("the restore job", &job.spec, manifests)
                .map_err(|complaint| unusable(&complaint))?;
            Ok(*job)
        }
        _ => Err(unusable(&format!(
            "{} has to hold one Job and nothing else",
            shown(root, &file)
        ))),
    }
}

#[derive(Default)]
struct Collected {
    config_maps: Vec<ConfigMap>,
    claims: Vec<String>,
    deployment: Option<Deployment>,
    service: Option<Service>,
    cron_job: Option<CronJob>,
}

impl Collected {
    fn add(&mut self, root: &Path, file: &Path, document: Document) -> Result<()> {
        let second = |kind: &str| {
            unusable(&format!(
                "{} declares a second {kind}; the lab has one",
                shown(root, file)
            ))
        };
        match document {
            Document::Namespace => {}
            Document::ConfigMap(map) => self.config_maps.push(map),
            Document::Claim(claim) => self.claims.push(claim.metadata.name),
            Document::Deployment(found) => {
                if self.deployment.replace(*found).is_some() {
                    return Err(second("Deployment"));
                }
            }
            Document::Service(found) => {
                if self.service.replace(found).is_some() {
                    return Err(second("Service"));
                }
            }
            Document::CronJob(found) => {
                if self.cron_job.replace(*found).is_some() {
                    return Err(second("CronJob"));
                }
            }
            Document::Job(job) => {
                return Err(unusable(&format!(
                    "{}: a Job in k8s/ would run at each setup; {} belongs in pra/",
                    shown(root, file),
                    job.metadata.name
                )));
            }
        }
        Ok(())
    }

    fn complete(self, dir: &Path) -> Result<Manifests> {
        let missing = |kind: &str| unusable(&format!("{} declares no {kind}", dir.display()));
        Ok(Manifests {
            config_maps: self.config_maps,
            claims: self.claims,
            deployment: self.deployment.ok_or_else(|| missing("Deployment"))?,
            service: self.service.ok_or_else(|| missing("Service"))?,
            cron_job: self.cron_job.ok_or_else(|| missing("CronJob"))?,
        })
    }
}

/// The files of a folder that kubectl would read, in order.
pub fn yaml_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)
        .with_context(|| format!("reading {}", dir.display()))
        .context(Failure::usage("the lab has no readable manifests").next("git status k8s"))?;
    let mut files = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("reading {}", dir.display()))?
            .path();
        let extension = path.extension().and_then(|extension| extension.to_str());
        if matches!(extension, Some("yaml" | "yml" | "json")) {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

fn read(root: &Path, file: &Path) -> Result<Vec<Document>> {
    let name = shown(root, file);
    let text = fs::read_to_string(file)
        .with_context(|| format!("reading {name}"))
        .context(Failure::usage("a manifest cannot be read").next("git status k8s pra"))?;
    parse(&name, &text).map_err(|complaint| unusable(&complaint))
}

/// Reads the documents of one file; a complaint names file and field.
fn parse(name: &str, text: &str) -> Result<Vec<Document>, String> {
    let mut documents = Vec::new();
    // Each document is read twice: as it stands, to visit every field, and
    // then into the model, whose errors know their line.
    for (raw, typed) in Deserializer::from_str(text).zip(Deserializer::from_str(text)) {
        let raw = Value::deserialize(raw).map_err(|error| format!("{name}: {error}"))?;
        if raw.is_null() {
            continue;
        }
        documents.push(document(name, &raw, typed)?);
    }
    Ok(documents)
}

fn document(name: &str, raw: &Value, typed: Deserializer) -> Result<Document, String> {
    let word = |key: &str| raw.get(key).and_then(Value::as_str).unwrap_or_default();
    let (kind, version) = (word("kind"), word("apiVersion"));
    let Some((_, understood)) = fields::KINDS.iter().find(|(known, _)| *known == kind) else {
        let known: Vec<&str> = fields::KINDS.iter().map(|(known, _)| *known).collect();
        return Err(format!(
            "{name}: kind: the local engine does not know {kind:?}; it knows {}",
            known.join(", ")
        ));
    };
    if version != *understood {
        return Err(format!(
            "{name}: apiVersion: a {kind} is understood as {understood}, not as {version:?}"
        ));
    }
    if let Some(path) = fields::unknown(kind, raw).first() {
        return Err(format!(
            "{name}: {path}: the local engine neither honours this field of a {kind} nor knows \
             that it may ignore it"
        ));
    }
    Ok(match kind {
        "Namespace" => Document::Namespace,
        "ConfigMap" => Document::ConfigMap(model(name, typed)?),
        "PersistentVolumeClaim" => Document::Claim(model(name, typed)?),
        "Deployment" => Document::Deployment(Box::new(model(name, typed)?)),
        "Service" => Document::Service(model(name, typed)?),
        "CronJob" => Document::CronJob(Box::new(model(name, typed)?)),
        _ => Document::Job(Box::new(model(name, typed)?)),
    })
}

fn model<T: DeserializeOwned>(name: &str, typed: Deserializer) -> Result<T, String> {
    T::deserialize(typed).map_err(|error| format!("{name}: {error}"))
}

fn shown(root: &Path, file: &Path) -> String {
    file.strip_prefix(root)
        .unwrap_or(file)
        .display()
        .to_string()
}

fn unusable(complaint: &str) -> anyhow::Error {
    Failure::usage(complaint)
        .next("cargo xtask local fields (what is possible), then correct the file")
        .into()
}
