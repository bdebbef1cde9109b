//! The French guide: every command in it works as printed, and its figures are those of
//! the committed measurements.

use std::fs;
use std::net::TcpListener;

use crate::support::guide::{self, Form, Walk};
use crate::support::{TestLab, project, said};

#[test]
fn every_block_says_who_types_it() {
    let blocks = guide::blocks();
    assert!(blocks.len() > 30, "the guide has {} blocks", blocks.len());
    assert_eq!(guide::mismarked(&blocks), [""; 0]);
}

#[test]
fn a_block_with_a_wrong_mark_is_found() {
    let page =
        "```sh\nls\n```\n```sh court montré\nls\n```\n```text\nx\n```\n```sh tapé\nls\n```\n";
    let blocks = guide::parse("page.md", page);
    assert_eq!(guide::mismarked(&blocks).len(), 3);
}

#[test]
fn what_is_expected_is_looked_for_in_order() {
    let output = "pod/flask-1   1/1  Running\n{\"count\":12}\n";
    assert_eq!(
        guide::missing("pod/flask-… Running\n{\"count\":…}", output),
        None
    );
    let wrong = |expected: &str| guide::missing(expected, output).is_some();
    assert!(wrong("{\"count\":13}"));
    assert!(wrong("{\"count\":12}\npod/flask-…"));
}

/// A step without them leaves a student alone with whatever happens.
#[test]
fn every_step_says_what_to_see_and_what_to_do_if_not() {
    let mut steps = 0;
    for page in guide::pages() {
        let name = page.file_name().unwrap().to_string_lossy().into_owned();
        if !["10-", "20-", "50-"]
            .iter()
            .any(|begin| name.starts_with(begin))
        {
            continue;
        }
        let text = fs::read_to_string(&page).unwrap();
        for step in text.split("\n## ").skip(1) {
            let title = step.lines().next().unwrap_or_default();
            if title.ends_with("Ranger") {
                continue;
            }
            for part in ["**Vérifiez**", "**Si ça coince**"] {
                assert!(step.contains(part), "{name}, {title}: no {part}");
            }
            steps += 1;
        }
    }
    assert!(steps >= 10, "the guide has {steps} steps");
}

/// On this machine, without Docker; what needs a cluster runs with the tests on k3d.
#[test]
fn the_short_form_works_as_printed() {
    let lab = TestLab::new("guide-local");
    // Known beforehand, since the guide states the address.
    let free = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    lab.configure("port = 0", &format!("port = {port}"));
    let walk = Walk {
        lab: &lab,
        form: Form::Short,
        cluster: false,
        ports: vec![(8080, port)],
    };
    guide::copy_into(&lab);
    walk.run(&guide::blocks());
    assert!(lab.processes().is_empty(), "{:?}", lab.processes());
}

#[test]
fn the_figures_of_the_text_are_those_of_the_measurements() {
    let lab = TestLab::bare("guide-figures");
    guide::copy_into(&lab);
    let output = lab.xtask(&["guide", "figures", "--check"]);
    assert!(output.status.success(), "{}", said(&output));

    // A figure that somebody types, or a measurement that is another one, is found.
    let page = "docs/atelier/20-scenarios.md";
    let text = fs::read_to_string(lab.root.join(page)).unwrap();
    let mark = "/volume-loss/rto_seconds -->";
    let (_, after) = text.split_once(mark).unwrap();
    let (figure, _) = after.split_once("<!--").unwrap();
    lab.edit(page, &format!("{mark}{figure}"), &format!("{mark}0,01"));
    let refused = lab.fails(1, &["guide", "figures", "--check"]);
    assert!(refused.contains("rto_seconds: \"0,01\""), "{refused}");
    assert!(lab.xtask(&["guide", "figures"]).status.success());
    assert_eq!(fs::read_to_string(lab.root.join(page)).unwrap(), text);

    fs::remove_file(lab.root.join("docs/atelier/mesures/reprise.json")).unwrap();
    lab.fails(2, &["guide", "figures", "--check"]);
}

/// The guide installs the versions that the lab is pinned to.
#[test]
fn the_guide_installs_the_pinned_versions() {
    let lab: toml::Table = fs::read_to_string(project().join("lab.toml"))
        .unwrap()
        .parse()
        .unwrap();
    let blocks = guide::blocks();
    let shown = blocks.iter().filter(|block| block.words == ["montré"]);
    let shown: String = shown.map(|block| block.text.as_str()).collect();
    for (tool, url) in [
        ("k3d", "k3d/v"),
        ("kubectl", "release/v"),
        ("packer", "packer/"),
    ] {
        let version = lab["tools"][tool]["version"].as_str().unwrap();
        assert!(
            shown.contains(&format!("{url}{version}/")),
            "{tool} {version}"
        );
    }
}
