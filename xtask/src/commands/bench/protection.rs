//! Snapshot, restore, journal and replay, each against a plain copy or write: the
//! package's own benchmark.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::figure::Figure;
use crate::context::Context;
use crate::exec::Cmd;
use crate::wait;

/// A row of `python -m benches`.
#[derive(Deserialize)]
struct Row {
    what: String,
    value: f64,
    unit: String,
    against: String,
    against_value: f64,
    ratio: Option<f64>,
    target: String,
}

pub fn measure(ctx: &Context) -> Result<Vec<Figure>> {
    let step = ctx.ui.step("backup, restore, journal and replay");
    let cmd = Cmd::new(ctx.venv().python().to_string_lossy())
        .args(["-m", "benches"])
        .cwd(ctx.workspace.root.join("app"))
        .env(
            "PYTHONPYCACHEPREFIX",
            ctx.workspace.home().join("pycache").to_string_lossy(),
        )
        .limit(wait::FAULT_SUITE);
    let rows: Vec<Row> =
        serde_json::from_str(&ctx.exec.read(&cmd)?).context("reading the package's benchmark")?;
    step.done("measured");
    let figures = rows.into_iter().map(|row| Figure {
        what: row.what,
        value: row.value,
        unit: row.unit,
        runs: Vec::new(),
        against: Some(format!("{} {}", row.against, row.against_value)),
        ratio: row.ratio,
        target: row.target,
    });
    Ok(figures.collect())
}
