//! Does a cluster hold what manifests say? Told from the objects themselves,
//! a fraction of the work of `kubectl diff`, which applies each of them in a
//! dry run. Never more lenient than it: a yes here means no difference there.

use anyhow::{Context as _, Result};
use serde::Deserialize as _;
use serde_json::Value;

/// What `kubectl apply` keeps of the manifest that it applied.
const LAST_APPLIED: &str = "kubectl.kubernetes.io/last-applied-configuration";

/// The objects of a manifest.
pub fn documents(text: &str) -> Result<Vec<Value>> {
    let mut found = Vec::new();
    for document in serde_norway::Deserializer::from_str(text) {
        let value = Value::deserialize(document).context("reading a manifest")?;
        if !value.is_null() {
            found.push(value);
        }
    }
    Ok(found)
}

/// Every manifest has its object in the answer of `kubectl get -o json`, with
/// each stated field as stated, and was the last to be applied there: what an
/// earlier one stated beyond it would have to go.
pub fn holds(live: &str, wanted: &[Value]) -> bool {
    let Ok(live) = serde_json::from_str::<Value>(live) else {
        return false;
    };
    // One object alone comes without a list around it.
    let alone = std::slice::from_ref(&live);
    let live = live["items"].as_array().map_or(alone, Vec::as_slice);
    wanted.iter().all(|wanted| {
        live.iter()
            .find(|live| is_same(live, wanted))
            .is_some_and(|live| says(live, wanted) && was_applied(live, wanted))
    })
}

/// The same of one manifest that was applied by the server, which keeps no copy of it: what an
/// earlier one stated beyond it went when this one came.
pub fn is_said(live: &[Value], wanted: &Value) -> bool {
    let mut same = live.iter().filter(|live| is_same(live, wanted));
    same.any(|live| says(live, wanted))
}

/// An annotation of the object of a kind, in the answer of `kubectl get -o json`.
pub fn annotation(live: &str, kind: &str, name: &str) -> Option<String> {
    let live: Value = serde_json::from_str(live).ok()?;
    let mut items = live["items"].as_array()?.iter();
    let found = items.find(|item| item["kind"] == kind)?;
    Some(found["metadata"]["annotations"][name].as_str()?.to_owned())
}

fn is_same(live: &Value, wanted: &Value) -> bool {
    let same = |path: &str| live.pointer(path) == wanted.pointer(path);
    same("/kind") && same("/metadata/name") && same("/apiVersion")
}

/// The cluster adds defaults to what is stated, but no elements to lists.
fn says(live: &Value, wanted: &Value) -> bool {
    match (live, wanted) {
        (Value::Object(live), Value::Object(wanted)) => wanted
            .iter()
            .all(|(key, wanted)| says(live.get(key).unwrap_or(&Value::Null), wanted)),
        (Value::Array(live), Value::Array(wanted)) => {
            live.len() == wanted.len() && live.iter().zip(wanted).all(|(l, w)| says(l, w))
        }
        _ => live == wanted,
    }
}

fn was_applied(live: &Value, wanted: &Value) -> bool {
    let applied = live["metadata"]["annotations"][LAST_APPLIED].as_str();
    let applied = applied.and_then(|text| serde_json::from_str::<Value>(text).ok());
    applied.is_some_and(|applied| bare(applied) == bare(wanted.clone()))
}

/// Without the empty annotations that kubectl adds.
fn bare(mut object: Value) -> Value {
    if let Some(metadata) = object["metadata"].as_object_mut() {
        metadata.retain(|key, value| key != "annotations" || *value != serde_json::json!({}));
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const MANIFEST: &str = "apiVersion: v1\nkind: Service\nmetadata:\n  name: flask\n\
                            spec:\n  ports:\n    - port: 80\n  type: NodePort\n";

    /// As the cluster holds it: with defaults, and what was applied.
    fn live() -> Value {
        let mut wanted = documents(MANIFEST).unwrap().remove(0);
        wanted["metadata"]["annotations"] = json!({});
        let applied = wanted.to_string();
        wanted["metadata"]["annotations"] = json!({ LAST_APPLIED: applied, "other": "x" });
        wanted["spec"]["ports"][0]["protocol"] = "TCP".into();
        wanted["spec"]["clusterIP"] = "10.0.0.1".into();
        wanted["status"] = json!({});
        wanted
    }

    fn unchanged(live: &Value) -> bool {
        let list = json!({"kind": "List", "items": [live]}).to_string();
        holds(&list, &documents(MANIFEST).unwrap())
    }

    #[test]
    fn what_the_cluster_adds_is_no_difference() {
        assert!(unchanged(&live()));
        let alone = live().to_string();
        assert!(holds(&alone, &documents(MANIFEST).unwrap()));
    }

    #[test]
    fn a_value_changed_by_hand_is_noticed() {
        let wanted = documents(MANIFEST).unwrap().remove(0);
        assert!(is_said(&[live()], &wanted) && !is_said(&[], &wanted));
        let mut edited = live();
        edited["spec"]["ports"][0]["port"] = 81.into();
        assert!(!unchanged(&edited) && !is_said(&[edited], &wanted));
        let mut removed = live();
        removed["spec"].as_object_mut().unwrap().remove("type");
        assert!(!unchanged(&removed));
        let mut added = live();
        added["spec"]["ports"] = json!([{"port": 80}, {"port": 82}]);
        assert!(!unchanged(&added));
    }

    #[test]
    fn a_field_that_left_the_manifest_is_noticed() {
        let mut earlier = live();
        let mut applied = documents(MANIFEST).unwrap().remove(0);
        applied["spec"]["clusterIP"] = "10.0.0.1".into();
        earlier["metadata"]["annotations"][LAST_APPLIED] = applied.to_string().into();
        assert!(!unchanged(&earlier));
    }

    #[test]
    fn an_object_that_is_missing_or_was_not_applied_is_noticed() {
        assert!(!holds(r#"{"items":[]}"#, &documents(MANIFEST).unwrap()));
        assert!(!holds("", &documents(MANIFEST).unwrap()));
        let mut created = live();
        created["metadata"]["annotations"] = json!({});
        assert!(!unchanged(&created));
    }

    #[test]
    fn a_file_can_hold_several_objects() {
        let two = format!("# first\n{MANIFEST}---\n{MANIFEST}");
        assert_eq!(documents(&two).unwrap().len(), 2);
        assert!(documents("a: [").is_err());
    }
}
