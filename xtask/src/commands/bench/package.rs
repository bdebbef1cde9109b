//! What the package's own benchmark measures, each beside its yardstick.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use super::figure::Figure;
use crate::cli::BenchPart as What;
use crate::context::Context;
use crate::exec::Cmd;
use crate::tools::python;
use crate::tools::venv::Venv;
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

/// By which names the package measures a part.
pub const PARTS: &[(What, &[&str])] = &[
    (What::Writes, &["writes", "replicated", "counts", "metrics"]),
    (What::Protection, &["copies", "replays", "verbs"]),
];

/// Measures what these names stand for.
pub fn measure(ctx: &Context, names: &[&str]) -> Result<Vec<Figure>> {
    let step = ctx.ui.step(names.join(", "));
    let figures = answered(ctx, &[&["benches"], names].concat())?;
    step.done("measured");
    Ok(figures)
}

/// Measures the server beside others, which are installed for this alone, apart from
/// what the lab runs.
pub fn http(ctx: &Context) -> Result<Vec<Figure>> {
    let others = Venv {
        dir: ctx.workspace.home().join("bench/servers"),
        lock: ctx.workspace.root.join("app/benches/requirements-http.txt"),
        modules: &["apsw", "flask", "gunicorn", "waitress"],
        ..ctx.venv()
    };
    others.ensure(&ctx.exec, &ctx.ui)?;
    let python = others.python().to_string_lossy().into_owned();
    let step = ctx.ui.step("granian, gunicorn and waitress");
    let figures = answered(ctx, &["benches.http", "--others", &python])?;
    step.done("measured");
    Ok(figures)
}

/// What a module of the package's benchmarks answers.
fn answered(ctx: &Context, module: &[&str]) -> Result<Vec<Figure>> {
    let cmd = Cmd::new(ctx.venv().python().to_string_lossy())
        .args(["-m"])
        .args(module)
        .cwd(ctx.workspace.root.join("app"))
        .envs(&python::compiled(&ctx.workspace))
        .limit(wait::FAULT_SUITE);
    let rows: Vec<Row> =
        serde_json::from_str(&ctx.exec.read(&cmd)?).context("reading the package's benchmark")?;
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_knows_every_name_and_none_is_left_out() {
        let package = include_str!("../../../../app/benches/__main__.py");
        let parts = package.split("PARTS = {").nth(1).unwrap();
        let parts = parts.split("\n}").next().unwrap();
        let known = parts
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"'));
        let mut known: Vec<&str> = known.filter_map(|line| line.split('"').next()).collect();
        let mut named: Vec<&str> = PARTS
            .iter()
            .flat_map(|(_, names)| *names)
            .copied()
            .collect();
        known.sort_unstable();
        named.sort_unstable();
        assert_eq!(known, named);
    }
}
