//! Imports of the task runner go one way: no circle between its files, none
//! between its top-level modules, and no layer knows one above it.

#[path = "layers/graph.rs"]
mod graph;

use std::path::Path;

use graph::{Graph, circle, folded, of_sources, sources, unplaced, upward};

/// The top-level modules of `xtask/src`, the lowest layer first. A module may
/// name those of lower layers: none of its own, none of a higher one.
const LAYERS: &[&[&str]] = &[
    // Words and values that all others speak in.
    &["cron", "facts", "failure", "names", "place", "version"],
    &["http", "pins", "wait"],
    &["balance"],
    // What is declared in lab.toml, and what is printed.
    &["config", "ui"],
    // The command line as a person types it, and the processes that are started.
    &["cli", "exec"],
    &["check", "checkout", "workspace"],
    // Tools that are run; what is read and measured, whatever the lab runs on.
    &[
        "alerts",
        "chosen_engines",
        "game",
        "identity",
        "manifests",
        "marker",
        "measure",
        "offsite",
        "progress",
        "tools",
    ],
    // One invocation; the supervisor of the local engine.
    &["context", "local"],
    // A lab in any Kubernetes cluster.
    &["kube", "runs"],
    // Where a lab runs.
    &["engine"],
    // The application in it.
    &["app"],
    &["copy", "database", "marking", "protected", "provenance"],
    &["scenario"],
    // A disaster that is not told; the lab as after setup.
    &["gameday", "reset"],
    &["commands"],
    &["main"],
];

fn task_runner() -> Graph {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    of_sources(&sources(&root))
}

#[test]
fn no_file_of_the_task_runner_imports_itself_in_a_circle() {
    let graph = task_runner();
    assert!(graph.len() > 100, "only {} files were read", graph.len());
    assert_eq!(circle(&graph), None);
    assert_eq!(circle(&folded(&graph)), None);
}

#[test]
fn no_layer_of_the_task_runner_knows_one_above_it() {
    let graph = task_runner();
    assert_eq!(
        unplaced(&graph, LAYERS),
        [""; 0],
        "missing in LAYERS, or gone"
    );
    assert_eq!(upward(&graph, LAYERS), [""; 0]);
}

fn planted(files: &[(&str, &str)]) -> Graph {
    let files = files
        .iter()
        .map(|(name, text)| (name.to_string(), text.to_string()));
    of_sources(&files.collect())
}

#[test]
fn a_planted_circle_of_files_is_told_with_its_path() {
    let graph = planted(&[
        ("main", "mod a; mod b; use a::x::go;"),
        ("a", "pub mod x;"),
        ("a::x", "use crate::{b::{self, Thing as _}};"),
        ("b", "fn back() { crate::a::x::go() }"),
    ]);
    assert_eq!(circle(&graph).as_deref(), Some("a::x → b → a::x"));
}

#[test]
fn a_planted_circle_of_folders_is_told_where_no_file_has_one() {
    let graph = planted(&[
        ("a", "mod x; mod y;"),
        ("a::x", "use crate::b::Thing;"),
        ("a::y", "pub const NAME: &str = \"\";"),
        ("b", "use crate::a::y::NAME;"),
    ]);
    assert_eq!(circle(&graph), None);
    assert_eq!(circle(&folded(&graph)).as_deref(), Some("a → b → a"));
}

#[test]
fn a_parent_and_its_child_can_be_a_circle_too() {
    let graph = planted(&[
        ("a", "mod x; pub use x::go; pub struct Thing;"),
        ("a::x", "use super::*; pub fn go() {}"),
    ]);
    assert_eq!(circle(&graph).as_deref(), Some("a → a::x → a"));
}

#[test]
fn an_arrow_that_runs_up_is_told_with_both_files() {
    let graph = planted(&[
        ("low::x", "fn up() -> crate::high::Thing { todo!() }"),
        ("low::y", ""),
        ("high", "use crate::low::y;"),
    ]);
    assert_eq!(
        upward(&graph, &[&["low"], &["high"]]),
        ["low::x names high"]
    );
    assert_eq!(upward(&graph, &[&["low", "high"]]).len(), 2);
    assert_eq!(unplaced(&graph, &[&["low"], &["gone"]]), ["gone", "high"]);
}

#[test]
fn words_and_tests_are_no_imports() {
    let graph = planted(&[
        (
            "a",
            r##"
            //! As [`crate::b::Thing`] says.
            /* nor /* here */ crate::b::Thing */
            const SHOWN: &str = r#"use crate::b::"Thing";"#;
            const QUOTE: (char, &str) = ('"', "\" crate::b::Thing");
            fn life<'a>(text: &'a str) -> &'a str { text }
            #[cfg(test)]
            pub fn example() { crate::b::Thing(["}"]) }
            #[cfg(test)]
            mod cases;
            #[cfg(test)]
            mod tests {
                use crate::b::Thing;
            }
            "##,
        ),
        ("a::cases", "use crate::b::Thing;"),
        ("b", ""),
    ]);
    assert!(graph["a"].is_empty(), "{graph:?}");
    assert!(!graph.contains_key("a::cases"));
}
