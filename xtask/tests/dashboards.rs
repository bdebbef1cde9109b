//! The dashboards of `monitoring/dashboards/`: what Grafana needs to know of a panel is there, and
//! each query of each panel has data from a lab. `monitoring.rs` runs them.

use crate::support::project;

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

/// What a person looks at first, and in which order.
const ALL: [&str; 4] = ["protection", "service", "recovery", "capacity"];

fn text(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn dashboard(name: &str) -> Value {
    let path = format!("monitoring/dashboards/{name}.json");
    serde_json::from_str(&text(&path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    let found = value[key].as_array();
    found.unwrap_or_else(|| panic!("no {key} in {value}"))
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    let found = value[key].as_str();
    found.unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// A query of a panel.
pub struct Query {
    /// Of the dashboard and the panel.
    pub place: String,
    pub expression: String,
    /// The panel shows this moment, and no course.
    pub instant: bool,
}

/// All of them; what is marked on each dashboard is one more.
pub fn queries() -> Vec<Query> {
    let of = |name: &'static str| {
        let dashboard = dashboard(name);
        let marks = list(&dashboard["annotations"], "list")
            .iter()
            .map(|mark| Query {
                place: format!("{name}, marks"),
                expression: word(mark, "expr").to_owned(),
                instant: false,
            });
        let mut all: Vec<Query> = marks.collect();
        for panel in list(&dashboard, "panels") {
            let place = format!("{name}, {}", word(panel, "title"));
            let targets = list(panel, "targets").iter().map(|target| Query {
                place: place.clone(),
                expression: word(target, "expr").to_owned(),
                instant: target["instant"] == true,
            });
            all.extend(targets);
        }
        all
    };
    ALL.into_iter().flat_map(of).collect()
}

#[test]
fn each_dashboard_is_found_by_its_name_and_takes_the_data_source_that_is_chosen() {
    let mut ids = BTreeSet::new();
    for name in ALL {
        let dashboard = dashboard(name);
        assert_eq!(word(&dashboard, "uid"), format!("pra-{name}"));
        assert!(ids.insert(word(&dashboard, "title").to_owned()), "{name}");
        // As Grafana 12 writes it.
        assert_eq!(dashboard["schemaVersion"], 42, "{name}");
        let variable = &list(&dashboard["templating"], "list")[0];
        assert_eq!(
            (word(variable, "type"), word(variable, "name")),
            ("datasource", "datasource")
        );
        for panel in list(&dashboard, "panels") {
            for one in std::iter::once(panel).chain(list(panel, "targets")) {
                assert_eq!(one["datasource"]["uid"], "${datasource}", "{name}: {one}");
            }
        }
    }
    let kustomization: Value =
        serde_norway::from_str(&text("monitoring/dashboards/kustomization.yaml")).unwrap();
    let maps = list(&kustomization, "configMapGenerator").iter();
    let files: BTreeSet<&str> = maps
        .flat_map(|map| list(map, "files"))
        .filter_map(|file| file.as_str()?.strip_suffix(".json"))
        .collect();
    assert_eq!(files, BTreeSet::from(ALL), "what Grafana gets");
}

#[test]
fn each_panel_says_what_it_shows_and_covers_no_other() {
    for name in ALL {
        let dashboard = dashboard(name);
        let (mut ids, mut covered) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&dashboard, "panels") {
            let title = word(panel, "title");
            assert!(ids.insert(panel["id"].as_u64().unwrap()), "{name}, {title}");
            assert!(word(panel, "description").ends_with('.'), "{name}, {title}");
            let place = |of: &str| panel["gridPos"][of].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{name}, {title}");
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(
                        covered.insert((x, y)),
                        "{name}, {title} covers another panel"
                    );
                }
            }
        }
        assert!(ids.len() >= 10, "{name} has {} panels", ids.len());
    }
}

#[test]
fn the_queries_ask_for_metrics_that_are_written_down() {
    let known = text("docs/metrics.md") + &text("docs/monitoring.md");
    let all = queries();
    assert!(all.len() > 50, "only {} queries", all.len());
    for query in all {
        let letters = |c: char| !(c.is_ascii_alphanumeric() || c == '_');
        let words = query.expression.split(letters);
        for metric in words.filter(|word| word.starts_with("pra_")) {
            let metric = metric.trim_end_matches("_bucket");
            let written = format!("`{metric}`");
            assert!(known.contains(&written), "{}: {metric}", query.place);
        }
    }
}
