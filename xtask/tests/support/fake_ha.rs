//! The lab `ha` with stand-ins for the tools.

use serde_json::{Value, json};

use super::fake_k3d::FakeWorld;
use super::said;

/// Three servers behind a load balancer.
pub fn cluster() -> String {
    let server = |n: u8| {
        format!(r#"{{"name":"k3d-ha-server-{n}","role":"server","State":{{"Running":true}}}}"#)
    };
    let servers = [0, 1, 2].map(server).join(",");
    format!(
        r#"[{{"name":"ha","nodes":[{{"name":"k3d-ha-serverlb","role":"loadbalancer",
        "State":{{"Running":true}},"portMappings":{{"30080/tcp":[{{"HostPort":"18083"}}]}}}},
        {servers}]}}]"#
    )
}

fn pod(name: &str, node: usize, namespace: &str, labels: &Value) -> Value {
    json!({"kind": "Pod", "metadata": {"name": name, "namespace": namespace, "labels": labels},
           "spec": {"nodeName": format!("k3d-ha-server-{node}")},
           "status": {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}})
}

/// What kubectl says of a lab in which every part is there.
pub fn objects() -> Value {
    let instance = json!({"cnpg.io/cluster": "pg", "cnpg.io/podRole": "instance"});
    let operator = json!({"app.kubernetes.io/name": "cloudnative-pg"});
    let replica = json!({"app": "flask"});
    let mut items = vec![
        json!({"kind": "Deployment", "metadata": {"name": "flask"}, "spec": {"replicas": 3}}),
        json!({"kind": "Cluster", "metadata": {"name": "pg", "namespace": "ha"},
               "spec": {"instances": 3},
               "status": {"readyInstances": 3, "phase": "Cluster in healthy state",
                          "currentPrimary": "pg-2", "targetPrimary": "pg-2"}}),
    ];
    for n in 0..3 {
        let name = format!("k3d-ha-server-{n}");
        items.push(json!({"kind": "Node", "metadata": {"name": name, "labels":
            {"topology.kubernetes.io/zone": format!("zone-{n}")}},
            "spec": {"podCIDRs": [format!("10.42.{n}.0/24")]},
            "status": {"conditions": [{"type": "Ready", "status": "True"}],
                       "addresses": [{"type": "InternalIP", "address": format!("172.18.0.{n}")}]}}));
        items.push(pod(&format!("pg-{}", n + 1), n, "ha", &instance));
        items.push(pod(&format!("flask-{n}"), n, "ha", &replica));
    }
    items.push(pod("operator-0", 1, "cnpg-system", &operator));
    json!({"items": items})
}

/// A machine on which this checkout has the lab, and every part is there.
pub fn up(name: &str) -> FakeWorld {
    let world = FakeWorld::new(name);
    world.set("whole", &cluster());
    world.set("list", &cluster());
    world.own();
    world.set("objects", &objects().to_string());
    let nodes: Vec<Value> = objects()["items"].as_array().unwrap().clone();
    let nodes = nodes.into_iter().filter(|one| one["kind"] == "Node");
    let nodes = json!({"items": nodes.collect::<Vec<_>>()});
    world.set("nodes", &nodes.to_string());
    world.hook(
        "kubectl",
        "case \"$*\" in *' get deployments,'*|*' get nodes,pods,'*) cat $S/objects; exit 0;; esac",
    );
    world
}

/// The shell that a dry run prints.
pub fn shell(world: &FakeWorld, words: &[&str]) -> String {
    let output = world
        .lab
        .xtask(&[&["--lab", "ha"], words, &["--dry-run"]].concat());
    assert!(output.status.success(), "{}", said(&output));
    String::from_utf8(output.stdout).unwrap()
}
