//! What no single field shows: that the manifests fit together, and that they
//! ask for nothing the local engine cannot do.

use super::declared::Manifests;
use super::model::{
    ConcurrencyPolicy, EnvVar, JOB_IDENTITY, JobSpec, PodSpec, PortRef, Probe, RestartPolicy,
};
use crate::cron::Schedule;
use crate::names;

/// A complaint names the object, the field, and what is possible.
type Check = Result<(), String>;

pub fn lab(manifests: &Manifests) -> Check {
    let names = [
        (
            "Deployment",
            &manifests.deployment.metadata,
            names::DEPLOYMENT,
        ),
        ("CronJob", &manifests.cron_job.metadata, names::CRON_JOB),
    ];
    for (kind, found, wanted) in names {
        ensure(found.name == wanted, || {
            format!(
                "{kind} {}: metadata.name has to be {wanted}: the commands rely on it",
                found.name
            )
        })?;
    }
    for claim in &manifests.claims {
        object_name("PersistentVolumeClaim", claim)?;
    }
    deployment(manifests)?;
    service(manifests)?;
    cron_job(manifests)
}

fn deployment(manifests: &Manifests) -> Check {
    let deployment = &manifests.deployment;
    let who = format!("Deployment {}", deployment.metadata.name);
    let spec = &deployment.spec;
    let labels = &spec.template.metadata.labels;
    let selects = |(key, value): (&String, &String)| labels.get(key) == Some(value);
    ensure(spec.selector.match_labels.iter().all(selects), || {
        format!("{who}: spec.selector.matchLabels does not match the labels of its own template")
    })?;
    ensure(
        spec.template.spec.restart_policy == RestartPolicy::Always,
        || format!("{who}: restartPolicy of a deployment can only be Always"),
    )?;
    ensure(spec.replicas <= 32, || {
        format!(
            "{who}: spec.replicas is {}; one machine takes 32 at most",
            spec.replicas
        )
    })?;
    pod(&who, &spec.template.spec, manifests)?;
    let container = spec.template.spec.container();
    ensure(container.ports.len() == 1, || {
        format!("{who}: containers[0].ports has to name the one port that users are sent to")
    })?;
    ensure(container.env.iter().any(|var| var.name == "PORT"), || {
        format!("{who}: containers[0].env has to set PORT: each replica is told its own through it")
    })?;
    ensure(container.readiness_probe.is_some(), || {
        format!("{who}: without a readinessProbe nobody knows when a replica answers")
    })?;
    for (name, found) in [
        ("readinessProbe", &container.readiness_probe),
        ("livenessProbe", &container.liveness_probe),
    ] {
        if let Some(found) = found {
            probe(&format!("{who}: {name}"), found, &spec.template.spec)?;
        }
    }
    Ok(())
}

fn probe(who: &str, probe: &Probe, pod: &PodSpec) -> Check {
    ensure(is_container_port(&probe.http_get.port, pod), || {
        format!("{who}: httpGet.port is not the port of the container")
    })?;
    ensure(probe.http_get.path.starts_with('/'), || {
        format!("{who}: httpGet.path has to begin with /")
    })?;
    let counts = [probe.failure_threshold, probe.success_threshold];
    let least = probe.period_seconds.min(probe.timeout_seconds);
    ensure(least >= 1 && counts.iter().all(|count| *count >= 1), || {
        format!("{who}: periods, timeouts and thresholds are at least 1")
    })
}

fn service(manifests: &Manifests) -> Check {
    let service = &manifests.service;
    let who = format!("Service {}", service.metadata.name);
    let template = &manifests.deployment.spec.template;
    let selects =
        |(key, value): (&String, &String)| template.metadata.labels.get(key) == Some(value);
    ensure(service.spec.selector.iter().all(selects), || {
        format!("{who}: spec.selector does not match the labels of the deployment's pods")
    })?;
    let [port] = service.spec.ports.as_slice() else {
        return Err(format!("{who}: spec.ports has to hold one port"));
    };
    ensure(is_container_port(&port.target_port, &template.spec), || {
        format!("{who}: spec.ports[0].targetPort is not the port of the deployment's container")
    })
}

fn is_container_port(port: &PortRef, pod: &PodSpec) -> bool {
    pod.container().ports.iter().any(|found| match port {
        PortRef::Number(number) => found.container_port == *number,
        PortRef::Name(name) => found.name.as_ref() == Some(name),
    })
}

fn cron_job(manifests: &Manifests) -> Check {
    let cron = &manifests.cron_job;
    let who = format!("CronJob {}", cron.metadata.name);
    Schedule::parse(&cron.spec.schedule)
        .map_err(|complaint| format!("{who}: spec.schedule: {complaint}"))?;
    ensure(
        cron.spec.concurrency_policy != ConcurrencyPolicy::Replace,
        || {
            format!(
                "{who}: spec.concurrencyPolicy: Replace would end a backup half way; possible: \
             Forbid, Allow"
            )
        },
    )?;
    job(&who, &cron.spec.job_template.spec, manifests)
}

/// A pod that is to run once.
pub fn job(who: &str, job: &JobSpec, manifests: &Manifests) -> Check {
    let spec = &job.template.spec;
    ensure(spec.restart_policy == RestartPolicy::Never, || {
        format!(
            "{who}: restartPolicy has to be Never: each attempt of a job is a pod of its own here"
        )
    })?;
    pod(who, spec, manifests)?;
    for variable in &spec.container().env {
        looked_up(who, variable)?;
    }
    for rule in &job.pod_failure_policy.rules {
        let codes = &rule.on_exit_codes;
        let own = |name: &String| *name == spec.container().name;
        ensure(codes.container_name.as_ref().is_none_or(own), || {
            format!("{who}: podFailurePolicy: its pod has no such container")
        })?;
        ensure(!codes.values.is_empty(), || {
            format!("{who}: podFailurePolicy: onExitCodes.values is empty")
        })?;
    }
    Ok(())
}

/// A variable whose value is looked up when the pod starts.
fn looked_up(who: &str, variable: &EnvVar) -> Check {
    let Some(from) = &variable.value_from else {
        return Ok(());
    };
    let name = &variable.name;
    ensure(from.field_ref.field_path == JOB_IDENTITY, || {
        format!("{who}: env {name}: valueFrom.fieldRef.fieldPath can only be {JOB_IDENTITY}")
    })?;
    ensure(variable.value.is_empty(), || {
        format!("{who}: env {name}: value and valueFrom exclude each other")
    })
}

fn pod(who: &str, spec: &PodSpec, manifests: &Manifests) -> Check {
    ensure(spec.containers.len() == 1, || {
        format!("{who}: a pod is one process here; containers has to hold exactly one")
    })?;
    let container = spec.container();
    ensure(!container.command.is_empty(), || {
        format!("{who}: containers[0].command is missing, and there is no image to supply it")
    })?;
    for source in &container.env_from {
        let known = manifests
            .config_maps
            .iter()
            .any(|map| map.metadata == source.config_map_ref);
        ensure(known, || {
            let name = &source.config_map_ref.name;
            format!("{who}: containers[0].envFrom: there is no ConfigMap {name}")
        })?;
    }
    volumes(who, spec, manifests)
}

fn volumes(who: &str, spec: &PodSpec, manifests: &Manifests) -> Check {
    for volume in &spec.volumes {
        object_name("volume", &volume.name)?;
        ensure(
            volume.persistent_volume_claim.is_some() != volume.empty_dir.is_some(),
            || {
                format!(
                    "{who}: volume {} has to be a claim or an emptyDir",
                    volume.name
                )
            },
        )?;
    }
    for claim in spec.claims() {
        ensure(manifests.claims.iter().any(|known| known == claim), || {
            format!("{who}: volumes: no PersistentVolumeClaim {claim} is declared in k8s/")
        })?;
    }
    let container = spec.container();
    for mount in &container.volume_mounts {
        ensure(
            spec.volumes.iter().any(|volume| volume.name == mount.name),
            || format!("{who}: volumeMounts: there is no volume {}", mount.name),
        )?;
        ensure(
            mount.mount_path.starts_with('/') && mount.mount_path.len() > 1,
            || {
                format!(
                    "{who}: volumeMounts: {} is no path to mount at",
                    mount.mount_path
                )
            },
        )?;
    }
    let Some(dir) = &container.working_dir else {
        return Ok(());
    };
    let mounted = container.volume_mounts.iter().any(|mount| {
        dir.strip_prefix(mount.mount_path.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    });
    ensure(mounted, || {
        format!("{who}: workingDir {dir} is on no mounted volume, and there is no image to hold it")
    })
}

fn object_name(kind: &str, name: &str) -> Check {
    ensure(is_object_name(name), || {
        format!("{kind} {name:?}: metadata.name has to be of a-z, 0-9 and -, 63 at most")
    })
}

/// Names become names of folders and files: only what Kubernetes allows.
pub fn is_object_name(name: &str) -> bool {
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let fits = !name.is_empty() && name.len() <= 63 && name.chars().all(allowed);
    fits && !name.starts_with('-') && !name.ends_with('-')
}

fn ensure(holds: bool, complaint: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(complaint()) }
}
