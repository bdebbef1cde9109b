//! Game days on a real cluster.

use serde_json::Value;

use super::shell;
use super::support::TestLab;

/// By somebody who looks at the cluster and types what docs/runbook.md has, and does not
/// know what broke.
pub fn game_days_are_recovered_with_the_tools_of_a_cluster(lab: &TestLab) {
    for fault in ["volume-loss", "node-loss"] {
        let begun = lab.json(&["gameday", "--fault", fault]);
        assert!(
            begun["symptoms"]["writes"]["failed"].as_u64() > Some(0),
            "{begun}"
        );
        let result = (0..6).find_map(|_| recovered_by_hand(lab));
        let result = result.expect("recovered after six rounds");
        assert_eq!(result["passed"], true, "{result}");
        assert_eq!(result["gameday"]["faults"][0]["name"], fault);
        assert_eq!(result["rpo"]["lost"], 0, "{result}");
        // What is done to a node is no change of what the lab was asked for.
        let by = if fault == "node-loss" {
            "end"
        } else {
            "change"
        };
        assert_eq!(result["gameday"]["noticed_by"], by, "{result}");
    }
    lab.json(&["gameday", "--fault", "node-loss"]);
    assert_eq!(lab.json(&["gameday", "abort"])["aborted"], true);
    assert_eq!(lab.json(&["status"])["facts"]["suspended"], false);
}

/// One round; the result, where that was all.
fn recovered_by_hand(lab: &TestLab) -> Option<Value> {
    let kubectl = "kubectl --context k3d-pra --namespace pra --request-timeout 20s";
    // A node that does not run.
    shell(
        "docker ps --all --filter status=exited --format '{{.Names}}' | grep ^k3d-pra- | \
         xargs --no-run-if-empty --max-args 1 k3d node start",
    );
    if !shell(&format!("{kubectl} get pvc pra-data"))
        .status
        .success()
    {
        let root = lab.root.display();
        shell(&format!(
            "{kubectl} apply -f {root}/k8s && {kubectl} apply -f {root}/pra && \
             {kubectl} wait --for=condition=complete job/sqlite-restore --timeout=120s"
        ));
    }
    shell(&format!(
        "{kubectl} patch cronjob sqlite-backup --patch '{{\"spec\":{{\"suspend\":false}}}}'; \
         {kubectl} rollout status deployment flask --timeout=120s"
    ));
    let output = lab.xtask(&["gameday", "done", "--json"]);
    let done: Value = serde_json::from_slice(&output.stdout).unwrap();
    (done["over"].is_null() && output.status.success()).then_some(done)
}
