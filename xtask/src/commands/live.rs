//! `scenario … --live`: a page of this machine that draws the disaster while it happens, by
//! the program that draws the report, beside the command that plays it.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use terms::tr;

use crate::commands::report;
use crate::context::Context;
use crate::exec::Tied;
use crate::failure::{self, Failure, Kind};
use crate::wait;

/// Plays something with its page beside it, where one is wanted: on that port, or on a free
/// one for 0. On a terminal it begins when the reader has opened the page, and the page stays
/// until the reader has seen enough of it.
pub fn beside(ctx: &Context, port: Option<u16>, play: impl FnOnce() -> Result<()>) -> Result<()> {
    let Some(port) = port.filter(|_| !ctx.exec.dry_run()) else {
        return play();
    };
    let page = start(ctx, port)?;
    let asks = ctx.ui.has_reader() && !ctx.options.yes;
    if asks {
        ctx.ui.wait_for_reader()?;
    }
    let played = play();
    let interrupted = |error: &anyhow::Error| failure::kind(error) == Kind::Interrupted;
    if asks && !played.as_ref().is_err_and(interrupted) {
        ctx.ui.note(&tr!(
            "The page stays until you go on; a browser that shows it keeps the last picture.",
            "La page reste jusqu'à ce que vous continuiez ; un navigateur qui l'affiche garde la \
             dernière image.",
        ));
        // ctrl-C is an answer too: what was played is played.
        let _ = ctx.ui.wait_for_reader();
        wait::begin_anew();
    }
    page.end(wait::LIVE_DOWN);
    played
}

fn start(ctx: &Context, port: u16) -> Result<Tied> {
    ctx.workspace.create()?;
    let cmd = report::live(ctx, port)?;
    let path = log(ctx);
    let log = File::create(&path).with_context(|| format!("creating {}", path.display()))?;
    let mut page = Tied::start(&cmd, &log)?;
    let said = || std::fs::read_to_string(&path).unwrap_or_default();
    let url = wait::until(wait::LIVE_UP, || {
        let ended = page.has_ended();
        let said = said();
        let mut lines = said.lines();
        let url = lines.find(|line| line.starts_with("http://"));
        match (url, ended) {
            (Some(url), _) => Ok(Some(url.to_owned())),
            (None, true) => Err(refused(&said, port)),
            (None, false) => Ok(None),
        }
    })?;
    ctx.ui.note(&tr!(
        "The disaster, live: {url}",
        "Le sinistre, en direct : {url}"
    ));
    Ok(page)
}

fn log(ctx: &Context) -> PathBuf {
    ctx.workspace.logs().join("live.log")
}

fn refused(said: &str, port: u16) -> anyhow::Error {
    let said = in_one_line(said);
    let failure = Failure::tool(tr!(
        "the page of the run is not served: {said}",
        "la page de l'exécution n'est pas servie : {said}",
    ));
    let failure = match port {
        0 => failure.next("tail .lab/logs/live.log"),
        port => failure.next(tr!(
            "the same command with --live alone, which takes a port that is free instead of {port}",
            "la même commande avec --live seul, qui prend un port libre au lieu de {port}",
        )),
    };
    failure.into()
}

/// What the program says of an error stands on several lines.
fn in_one_line(said: &str) -> String {
    let lines = said.trim_start_matches("Error: ").lines().map(str::trim);
    let reasons = lines.filter(|line| !line.is_empty() && *line != "Caused by:");
    reasons.collect::<Vec<_>>().join(": ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_reasons_of_the_program_are_one_sentence() {
        let said = "Error: listening on port 80\n\nCaused by:\n    Permission denied\n";
        assert_eq!(in_one_line(said), "listening on port 80: Permission denied");
    }
}
