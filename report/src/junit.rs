//! JUnit XML, for machines that collect test results: a suite for each run, a
//! case for each promise.

use maud::{Markup, PreEscaped, html};

use crate::model::{Document, Drill, Folder, Objective, Scenario};

/// One promise, and what broke it.
struct Case {
    name: String,
    seconds: f64,
    broken: Vec<String>,
}

pub fn render(folder: &Folder) -> String {
    let (cases, versions) = match &folder.document {
        Document::Scenario(scenario) => (of_scenario(scenario), &scenario.versions),
        Document::Drill(drill) => (of_drill(drill), &drill.versions),
    };
    let failures = cases.iter().filter(|case| !case.broken.is_empty()).count();
    let seconds: f64 = cases.iter().map(|case| case.seconds).sum();
    let seconds = format!("{seconds:.3}");
    let (name, began) = (printable(&folder.name), folder.began());
    let suites = html! {
        testsuites tests=(cases.len()) failures=(failures) time=(seconds) {
            testsuite name=(name) tests=(cases.len()) failures=(failures) errors="0"
                time=(seconds) timestamp=(began.trim_end_matches('Z')) {
                @if !versions.is_empty() {
                    properties {
                        @for (name, value) in versions {
                            property name=(printable(name)) value=(printable(value)) {}
                        }
                    }
                }
                @for case in &cases { (testcase(case, &name)) }
            }
        }
    };
    let header = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>";
    format!("{header}\n{}\n", suites.into_string())
}

fn testcase(case: &Case, class: &str) -> Markup {
    let seconds = format!("{:.3}", case.seconds);
    html! {
        testcase name=(printable(&case.name)) classname=(class) time=(seconds) {
            @for broken in &case.broken {
                failure message=(printable(broken)) type="promise" { (printable(broken)) }
            }
        }
        (PreEscaped("\n"))
    }
}

fn of_scenario(scenario: &Scenario) -> Vec<Case> {
    let mut broken = scenario.broken.clone();
    // A run that failed without a word must not look like one that passed.
    if !scenario.passed && broken.is_empty() {
        broken.push("the promise was not kept".to_owned());
    }
    let (engine, protection) = (&scenario.engine, &scenario.protection);
    let mut cases = vec![Case {
        name: format!(
            "{}{} ({engine}, {protection})",
            scenario.scenario,
            auto(scenario.auto)
        ),
        seconds: scenario.rto.seconds,
        broken,
    }];
    cases.extend(scenario.objectives.iter().map(|one| of_objective("", one)));
    cases
}

/// What tells a run in which the lab restored by itself.
fn auto(auto: bool) -> &'static str {
    if auto { " --auto" } else { "" }
}

fn of_drill(drill: &Drill) -> Vec<Case> {
    let mut cases = Vec::new();
    for group in &drill.groups {
        let (engine, protection) = (&group.engine, &group.protection);
        let name = format!(
            "{}{} ({engine}, {protection}) ",
            group.scenario,
            auto(group.auto)
        );
        for (index, run) in group.runs.iter().enumerate() {
            let broken = format!("the promise was broken: see {}", run.run);
            cases.push(Case {
                name: format!("{name}run {}", index + 1),
                seconds: run.rto_seconds,
                broken: (!run.passed).then_some(broken).into_iter().collect(),
            });
        }
        cases.extend(group.objectives.iter().map(|one| of_objective(&name, one)));
    }
    cases
}

fn of_objective(prefix: &str, one: &Objective) -> Case {
    let Objective {
        name,
        limit,
        measured,
        met,
    } = one;
    let missed = format!("{name} is {measured}; the objective is at most {limit}");
    Case {
        name: format!("{prefix}objective {name}"),
        seconds: 0.0,
        broken: (!met).then_some(missed).into_iter().collect(),
    }
}

/// Without the control characters that XML does not allow, even escaped.
fn printable(text: &str) -> String {
    let allowed = |c: char| !c.is_control() || "\t\n\r".contains(c);
    text.chars()
        .map(|c| if allowed(c) { c } else { '\u{FFFD}' })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(scenario: Scenario) -> Folder {
        Folder {
            path: "runs/2026-11-22T05-54-33-123Z-x".into(),
            name: "2026-11-22T05-54-33-123Z-x".into(),
            document: Document::Scenario(Box::new(scenario)),
        }
    }

    #[test]
    fn a_broken_promise_is_a_failure_with_its_words_escaped() {
        let xml = render(&folder(Scenario {
            broken: vec!["3 rows < \"4\" & \u{1}".into()],
            ..Scenario::default()
        }));
        assert!(xml.contains("failures=\"1\""), "{xml}");
        let words = "3 rows &lt; &quot;4&quot; &amp; \u{FFFD}";
        assert!(xml.contains(words), "{xml}");
        assert!(xml.contains("timestamp=\"2026-11-22T05:54:33\""), "{xml}");
    }

    #[test]
    fn a_run_that_failed_without_a_word_is_a_failure_too() {
        let xml = render(&folder(Scenario::default()));
        assert!(xml.contains("<failure"), "{xml}");
        let passed = Scenario {
            passed: true,
            ..Scenario::default()
        };
        assert!(!render(&folder(passed)).contains("<failure"));
    }
}
