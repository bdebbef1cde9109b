//! A pod of our own with both volumes, for as long as something is done there.

use anyhow::Result;
use serde_json::{Value, json};
use terms::tr;

use super::Kube;
use crate::failure::Failure;
use crate::tools::kubectl;
use crate::wait;

impl Kube {
    /// Runs `act` on a pod that holds both volumes and does nothing itself:
    /// for when no replica runs.
    pub fn with_helper<T>(&self, act: impl FnOnce(&str) -> Result<T>) -> Result<T> {
        let name = format!("pra-copy-{}", std::process::id());
        let pod = helper(self.restore_manifest()?, &name);
        self.ctx.ui.note(&tr!(
            "no replica runs: the pod {name} does this",
            "aucune réplique ne tourne : le pod {name} s'en charge",
        ));
        let kubectl = self.kubectl()?;
        let create = kubectl.cmd(kubectl::create("-")).input(pod.to_string());
        if let Some(created) = self.change(&create)?
            && !created.status.success()
        {
            let said = created.stderr.trim();
            return Err(Failure::tool(tr!(
                "the pod {name} could not be created: {said}",
                "le pod {name} n'a pas pu être créé : {said}",
            ))
            .next(tr!(
                "try it by hand: {create}",
                "essayez à la main : {create}"
            ))
            .into());
        }
        let ready = kubectl.cmd(kubectl::wait_until_ready(&name, wait::HELPER_READY));
        let result = self
            .ctx
            .exec
            .run(&ready.limit(wait::HELPER_READY + wait::SHORT_COMMAND))
            .and_then(|()| act(&format!("pod/{name}")));
        let delete = kubectl.cmd(kubectl::delete_pod(&name, true));
        result.and_then(|done| self.ctx.exec.run(&delete).map(|()| done))
    }
}

/// The pod of the restore job, asleep. One that is forgotten ends by itself.
fn helper(mut job: Value, name: &str) -> Value {
    let template = job["spec"]["template"].take();
    let mut spec = template["spec"].clone();
    spec["activeDeadlineSeconds"] = wait::COPY.as_secs().into();
    let container = &mut spec["containers"][0];
    container["command"] = json!(["sleep", wait::COPY.as_secs().to_string()]);
    let mut labels = template["metadata"]["labels"].clone();
    labels["app"] = "pra-copy".into();
    json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": spec,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_helper_has_what_the_restore_has_and_sleeps() {
        let job: Value =
            serde_norway::from_str(include_str!("../../../pra/50-job-restore.yaml")).unwrap();
        let pod = helper(job.clone(), "pra-copy-1");
        let theirs = &job["spec"]["template"]["spec"];
        for same in ["volumes", "securityContext", "restartPolicy"] {
            assert_eq!(pod["spec"][same], theirs[same], "{same}");
        }
        let container = &pod["spec"]["containers"][0];
        assert_eq!(
            container["volumeMounts"],
            theirs["containers"][0]["volumeMounts"]
        );
        assert_eq!(container["command"][0], "sleep");
    }
}
