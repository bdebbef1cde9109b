//! What the local engine makes of each field of a manifest. This table drives
//! the check of every manifest that is read, and `cargo xtask local fields`
//! prints it: a field is honoured, ignored for a stated reason, or refused.

use serde_norway::Value;

/// What becomes of a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    Honoured,
    /// Without effect on this machine, and why that changes nothing here.
    Ignored(&'static str),
}

use Treatment::{Honoured, Ignored};

type Row = (&'static str, Treatment);

/// One line of the list, for one kind.
#[derive(Clone, Debug)]
pub struct Field {
    pub kind: &'static str,
    /// `[]` stands for any element of a list, `*` for any key.
    pub path: String,
    pub treatment: Treatment,
}

const NO_API: &str = "there is no API server whose objects could be selected by it";
const ONE_MACHINE: &str = "everything runs on one machine, as the user who started the lab";
const NO_IMAGE: &str =
    "the programs of the checkout and of its Python environment run, not an image";
const NO_LIMITS: &str = "a process takes what it needs; limits are for shared clusters";
const ONE_NAMESPACE: &str = "one lab holds one namespace";
const DISK: &str =
    "a volume is a folder; the application keeps within the size that k8s/05-config.yaml states";

const COMMON: &[Row] = &[
    ("apiVersion", Honoured),
    ("kind", Honoured),
    ("metadata.namespace", Ignored(ONE_NAMESPACE)),
    ("metadata.labels", Ignored(NO_API)),
    ("metadata.annotations", Ignored(NO_API)),
];

const CONFIG_MAP: &[Row] = &[("data.*", Honoured)];

const CLAIM: &[Row] = &[
    ("spec.accessModes", Ignored(ONE_MACHINE)),
    ("spec.resources", Ignored(DISK)),
    ("spec.storageClassName", Ignored(DISK)),
    ("spec.volumeMode", Ignored(DISK)),
];

const DEPLOYMENT: &[Row] = &[
    ("spec.replicas", Honoured),
    ("spec.selector.matchLabels.*", Honoured),
    (
        "spec.strategy",
        Ignored("a changed template is rolled out one replica at a time, the new one first"),
    ),
    (
        "spec.revisionHistoryLimit",
        Ignored("git holds the history of the manifests"),
    ),
    ("spec.template.metadata.labels.*", Honoured),
    ("spec.template.metadata.annotations", Ignored(NO_API)),
];

const SERVICE: &[Row] = &[
    ("spec.selector.*", Honoured),
    ("spec.ports[].name", Ignored("the service has one port")),
    ("spec.ports[].targetPort", Honoured),
    (
        "spec.ports[].port",
        Ignored("on this machine lab.toml names the port (service.port)"),
    ),
    (
        "spec.ports[].nodePort",
        Ignored("on this machine lab.toml names the port (service.port)"),
    ),
    ("spec.ports[].protocol", Ignored("the service speaks TCP")),
    (
        "spec.type",
        Ignored("the service listens on 127.0.0.1 of this machine alone"),
    ),
];

const CRON_JOB: &[Row] = &[
    ("spec.schedule", Honoured),
    ("spec.suspend", Honoured),
    ("spec.concurrencyPolicy", Honoured),
    ("spec.startingDeadlineSeconds", Honoured),
    ("spec.successfulJobsHistoryLimit", Honoured),
    ("spec.failedJobsHistoryLimit", Honoured),
    ("spec.jobTemplate.metadata.labels", Ignored(NO_API)),
    ("spec.jobTemplate.metadata.annotations", Ignored(NO_API)),
];

/// Of a job, below its `spec`.
const JOB: &[Row] = &[
    ("backoffLimit", Honoured),
    ("podFailurePolicy.rules[].action", Honoured),
    (
        "podFailurePolicy.rules[].onExitCodes.containerName",
        Honoured,
    ),
    ("podFailurePolicy.rules[].onExitCodes.operator", Honoured),
    ("podFailurePolicy.rules[].onExitCodes.values", Honoured),
    ("activeDeadlineSeconds", Honoured),
    ("ttlSecondsAfterFinished", Honoured),
    ("template.metadata.labels", Ignored(NO_API)),
    ("template.metadata.annotations", Ignored(NO_API)),
];

/// Of a pod, below its `spec`.
const POD: &[Row] = &[
    ("terminationGracePeriodSeconds", Honoured),
    ("restartPolicy", Honoured),
    (
        "automountServiceAccountToken",
        Ignored("there is no API server to hold a token for"),
    ),
    (
        "serviceAccountName",
        Ignored("there is no API server to hold a token for"),
    ),
    ("securityContext", Ignored(ONE_MACHINE)),
    ("affinity", Ignored(ONE_MACHINE)),
    ("nodeSelector", Ignored(ONE_MACHINE)),
    ("tolerations", Ignored(ONE_MACHINE)),
    ("topologySpreadConstraints", Ignored(ONE_MACHINE)),
    (
        "enableServiceLinks",
        Ignored("no variables of services are set"),
    ),
    ("imagePullSecrets", Ignored(NO_IMAGE)),
    ("volumes[].name", Honoured),
    ("volumes[].persistentVolumeClaim.claimName", Honoured),
    ("volumes[].emptyDir", Honoured),
    ("volumes[].emptyDir.sizeLimit", Ignored(DISK)),
    ("volumes[].emptyDir.medium", Ignored(DISK)),
    ("containers[].name", Honoured),
    ("containers[].image", Ignored(NO_IMAGE)),
    ("containers[].imagePullPolicy", Ignored(NO_IMAGE)),
    ("containers[].command", Honoured),
    ("containers[].args", Honoured),
    ("containers[].workingDir", Honoured),
    ("containers[].env[].name", Honoured),
    ("containers[].env[].value", Honoured),
    ("containers[].env[].valueFrom.fieldRef.fieldPath", Honoured),
    ("containers[].envFrom[].configMapRef.name", Honoured),
    ("containers[].ports[].name", Honoured),
    ("containers[].ports[].containerPort", Honoured),
    (
        "containers[].ports[].protocol",
        Ignored("the service speaks TCP"),
    ),
    ("containers[].readinessProbe", Honoured),
    ("containers[].livenessProbe", Honoured),
    (
        "containers[].lifecycle.preStop",
        Ignored("our forwarder has already stopped sending before a replica is asked to end"),
    ),
    ("containers[].resources", Ignored(NO_LIMITS)),
    ("containers[].securityContext", Ignored(ONE_MACHINE)),
    (
        "containers[].terminationMessagePath",
        Ignored("the log holds the last words"),
    ),
    (
        "containers[].terminationMessagePolicy",
        Ignored("the log holds the last words"),
    ),
    ("containers[].volumeMounts[].name", Honoured),
    ("containers[].volumeMounts[].mountPath", Honoured),
];

/// Of a probe, below `readinessProbe` and `livenessProbe`.
const PROBE: &[Row] = &[
    ("httpGet.path", Honoured),
    ("httpGet.port", Honoured),
    ("initialDelaySeconds", Honoured),
    ("periodSeconds", Honoured),
    ("timeoutSeconds", Honoured),
    ("failureThreshold", Honoured),
    ("successThreshold", Honoured),
];

/// The kinds that are read at all, each in the one version that is understood.
pub const KINDS: &[(&str, &str)] = &[
    ("Namespace", "v1"),
    ("ConfigMap", "v1"),
    ("PersistentVolumeClaim", "v1"),
    ("Deployment", "apps/v1"),
    ("Service", "v1"),
    ("CronJob", "batch/v1"),
    ("Job", "batch/v1"),
];

/// The list of one kind, in full.
pub fn fields(kind: &str) -> Vec<Field> {
    let Some((kind, _)) = KINDS.iter().find(|(known, _)| *known == kind) else {
        return Vec::new();
    };
    let mut fields = below(kind, "", COMMON);
    let name = match *kind {
        "Namespace" => Ignored(ONE_NAMESPACE),
        _ => Honoured,
    };
    fields.extend(below(kind, "", &[("metadata.name", name)]));
    match *kind {
        "ConfigMap" => fields.extend(below(kind, "", CONFIG_MAP)),
        "PersistentVolumeClaim" => fields.extend(below(kind, "", CLAIM)),
        "Service" => fields.extend(below(kind, "", SERVICE)),
        "Deployment" => {
            fields.extend(below(kind, "", DEPLOYMENT));
            fields.extend(pod(kind, "spec.template.spec."));
        }
        "CronJob" => {
            fields.extend(below(kind, "", CRON_JOB));
            fields.extend(below(kind, "spec.jobTemplate.spec.", JOB));
            fields.extend(pod(kind, "spec.jobTemplate.spec.template.spec."));
        }
        "Job" => {
            fields.extend(below(kind, "spec.", JOB));
            fields.extend(pod(kind, "spec.template.spec."));
        }
        _ => {}
    }
    fields
}

fn pod(kind: &'static str, prefix: &str) -> Vec<Field> {
    let mut fields = below(kind, prefix, POD);
    if kind != "Deployment" {
        // Nothing asks a job's pods whether they answer.
        fields.retain(|field| !field.path.ends_with("Probe"));
        return fields;
    }
    // What can be looked up is the identity of a job.
    fields.retain(|field| !field.path.ends_with("fieldPath"));
    for probe in ["readinessProbe", "livenessProbe"] {
        fields.extend(below(
            kind,
            &format!("{prefix}containers[].{probe}."),
            PROBE,
        ));
    }
    fields
}

fn below(kind: &'static str, prefix: &str, rows: &[Row]) -> Vec<Field> {
    rows.iter()
        .map(|(path, treatment)| Field {
            kind,
            path: format!("{prefix}{path}"),
            treatment: *treatment,
        })
        .collect()
}

/// One step of the way to a field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    Key(String),
    Index(usize),
}

/// The way to a field as people write it: `spec.containers[0].tty`.
pub fn spell(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// Every field of a document that stands on neither list, spelled out. Each
/// value of the document is visited, so none is dropped in silence.
pub fn unknown(kind: &str, document: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let fields = fields(kind);
    visit(document, &mut Vec::new(), &mut |path, value| {
        let verdict = judge(&fields, path, value);
        if verdict == Verdict::Refuse {
            found.push(spell(path));
        }
        verdict == Verdict::Descend
    });
    found
}

#[derive(PartialEq, Eq)]
enum Verdict {
    Accept,
    Descend,
    Refuse,
}

fn judge(fields: &[Field], path: &[Step], value: &Value) -> Verdict {
    if path.is_empty() {
        return Verdict::Descend;
    }
    let exact = fields
        .iter()
        .find(|field| matches(&field.path, path) == Match::Exact);
    let container = value.is_mapping() || value.is_sequence();
    match exact.map(|field| field.treatment) {
        Some(Ignored(_)) => Verdict::Accept,
        Some(Honoured) if container => Verdict::Descend,
        Some(Honoured) => Verdict::Accept,
        None if container
            && fields
                .iter()
                .any(|f| matches(&f.path, path) == Match::Above) =>
        {
            Verdict::Descend
        }
        None => scalar_of_honoured_list(fields, path, value),
    }
}

/// The elements of a list such as `command` are part of that field.
fn scalar_of_honoured_list(fields: &[Field], path: &[Step], value: &Value) -> Verdict {
    let scalar = !value.is_mapping() && !value.is_sequence();
    let honoured = |list: &[Step]| {
        fields
            .iter()
            .any(|f| f.treatment == Honoured && matches(&f.path, list) == Match::Exact)
    };
    match path {
        [list @ .., Step::Index(_)] if scalar && honoured(list) => Verdict::Accept,
        _ => Verdict::Refuse,
    }
}

#[derive(PartialEq, Eq)]
enum Match {
    Exact,
    /// The field lies below the path.
    Above,
    No,
}

fn matches(pattern: &str, path: &[Step]) -> Match {
    let mut steps = path.iter();
    for part in pattern.split('.') {
        let (key, list) = part
            .strip_suffix("[]")
            .map_or((part, false), |key| (key, true));
        match steps.next() {
            None => return Match::Above,
            Some(Step::Key(found)) if key == "*" || found == key => {}
            Some(_) => return Match::No,
        }
        if list {
            match steps.next() {
                None => return Match::Above,
                Some(Step::Index(_)) => {}
                Some(Step::Key(_)) => return Match::No,
            }
        }
    }
    if steps.next().is_none() {
        Match::Exact
    } else {
        Match::No
    }
}

/// Walks a document from the top; `enter` says whether to go on below.
pub fn visit(value: &Value, path: &mut Vec<Step>, enter: &mut impl FnMut(&[Step], &Value) -> bool) {
    if !enter(path, value) {
        return;
    }
    let mut below = |step: Step, value: &Value, path: &mut Vec<Step>| {
        path.push(step);
        visit(value, path, enter);
        path.pop();
    };
    match value {
        Value::Mapping(mapping) => {
            for (key, value) in mapping {
                let key = key
                    .as_str()
                    .map_or_else(|| format!("{key:?}"), str::to_owned);
                below(Step::Key(key), value, path);
            }
        }
        Value::Sequence(items) => {
            for (index, value) in items.iter().enumerate() {
                below(Step::Index(index), value, path);
            }
        }
        _ => {}
    }
}
