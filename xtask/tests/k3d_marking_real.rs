//! Works of the original layout are marked on clusters of their own: right ones, and ones
//! with planted defects.

use serde_json::Value;

use crate::must;
use crate::support::fork::Fork;
use crate::support::{TestLab, project};

fn forks(lab: &TestLab) -> [Fork; 3] {
    let fork = |name: &str| Fork::new(&lab.root.join(name));
    let right = fork("right");
    let planted = fork("planted");
    // /status never sees a backup.
    planted.edit(
        "k8s/20-deployment.yaml",
        "            - {name: backup, mountPath: /backup, readOnly: true}\n",
        "",
    );
    planted.edit("k8s/40-cronjob-backup.yaml", "|| exit 1", "|| exit 0");
    planted.edit(
        "pra/50-job-restore.yaml",
        "generateName: sqlite-restore-",
        "name: sqlite-restore",
    );
    let dated = fork("dated");
    let by_name = "return int(backup.stem.removeprefix(\"app-\"))";
    dated.edit("app/app.py", by_name, "return int(backup.stat().st_mtime)");
    let all = [right, planted, dated];
    for fork in &all {
        fork.commit("student", "Hand the work in");
    }
    all
}

fn item<'a>(work: &'a Value, name: &str) -> &'a Value {
    let sections = work["sections"].as_array().unwrap().iter();
    let mut items = sections.flat_map(|section| section["items"].as_array().unwrap());
    items.find(|item| item["name"] == name).unwrap()
}

/// The items that lost points, with what is left of them.
fn lost(work: &Value) -> Vec<(String, f64)> {
    let sections = work["sections"].as_array().unwrap().iter();
    let items = sections.flat_map(|section| section["items"].as_array().unwrap());
    let judged = items.filter(|item| item["by"] == "machine" && item["points"] != item["of"]);
    let told = judged.map(|item| {
        let name = item["name"].as_str().unwrap().to_owned();
        (name, item["points"].as_f64().unwrap())
    });
    told.collect()
}

fn marked(lab: &TestLab, options: &[&str], works: &[&str]) -> Vec<Value> {
    let images = "docker images --all --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}' \
                  | grep -v '<none>' | sort";
    let contexts = "kubectl config get-contexts -o name";
    let before = [must(images), must(contexts)];
    let document = lab.json(&[options, &["check", "--engine", "k3d", "--yes"], works].concat());
    let clusters = must("k3d cluster list -o json");
    assert!(!clusters.contains("check-"), "{clusters}");
    assert_eq!([must(images), must(contexts)], before);
    document["works"].as_array().unwrap().clone()
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn works_are_marked_for_what_they_do() {
    let lab = TestLab::bare("marking-k3d");
    let forks = forks(&lab);
    let paths = forks.each_ref().map(|fork| fork.root.to_str().unwrap());
    let works = marked(&lab, &[], &paths);
    assert_eq!(lost(&works[0]), [], "{}", works[0]);
    assert_eq!(works[0]["technical"]["of"], 7.5);
    let planted = [
        ("status-file", 0.0),
        ("status-age", 0.0),
        ("backup-fails-loudly", 0.0),
        ("restore-twice", 0.0),
    ];
    let planted = planted.map(|(name, points)| (name.to_owned(), points));
    assert_eq!(lost(&works[1]), planted, "{}", works[1]);
    let dated = [("status-file", 0.75), ("status-age", 0.5)];
    let dated = dated.map(|(name, points)| (name.to_owned(), points));
    assert_eq!(lost(&works[2]), dated, "{}", works[2]);
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn our_own_work_has_all_technical_points() {
    let lab = TestLab::bare("marking-k3d-own");
    let project = project().canonicalize().unwrap();
    for (options, of) in [(&[][..], 7.5), (&["--lab", "image"], 10.0)] {
        let own = marked(&lab, options, &[project.to_str().unwrap()]).remove(0);
        assert_eq!(lost(&own), [], "{own}");
        assert_eq!(own["technical"]["of"], of, "{own}");
    }
}

#[test]
#[ignore = "needs Docker, and minutes: cargo xtask test --only cluster-long"]
fn a_page_is_marked_for_what_it_does() {
    let lab = TestLab::bare("marking-k3d-page");
    let right = Fork::of("page-fork", &lab.root.join("right"));
    let planted = Fork::of("page-fork", &lab.root.join("planted"));
    planted.edit(
        "Makefile",
        "\tkubectl rollout restart deployment/page\n",
        "",
    );
    planted.edit("README.md", " -p 127.0.0.1:8082:30082@server:0", "");
    for fork in [&right, &planted] {
        fork.commit("student", "Hand the work in");
    }
    let paths = [&right, &planted].map(|fork| fork.root.to_str().unwrap());
    let works = marked(&lab, &["--lab", "image"], &paths);
    assert_eq!(lost(&works[0]), [], "{}", works[0]);
    // The port of its own cluster is said, and was not tried.
    assert_eq!(works[0]["technical"]["of"], 10.0);
    assert_eq!(item(&works[0], "access")["by"], "nobody");
    assert_eq!(item(&works[0], "entry")["by"], "person");
    let expected = [("access".to_owned(), 0.0), ("page-changes".to_owned(), 0.0)];
    assert_eq!(lost(&works[1]), expected, "{}", works[1]);
}
