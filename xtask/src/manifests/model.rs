//! The manifests as the local engine understands them: the honoured fields,
//! and nothing else.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Metadata {
    pub name: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Named {
    pub metadata: Metadata,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct ConfigMap {
    pub metadata: Metadata,
    #[serde(default)]
    pub data: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Deployment {
    pub metadata: Metadata,
    pub spec: DeploymentSpec,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct DeploymentSpec {
    #[serde(default = "one")]
    pub replicas: u32,
    pub selector: Selector,
    pub template: LabelledPod,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Selector {
    pub match_labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct LabelledPod {
    pub metadata: Labels,
    pub spec: PodSpec,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Labels {
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Service {
    pub metadata: Metadata,
    pub spec: ServiceSpec,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct ServiceSpec {
    pub selector: BTreeMap<String, String>,
    pub ports: Vec<ServicePort>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ServicePort {
    pub target_port: PortRef,
}

/// A port by number, or by the name that the container gives it.
#[derive(Clone, Debug, Deserialize, Serialize, PartialEq, Eq)]
#[serde(untagged)]
pub enum PortRef {
    Number(u16),
    Name(String),
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct CronJob {
    pub metadata: Metadata,
    pub spec: CronJobSpec,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct CronJobSpec {
    pub schedule: String,
    /// Where it is not stated, applying the manifest changes nothing about it.
    pub suspend: Option<bool>,
    #[serde(default)]
    pub concurrency_policy: ConcurrencyPolicy,
    pub starting_deadline_seconds: Option<u64>,
    #[serde(default = "three")]
    pub successful_jobs_history_limit: usize,
    #[serde(default = "one_usize")]
    pub failed_jobs_history_limit: usize,
    pub job_template: JobTemplate,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum ConcurrencyPolicy {
    #[default]
    Allow,
    Forbid,
    Replace,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct JobTemplate {
    pub spec: JobSpec,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct Job {
    pub metadata: Metadata,
    pub spec: JobSpec,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct JobSpec {
    #[serde(default = "six")]
    pub backoff_limit: u32,
    #[serde(default)]
    pub pod_failure_policy: PodFailurePolicy,
    pub active_deadline_seconds: Option<u64>,
    pub ttl_seconds_after_finished: Option<u64>,
    pub template: PodTemplate,
}

/// What a failed attempt means for its job: the first rule that matches says.
#[derive(Clone, Debug, Default, Deserialize, Serialize, PartialEq)]
pub struct PodFailurePolicy {
    pub rules: Vec<PodFailureRule>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodFailureRule {
    pub action: FailureAction,
    pub on_exit_codes: OnExitCodes,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub enum FailureAction {
    /// The attempt counts towards the back-off limit, as where no rule matches.
    Count,
    /// There is no other attempt.
    FailJob,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct OnExitCodes {
    pub container_name: Option<String>,
    pub operator: ExitCodeOperator,
    pub values: Vec<i32>,
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize, PartialEq, Eq)]
pub enum ExitCodeOperator {
    In,
    NotIn,
}

impl JobSpec {
    /// Whether an attempt that failed with this exit code is the last.
    pub fn fails_for_good(&self, code: i32) -> bool {
        let mut rules = self.pod_failure_policy.rules.iter();
        let rule = rules.find(|rule| {
            let listed = rule.on_exit_codes.values.contains(&code);
            listed == (rule.on_exit_codes.operator == ExitCodeOperator::In)
        });
        rule.is_some_and(|rule| rule.action == FailureAction::FailJob)
    }
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct PodTemplate {
    pub spec: PodSpec,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct PodSpec {
    #[serde(default = "thirty")]
    pub termination_grace_period_seconds: u64,
    #[serde(default)]
    pub restart_policy: RestartPolicy,
    pub containers: Vec<Container>,
    #[serde(default)]
    pub volumes: Vec<Volume>,
}

#[derive(Clone, Copy, Debug, Default, Deserialize, Serialize, PartialEq, Eq)]
pub enum RestartPolicy {
    #[default]
    Always,
    OnFailure,
    Never,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Container {
    pub name: String,
    #[serde(default)]
    pub command: Vec<String>,
    #[serde(default)]
    pub args: Vec<String>,
    pub working_dir: Option<String>,
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
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EnvVar {
    pub name: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub value: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value_from: Option<ValueFrom>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ValueFrom {
    pub field_ref: FieldRef,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct FieldRef {
    pub field_path: String,
}

/// The one field of a pod that the local engine can look up: the identity of the job
/// that the pod belongs to, which is the same for each of its attempts.
pub const JOB_IDENTITY: &str = "metadata.labels['batch.kubernetes.io/controller-uid']";

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct EnvFrom {
    pub config_map_ref: Metadata,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ContainerPort {
    pub name: Option<String>,
    pub container_port: u16,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    pub http_get: HttpGet,
    #[serde(default)]
    pub initial_delay_seconds: u64,
    #[serde(default = "ten")]
    pub period_seconds: u64,
    #[serde(default = "one_u64")]
    pub timeout_seconds: u64,
    #[serde(default = "three_u32")]
    pub failure_threshold: u32,
    #[serde(default = "one")]
    pub success_threshold: u32,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct HttpGet {
    #[serde(default = "root")]
    pub path: String,
    pub port: PortRef,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct VolumeMount {
    pub name: String,
    pub mount_path: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Volume {
    pub name: String,
    pub persistent_volume_claim: Option<ClaimRef>,
    pub empty_dir: Option<EmptyDir>,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct ClaimRef {
    pub claim_name: String,
}

#[derive(Clone, Debug, Deserialize, Serialize, PartialEq)]
pub struct EmptyDir {}

impl PodSpec {
    /// The one container; `checks` refuses any other number.
    pub fn container(&self) -> &Container {
        &self.containers[0]
    }

    /// Gives the variables that ask for it the identity of the pod's job; `checks`
    /// refuses those that ask for anything else.
    pub fn tell_identity(&mut self, job: &str) {
        let variables = self.containers.iter_mut().flat_map(|one| &mut one.env);
        for variable in variables {
            if variable.value_from.take().is_some() {
                job.clone_into(&mut variable.value);
            }
        }
    }

    /// The claims that the pod mounts.
    pub fn claims(&self) -> impl Iterator<Item = &str> {
        self.volumes
            .iter()
            .filter_map(|volume| volume.persistent_volume_claim.as_ref())
            .map(|claim| claim.claim_name.as_str())
    }
}

// The defaults of Kubernetes.
fn one() -> u32 {
    1
}
fn one_u64() -> u64 {
    1
}
fn one_usize() -> usize {
    1
}
fn three() -> usize {
    3
}
fn three_u32() -> u32 {
    3
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
fn root() -> String {
    "/".to_owned()
}
