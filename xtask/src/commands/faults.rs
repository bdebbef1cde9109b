//! `faults`: the package's own fault suites, one after the other, as a table.
//! They work in folders of their own; the lab is left alone.

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};

use crate::context::Context;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::tools::python;
use crate::wait;

/// What a suite says of itself.
#[derive(Debug, Deserialize, Serialize)]
struct Row {
    suite: String,
    cases: u64,
    passed: u64,
    failed: u64,
    seconds: f64,
    seed: u64,
    /// The first few that failed.
    failures: Vec<Problem>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Problem {
    case: String,
    problem: String,
}

pub fn run(ctx: &Context, suites: &[String], long: bool, seed: u64) -> Result<()> {
    ctx.packages("faults", &ctx.venv())?;
    let known = ctx.exec.read(&python(ctx).args(["--list"]))?;
    let known: Vec<String> = known.lines().map(str::to_owned).collect();
    if let Some(unknown) = suites.iter().find(|suite| !known.contains(suite)) {
        let message = format!(
            "there is no suite {unknown:?}; there are: {}",
            known.join(", ")
        );
        return Err(Failure::usage(message).next("cargo xtask faults").into());
    }
    let chosen = if suites.is_empty() { &known } else { suites };
    let rows = chosen
        .iter()
        .map(|suite| one(ctx, suite, long, seed))
        .collect::<Result<Vec<Row>>>()?;
    report(ctx, &rows)
}

fn python(ctx: &Context) -> Cmd {
    Cmd::new(ctx.venv().python().to_string_lossy())
        .args(["-m", "faults"])
        .cwd(ctx.workspace.root.join("app"))
        .envs(&python::compiled(&ctx.workspace))
        .limit(wait::FAULT_SUITE)
}

fn one(ctx: &Context, suite: &str, long: bool, seed: u64) -> Result<Row> {
    let step = ctx.ui.step(format!("faults: {suite}"));
    let seed = seed.to_string();
    let cmd = python(ctx).args([suite, "--seed", &seed]);
    let cmd = if long { cmd.args(["--long"]) } else { cmd };
    let output = ctx.exec.probe(&cmd)?;
    let line = output.stdout.lines().last().unwrap_or_default();
    let row: Row = serde_json::from_str(line).with_context(|| {
        format!(
            "suite {suite} ended ({}) without its row: {}",
            output.status,
            output.stderr.trim()
        )
    })?;
    step.done(format!("{} of {} passed", row.passed, row.cases));
    Ok(row)
}

fn report(ctx: &Context, rows: &[Row]) -> Result<()> {
    if ctx.ui.json() {
        ctx.ui.document(&rows)?;
    } else {
        let cells = |row: &Row| {
            let counts = [row.cases, row.passed, row.failed].map(|count| count.to_string());
            let mut cells = vec![row.suite.clone()];
            cells.extend(counts);
            cells.push(format!("{:.1}", row.seconds));
            cells
        };
        let rows: Vec<Vec<String>> = rows.iter().map(cells).collect();
        ctx.ui
            .table(&["suite", "cases", "passed", "failed", "seconds"], &rows);
    }
    let failures: Vec<String> = rows
        .iter()
        .flat_map(|row| {
            let suite = &row.suite;
            row.failures
                .iter()
                .map(move |one| format!("{suite}: {}: {}", one.case, one.problem))
        })
        .collect();
    if failures.is_empty() && rows.iter().all(|row| row.failed == 0) {
        return Ok(());
    }
    Err(Failure::promise(format!(
        "faults got through:\n    {}",
        failures.join("\n    ")
    ))
    .next("cargo xtask faults SUITE --seed SEED, with the suite and seed of the table")
    .into())
}
