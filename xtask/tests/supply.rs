//! What is compiled in: from where, how often, under which licences. Nothing is asked of the
//! network.

use crate::support::project;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

const SOURCE: &str = "registry+https://github.com/rust-lang/crates.io-index";
/// Each lets a program be used, changed and passed on with no more than its text.
const LICENCES: [&str; 6] = [
    "MIT",
    "Apache-2.0",
    "BSL-1.0",
    "Unlicense",
    "Unicode-3.0",
    "BSD-3-Clause",
];
/// There twice: what derives code at compile time is between two generations of it.
const TWICE: [&str; 1] = ["syn"];

struct Locked {
    name: String,
    source: Option<String>,
    has_checksum: bool,
}

fn locked() -> Vec<Locked> {
    let text = fs::read_to_string(project().join("Cargo.lock")).unwrap();
    let lock: toml::Value = toml::from_str(&text).unwrap();
    let packages = lock["package"].as_array().unwrap().iter();
    let of = |package: &toml::Value, key: &str| {
        let found = package.get(key).and_then(toml::Value::as_str);
        found.map(str::to_owned)
    };
    let packages = packages.map(|package| Locked {
        name: of(package, "name").unwrap(),
        source: of(package, "source"),
        has_checksum: of(package, "checksum").is_some(),
    });
    packages.collect()
}

/// Whether one may choose licences of the list: `A OR B`, `A/B`, `(A OR B) AND C`.
fn is_free(expression: &str) -> bool {
    let mut parts = expression.split(" AND ");
    parts.all(|part| {
        let part = part.trim_matches(['(', ')']);
        let mut choices = part.split(" OR ").flat_map(|one| one.split('/'));
        choices.any(|one| LICENCES.contains(&one.trim()))
    })
}

#[test]
fn every_crate_is_that_of_the_registry_by_its_checksum() {
    let ours: BTreeSet<&str> = BTreeSet::from(["xtask", "terms", "report"]);
    let all = locked();
    assert!(all.len() > 50, "{}", all.len());
    for package in all {
        match package.source.as_deref() {
            None => assert!(ours.contains(&*package.name), "{}", package.name),
            Some(source) => {
                assert_eq!(source, SOURCE, "{}", package.name);
                assert!(package.has_checksum, "{}", package.name);
            }
        }
    }
}

#[test]
fn no_crate_is_there_in_two_versions_but_those_that_are_known() {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for package in locked() {
        *counts.entry(package.name).or_default() += 1;
    }
    let twice = counts.iter().filter(|(_, count)| **count > 1);
    let twice: Vec<&str> = twice.map(|(name, _)| name.as_str()).collect();
    assert_eq!(twice, TWICE);
}

#[test]
fn every_crate_has_a_licence_of_the_list() {
    for (expression, free) in [
        ("MIT", true),
        ("MIT/Apache-2.0", true),
        ("GPL-3.0-only OR MIT", true),
        ("(MIT OR Apache-2.0) AND Unicode-3.0", true),
        ("MIT AND GPL-3.0-only", false),
        ("AGPL-3.0-only", false),
    ] {
        assert_eq!(is_free(expression), free, "{expression}");
    }
    let version = Command::new("rustc").arg("-vV").output().unwrap();
    let version = String::from_utf8(version.stdout).unwrap();
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    // What this machine compiles: that is what it has downloaded.
    let output = Command::new("cargo")
        .args(["metadata", "--offline", "--locked", "--format-version=1"])
        .args(["--filter-platform", host.unwrap()])
        .current_dir(project())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    let packages = metadata["packages"].as_array().unwrap();
    assert!(packages.len() > 50, "{}", packages.len());
    for package in packages {
        let licence = package["license"].as_str().unwrap_or("none stated");
        assert!(is_free(licence), "{}: {licence}", package["name"]);
    }
}
