//! The lists hold for the project's manifests, and what is on no list is
//! refused by file and field.

use std::collections::BTreeSet;
use std::path::Path;

use serde_norway::Value;

use super::fields::{Step, Treatment, fields, spell, unknown, visit};
use super::model::EnvVar;
use super::{Document, parse};
use crate::names;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// Every honoured and every ignored field, once.
const ALL_FIELDS: &str = include_str!("../../tests/data/all-fields.yaml");

fn text(file: &str) -> String {
    std::fs::read_to_string(root().join(file)).unwrap()
}

fn complaint(file: &str, from: &str, to: &str) -> String {
    let text = text(file);
    assert!(text.contains(from), "{file} no longer has {from:?}");
    parse(file, &text.replacen(from, to, 1)).unwrap_err()
}

#[test]
fn the_projects_manifests_pass_and_bear_the_names_that_commands_use() {
    let manifests = super::load(root()).unwrap();
    assert_eq!(manifests.deployment.metadata.name, names::DEPLOYMENT);
    assert_eq!(manifests.cron_job.metadata.name, names::CRON_JOB);
    for claim in [names::DATA_CLAIM, names::BACKUP_CLAIM] {
        assert!(manifests.claims.iter().any(|known| known == claim));
    }
    let restore = super::load_restore_job(root(), &manifests).unwrap();
    assert_eq!(restore.metadata.name, names::RESTORE_JOB);
}

#[test]
fn an_unknown_field_is_refused_by_file_and_path() {
    let file = "k8s/20-deployment.yaml";
    let said = complaint(
        file,
        "command: [python",
        "tty: true\n          command: [python",
    );
    assert!(
        said.starts_with(&format!("{file}: spec.template.spec.containers[0].tty:")),
        "{said}"
    );
    let said = complaint(file, "httpGet:", "httpGet:\n              scheme: HTTPS");
    assert!(
        said.contains("containers[0].readinessProbe.httpGet.scheme"),
        "{said}"
    );
    let said = complaint("k8s/05-config.yaml", "\ndata:", "\nbinaryData: {}\ndata:");
    assert!(said.contains("k8s/05-config.yaml: binaryData"), "{said}");
}

#[test]
fn a_job_that_refuses_is_not_tried_again_and_one_that_failed_is() {
    let manifests = super::load(root()).unwrap();
    let restore = super::load_restore_job(root(), &manifests).unwrap();
    let killed = 137;
    for job in [&restore.spec, &manifests.cron_job.spec.job_template.spec] {
        let last = [1, 2, 4, 5, killed].map(|code| job.fails_for_good(code));
        assert_eq!(last, [true, true, false, false, false]);
    }
}

#[test]
fn the_identity_of_its_job_is_all_that_a_pod_is_told_of_itself() {
    let manifests = super::load(root()).unwrap();
    let job = super::load_restore_job(root(), &manifests).unwrap().spec;
    let refusal = |change: fn(&mut EnvVar)| {
        let mut changed = job.clone();
        let env = &mut changed.template.spec.containers[0].env;
        change(env.iter_mut().find(|one| one.value_from.is_some()).unwrap());
        super::checks::job("it", &changed, &manifests).unwrap_err()
    };
    let other = |variable: &mut EnvVar| {
        let from = variable.value_from.as_mut().unwrap();
        from.field_ref.field_path = "status.podIP".to_owned();
    };
    let said = refusal(other);
    assert!(
        said.contains("fieldPath can only be metadata.labels"),
        "{said}"
    );
    let said = refusal(|variable| variable.value = "x".to_owned());
    assert!(said.contains("exclude each other"), "{said}");
    let said = complaint(
        "k8s/20-deployment.yaml",
        "            - name: PORT",
        "            - name: X\n              valueFrom:\n                fieldRef:\n                  \
         fieldPath: metadata.name\n            - name: PORT",
    );
    assert!(said.contains("env[0].valueFrom"), "{said}");
}

#[test]
fn a_failure_policy_of_another_container_or_action_is_refused() {
    let said = complaint("pra/50-job-restore.yaml", "FailJob", "Ignore");
    assert!(said.contains("rules[0].action"), "{said}");
    let manifests = super::load(root()).unwrap();
    let mut job = super::load_restore_job(root(), &manifests).unwrap().spec;
    let codes = &mut job.pod_failure_policy.rules[0].on_exit_codes;
    codes.container_name = Some("another".to_owned());
    let said = super::checks::job("it", &job, &manifests).unwrap_err();
    assert!(said.contains("no such container"), "{said}");
}

#[test]
fn an_unknown_kind_is_refused() {
    let said = complaint("k8s/30-service.yaml", "kind: Service", "kind: Ingress");
    assert!(
        said.contains("k8s/30-service.yaml: kind") && said.contains("Ingress"),
        "{said}"
    );
}

#[test]
fn a_version_that_is_not_understood_is_refused() {
    let said = complaint("k8s/20-deployment.yaml", "apps/v1", "apps/v1beta2");
    assert!(
        said.contains("k8s/20-deployment.yaml: apiVersion"),
        "{said}"
    );
}

#[test]
fn a_value_of_the_wrong_type_names_field_and_line() {
    let said = complaint("k8s/20-deployment.yaml", "replicas: 2", "replicas: two");
    assert!(
        said.contains("spec.replicas") && said.contains("line"),
        "{said}"
    );
}

fn all_documents() -> Vec<(String, Value)> {
    use serde::Deserialize;
    serde_norway::Deserializer::from_str(ALL_FIELDS)
        .map(|document| Value::deserialize(document).unwrap())
        .map(|value| (value["kind"].as_str().unwrap().to_owned(), value))
        .collect()
}

fn pattern(path: &[Step], fields: &[super::fields::Field]) -> Option<String> {
    let plain = spell(path);
    let general: String = plain
        .split('.')
        .map(|part| {
            part.split_once('[')
                .map_or(part.to_owned(), |(key, _)| format!("{key}[]"))
        })
        .collect::<Vec<_>>()
        .join(".");
    let any_key = general
        .rsplit_once('.')
        .map(|(above, _)| format!("{above}.*"));
    let listed = |path: &String| fields.iter().any(|field| field.path == *path);
    [Some(general), any_key].into_iter().flatten().find(listed)
}

#[test]
fn every_listed_field_is_reachable() {
    for (kind, document) in all_documents() {
        assert_eq!(unknown(&kind, &document), Vec::<String>::new(), "{kind}");
        let fields = fields(&kind);
        let mut seen = BTreeSet::new();
        visit(&document, &mut Vec::new(), &mut |path, _| {
            seen.extend(pattern(path, &fields));
            true
        });
        let listed: BTreeSet<String> = fields.into_iter().map(|field| field.path).collect();
        assert_eq!(seen, listed, "{kind}: the sample and the list differ");
    }
}

#[test]
fn every_honoured_field_arrives_in_the_model() {
    let models = parse("all-fields.yaml", ALL_FIELDS).unwrap();
    for ((kind, document), model) in all_documents().into_iter().zip(models) {
        let arrived = match model {
            Document::Namespace => continue,
            Document::ConfigMap(model) => serde_norway::to_value(model),
            Document::Claim(model) => serde_norway::to_value(model),
            Document::Deployment(model) => serde_norway::to_value(model),
            Document::Service(model) => serde_norway::to_value(model),
            Document::CronJob(model) => serde_norway::to_value(model),
            Document::Job(model) => serde_norway::to_value(model),
        };
        let arrived = leaves(&arrived.unwrap());
        let fields = fields(&kind);
        for (path, value) in leaves(&document) {
            let honoured = fields.iter().any(|field| {
                field.treatment == Treatment::Honoured
                    && Some(&field.path) == pattern(&path, &fields).as_ref()
            });
            let implied = matches!(spell(&path).as_str(), "apiVersion" | "kind");
            if honoured && !implied {
                let here = arrived.iter().any(|(p, v)| *p == path && *v == value);
                assert!(
                    here,
                    "{kind}: {} is listed as honoured but not read",
                    spell(&path)
                );
            }
        }
    }
}

fn leaves(document: &Value) -> Vec<(Vec<Step>, Value)> {
    let mut found = Vec::new();
    visit(document, &mut Vec::new(), &mut |path, value| {
        let below = value.as_mapping().is_some_and(|m| !m.is_empty())
            || value.as_sequence().is_some_and(|s| !s.is_empty());
        if !below {
            found.push((path.to_vec(), value.clone()));
        }
        true
    });
    found
}

/// The application knows no schedule: its setting has to fit the cron job's.
#[test]
fn a_point_is_called_overdue_when_the_schedule_missed_one() {
    use std::time::Duration;
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let manifests = crate::manifests::load(std::path::Path::new(root)).unwrap();
    let pod = &manifests.deployment.spec.template.spec;
    let environment = manifests.environment(pod);
    let stated = environment
        .into_iter()
        .find(|(key, _)| key == "PRA_OVERDUE_SECONDS");
    let seconds: u64 = stated.unwrap().1.parse().unwrap();
    let spec = &manifests.cron_job.spec;
    let schedule = crate::cron::Schedule::parse(&spec.schedule).unwrap();
    let newest = Duration::from_secs(1_795_348_802);
    let missed = |age| schedule.missed(newest, newest + Duration::from_secs(age));
    assert!(missed(seconds).is_some());
    assert!(missed(seconds - 60).is_none(), "it would be said too late");
}
