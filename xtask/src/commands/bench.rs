//! `bench`: what should be fast, measured side by side in one run. It works in
//! folders of its own under `.lab/bench`; the lab in use is left alone.

mod build;
mod cluster;
mod figure;
mod lab;
mod package;
mod replication;

use anyhow::Result;

use crate::cli::BenchPart as What;
use crate::context::Context;
use figure::Figure;

pub fn run(ctx: &Context, what: &[What], recoveries: usize) -> Result<()> {
    let _lock = ctx.lock("bench")?;
    let chosen = |one: &What| what.is_empty() || what.contains(one);
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    let mut figures = Vec::new();
    if chosen(&What::Build) {
        figures.extend(build::measure(ctx)?);
    }
    let in_lab = [What::Setup, What::Scenario, What::Points];
    let in_lab: Vec<What> = in_lab.into_iter().filter(chosen).collect();
    if !in_lab.is_empty() {
        figures.extend(lab::measure(ctx, &in_lab)?);
    }
    let of_package = package::PARTS.iter();
    let of_package = of_package.filter(|(part, _)| chosen(part));
    let names: Vec<&str> = of_package.flat_map(|(_, names)| *names).copied().collect();
    if !names.is_empty() {
        figures.extend(package::measure(ctx, &names)?);
    }
    if chosen(&What::Http) {
        figures.extend(package::http(ctx)?);
    }
    if what
        .iter()
        .any(|one| matches!(one, What::Cluster | What::Recovery))
    {
        figures.extend(cluster::measure(ctx, what, recoveries)?);
    }
    if what.contains(&What::Replication) {
        figures.extend(replication::measure(ctx)?);
    }
    report(ctx, &figures)
}

fn report(ctx: &Context, figures: &[Figure]) -> Result<()> {
    if ctx.ui.json() {
        return ctx.ui.document(&figures);
    }
    let rows: Vec<Vec<String>> = figures
        .iter()
        .map(|figure| {
            vec![
                figure.what.clone(),
                format!("{:.3}", figure.value),
                figure.unit.clone(),
                figure.against.clone().unwrap_or_default(),
                figure
                    .ratio
                    .map_or_else(String::new, |ratio| format!("{ratio:.2}")),
                figure.target.clone(),
            ]
        })
        .collect();
    ctx.ui
        .table(&["what", "value", "", "against", "ratio", "target"], &rows);
    Ok(())
}
