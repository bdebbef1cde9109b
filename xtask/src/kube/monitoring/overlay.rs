//! What differs from the files of `monitoring/` for one lab.

use std::path::{Component, Path, PathBuf};

use serde_json::{Value, json};

use crate::tools::docker;

/// The namespace that `monitoring/operator` is written for.
const OPERATORS_NAMESPACE: &str = "pra";

/// What differs from the manifests in some folders, as kubectl's own kustomize reads it: it
/// takes no path from the root. An empty secret is none; `policies` says whether the lab
/// brings those of the network.
pub(super) fn kustomization(
    manifests: &[PathBuf],
    namespace: &str,
    images: &[(&str, &str)],
    pull_secret: &str,
    policies: bool,
) -> Value {
    let images = images.iter().map(|(name, image)| {
        let (new, tag) = docker::place_and_tag(image).unwrap_or((image, "latest"));
        json!({"name": name, "newName": new, "newTag": tag})
    });
    let patch = json!([{
        "op": "add", "path": "/spec/template/spec/imagePullSecrets",
        "value": [{"name": pull_secret}],
    }]);
    let patch = json!({"target": {"kind": "Deployment"}, "patch": patch.to_string()});
    let without = "apiVersion: networking.k8s.io/v1\nkind: NetworkPolicy\nmetadata:\n  \
                   name: any\n$patch: delete\n";
    let without = json!({"target": {"kind": "NetworkPolicy"}, "patch": without});
    let patches = (!pull_secret.is_empty()).then_some(patch).into_iter();
    let patches: Vec<Value> = patches.chain((!policies).then_some(without)).collect();
    json!({
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "namespace": namespace,
        "resources": manifests,
        "images": images.collect::<Vec<Value>>(),
        "patches": patches,
    })
}

/// The command that gives `monitoring/operator` to a lab in some namespace: it is written for
/// one, which its rules name as well.
pub(super) fn for_an_operator(namespace: &str, apply: &str) -> String {
    if namespace == OPERATORS_NAMESPACE {
        return format!("{apply} -k monitoring/operator");
    }
    let own = OPERATORS_NAMESPACE;
    format!(
        "kubectl kustomize monitoring/operator | sed 's/namespace: {own}$/namespace: \
         {namespace}/; s/namespace=\"{own}\"/namespace=\"{namespace}\"/g' | {apply} -f -"
    )
}

/// The way from one folder to another, both named from the root.
pub(super) fn relative(from: &Path, to: &Path) -> PathBuf {
    let (from, to): (Vec<Component>, Vec<Component>) =
        (from.components().collect(), to.components().collect());
    let pairs = from.iter().zip(&to);
    let shared = pairs.take_while(|(one, other)| one == other).count();
    let up = from[shared..].iter().map(|_| Component::ParentDir);
    up.chain(to[shared..].iter().copied()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exec::{self, Cmd};

    #[test]
    fn the_way_to_the_manifests_leads_up_from_where_they_are_changed() {
        let way = relative(
            Path::new("/lab/.lab/state/monitoring-pra"),
            Path::new("/lab/monitoring"),
        );
        assert_eq!(way, Path::new("../../../monitoring"));
    }

    #[test]
    fn each_pod_gets_the_image_and_the_secret_that_are_stated() {
        let images = [("quay.io/p/prometheus", "r.example:5000/team/prometheus:v9")];
        let manifests = ["../monitoring", "../monitoring/dashboards"].map(PathBuf::from);
        let of = |secret| kustomization(&manifests, "theirs", &images, secret, true);
        let plain = of("");
        assert_eq!(plain["namespace"], "theirs");
        assert_eq!(plain["resources"], json!(manifests));
        let image = json!({"name": "quay.io/p/prometheus",
            "newName": "r.example:5000/team/prometheus", "newTag": "v9"});
        assert_eq!(plain["images"], json!([image]));
        assert_eq!(plain["patches"], json!([]));
        let open = kustomization(&manifests, "theirs", &images, "", false);
        let left_out = open["patches"][0]["patch"].as_str().unwrap();
        assert!(left_out.contains("$patch: delete"), "{left_out}");
        let target = json!({"kind": "NetworkPolicy"});
        assert_eq!(open["patches"][0]["target"], target);
        let patch = &of("pull-here")["patches"][0];
        assert_eq!(patch["target"], json!({"kind": "Deployment"}));
        let patch: Value = serde_json::from_str(patch["patch"].as_str().unwrap()).unwrap();
        let added = json!({"op": "add", "path": "/spec/template/spec/imagePullSecrets",
            "value": [{"name": "pull-here"}]});
        assert_eq!(patch, json!([added]));
    }

    #[test]
    fn an_operator_gets_the_lab_in_the_namespace_that_it_has() {
        let apply = "kubectl --context theirs -n lab apply";
        let plain = for_an_operator("pra", apply);
        assert_eq!(plain, format!("{apply} -k monitoring/operator"));
        let said = for_an_operator("lab", apply);
        let (before, after) = said.split_once(" | ").unwrap();
        assert_eq!(before, "kubectl kustomize monitoring/operator");
        let (edit, last) = after.rsplit_once(" | ").unwrap();
        assert_eq!(last, format!("{apply} -f -"));
        let rule =
            "  namespace: pra\nexpr: up{namespace=\"pra\"} + x{namespace=\"pra\", y=\"1\"}\n";
        let edited = exec::output(&Cmd::new("sh").args(["-c", edit]).input(rule)).unwrap();
        let edited = edited.stdout;
        let expected =
            "  namespace: lab\nexpr: up{namespace=\"lab\"} + x{namespace=\"lab\", y=\"1\"}\n";
        assert_eq!(edited, expected);
    }
}
