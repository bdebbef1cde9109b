//! What `monitoring/` declares: rules that a person can act on, and pods that every cluster takes.

use crate::support::project;

use std::collections::BTreeSet;
use std::fs;

use serde::Deserialize as _;
use serde_json::Value;

fn text(path: &str) -> String {
    fs::read_to_string(project().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn document(path: &str) -> Value {
    serde_norway::from_str(&text(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn rules() -> Vec<Value> {
    let file = document("monitoring/rules/rules.yaml");
    let groups = file["groups"].as_array().unwrap().iter();
    let rules = groups.flat_map(|group| group["rules"].as_array().unwrap());
    rules.cloned().collect()
}

/// The objects of the manifests that are applied.
fn objects() -> Vec<Value> {
    let texts = ["monitoring", "monitoring/dashboards"].map(|folder| {
        let kustomization = document(&format!("{folder}/kustomization.yaml"));
        let files = kustomization["resources"].as_array().unwrap().iter();
        let texts = files.map(|file| text(&format!("{folder}/{}", file.as_str().unwrap())));
        texts.collect::<Vec<String>>()
    });
    let texts = texts.concat();
    let documents = texts.iter().flat_map(|text| {
        serde_norway::Deserializer::from_str(text).map(|one| Value::deserialize(one).unwrap())
    });
    documents.collect()
}

fn pods() -> Vec<(String, Value)> {
    let all = objects().into_iter();
    let deployments = all.filter(|one| one["kind"] == "Deployment");
    let pods = deployments.map(|one| {
        let name = one["metadata"]["name"].as_str().unwrap().to_owned();
        (name, one["spec"]["template"]["spec"].clone())
    });
    pods.collect()
}

/// The places that a page can be led to, as GitHub names them.
fn places(page: &str) -> BTreeSet<String> {
    let page = text(page);
    let headings = page.lines().filter(|line| line.starts_with('#'));
    let place = |line: &str| {
        let words = line.trim_start_matches('#').trim().to_lowercase();
        let kept = words
            .chars()
            .filter(|c| c.is_alphanumeric() || " -_".contains(*c));
        kept.collect::<String>().replace(' ', "-")
    };
    headings.map(place).collect()
}

/// It has more than what Prometheus puts in.
fn has_words(value: &str) -> bool {
    let outside = value.split("{{").enumerate();
    let mut outside = outside.map(|(n, part)| match part.split_once("}}") {
        Some((_, after)) if n > 0 => after,
        _ => part,
    });
    outside.any(|part| part.contains(char::is_alphabetic))
}

#[test]
fn each_alert_says_what_is_the_matter_and_where_to_read_on() {
    let mut seen = BTreeSet::new();
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        assert!(seen.insert(name.to_owned()), "{name} is there twice");
        let severity = rule["labels"]["severity"].as_str().unwrap();
        assert!(
            ["critical", "warning", "info"].contains(&severity),
            "{name}: {severity}"
        );
        let annotation = |of: &str| {
            let found = rule["annotations"][of].as_str();
            found.unwrap_or_else(|| panic!("{name} has no {of}"))
        };
        let (english, french) = (annotation("summary"), annotation("summary_fr"));
        assert!(english.ends_with('.') && french.ends_with('.'), "{name}");
        assert_ne!(english, french, "{name}");
        let value = annotation("value");
        assert!(!value.is_empty(), "{name}");
        assert_eq!(
            has_words(value),
            !rule["annotations"]["value_fr"].is_null(),
            "{name}: value_fr is for a value with words: {value}"
        );
        let (page, place) = annotation("runbook_url").split_once('#').unwrap();
        assert!(places(page).contains(place), "{name}: {page}#{place}");
        assert!(
            text("docs/monitoring.md").contains(&format!("| `{name}` | {severity} |")),
            "docs/monitoring.md has no row of {name} as {severity}"
        );
    }
    assert!(seen.len() > 15, "only {seen:?}");
}

#[test]
fn each_alert_is_tested_and_asks_for_metrics_that_there_are() {
    let tests = text("monitoring/rules/tests.yaml");
    let known = text("docs/metrics.md");
    for rule in rules() {
        let name = rule["alert"].as_str().unwrap();
        let fired = format!("{{labels: '{{alertname=\"{name}\"");
        assert!(tests.contains(&fired), "no test raises {name}");
        let expression = rule["expr"].as_str().unwrap();
        let words = expression.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
        for metric in words.filter(|word| word.starts_with("pra_")) {
            assert!(
                known.contains(&format!("| `{metric}` |")),
                "{name} asks for {metric}, which docs/metrics.md does not have"
            );
        }
    }
}

/// What an operator's Prometheus knows of the lab alone.
const ITS_NAMESPACE: &str = "namespace=\"pra\"";
/// What asks for who watches, wherever that stands.
const WATCHERS: [&str; 2] = ["up{job=\"kube-state-metrics\"}", "up{job=\"alertmanager\"}"];

/// An expression without the namespace that each of its series has to name.
fn in_every_namespace(expression: &str) -> String {
    let mut rest = expression.to_owned();
    for watcher in WATCHERS {
        rest = rest.replace(watcher, "");
    }
    let named = |at: usize| rest[..at].ends_with('{');
    let all = rest.matches(ITS_NAMESPACE).count();
    let begun = rest
        .match_indices(ITS_NAMESPACE)
        .filter(|(at, _)| named(*at));
    assert_eq!(begun.count(), all, "{expression}");
    let words = rest.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let is_series = |word: &&str| {
        let of_ours = word.starts_with("pra_") || word.starts_with("kube_deployment_");
        of_ours || ["up", "process_start_time_seconds", "__name__"].contains(word)
    };
    assert_eq!(words.filter(is_series).count(), all, "{expression}");
    let shorter = expression.replace(&format!("{{{ITS_NAMESPACE}}}"), "");
    shorter.replace(&format!("{ITS_NAMESPACE}, "), "")
}

#[test]
fn an_operator_gets_the_same_rules_and_the_same_replicas() {
    let rule = document("monitoring/operator/prometheusrule.yaml");
    let mut spec = rule["spec"].clone();
    let rules = document("monitoring/rules/rules.yaml");
    for group in spec["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            rule["expr"] = in_every_namespace(rule["expr"].as_str().unwrap()).into();
        }
    }
    assert_eq!(spec, rules);
    let service = document("monitoring/operator/service.yaml");
    let all = objects();
    let mut same = all.iter();
    assert!(same.any(|one| *one == service), "{service}");
    let monitor = document("monitoring/operator/servicemonitor.yaml");
    let selected = &monitor["spec"]["selector"]["matchLabels"];
    assert_eq!(*selected, service["metadata"]["labels"]);
    let pace = &document("monitoring/config/prometheus.yml")["global"]["scrape_interval"];
    assert_eq!(monitor["spec"]["endpoints"][0]["interval"], *pace);
}

#[test]
fn the_images_are_those_of_the_configuration() {
    let config: Value = toml::from_str::<toml::Table>(&text("lab.toml"))
        .map(|table| serde_json::to_value(table).unwrap())
        .unwrap();
    let pinned = config["monitoring"]["images"].as_object().unwrap();
    let pinned: BTreeSet<&str> = pinned.values().map(|one| one.as_str().unwrap()).collect();
    let pods = pods();
    let used = pods
        .iter()
        .flat_map(|(_, pod)| pod["containers"].as_array().unwrap());
    let used: BTreeSet<&str> = used.map(|one| one["image"].as_str().unwrap()).collect();
    assert_eq!(used, pinned);
    assert!(
        pinned.iter().all(|image| {
            let (_, tag) = image.rsplit_once(':').unwrap();
            tag.trim_start_matches('v').split('.').count() == 3
        }),
        "{pinned:?}"
    );
}

/// Nothing that reaches beyond the namespace, and nothing that only an operator knows.
#[test]
fn everything_stands_in_one_namespace_and_needs_no_operator() {
    let known = [
        "ConfigMap",
        "Deployment",
        "NetworkPolicy",
        "Role",
        "RoleBinding",
        "Service",
        "ServiceAccount",
    ];
    let objects = objects();
    assert!(objects.len() > 8, "only {} objects", objects.len());
    for object in &objects {
        let kind = object["kind"].as_str().unwrap();
        assert!(known.contains(&kind), "{kind}");
        assert!(object["metadata"]["namespace"].is_null(), "{object}");
        let rules = object["rules"].as_array().into_iter().flatten();
        for verb in rules.flat_map(|rule| rule["verbs"].as_array().unwrap()) {
            assert!(["get", "list", "watch"].contains(&verb.as_str().unwrap()));
        }
    }
}

#[test]
fn the_pods_are_restricted_bounded_and_probed() {
    let pods = pods();
    assert_eq!(pods.len(), 4);
    for (name, pod) in pods {
        let of_all = &pod["securityContext"];
        assert_eq!(of_all["runAsNonRoot"], true, "{name}");
        assert_eq!(of_all["seccompProfile"]["type"], "RuntimeDefault", "{name}");
        for container in pod["containers"].as_array().unwrap() {
            let own = &container["securityContext"];
            assert_eq!(own["allowPrivilegeEscalation"], false, "{name}");
            assert_eq!(own["readOnlyRootFilesystem"], true, "{name}");
            assert_eq!(own["capabilities"]["drop"][0], "ALL", "{name}");
            for bound in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
                let found = container["resources"].pointer(bound);
                assert!(found.is_some(), "{name} has no {bound}");
            }
            for probe in ["readinessProbe", "livenessProbe"] {
                assert!(container[probe]["httpGet"].is_object(), "{name}: {probe}");
            }
        }
        for volume in pod["volumes"].as_array().into_iter().flatten() {
            let kinds = [&volume["configMap"], &volume["emptyDir"]["sizeLimit"]];
            assert!(kinds.iter().any(|one| !one.is_null()), "{name}: {volume}");
        }
    }
}

/// Each kind of object that its metrics are about, and no more: of rules and dashboards.
#[test]
fn kube_state_metrics_may_see_what_is_asked_of_it_alone() {
    let mut texts = vec![text("monitoring/rules/rules.yaml")];
    for name in ["capacity", "protection", "recovery", "service"] {
        texts.push(text(&format!("monitoring/dashboards/{name}.json")));
    }
    let texts = texts.join("\n");
    let words = texts.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let kinds = words.filter_map(|word| word.strip_prefix("kube_")?.split('_').next());
    let asked: BTreeSet<String> = kinds.map(|kind| format!("{kind}s")).collect();
    assert_eq!(asked.len(), 2, "{asked:?}");

    let all = objects();
    let of = |kind: &str| {
        let mut all = all.iter();
        let found =
            all.find(|one| one["kind"] == kind && one["metadata"]["name"] == "kube-state-metrics");
        found.unwrap_or_else(|| panic!("it has no {kind}"))
    };
    let strings = |list: &Value| {
        let list = list.as_array().unwrap().iter();
        list.map(|one| one.as_str().unwrap().to_owned())
            .collect::<Vec<String>>()
    };
    let rules = of("Role")["rules"].as_array().unwrap().iter();
    let allowed: BTreeSet<String> = rules.flat_map(|rule| strings(&rule["resources"])).collect();
    assert_eq!(allowed, asked);
    let container = &of("Deployment")["spec"]["template"]["spec"]["containers"][0];
    let args = strings(&container["args"]);
    let mut told = args
        .iter()
        .filter_map(|arg| arg.strip_prefix("--resources="));
    let told: BTreeSet<String> = told.next().unwrap().split(',').map(str::to_owned).collect();
    assert_eq!(told, asked);
}

/// `kubectl logs deploy/NAME` picks one pod, and what is looked for may be in another's log.
#[test]
fn the_runbook_looks_at_the_logs_of_all_pods() {
    let alone: BTreeSet<String> = pods().into_iter().map(|(name, _)| name).collect();
    let runbook = text("docs/runbook.md");
    let mut named = 0;
    for part in runbook.split("logs deploy").skip(1) {
        let name = part.split(['/', ' ', '`', '\n']).nth(1).unwrap();
        assert!(alone.contains(name), "{name} has more than one pod");
        named += 1;
    }
    assert!(named > 0);
}

/// What raises an alert where it is away is asked, as the alerts go to it.
#[test]
fn who_is_told_of_alerts_is_watched_itself() {
    let config = document("monitoring/config/prometheus.yml");
    let told = &config["alerting"]["alertmanagers"][0]["static_configs"];
    let jobs = config["scrape_configs"].as_array().unwrap();
    let job = jobs.iter().find(|job| job["job_name"] == "alertmanager");
    assert_eq!(job.unwrap()["static_configs"], *told);
}

/// One that names an alert that there is not holds nothing back, and nobody notices.
#[test]
fn what_holds_alerts_back_names_alerts_that_there_are() {
    let known: BTreeSet<String> = rules()
        .iter()
        .map(|rule| rule["alert"].as_str().unwrap().to_owned())
        .collect();
    let config = document("monitoring/config/alertmanager.yml");
    let held_back = config["inhibit_rules"].as_array().unwrap();
    let sides = ["source_matchers", "target_matchers"];
    let matchers = held_back
        .iter()
        .flat_map(|one| sides.map(|side| one[side].as_array().unwrap()))
        .flatten();
    let mut named = 0;
    for matcher in matchers {
        let matcher = matcher.as_str().unwrap();
        let names = matcher
            .strip_prefix("alertname=")
            .unwrap_or_else(|| panic!("{matcher}"));
        let names = names.trim_start_matches('~').trim_matches('"');
        for name in names.split('|') {
            assert!(known.contains(name), "{matcher}: no rule is called {name}");
            named += 1;
        }
    }
    assert!(named >= 2 * held_back.len(), "only {named} names");
}

/// What the local engine asks for in its place.
#[test]
fn the_replicas_are_asked_on_the_port_that_they_have() {
    let deployment = document("k8s/20-deployment.yaml");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let port = container["ports"][0]["containerPort"].as_u64();
    let config = document("monitoring/config/prometheus.yml");
    let found = &config["scrape_configs"][0]["dns_sd_configs"][0];
    assert_eq!(found["port"].as_u64(), port);
    let names = found["names"][0].as_str().unwrap();
    let all = objects();
    let service = all.iter().find(|one| one["metadata"]["name"] == names);
    assert_eq!(service.unwrap()["spec"]["clusterIP"], "None");
}
