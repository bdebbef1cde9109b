//! The manifests of `k8s/` and `pra/`, read as the local engine reads them:
//! what [`model`] does not know is refused.

mod checks;
pub mod declared;
pub mod model;
pub mod ports;
pub mod substitute;
#[cfg(test)]
mod tests;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_norway::Deserializer;

use crate::failure::Failure;
pub use checks::is_object_name;
use declared::Manifests;
use model::{Claim, ConfigMap, CronJob, Deployment, Enforced, Job, Namespace, Service};
use terms::tr;

/// Reads and checks everything in `k8s/`, or in what stands for it.
///
/// # Errors
/// [`crate::failure::Kind::Usage`], naming file and field.
pub fn load(root: &Path) -> Result<Manifests> {
    let dir = substitute::folder(root, terms::EngineName::Local);
    let mut found = Documents::default();
    for file in yaml_files(&dir)? {
        found.read(root, &file)?;
    }
    let missing = |kind: &str| unusable(&format!("{} declares no {kind}", dir.display()));
    if let Some(job) = found.job {
        let name = &job.metadata.name;
        return Err(unusable(&format!(
            "a Job in k8s/ would run at each setup; {name} belongs in pra/"
        )));
    }
    let manifests = Manifests {
        config_maps: found.config_maps,
        claims: found.claims,
        deployment: found.deployment.ok_or_else(|| missing("Deployment"))?,
        service: found.service.ok_or_else(|| missing("Service"))?,
        cron_job: found.cron_job.ok_or_else(|| missing("CronJob"))?,
    };
    checks::workspace(&manifests).map_err(|complaint| unusable(&complaint))?;
    Ok(manifests)
}

/// Reads and checks `pra/50-job-restore.yaml`.
///
/// # Errors
/// [`crate::failure::Kind::Usage`], naming file and field.
pub fn load_restore_job(root: &Path, manifests: &Manifests) -> Result<Job> {
    let mut found = Documents::default();
    found.read(root, &root.join("pra/50-job-restore.yaml"))?;
    let job = found.job.filter(|_| found.count == 1);
    let alone = "pra/50-job-restore.yaml has to hold one Job and nothing else";
    let job = job.ok_or_else(|| unusable(alone))?;
    checks::job(&job.spec, manifests)
        .map_err(|complaint| unusable(&format!("the restore job: {complaint}")))?;
    Ok(job)
}

/// What the documents of some files declare.
#[derive(Default)]
struct Documents {
    count: usize,
    config_maps: Vec<ConfigMap>,
    claims: Vec<String>,
    deployment: Option<Deployment>,
    service: Option<Service>,
    cron_job: Option<CronJob>,
    job: Option<Job>,
}

/// What says how to read the rest of a document.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    api_version: String,
    kind: String,
}

impl Documents {
    fn read(&mut self, root: &Path, file: &Path) -> Result<()> {
        let name = file.strip_prefix(root).unwrap_or(file).display();
        let text = fs::read_to_string(file)
            .with_context(|| format!("reading {name}"))
            .context(
                Failure::usage(tr!(
                    "a manifest cannot be read",
                    "un manifeste est illisible",
                ))
                .next("git status k8s pra"),
            )?;
        self.add_all(&text)
            .map_err(|complaint| unusable(&format!("{name}: {complaint}")))
    }

    fn add_all(&mut self, text: &str) -> Result<(), String> {
        // Each document is read twice: what it is, and then the whole of it.
        for (head, whole) in Deserializer::from_str(text).zip(Deserializer::from_str(text)) {
            if let Some(head) = read::<Option<Head>>(head)? {
                self.count += 1;
                self.add(&head, whole)?;
            }
        }
        Ok(())
    }

    fn add(&mut self, head: &Head, whole: Deserializer) -> Result<(), String> {
        match (head.kind.as_str(), head.api_version.as_str()) {
            ("Namespace", "v1") => read::<Namespace>(whole).map(drop),
            ("ConfigMap", "v1") => read(whole).map(|map| self.config_maps.push(map)),
            ("PersistentVolumeClaim", "v1") => {
                read(whole).map(|claim: Claim| self.claims.push(claim.metadata.name))
            }
            ("Deployment", "apps/v1") => only(&mut self.deployment, head, whole),
            ("Service", "v1") => only(&mut self.service, head, whole),
            ("CronJob", "batch/v1") => only(&mut self.cron_job, head, whole),
            ("Job", "batch/v1") => only(&mut self.job, head, whole),
            ("ServiceAccount" | "LimitRange" | "ResourceQuota", "v1")
            | ("Role", "rbac.authorization.k8s.io/v1")
            | ("NetworkPolicy", "networking.k8s.io/v1") => read::<Enforced>(whole).map(drop),
            (kind, version) => Err(format!(
                "kind: the local engine does not know {kind} of apiVersion {version}; it knows \
                 Namespace, ConfigMap, PersistentVolumeClaim and Service (v1), Deployment \
                 (apps/v1), CronJob and Job (batch/v1); ServiceAccount, LimitRange and \
                 ResourceQuota (v1), Role (rbac.authorization.k8s.io/v1) and NetworkPolicy \
                 (networking.k8s.io/v1) have no effect here"
            )),
        }
    }
}

fn only<T: DeserializeOwned>(
    place: &mut Option<T>,
    head: &Head,
    whole: Deserializer,
) -> Result<(), String> {
    match place.replace(read(whole)?) {
        None => Ok(()),
        Some(_) => Err(format!("a second {}; the lab has one", head.kind)),
    }
}

/// An error names field and line.
fn read<T: DeserializeOwned>(document: Deserializer) -> Result<T, String> {
    T::deserialize(document).map_err(|error| error.to_string())
}

/// The files of a folder that kubectl would read, in order.
pub fn yaml_files(dir: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(dir)
        .with_context(|| format!("reading {}", dir.display()))
        .context(
            Failure::usage(tr!(
                "the lab has no readable manifests",
                "le lab n'a pas de manifestes lisibles",
            ))
            .next("git status k8s"),
        )?;
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

fn unusable(complaint: &str) -> anyhow::Error {
    Failure::usage(complaint)
        .next(tr!(
            "correct the file; what the local engine understands: xtask/src/manifests/model.rs \
             (--engine k3d takes all that Kubernetes does)",
            "corrigez le fichier ; ce que comprend le moteur local : xtask/src/manifests/model.rs \
             (--engine k3d accepte tout ce qu'accepte Kubernetes)",
        ))
        .into()
}
