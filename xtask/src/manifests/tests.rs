//! The project's manifests are understood, and what is not is refused by file and
//! field.

use std::path::Path;
use std::time::Duration;

use super::declared::Manifests;
use super::model::Job;
use super::{Documents, checks};
use crate::names;

fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

fn projects() -> (Manifests, Job) {
    let manifests = super::load(root()).unwrap();
    let restore = super::load_restore_job(root(), &manifests).unwrap();
    (manifests, restore)
}

fn changed(file: &str, from: &str, to: &str) -> Result<Documents, String> {
    let text = std::fs::read_to_string(root().join(file)).unwrap();
    assert!(text.contains(from), "{file} no longer has {from:?}");
    let mut found = Documents::default();
    found.add_all(&text.replacen(from, to, 1)).map(|()| found)
}

#[test]
fn the_projects_manifests_pass_and_bear_the_names_that_commands_use() {
    let (manifests, restore) = projects();
    assert_eq!(manifests.deployment.name(), names::DEPLOYMENT);
    assert_eq!(manifests.cron_job.name(), names::CRON_JOB);
    for claim in [names::DATA_CLAIM, names::BACKUP_CLAIM] {
        assert!(manifests.claims.iter().any(|known| known == claim));
    }
    assert_eq!(restore.name(), names::RESTORE_JOB);
}

#[test]
fn what_no_type_knows_is_refused_by_its_path() {
    let (deployment, service) = ("k8s/20-deployment.yaml", "k8s/30-service.yaml");
    let (cron_job, restore) = ("k8s/40-cronjob-backup.yaml", "pra/50-job-restore.yaml");
    for (file, from, to, path, why) in [
        (
            deployment,
            "command: [python",
            "tty: true\n          command: [python",
            "spec.template.spec.containers[0]",
            "`tty`",
        ),
        (
            deployment,
            "httpGet:",
            "httpGet:\n              scheme: HTTPS",
            "containers[0].readinessProbe.httpGet",
            "`scheme`",
        ),
        (
            deployment,
            "emptyDir: {}",
            "emptyDir: {medium: Memory}",
            "spec.template.spec.volumes[2].emptyDir",
            "`medium`",
        ),
        (
            deployment,
            "replicas: 2",
            "replicas: two",
            "spec.replicas",
            "line",
        ),
        (
            deployment,
            "apps/v1",
            "apps/v1beta2",
            "kind",
            "apps/v1beta2",
        ),
        (service, "kind: Service", "kind: Ingress", "kind", "Ingress"),
        (
            cron_job,
            "Forbid",
            "Replace",
            "spec.concurrencyPolicy",
            "`Forbid`",
        ),
        (
            deployment,
            "configMapRef:",
            "configMapRef:\n                labels: {}",
            "envFrom[0].configMapRef",
            "`labels`",
        ),
        (restore, "FailJob", "Ignore", "rules[0].action", "`FailJob`"),
        (
            restore,
            "operator: In",
            "operator: NotIn",
            "onExitCodes.operator",
            "`In`",
        ),
        (
            restore,
            "metadata.labels['batch.kubernetes.io/controller-uid']",
            "status.podIP",
            "env[1].valueFrom.fieldRef.fieldPath",
            "`status.podIP`",
        ),
    ] {
        let said = changed(file, from, to).err().unwrap();
        assert!(said.contains(path) && said.contains(why), "{said}");
    }
}

#[test]
fn a_port_for_probes_is_not_for_users() {
    let (manifests, _) = projects();
    let container = manifests.replica().container();
    let probe = container.readiness_probe.as_ref().unwrap();
    let port = probe.http_get.port.clone();
    assert!(container.is_for_probes(&port));
    assert!(!container.is_for_probes(&manifests.service.spec.ports[0].target_port));

    let mut led_there = projects().0;
    led_there.service.spec.ports[0].target_port = port;
    let said = checks::workspace(&led_there).unwrap_err();
    assert!(said.contains("for users"), "{said}");

    let mut one_port_too_many = manifests;
    let containers = &mut one_port_too_many.deployment.spec.template.spec.containers;
    containers[0].env.retain(|one| one.name != "PRA_PROBE_PORT");
    let said = checks::workspace(&one_port_too_many).unwrap_err();
    assert!(said.contains("the one port"), "{said}");
}

#[test]
fn a_job_that_refuses_is_not_tried_again_and_one_that_failed_is() {
    let (manifests, restore) = projects();
    let killed = 137;
    for job in [&restore.spec, &manifests.cron_job.spec.job_template.spec] {
        let last = [1, 2, 4, 5, killed].map(|code| job.fails_for_good(code));
        assert_eq!(last, [true, true, false, false, false]);
    }
}

#[test]
fn what_the_engine_would_have_to_imitate_is_refused() {
    let (manifests, restore) = projects();
    let mut job = restore.spec;
    for (word, said) in [
        ("--to=$(PRA_DATA_DIR)", "not expanded"),
        ("rm -rf /data", "a whole text"),
        ("/data:/backup", "a whole text"),
        ("/data;ls", "a whole text"),
    ] {
        job.template.spec.containers[0].args = vec![word.to_owned()];
        assert!(checks::job(&job, &manifests).unwrap_err().contains(said));
    }
    for word in ["/data/app.db", "cat /srv/data", "cat /database"] {
        job.template.spec.containers[0].args = vec![word.to_owned()];
        assert_eq!(checks::job(&job, &manifests), Ok(()), "{word}");
    }

    let mut manifests = manifests;
    let settings = manifests.config_maps[0].data.clone();
    let url = ("X".to_owned(), "file:/data/app.db".to_owned());
    manifests.config_maps[0].data.extend([url]);
    let said = checks::workspace(&manifests).unwrap_err();
    assert!(said.contains("a whole text"), "{said}");
    manifests.config_maps[0].data = settings;

    let pod = &mut manifests.deployment.spec.template.spec;
    pod.containers[0]
        .env
        .extend(job.template.spec.containers[0].env.clone());
    let said = checks::workspace(&manifests).unwrap_err();
    assert!(
        said.contains("valueFrom is for the pods of a job"),
        "{said}"
    );
}

#[test]
fn what_kubernetes_refuses_in_a_job_is_refused() {
    let (manifests, _) = projects();
    for (from, to, why) in [
        ("values: [", "values: [] # [", "onExitCodes.values is empty"),
        (
            "valueFrom:",
            "value: x\n              valueFrom:",
            "both value and valueFrom",
        ),
    ] {
        let found = changed("pra/50-job-restore.yaml", from, to).unwrap();
        let said = checks::job(&found.job.unwrap().spec, &manifests).unwrap_err();
        assert!(said.contains(why), "{said}");
    }
}

/// The application knows no schedule: its setting has to fit the cron job's.
#[test]
fn a_point_is_called_overdue_when_the_schedule_missed_one() {
    let (manifests, _) = projects();
    let settings = manifests.settings(manifests.replica());
    let seconds: u64 = settings["PRA_OVERDUE_SECONDS"].parse().unwrap();
    let schedule = crate::cron::Schedule::parse(&manifests.cron_job.spec.schedule).unwrap();
    let newest = Duration::from_secs(1_795_348_802);
    let missed = |age| schedule.missed(newest, newest + Duration::from_secs(age));
    assert!(missed(seconds).is_some());
    assert!(missed(seconds - 60).is_none(), "it would be said too late");
}
