//! The figures of runs that the guide states, taken over into committed files with what
//! made them: `composants.json` has one run of each disaster, `reprise.json` the spread of
//! each protection, `robuste.json` each disaster of the lab `ha`, one run or several.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use serde_json::{Map, Value, json};
use terms::LabName;

use super::committed::{COMPONENTS, RECOVERY, ROBUST, measurements, read};
use crate::commands::report;
use crate::context::Context;
use crate::measure::figures::milliseconds;
use crate::measure::result_file;
use crate::workspace;

pub fn run(ctx: &Context, runs: &[String]) -> Result<()> {
    let mut files = BTreeMap::new();
    for name in runs {
        let file = report::find(ctx, Some(name))?.join(result_file::FILE);
        let text = fs::read_to_string(&file);
        let text = text.with_context(|| format!("reading {}", file.display()))?;
        let result: Value =
            serde_json::from_str(&text).with_context(|| format!("reading the result of {name}"))?;
        take(ctx, &mut files, &result)?;
    }
    for (name, value) in &files {
        let path = measurements(&ctx.workspace.root).join(format!("{name}.json"));
        if ctx.exec.change(&format!("# {}", path.display())) {
            workspace::write_file(&path, &(serde_json::to_string_pretty(value)? + "\n"))?;
        }
        ctx.ui.say(&path.display().to_string());
    }
    Ok(())
}

/// Adds a result to the file that it belongs to, beside what is there.
fn take(ctx: &Context, files: &mut BTreeMap<&str, Value>, result: &Value) -> Result<()> {
    let Some(groups) = result["groups"].as_array() else {
        let scenario = result["scenario"]
            .as_str()
            .context("a result of no scenario")?;
        match is_of_ha(result) {
            true => file(ctx, files, ROBUST)?[scenario] = alone(result),
            false => file(ctx, files, COMPONENTS)?[scenario] = component(result),
        }
        return Ok(());
    };
    for group in groups {
        if is_of_ha(group) {
            let scenario = group["scenario"]
                .as_str()
                .context("a group of no scenario")?;
            file(ctx, files, ROBUST)?[scenario] = spread(result, group);
            continue;
        }
        let protection = group["protection"]
            .as_str()
            .context("a group of no protection")?;
        let file = file(ctx, files, RECOVERY)?;
        file[protection] = spread(result, group);
    }
    Ok(())
}

/// The file of that name as it is so far.
fn file<'a, 'b>(
    ctx: &Context,
    files: &'a mut BTreeMap<&'b str, Value>,
    name: &'b str,
) -> Result<&'a mut Value> {
    if !files.contains_key(name) {
        let there = read(&ctx.workspace.root, name).unwrap_or_else(|_| json!({}));
        files.insert(name, there);
    }
    files.get_mut(name).context("it was just put there")
}

fn component(result: &Value) -> Value {
    let rpo = &result["rpo"];
    json!({
        "provenance": provenance(result),
        "protection": result["protection"],
        "passed": result["passed"],
        "acknowledged": rpo["acknowledged"],
        "lost": rpo["lost"],
        "snapshot_only_lost": rpo["snapshot_only_lost"],
        "requests": result["client"]["requests"],
        "failed": result["client"]["failed"],
        "rto_seconds": result["rto"]["seconds"],
    })
}

fn is_of_ha(of: &Value) -> bool {
    of["lab"] == json!(LabName::Ha)
}

/// One run as a group of one.
fn alone(result: &Value) -> Value {
    let client = &result["client"];
    let figures = [
        ("lost", &result["rpo"]["lost"]),
        ("failed", &client["failed"]),
        ("rto_seconds", &result["rto"]["seconds"]),
        ("longest_gap_seconds", &client["longest_gap_seconds"]),
    ];
    let phases = result["rto"]["phases"].as_array().into_iter().flatten();
    let phases = phases.filter_map(|phase| {
        let name = phase["name"].as_str()?;
        Some((format!("phase_{name}"), &phase["seconds"]))
    });
    let figures = figures
        .map(|(name, value)| (name.to_owned(), value))
        .into_iter()
        .chain(phases)
        .map(|(name, value)| (name, json!({"min": value, "median": value, "max": value})));
    json!({
        "provenance": provenance(result),
        "n": 1,
        "failed_recoveries": usize::from(result["passed"] == false),
        "acknowledged": result["rpo"]["acknowledged"],
        "figures": figures.collect::<Map<_, _>>(),
    })
}

/// Minimum, median and maximum of every figure of a group.
fn spread(result: &Value, group: &Value) -> Value {
    let runs = group["runs"].as_array().map_or(&[][..], Vec::as_slice);
    let figures = group["figures"].as_array().into_iter().flatten();
    let mut figures: Map<String, Value> = figures
        .filter_map(|figure| {
            let name = figure["name"].as_str()?.replace("phase ", "phase_");
            Some((name, of_figure(figure)))
        })
        .collect();
    // Of the original workshop's way alone: what its application still took, and took again.
    for name in ["lost_during", "lost_after"] {
        if group[name].is_object() {
            figures.insert(name.to_owned(), of_figure(&group[name]));
        }
    }
    json!({
        "provenance": provenance(result),
        "n": runs.len(),
        "failed_recoveries": runs.iter().filter(|run| run["passed"] == false).count(),
        "cut_off": group["cut_off"],
        "seed": result["seed"],
        "interval_seconds": result["interval_seconds"],
        "copies": group["copies"],
        "unsound_copies": group["unsound_copies"],
        "figures": figures,
    })
}

fn of_figure(figure: &Value) -> Value {
    let of = |key: &str| Some(milliseconds(figure[key].as_f64()?));
    json!({"min": of("min"), "median": of("median"), "max": of("max")})
}

/// When, and by what.
fn provenance(result: &Value) -> Value {
    let known = [
        "commit",
        "dirty",
        "cores",
        "system",
        "kernel",
        "docker",
        "k3d",
        "kubernetes",
        "python",
        "sqlite",
    ];
    let versions = known.into_iter().filter_map(|name| {
        let value = result["versions"].get(name)?;
        Some((name.to_owned(), value.clone()))
    });
    json!({"began": result["began"], "versions": versions.collect::<Map<_, _>>()})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_the_lab_ha_is_kept_as_a_group_of_one() {
        let result = json!({
            "lab": "ha",
            "passed": true,
            "rpo": {"lost": 0, "acknowledged": 7},
            "client": {"failed": 2, "longest_gap_seconds": 5.5},
            "rto": {"seconds": 5.0, "phases": [{"name": "noticed", "seconds": 1.5}]},
        });
        assert!(is_of_ha(&result));
        let kept = alone(&result);
        assert_eq!((&kept["n"], &kept["acknowledged"]), (&json!(1), &json!(7)));
        assert_eq!(kept["figures"]["rto_seconds"]["median"], 5.0);
        assert_eq!(kept["figures"]["phase_noticed"]["max"], 1.5);
        assert!(!is_of_ha(&json!({"lab": "pra"})));
    }
}
