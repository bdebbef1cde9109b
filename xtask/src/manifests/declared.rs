//! What `k8s/` declares, all of it together.

use super::model::{ConfigMap, CronJob, Deployment, PodSpec, Service};

/// What `k8s/` declares.
#[derive(Clone, Debug)]
pub struct Manifests {
    pub config_maps: Vec<ConfigMap>,
    pub claims: Vec<String>,
    pub deployment: Deployment,
    pub service: Service,
    pub cron_job: CronJob,
}

impl Manifests {
    /// The value of a key of a ConfigMap that the pod takes its environment
    /// from, in the order of Kubernetes: later sources win, `env` wins over all.
    pub fn environment(&self, pod: &PodSpec) -> Vec<(String, String)> {
        let container = pod.container();
        let mut all = Vec::new();
        for source in &container.env_from {
            let named = |map: &&ConfigMap| map.metadata == source.config_map_ref;
            if let Some(map) = self.config_maps.iter().find(named) {
                all.extend(map.data.iter().map(|(k, v)| (k.clone(), v.clone())));
            }
        }
        all.extend(
            container
                .env
                .iter()
                .map(|var| (var.name.clone(), var.value.clone())),
        );
        all
    }
}
