//! Drills on the local engine, each of their runs held against a count that
//! shares no code with them, and the pages that are drawn from them.

use crate::support;

use std::fs;

use serde_json::Value;
use support::TestLab;

fn float(value: &Value) -> f64 {
    value.as_f64().unwrap_or_else(|| panic!("{value}"))
}

#[test]
fn a_page_that_was_not_drawn_is_not_named() {
    let lab = TestLab::new("drill-undrawn");
    let mut drill = lab.command(&["drill", "--runs", "1", "--interval", "1"]);
    let output = drill.env("CARGO", "false").output().unwrap();
    let said = support::said(&output);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("the page was not drawn"), "{said}");
    assert!(!said.contains("report.html"), "{said}");
    let kept = said.lines().find_map(|line| line.strip_prefix("Kept in "));
    assert!(fs::exists(kept.unwrap()).unwrap(), "{said}");
}

#[test]
fn protections_are_compared_under_the_same_moments() {
    let lab = TestLab::new("drill");
    let words = ["drill", "--runs", "2", "--interval", "2", "--seed", "11"];
    let compare = [
        "--protection",
        "snapshot,journal",
        "--operator-delay",
        "0.5",
    ];
    let drill = lab.json(&[&words[..], &compare].concat());
    assert_eq!(drill["passed"], true, "{drill}");
    assert_eq!(drill["seed"], 11);
    let moments = drill["moments"].as_str().unwrap();
    assert!(moments.contains("shorter than the 60 s"), "{moments}");
    assert_eq!(drill["schedule_seconds"], 60.0);
    assert!(drill["versions"]["sqlite"].is_string(), "{drill}");
    assert_eq!(drill["operator_delay_seconds"], 0.5);
    let command = drill["commands"][0].as_str().unwrap();
    assert!(
        command.contains("--operator-delay 0.5 --interval 2"),
        "{command}"
    );

    let groups = drill["groups"].as_array().unwrap();
    assert_eq!(groups.len(), 2);
    assert_eq!(groups[0]["protection"], "snapshot");
    assert_eq!(groups[1]["protection"], "journal");
    let figures = groups[1]["figures"].as_array().unwrap().iter();
    let names: Vec<&str> = figures.map(|one| one["name"].as_str().unwrap()).collect();
    let phases = ["detected", "decided", "provisioned", "restored", "serving"];
    assert!(
        names.ends_with(
            &phases
                .map(|name| format!("phase {name}"))
                .each_ref()
                .map(String::as_str)
        ),
        "{names:?}"
    );
    let runs = |group: &'static str| {
        let found = groups.iter().find(|one| one["protection"] == group);
        found.unwrap()["runs"].as_array().unwrap().iter()
    };
    assert_eq!(runs("snapshot").count(), 2);
    for (snapshot, journal) in runs("snapshot").zip(runs("journal")) {
        assert_eq!(snapshot["moment_seconds"], journal["moment_seconds"]);
        assert!(snapshot["lost"].as_u64().unwrap() > 0, "{snapshot}");
        // What was written since the backup is gone, give or take the stopping.
        let late = float(&snapshot["rpo_seconds"]) - float(&snapshot["moment_seconds"]);
        assert!((-0.5..5.0).contains(&late), "{snapshot}");
        assert_eq!(journal["lost"], 0, "{journal}");
    }
    for run in groups
        .iter()
        .flat_map(|group| group["runs"].as_array().unwrap())
    {
        let folder = lab.root.join(run["run"].as_str().unwrap());
        let kept = fs::read_to_string(folder.join("result.json")).unwrap();
        let kept: Value = serde_json::from_str(&kept).unwrap();
        assert_eq!(kept["rpo"]["lost"], run["lost"]);
        assert!(folder.join("report.html").exists());
    }
    // The last one left the database as it is: nothing acknowledged is missing.
    let last = &groups[1]["runs"][1];
    let kept = lab.root.join(last["run"].as_str().unwrap());
    let kept = fs::read_to_string(kept.join("result.json")).unwrap();
    let kept: Value = serde_json::from_str(&kept).unwrap();
    support::agreed(&lab, &kept);
    // It was the second draw of that seed.
    assert_eq!(kept["draw"]["seed"], 11);
    assert_eq!(kept["draw"]["number"], 2);
    assert_eq!(kept["draw"]["moment_seconds"], last["moment_seconds"]);

    let status = lab.json(&["status"]);
    assert_eq!(status["application"]["protection"], "journal", "put back");
    assert_eq!(status["facts"]["suspended"], false);
    assert!(!lab.root.join(".lab/state/k8s-local").exists());

    let report = lab.json(&["report"]);
    let page = fs::read_to_string(report["page"].as_str().unwrap()).unwrap();
    assert!(page.contains("Drill") && page.contains("<svg"));
    let junit = fs::read_to_string(report["junit"].as_str().unwrap()).unwrap();
    assert!(junit.contains("failures=\"0\""), "{junit}");
    let history = fs::read_to_string(report["history"].as_str().unwrap()).unwrap();
    assert_eq!(history.matches("-volume-loss/report.html").count(), 4);
}

#[test]
fn an_impossible_objective_is_named_and_exits_1() {
    let lab = TestLab::new("drill-objective");
    lab.configure("rto_seconds = 30", "rto_seconds = 0.001");
    let said = lab.fails(1, &["drill", "--runs", "1", "--interval", "1"]);
    assert!(said.contains("rto_seconds is missed"), "{said}");
    let said = lab.fails(2, &["drill", "--interval", "0"]);
    assert!(said.contains("--interval"), "{said}");
}
