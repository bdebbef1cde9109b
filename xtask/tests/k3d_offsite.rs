//! Copies elsewhere of a lab on a real cluster: into the store beside it, which outlives it.

use super::support::{TestLab, copied, said};
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

/// What somebody changed of it in the cluster is put back; where nobody did, nothing is done.
fn the_network_is_as_it_is_declared(lab: &TestLab) {
    let set_up = || {
        let output = lab.xtask(&["setup"]);
        assert!(output.status.success(), "{}", said(&output));
        said(&output)
    };
    let at_rest = set_up();
    assert!(!at_rest.contains("copies elsewhere"), "{at_rest}");
    let port = "{.spec.egress[0].ports[0].port}";
    let port = || {
        must(&format!(
            "{KUBECTL} get networkpolicy offsite -o jsonpath='{port}'"
        ))
    };
    let declared = port();
    let change = r#"[{"op":"replace","path":"/spec/egress/0/ports/0/port","value":9}]"#;
    must(&format!(
        "{KUBECTL} patch networkpolicy offsite --type json -p '{change}'"
    ));
    assert_eq!(port(), "9");
    set_up();
    assert_eq!(port(), declared);
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
    the_network_is_as_it_is_declared(&lab);

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

/// Whoever has the lab's credentials takes the cluster's volumes, and what of the bucket no lock
/// keeps.
#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn ransomware_leaves_what_a_lock_keeps() {
    insist_on_an_empty_machine();
    let lab = a_lab("offsite-ransomware");
    lab.configure("to = \"off\"", "to = \"embedded\"");
    lab.json(&["offsite", "keygen"]);
    lab.json(&["setup"]);
    lab.json(&["add", "from before"]);
    copied(&lab);
    let result = lab.json(&["scenario", "ransomware", "--yes"]);
    assert_eq!(result["passed"], true, "{result}");
    assert_eq!(
        result["attack"]["copies"]["versions_removed"], 0,
        "{result}"
    );
    assert_eq!(result["attack"]["copies"]["listed"], 0, "{result}");
    assert!(
        result["rpo"]["seconds"].as_f64().unwrap() <= 10.0,
        "{result}"
    );
    lab.json(&["teardown", "--copies", "--yes"]);
    let all = must("docker ps --all --format '{{.Names}}'");
    assert!(!all.contains("pra"), "{all}");
}
