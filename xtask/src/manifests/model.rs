//! The manifests as the local engine understands them. A field is honoured,
//! [`Ignored`] for the reason that stands above it, or not here: then a manifest
//! that states it is refused, as is a value that stands on no list.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::IgnoredAny;

/// A field without effect on this machine.
pub type Ignored = Option<IgnoredAny>;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Object<S> {
    // Checked before the rest is read.
    api_version: Ignored,
    kind: Ignored,
    pub metadata: Metadata,
    pub spec: S,
}

impl<S> Object<S> {
    pub fn name(&self) -> &str {
        &self.metadata.name
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct Metadata {
    pub name: String,
    // One lab holds one namespace.
    namespace: Ignored,
    // There is no API server whose objects could be selected by them.
    labels: Ignored,
    annotations: Ignored,
}

pub type Namespace = Object<Ignored>;

/// What only an API server or a node can put into force: who may do what, which pods reach
/// each other, how much of a node they may take. The results of this engine say that
/// nothing does so here.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct Enforced {
    pub metadata: Metadata,
}

/// A volume is a folder; the application keeps within the size that
/// `k8s/05-config.yaml` states.
pub type Claim = Object<Ignored>;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ConfigMap {
    api_version: Ignored,
    kind: Ignored,
    pub metadata: Metadata,
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}

pub type Deployment = Object<DeploymentSpec>;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeploymentSpec {
    #[serde(default = "one")]
    pub replicas: u32,
    pub selector: Selector,
    // A changed template is rolled out one replica at a time, the new one first.
    strategy: Ignored,
    // Git holds the history of the manifests.
    revision_history_limit: Ignored,
    pub template: PodTemplate,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    pub match_labels: Labels,
}

pub type Labels = BTreeMap<String, String>;

pub type Service = Object<ServiceSpec>;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ServiceSpec {
    pub selector: Labels,
    pub ports: Vec<ServicePort>,
    // It listens on 127.0.0.1 of this machine alone.
    r#type: Ignored,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServicePort {
    pub target_port: Port,
    // lab.toml names the port of this machine (`service.port`), and it speaks TCP.
    name: Ignored,
    port: Ignored,
    node_port: Ignored,
    protocol: Ignored,
}

/// A port by number, or by the name that the container gives it.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub enum Port {
    Number(u16),
    Name(String),
}

pub type CronJob = Object<CronJobSpec>;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CronJobSpec {
    pub schedule: String,
    /// Where it is not stated, applying the manifest changes nothing about it.
    pub suspend: Option<bool>,
    concurrency_policy: ConcurrencyPolicy,
    pub starting_deadline_seconds: Option<u64>,
    #[serde(default = "three")]
    pub successful_jobs_history_limit: usize,
    #[serde(default = "one")]
    pub failed_jobs_history_limit: usize,
    pub job_template: JobTemplate,
}

/// To replace a backup would end it half way; two at a time are of no use.
#[derive(Clone, Debug, Deserialize, PartialEq)]
enum ConcurrencyPolicy {
    Forbid,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct JobTemplate {
    #[serde(default)]
    metadata: PodMetadata,
    pub spec: JobSpec,
}

pub type Job = Object<JobSpec>;

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct JobSpec {
    #[serde(default = "six")]
    pub backoff_limit: u32,
    #[serde(default)]
    pod_failure_policy: PodFailurePolicy,
    pub active_deadline_seconds: Option<u64>,
    pub template: PodTemplate,
}

impl JobSpec {
    /// Whether there is a rule that no exit code meets.
    pub fn has_empty_rule(&self) -> bool {
        let mut rules = self.pod_failure_policy.rules.iter();
        rules.any(|rule| rule.on_exit_codes.values.is_empty())
    }

    /// Whether an attempt that failed with this exit code is the last.
    pub fn fails_for_good(&self, code: i32) -> bool {
        let mut rules = self.pod_failure_policy.rules.iter();
        rules.any(|rule| rule.on_exit_codes.values.contains(&code))
    }
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct PodFailurePolicy {
    rules: Vec<PodFailureRule>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct PodFailureRule {
    action: FailureAction,
    on_exit_codes: OnExitCodes,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
enum FailureAction {
    /// There is no other attempt.
    FailJob,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
struct OnExitCodes {
    operator: ExitCodeOperator,
    values: Vec<i32>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
enum ExitCodeOperator {
    In,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PodTemplate {
    #[serde(default)]
    pub metadata: PodMetadata,
    pub spec: PodSpec,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct PodMetadata {
    #[serde(default)]
    pub labels: Labels,
    annotations: Ignored,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PodSpec {
    #[serde(default = "thirty")]
    pub termination_grace_period_seconds: u64,
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    pub containers: Vec<Container>,
    #[serde(default)]
    pub volumes: Vec<Volume>,
    // There is no API server to be known to, or to hold a token for.
    service_account_name: Ignored,
    automount_service_account_token: Ignored,
    // Everything runs on one machine, as the user who started the lab.
    security_context: Ignored,
    affinity: Ignored,
    node_selector: Ignored,
    tolerations: Ignored,
    topology_spread_constraints: Ignored,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq)]
pub enum RestartPolicy {
    #[default]
    Always,
    Never,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Container {
    name: Ignored,
    pub command: Vec<String>,
    #[serde(default)]
    pub args: Vec<String>,
    #[serde(default)]
    pub env: Vec<EnvVar>,
    #[serde(default)]
    pub env_from: Vec<EnvFrom>,
    #[serde(default)]
    pub ports: Vec<ContainerPort>,
    pub readiness_probe: Option<Probe>,
    pub liveness_probe: Option<Probe>,
    #[serde(default)]
    pub volume_mounts: Vec<VolumeMount>,
    // The programs of the checkout and of its Python environment run, not an image.
    image: Ignored,
    image_pull_policy: Ignored,
    // Our forwarder has stopped sending before a replica is asked to end.
    lifecycle: Ignored,
    // A process takes what it needs, as the user who started the lab.
    resources: Ignored,
    security_context: Ignored,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvVar {
    pub name: String,
    #[serde(default)]
    pub value: String,
    pub value_from: Option<ValueFrom>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ValueFrom {
    field_ref: FieldRef,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FieldRef {
    field_path: FieldPath,
}

/// What a pod can be told of itself.
#[derive(Clone, Debug, Deserialize, PartialEq)]
enum FieldPath {
    /// The identity of its job, the same for each attempt.
    #[serde(rename = "metadata.labels['batch.kubernetes.io/controller-uid']")]
    Job,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnvFrom {
    pub config_map_ref: ConfigMapRef,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct ConfigMapRef {
    pub name: String,
    /// A pod starts without it, too.
    #[serde(default)]
    pub optional: bool,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ContainerPort {
    pub name: Option<String>,
    pub container_port: u16,
    // The service speaks TCP.
    protocol: Ignored,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Probe {
    pub http_get: HttpGet,
    #[serde(default)]
    pub initial_delay_seconds: u64,
    #[serde(default = "ten")]
    pub period_seconds: u64,
    #[serde(default = "one")]
    pub timeout_seconds: u64,
    #[serde(default = "three")]
    pub failure_threshold: u32,
    #[serde(default = "one")]
    pub success_threshold: u32,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct HttpGet {
    pub path: String,
    pub port: Port,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct VolumeMount {
    pub name: String,
    pub mount_path: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Volume {
    pub name: String,
    pub persistent_volume_claim: Option<ClaimRef>,
    pub empty_dir: Option<EmptyDir>,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ClaimRef {
    pub claim_name: String,
}

#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(deny_unknown_fields)]
pub struct EmptyDir {}

impl PodSpec {
    /// The one container; `checks` refuses any other number.
    pub fn container(&self) -> &Container {
        &self.containers[0]
    }

    /// Gives the variables that ask for it the identity of the pod's job.
    pub fn tell_identity(&mut self, job: &str) {
        let variables = self.containers.iter_mut().flat_map(|one| &mut one.env);
        for variable in variables.filter(|one| one.value_from.is_some()) {
            job.clone_into(&mut variable.value);
        }
    }

    /// The claims that the pod mounts.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        let claims = self.volumes.iter();
        let claims = claims.filter_map(|volume| volume.persistent_volume_claim.as_ref());
        claims.map(|claim| claim.claim_name.as_str())
    }
}

// The defaults of Kubernetes.
fn one<N: From<u8>>() -> N {
    1.into()
}
fn three<N: From<u8>>() -> N {
    3.into()
}
fn six() -> u32 {
    6
}
fn ten() -> u64 {
    10
}
fn thirty() -> u64 {
    30
}
