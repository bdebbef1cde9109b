//! `report`: the pages of runs and drills, drawn by a program of their own,
//! since what it is built from would slow the first `cargo xtask` down.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::json;
use terms::{lang, tr};

use crate::checkout;
use crate::commands::open;
use crate::context::Context;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::measure::result_file;
use crate::wait;

/// The page in the folder of a run.
pub const PAGE: &str = "report.html";

pub fn run(ctx: &Context, asked: Option<&str>, in_browser: bool) -> Result<()> {
    let folder = find(ctx, asked)?;
    draw(ctx, &folder)?;
    let page = folder.join(PAGE);
    let history = ctx.workspace.runs().join("index.html");
    if in_browser {
        open::in_browser(ctx, &page.to_string_lossy())?;
    }
    if ctx.ui.json() {
        let junit = folder.join("junit.xml");
        return ctx
            .ui
            .document(&json!({"page": page, "junit": junit, "history": history}));
    }
    ctx.ui.say(&tr!(
        "This run:  {page}",
        "Cette exécution :  {page}",
        page = page.display()
    ));
    ctx.ui.say(&tr!(
        "All runs:  {page}",
        "Toutes :           {page}",
        page = history.display()
    ));
    Ok(())
}

/// Builds the program where it is not built, and draws.
pub fn draw(ctx: &Context, folder: &Path) -> Result<()> {
    let step = ctx.ui.step(tr!("drawing the report", "dessin du rapport"));
    let words = ["run", "--quiet", "--locked", "--package", "report", "--"];
    let cmd = Cmd::new(cargo()).args(words).cwd(sources(ctx));
    ctx.exec.run(&arguments(ctx, cmd, folder))?;
    step.done(tr!("drawn", "dessiné"));
    Ok(())
}

fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Builds the program where it is not built, and returns the command that serves the page of
/// the run that this process plays; on port 0 on one that is free. It gives way to whatever
/// else wants the processor: the client that measures, first of all.
pub fn live(ctx: &Context, port: u16) -> Result<Cmd> {
    let step = ctx
        .ui
        .step(tr!("the program that draws", "le programme qui dessine"));
    let build = ["build", "--quiet", "--locked", "--package", "report"];
    let built = Cmd::new(cargo()).args(build).cwd(sources(ctx));
    ctx.exec.run(&built.limit(wait::REPORT))?;
    step.done(tr!("built", "compilé"));
    let words = ["run", "--quiet", "--locked", "--package", "report", "--"];
    let runs = ctx.workspace.runs().display().to_string();
    let (process, port) = (std::process::id().to_string(), port.to_string());
    Ok(Cmd::new("nice")
        .args(["-n", "10", &cargo()])
        .args(words)
        .args(["--live", &runs, &process, &port])
        .env("LANGUAGE", lang::chosen().tag())
        .cwd(sources(ctx)))
}

/// Where the program's source is: in the lab's checkout, unless that is a folder
/// with the declarations alone.
fn sources(ctx: &Context) -> PathBuf {
    let here = ctx.workspace.root.clone();
    if here.join("report").is_dir() {
        return here;
    }
    checkout::built_from()
}

/// Draws where the program was built before, which takes no time; `None` where
/// it was not, or could not.
pub fn draw_if_ready(ctx: &Context, folder: &Path) -> Option<PathBuf> {
    let program = std::env::current_exe().ok()?.with_file_name("report");
    if !program.is_file() {
        return None;
    }
    let cmd = Cmd::new(program.display().to_string());
    match ctx.exec.run(&arguments(ctx, cmd, folder)) {
        Ok(()) => Some(folder.join(PAGE)),
        Err(error) => {
            ctx.ui.warn(&tr!(
                "the page was not drawn: {error:#}",
                "la page n'a pas été dessinée : {error:#}",
            ));
            None
        }
    }
}

fn arguments(ctx: &Context, cmd: Cmd, folder: &Path) -> Cmd {
    let paths = [ctx.workspace.runs(), folder.to_owned()];
    cmd.args(paths.map(|path| path.display().to_string()))
        .env("LANGUAGE", lang::chosen().tag())
        .limit(wait::REPORT)
}

/// The folder of the run that was asked for, or of the newest.
pub fn find(ctx: &Context, asked: Option<&str>) -> Result<PathBuf> {
    let runs = ctx.workspace.runs();
    if let Some(asked) = asked {
        let found = [PathBuf::from(asked), runs.join(asked)]
            .into_iter()
            .find(|folder| folder.join(result_file::FILE).exists());
        return found.ok_or_else(|| {
            Failure::usage(tr!(
                "there is no result of a run {asked:?}",
                "il n'y a pas de résultat d'une exécution {asked:?}",
            ))
            .next("cargo xtask runs list")
            .into()
        });
    }
    let entries = std::fs::read_dir(&runs);
    let entries = entries.with_context(|| format!("listing {}", runs.display()))?;
    let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let with_result = folders.filter(|folder| folder.join(result_file::FILE).exists());
    let mut newest_first: Vec<PathBuf> = with_result.collect();
    newest_first.sort_by(|one, other| other.cmp(one));
    for folder in newest_first {
        if result_file::is_readable(&folder) {
            return Ok(folder);
        }
        let shown = folder.join(result_file::FILE);
        let said = tr!(
            "{file} cannot be read: it is left out",
            "{file} est illisible : il est laissé de côté",
            file = shown.display(),
        );
        ctx.ui.warn(&said);
    }
    Err(Failure::usage(tr!(
        "nothing has been run yet",
        "rien n'a encore été exécuté"
    ))
    .next("cargo xtask scenario 2")
    .into())
}
