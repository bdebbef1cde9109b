//! What `k8s/` declares, all of it together.

use std::collections::BTreeMap;

use super::model::{ConfigMap, CronJob, Deployment, PodSpec, Service};

#[derive(Clone, Debug)]
pub struct Manifests {
    pub config_maps: Vec<ConfigMap>,
    pub claims: Vec<String>,
    pub deployment: Deployment,
    pub service: Service,
    pub cron_job: CronJob,
}

impl Manifests {
    pub fn config_map(&self, name: &str) -> Option<&ConfigMap> {
        let mut maps = self.config_maps.iter();
        maps.find(|map| map.metadata.name == name)
    }

    /// The pod's environment, as Kubernetes has it: later sources win, `env` wins
    /// over all.
    pub fn settings(&self, pod: &PodSpec) -> BTreeMap<String, String> {
        let container = pod.container();
        let sources = container.env_from.iter();
        let maps = sources.filter_map(|source| self.config_map(&source.config_map_ref.name));
        let mut all: BTreeMap<_, _> = maps.flat_map(|map| map.data.clone()).collect();
        let own = container.env.iter();
        all.extend(own.map(|one| (one.name.clone(), one.value.clone())));
        all
    }

    /// Gives settings that are stated other values.
    pub fn overrule(&mut self, settings: &BTreeMap<String, String>) {
        for map in &mut self.config_maps {
            for (name, value) in settings {
                if let Some(stated) = map.data.get_mut(name) {
                    stated.clone_from(value);
                }
            }
        }
    }

    /// The pod of a replica.
    pub fn replica(&self) -> &PodSpec {
        &self.deployment.spec.template.spec
    }
}
