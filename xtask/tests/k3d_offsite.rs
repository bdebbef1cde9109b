//! Copies elsewhere of a lab on a real cluster: into the store beside it, which outlives it.

use super::support::{copied, said};
use super::{a_lab, insist_on_an_empty_machine, machine, must, shell};

const KUBECTL: &str = "kubectl --context k3d-pra -n pra";

/// What the shipper has, and nobody else does.
fn only_the_shipper_has_the_credentials() {
    must(&format!(
        "{KUBECTL} exec deploy/offsite -- test -s /credentials/credentials"
    ));
    for (pod, path) in [("flask", "/credentials"), ("offsite", "/data")] {
        let looked = shell(&format!("{KUBECTL} exec deploy/{pod} -- test -e {path}"));
        assert!(!looked.status.success(), "{pod} has {path}");
    }
    // What violates the level would be warned of.
    let strict = "pod-security.kubernetes.io/enforce=restricted --overwrite --dry-run=server";
    let labelled = shell(&format!("{KUBECTL} label namespace pra {strict}"));
    assert!(!said(&labelled).contains("violate"), "{}", said(&labelled));
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only offsite"]
fn copies_outlive_the_cluster() {
    insist_on_an_empty_machine();
    let before = machine();
    let lab = a_lab("offsite");
    lab.configure("to = \"off\"", "to = \"embedded\"");
    let refused = lab.fails(2, &["setup"]);
    assert!(refused.contains("offsite keygen"), "{refused}");
    lab.json(&["offsite", "keygen"]);
    lab.json(&["setup"]);
    lab.json(&["add", "one"]);
    let pushed = lab.json(&["offsite", "push"]);
    assert_eq!(pushed["lock"], serde_json::Value::Null, "{pushed}");
    copied(&lab);
    only_the_shipper_has_the_credentials();

    // The shipper lets go of a volume that is lost, and follows the one that comes after it.
    let result = lab.json(&["scenario", "backup-volume-loss"]);
    assert_eq!(result["passed"], true, "{result}");
    copied(&lab);
    let rows = lab.json(&["status"])["application"]["count"]
        .as_u64()
        .unwrap();

    lab.json(&["teardown", "--yes"]);
    let all = must("docker ps --all --format '{{.Names}}'");
    assert!(!all.contains("pra"), "{all}");
    let histories = lab.json(&["offsite", "list"])["histories"].clone();
    let newest = histories
        .as_array()
        .unwrap()
        .iter()
        .max_by_key(|one| one["newest"].to_string());
    let newest = newest.unwrap()["history"].as_str().unwrap().to_owned();
    let verified = lab.json(&["offsite", "verify", "--history", &newest]);
    assert_eq!(verified["latest"]["rows"], rows, "{verified}");
    let adopted = lab.json(&["adopt", "offsite:latest", "--history", &newest]);
    assert_eq!(adopted["adopted"]["rows"], rows, "{adopted}");

    // Where none are wanted any more, nothing copies, and nothing is told of copies.
    lab.configure("to = \"embedded\"", "to = \"off\"");
    lab.json(&["setup"]);
    let left = must(&format!(
        "{KUBECTL} get all,secrets,configmaps,endpointslices -l app=offsite"
    ));
    assert_eq!(left, "");
    let told = lab.json(&["status"]);
    assert_eq!(
        told["application"]["offsite"],
        serde_json::Value::Null,
        "{told}"
    );
    lab.json(&["teardown", "--yes"]);
    for ((script, seen), (_, expected)) in machine().iter().zip(&before) {
        // With an image Docker removes the untagged ones that only it was made from.
        let seen = seen.iter().filter(|line| !line.starts_with("<none>"));
        let expected = expected.iter().filter(|line| !line.starts_with("<none>"));
        assert!(seen.eq(expected), "{script}");
    }
}
