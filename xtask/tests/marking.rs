//! `check` marks this project's own lab, and a lab with planted defects, on the local
//! engine; what it reads of repositories, and what it refuses.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

use crate::support::fork::Fork;
use crate::support::{TestLab, said};

/// The points that a machine gave, by the item's name.
fn points(work: &Value, name: &str) -> f64 {
    let item = item(work, name);
    assert_eq!(item["by"], "machine", "{item}");
    item["points"].as_f64().unwrap()
}

fn item<'a>(work: &'a Value, name: &str) -> &'a Value {
    let sections = work["sections"].as_array().unwrap().iter();
    let mut items = sections.flat_map(|section| section["items"].as_array().unwrap());
    let found = items.find(|item| item["name"] == name);
    found.unwrap_or_else(|| panic!("no {name} in {work}"))
}

#[test]
fn our_own_lab_has_all_that_the_local_engine_can_show() {
    let lab = TestLab::new("marking-own");
    let page = lab.root.join("page.html");
    let document = lab.json(&["check", "--page", page.to_str().unwrap()]);
    let work = &document["works"][0];
    assert_eq!(work["technical"]["points"], 7.0, "{work}");
    assert_eq!(work["technical"]["of"], 7.0);
    assert_eq!(item(work, "restore-twice")["by"], "nobody");
    assert_eq!(work["open"]["of"], 12.5);
    let html = fs::read_to_string(&page).unwrap();
    assert!(html.contains("/status") && !html.contains("http://") && !html.contains("https://"));
    let csv = fs::read_to_string(page.with_extension("csv")).unwrap();
    assert!(
        csv.lines()
            .any(|line| line.contains("status-age,machine,1,1")),
        "{csv}"
    );
    // The lab of the marking is gone, and nobody else's was touched.
    assert!(!lab.root.join(".lab/check/repo").exists());
    assert!(!lab.root.join(".lab/volumes").exists());
    assert_eq!(lab.processes(), [""; 0]);
}

#[test]
fn defects_that_are_planted_lose_their_points_and_no_others() {
    let lab = TestLab::new("marking-defects");
    lab.edit(
        "k8s/40-cronjob-backup.yaml",
        "command: [python, -m, pra, backup, --json]",
        "command: [sh, -c, python -m pra backup --json || true]",
    );
    let modified = "__import__(\"os\").path.getmtime(__import__(\"os\").environ[\"PRA_BACKUP_DIR\"] \
                    + \"/\" + last.name)";
    lab.edit(
        "app/pra/events/report.py",
        "clock.now() - last.epoch",
        &format!("clock.now() - {modified}"),
    );
    let document = lab.json(&["check"]);
    let work = &document["works"][0];
    assert_eq!(points(work, "backup-fails-loudly"), 0.0);
    assert_eq!(points(work, "status-age"), 0.5);
    for untouched in ["backups", "volume-lost", "point-chosen", "status-file"] {
        assert_eq!(
            item(work, untouched)["points"],
            item(work, untouched)["of"],
            "{untouched}"
        );
    }
}

#[test]
fn a_work_of_somebody_else_is_read_and_not_run_outside_of_containers() {
    let lab = TestLab::bare("marking-fork");
    let fork = Fork::new(&lab.root.join("fork"));
    fork.commit("teacher", "Add the workshop");
    fork.edit(
        "README.md",
        "## Exercice 1",
        "## Exercice 1\n\nLe volume.\n",
    );
    fork.commit("student", "Answer the first exercise");
    fork.edit(
        "app/app.py",
        "DATABASE =",
        "# changed, and not committed\nDATABASE =",
    );
    let document = lab.json(&["check", "--base", "0123456", fork.root.to_str().unwrap()]);
    let work = &document["works"][0];
    let remarks = work["remarks"].to_string();
    assert!(remarks.contains("--base 0123456"), "{remarks}");
    // Nothing was tried, and nothing is held against it.
    assert_eq!(
        (&work["technical"]["of"], &work["untried"]),
        (&0.0.into(), &7.5.into())
    );
    assert_eq!(work["history"]["own"], 1);
    assert_eq!(work["history"]["authors"][0][0], "student");
    let one = &item(work, "exercise-1")["found"][0];
    assert!(one.as_str().unwrap().starts_with("2 "), "{one}");
    assert!(item(work, "exercise-2")["proposed"].as_f64() == Some(0.0));
    assert!(
        work["remarks"][0]
            .as_str()
            .unwrap()
            .contains("not committed"),
        "{work}"
    );
}

#[test]
fn settings_and_links_of_a_repository_are_not_followed() {
    let lab = TestLab::bare("marking-hostile");
    let fork = Fork::new(&lab.root.join("fork"));
    let trap = lab.root.join("trapped");
    std::os::unix::fs::symlink("/etc/passwd", fork.root.join("SECRET.md")).unwrap();
    fs::write(fork.root.join(".gitattributes"), "*.md filter=x\n").unwrap();
    fork.commit("teacher", "Add the workshop");
    for setting in [
        "core.fsmonitor",
        "core.pager",
        "diff.external",
        "filter.x.clean",
        "filter.x.smudge",
        "filter.x.process",
        "uploadpack.packObjectsHook",
    ] {
        let script = format!("touch {}", trap.display());
        fork.git(&["config", setting, &script]);
    }
    // What git would look into, and so hand to the filter.
    fs::write(fork.root.join("README.md"), "changed\n").unwrap();
    let hook = fork.root.join(".git/hooks/post-checkout");
    fs::create_dir_all(hook.parent().unwrap()).unwrap();
    fs::write(&hook, format!("#!/bin/sh\ntouch {}\n", trap.display())).unwrap();
    let made = Command::new("chmod")
        .args(["+x"])
        .arg(&hook)
        .status()
        .unwrap();
    assert!(made.success());
    let document = lab.json(&["check", fork.root.to_str().unwrap()]);
    assert!(!trap.exists(), "a setting of the repository was followed");
    assert!(!document.to_string().contains("root:"), "a link led out");
}

#[test]
fn a_page_takes_the_place_of_no_other_file() {
    let lab = TestLab::bare("marking-page");
    let page = lab.root.join("marks.html");
    for there in ["html", "csv", "json"] {
        let file = page.with_extension(there);
        fs::write(&file, "mine").unwrap();
        let refused = lab.fails(2, &["check", "--page", page.to_str().unwrap()]);
        assert!(refused.contains("is not overwritten"), "{refused}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        fs::remove_file(file).unwrap();
    }
    let document = page.with_extension("json");
    let refused = lab.fails(2, &["check", "--page", document.to_str().unwrap()]);
    assert!(refused.contains("marks.html"), "{refused}");
}

#[test]
fn one_that_cannot_be_read_keeps_no_other_from_its_mark() {
    let lab = TestLab::bare("marking-several");
    let [whole, broken] = ["whole", "broken"].map(|name| Fork::new(&lab.root.join(name)));
    for fork in [&whole, &broken] {
        fork.commit("student", "Hand the work in");
    }
    fs::remove_dir_all(broken.root.join(".git/objects")).unwrap();
    fs::create_dir_all(broken.root.join(".git/objects")).unwrap();
    let named = [&broken, &whole].map(|fork| fork.root.to_str().unwrap());
    let page = lab.root.join("page.html");
    let output = lab.xtask(&[
        "check",
        "--page",
        page.to_str().unwrap(),
        named[0],
        named[1],
    ]);
    let text = fs::read_to_string(page.with_extension("json")).unwrap();
    let document: Value = serde_json::from_str(&text).unwrap();
    let works = document["works"].as_array().unwrap();
    let marked: Vec<&str> = works
        .iter()
        .filter_map(|work| work["work"].as_str())
        .collect();
    assert!(
        marked.iter().any(|work| work.ends_with("whole")),
        "{document}"
    );
    let not_marked = document["not_marked"].as_object().unwrap();
    assert!(
        not_marked.keys().any(|work| work.ends_with("broken")),
        "{document}"
    );
    assert_ne!(output.status.code(), Some(0), "{}", said(&output));
}

#[test]
fn a_folder_that_is_none_is_told_before_anything_is_made() {
    let lab = TestLab::bare("marking-nothing");
    let said = lab.fails(2, &["check", "/nowhere/at/all"]);
    assert!(said.contains("/nowhere/at/all"), "{said}");
    assert!(!Path::new(&lab.root).join(".lab/check").exists());
}

#[test]
fn a_dry_run_says_what_would_be_done() {
    let lab = TestLab::bare("marking-dry");
    let output = lab.xtask(&["check", "--dry-run"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(said(&output).contains("removed"), "{}", said(&output));
    assert!(!lab.root.join(".lab").exists());
}
