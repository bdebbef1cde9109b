//! What no single field shows: that the manifests fit together, and that they
//! ask for nothing the local engine cannot do.

use super::declared::Manifests;
use super::model::{Container, EnvVar, JobSpec, Labels, PodSpec, Probe, RestartPolicy};
use crate::cron::Schedule;
use crate::names;

/// A complaint names the object, the field, and what is possible.
type Check = Result<(), String>;

pub fn workspace(manifests: &Manifests) -> Check {
    for (kind, name, wanted) in [
        ("Deployment", manifests.deployment.name(), names::DEPLOYMENT),
        ("CronJob", manifests.cron_job.name(), names::CRON_JOB),
    ] {
        let said = format!("{kind} {name}: its name has to be {wanted}: the commands rely on it");
        ensure(name == wanted, &said)?;
    }
    for claim in &manifests.claims {
        object_name("PersistentVolumeClaim", claim)?;
    }
    let within = |who: &str, check: Check| check.map_err(|said| format!("{who}: {said}"));
    within("the Deployment", deployment(manifests))?;
    within("the Service", service(manifests))?;
    let cron_job = &manifests.cron_job.spec;
    let schedule = Schedule::parse(&cron_job.schedule).map(drop);
    within("the CronJob: spec.schedule", schedule)?;
    within("the CronJob", job(&cron_job.job_template.spec, manifests))
}

fn deployment(manifests: &Manifests) -> Check {
    let spec = &manifests.deployment.spec;
    let labels = &spec.template.metadata.labels;
    ensure(
        selects(&spec.selector.match_labels, labels),
        "spec.selector.matchLabels does not match the labels of its own template",
    )?;
    ensure(
        spec.template.spec.restart_policy == RestartPolicy::Always,
        "its restartPolicy can only be Always",
    )?;
    ensure(
        spec.replicas <= 32,
        "spec.replicas: one machine takes 32 at most",
    )?;
    pod(&spec.template.spec, manifests)?;
    let container = spec.template.spec.container();
    let for_probes = usize::from(container.has_probe_port());
    ensure(
        container.ports.len() == 1 + for_probes,
        "containers[0].ports has to name the one port that users are sent to, and the one of \
         PRA_PROBE_PORT where env sets that",
    )?;
    let sets_port = container.env.iter().any(|variable| variable.name == "PORT");
    ensure(
        sets_port,
        "containers[0].env has to set PORT: each replica is told its own through it",
    )?;
    let looks_up = |one: &EnvVar| one.value_from.is_some();
    ensure(
        !container.env.iter().any(looks_up),
        "containers[0].env: valueFrom is for the pods of a job, which has an identity",
    )?;
    let [readiness, liveness] = [&container.readiness_probe, &container.liveness_probe];
    ensure(
        readiness.is_some(),
        "without a readinessProbe nobody knows when a replica answers",
    )?;
    let mut probes = [readiness, liveness].into_iter().flatten();
    probes.try_for_each(|found| probe(found, container))
}

fn probe(probe: &Probe, container: &Container) -> Check {
    ensure(
        container.port(&probe.http_get.port).is_some(),
        "a probe's httpGet.port is not the port of the container",
    )?;
    ensure(
        probe.http_get.path.starts_with('/'),
        "a probe's httpGet.path has to begin with /",
    )?;
    let counts = [probe.failure_threshold, probe.success_threshold];
    let least = probe.period_seconds.min(probe.timeout_seconds);
    ensure(
        least >= 1 && counts.iter().all(|count| *count >= 1),
        "a probe's periods, timeouts and thresholds are at least 1",
    )
}

fn service(manifests: &Manifests) -> Check {
    let spec = &manifests.service.spec;
    let template = &manifests.deployment.spec.template;
    ensure(
        selects(&spec.selector, &template.metadata.labels),
        "spec.selector does not match the labels of the deployment's pods",
    )?;
    let [port] = spec.ports.as_slice() else {
        return Err("spec.ports has to hold one port".to_owned());
    };
    let (container, target) = (template.spec.container(), &port.target_port);
    ensure(
        container.port(target).is_some() && !container.is_for_probes(target),
        "spec.ports[0].targetPort is not the port of the deployment's container for users",
    )
}

fn selects(selector: &Labels, labels: &Labels) -> bool {
    let mut wanted = selector.iter();
    wanted.all(|(key, value)| labels.get(key) == Some(value))
}

/// A pod that is to run once.
pub fn job(job: &JobSpec, manifests: &Manifests) -> Check {
    let spec = &job.template.spec;
    ensure(
        spec.restart_policy == RestartPolicy::Never,
        "restartPolicy has to be Never: each attempt of a job begins in an empty pod here",
    )?;
    ensure(
        !job.has_empty_rule(),
        "podFailurePolicy: onExitCodes.values is empty",
    )?;
    pod(spec, manifests)?;
    let container = spec.container();
    ensure(
        container.readiness_probe.is_none() && container.liveness_probe.is_none(),
        "a job's pods can have no probes: nothing asks them whether they answer",
    )
}

fn pod(spec: &PodSpec, manifests: &Manifests) -> Check {
    ensure(
        spec.containers.len() == 1,
        "a pod is one process here; containers has to hold exactly one",
    )?;
    let container = spec.container();
    ensure(
        !container.command.is_empty(),
        "containers[0].command is empty, and there is no image to supply it",
    )?;
    for source in &container.env_from {
        let name = &source.config_map_ref.name;
        let known = source.config_map_ref.optional || manifests.config_map(name).is_some();
        let said = format!("containers[0].envFrom: there is no ConfigMap {name}");
        ensure(known, &said)?;
    }
    for variable in &container.env {
        let both = variable.value_from.is_some() && !variable.value.is_empty();
        let name = &variable.name;
        let said = format!("containers[0].env: {name} has both value and valueFrom");
        ensure(!both, &said)?;
    }
    volumes(spec, manifests)?;
    let words = container.command.iter().chain(&container.args);
    let values = container.env.iter().map(|variable| &variable.value);
    words.clone().chain(values).try_for_each(|text| {
        let said = format!("{text:?}: variables are not expanded here");
        ensure(!text.contains("$("), &said)
    })?;
    let settings = manifests.settings(spec);
    let mut all = words.chain(settings.values());
    all.try_for_each(|text| movable(text, container))
}

fn volumes(spec: &PodSpec, manifests: &Manifests) -> Check {
    for volume in &spec.volumes {
        object_name("volume", &volume.name)?;
        let said = format!("volume {} has to be a claim or an emptyDir", volume.name);
        let one = volume.persistent_volume_claim.is_some() != volume.empty_dir.is_some();
        ensure(one, &said)?;
    }
    for claim in spec.claims() {
        let said = format!("volumes: no PersistentVolumeClaim {claim} is declared in k8s/");
        ensure(manifests.claims.iter().any(|known| known == claim), &said)?;
    }
    for mount in &spec.container().volume_mounts {
        let (name, path) = (&mount.name, &mount.mount_path);
        let known = spec.volumes.iter().any(|volume| volume.name == *name);
        ensure(known, &format!("volumeMounts: there is no volume {name}"))?;
        let usable = path.starts_with('/') && !path.ends_with('/');
        let said = format!("volumeMounts: {path} is no path to mount at");
        ensure(usable, &said)?;
    }
    Ok(())
}

/// Where a text holds a mount path it has to be, or begin with, a path in it: no
/// other is replaced by the folder that stands for it.
fn movable(text: &str, container: &Container) -> Check {
    for mount in &container.volume_mounts {
        let path = &mount.mount_path;
        let elsewhere = text.match_indices(path.as_str()).any(|(at, _)| {
            let (before, after) = (&text[..at], &text[at + path.len()..]);
            let alone = !before.ends_with('/') && !before.ends_with(of_a_name);
            let begins = at == 0 && (after.is_empty() || after.starts_with('/'));
            alone && !after.starts_with(of_a_name) && !begins
        });
        let said = format!("{text:?}: {path} can only be, or begin, a whole text here");
        ensure(!elsewhere, &said)?;
    }
    Ok(())
}

fn of_a_name(c: char) -> bool {
    c.is_alphanumeric() || "-_.".contains(c)
}

fn object_name(kind: &str, name: &str) -> Check {
    let said = format!("{kind} {name:?}: its name has to be of a-z, 0-9 and -, 63 at most");
    ensure(is_object_name(name), &said)
}

/// Names become names of folders and files: only what Kubernetes allows.
pub fn is_object_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = !name.is_empty() && name.len() <= 63 && name.chars().all(allowed);
    fits && !name.starts_with('-') && !name.ends_with('-')
}

fn ensure(holds: bool, complaint: &str) -> Check {
    if holds {
        Ok(())
    } else {
        Err(complaint.to_owned())
    }
}
