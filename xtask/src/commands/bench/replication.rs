//! A write of the application to three synchronous instances against one to a single
//! instance without replicas: both in the lab `ha`, in turn, by a pod of its image.

use std::fs;

use anyhow::{Context as _, Result};
use serde::Deserialize;
use serde_json::{Value, json};

use super::figure::Figure;
use crate::context::Context;
use crate::engine::k3d::site::{Blueprint, Site};
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::kube::Kube;
use crate::measure::figures::milliseconds;
use crate::names::DATABASE;
use crate::tools::kube_topology::CLUSTERS;
use crate::tools::kubectl;
use crate::wait;

/// What measures, as a text for the pod's Python.
const SCRIPT: &str = include_str!("../../../../app/benches/in_pods.py");
/// Beside the lab's own: a database on its instances, one with an instance of its own, and the
/// job that writes to both.
const BESIDE: &str = "pra-bench";
const SINGLE: &str = "pra-bench-single";
const JOB: &str = "pra-bench";
/// What is deleted by, so that nothing else is, whatever it is called.
const OF_THE_BENCH: &str =
    "app.kubernetes.io/part-of=atelier-pra,app.kubernetes.io/component=bench";
/// A database in an operator's cluster.
const DATABASES: &str = "databases.postgresql.cnpg.io";

/// A line of what the job says.
#[derive(Deserialize)]
struct Found {
    writers: u32,
    name: String,
    rate: f64,
    median: f64,
    p99: f64,
}

pub fn measure(ctx: &Context) -> Result<Vec<Figure>> {
    let site = Site::new(ctx, Blueprint::ha(ctx));
    if site.cluster()?.is_none() {
        return Err(
            Failure::usage("this measures in the lab ha, which is not there")
                .next("cargo xtask --lab ha setup")
                .into(),
        );
    }
    let step = ctx.ui.step("three synchronous instances, and a single one");
    let said = measured(&site.kube);
    // Also after an interrupt: what was put beside the lab goes.
    wait::begin_anew();
    let removed = remove(&site.kube);
    let figures = figures(&said?)?;
    removed?;
    step.done("measured");
    Ok(figures)
}

fn measured(kube: &Kube) -> Result<String> {
    // Of an earlier one that was killed.
    remove(kube)?;
    let within = format!("--timeout={}s", wait::WHOLE_AGAIN.limit.as_secs());
    let ready = "--for=condition=Ready";
    create(kube, &single(kube)?)?;
    run(
        kube,
        &["wait", ready, &format!("{CLUSTERS}/{SINGLE}"), &within],
    )?;
    let applied = "--for=jsonpath={.status.applied}=true";
    create(kube, &beside())?;
    run(
        kube,
        &["wait", applied, &format!("{DATABASES}/{BESIDE}"), &within],
    )?;
    create(kube, &job(kube)?)?;
    let limit = wait::WHOLE_AGAIN.limit;
    let ended = kube
        .kubectl()?
        .cmd(kubectl::wait_until_complete(JOB, limit));
    kube.ctx.exec.run(&ended.limit(limit * 2))?;
    let logs = kubectl::logs(&format!("job/{JOB}"), false);
    kube.ctx.exec.read(&kube.kubectl()?.cmd(logs))
}

/// What has one of the names and is not ours is in the way of this, and stays.
fn create(kube: &Kube, object: &Value) -> Result<()> {
    let create = kube.kubectl()?.cmd(["create", "-f", "-"]);
    kube.ctx.exec.run(&create.input(object.to_string()))
}

/// First who writes: a database with connections is not dropped.
fn remove(kube: &Kube) -> Result<()> {
    for kind in ["jobs", DATABASES, CLUSTERS] {
        let delete = ["delete", kind, "-l", OF_THE_BENCH, "--ignore-not-found"];
        run(kube, &[&delete[..], &["--cascade=foreground"]].concat())?;
    }
    Ok(())
}

fn run(kube: &Kube, words: &[&str]) -> Result<()> {
    let cmd: Cmd = kube.kubectl()?.cmd(words);
    kube.ctx.exec.run(&cmd.limit(wait::WHOLE_AGAIN.limit * 2))
}

/// The lab's own database with one instance, which nobody else has to confirm anything to.
fn single(kube: &Kube) -> Result<Value> {
    let mut database = declared(kube, "10-postgres.yaml")?;
    database["metadata"]["name"] = json!(SINGLE);
    database["metadata"]["labels"] = labels();
    database["spec"]["instances"] = json!(1);
    let settings = database["spec"]["postgresql"].as_object_mut();
    settings
        .context("10-postgres.yaml has no settings")?
        .remove("synchronous");
    Ok(database)
}

/// The application's role may make none, so the operator does, and drops it with this object.
fn beside() -> Value {
    json!({
        "apiVersion": "postgresql.cnpg.io/v1",
        "kind": "Database",
        "metadata": {"name": BESIDE, "labels": labels()},
        "spec": {
            "cluster": {"name": DATABASE},
            "name": BESIDE,
            "owner": "app",
            "databaseReclaimPolicy": "delete",
        },
    })
}

fn labels() -> Value {
    let pairs = OF_THE_BENCH
        .split(',')
        .filter_map(|one| one.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), json!(value)))
        .collect::<serde_json::Map<_, _>>()
        .into()
}

/// The variables of a container that give it the URL of a database for this alone.
fn address(of: &str, database: &str) -> Vec<Value> {
    let secret = |part: &str, key: &str| {
        let secret = json!({"secretKeyRef": {"name": format!("{of}-app"), "key": key}});
        json!({"name": format!("{part}_{of}"), "valueFrom": secret})
    };
    let url = format!("postgresql://$(USER_{of}):$(PASSWORD_{of})@{of}-rw:5432/{database}");
    vec![
        secret("USER", "username"),
        secret("PASSWORD", "password"),
        json!({"name": format!("BENCH_{of}"), "value": url}),
    ]
}

/// The application's pod with another command, and without what makes it a server.
fn job(kube: &Kube) -> Result<Value> {
    let template = declared(kube, "20-deployment.yaml")?["spec"]["template"]["spec"].take();
    let container = &template["containers"][0];
    let env = [address(DATABASE, BESIDE), address(SINGLE, "app")].concat();
    let pod = json!({
        "restartPolicy": "Never",
        "serviceAccountName": template["serviceAccountName"],
        "automountServiceAccountToken": false,
        "securityContext": template["securityContext"],
        "volumes": template["volumes"],
        "containers": [{
            "name": JOB,
            "image": container["image"],
            "imagePullPolicy": container["imagePullPolicy"],
            "command": ["python", "-c", SCRIPT],
            "env": env,
            "securityContext": container["securityContext"],
            "resources": container["resources"],
            "volumeMounts": container["volumeMounts"],
        }],
    });
    Ok(json!({
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": JOB, "labels": labels()},
        "spec": {"backoffLimit": 0, "template": {"spec": pod}},
    }))
}

fn declared(kube: &Kube, file: &str) -> Result<Value> {
    let path = kube.ctx.workspace.root.join("ha").join(file);
    let text = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    serde_norway::from_str(&text).with_context(|| format!("reading {}", path.display()))
}

fn figures(said: &str) -> Result<Vec<Figure>> {
    let found: Vec<Found> = serde_json::from_str(said.trim()).context("reading what was found")?;
    let of = |name: &str, writers: u32| {
        let mut all = found.iter();
        all.find(|one| one.name == name && one.writers == writers)
            .with_context(|| format!("nothing was found of {name}"))
    };
    let mut figures = Vec::new();
    for writers in [1, 8] {
        let (three, one) = (of(DATABASE, writers)?, of(SINGLE, writers)?);
        let of_both = |what: &str, three: f64, one: f64, unit: &str, target: &str| Figure {
            what: format!("{what}, three synchronous instances, threads: {writers}"),
            value: milliseconds(three),
            unit: unit.to_owned(),
            runs: Vec::new(),
            against: Some(format!("a single one {}", milliseconds(one))),
            ratio: Some(milliseconds(three / one)),
            target: target.to_owned(),
        };
        let (ms, most) = (1e3, "at most 3 times the time");
        figures.push(of_both(
            "a write",
            ms * three.median,
            ms * one.median,
            "ms",
            most,
        ));
        figures.push(of_both(
            "p99 of a write",
            ms * three.p99,
            ms * one.p99,
            "ms",
            "reported",
        ));
        figures.push(of_both(
            "writes",
            three.rate,
            one.rate,
            "per second",
            "reported",
        ));
    }
    Ok(figures)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_are_compared_by_the_number_of_writers() {
        let row = |name: &str, writers: u32, seconds: f64| {
            json!({"name": name, "writers": writers, "rate": 1.0 / seconds, "median": seconds,
                   "p99": seconds * 2.0})
        };
        let said = json!([
            row("pg", 1, 0.006),
            row(SINGLE, 1, 0.003),
            row("pg", 8, 0.02),
            row(SINGLE, 8, 0.01)
        ]);
        let figures = figures(&said.to_string()).unwrap();
        let shown: Vec<_> = figures.iter().map(|one| (one.value, one.ratio)).collect();
        assert_eq!(shown[0], (6.0, Some(2.0)));
        assert_eq!(shown[4], (40.0, Some(2.0)));
        assert!(super::figures("[]").is_err());
    }

    #[test]
    fn the_lab_s_own_database_is_not_written_to() {
        let told = json!([address(DATABASE, BESIDE), beside()]).to_string();
        assert!(told.contains("@pg-rw:5432/pra-bench\""), "{told}");
        assert!(!told.contains("uri"), "{told}");
        let labels = &beside()["metadata"]["labels"];
        for label in OF_THE_BENCH.split(',') {
            let (name, value) = label.split_once('=').unwrap();
            assert_eq!(labels[name], value, "{name}");
        }
        for name in [BESIDE, SINGLE, JOB] {
            assert!(name.starts_with("pra-bench"), "{name}");
        }
    }
}
