//! `report RUNS [RUN…]`: draws the named runs, then the history of all runs
//! under the folder RUNS. Prints the paths of the pages, one a line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use terms::lang::{self, Lang};

fn main() -> Result<()> {
    lang::choose(Lang::of_environment(|name| std::env::var(name).ok()));
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let runs = args.next().context("usage: report RUNS [RUN…]")?;
    let drawn: Vec<Result<PathBuf>> = args.map(|run| report::run(&run)).collect();
    drawn.iter().flatten().for_each(|page| show(page));
    // One that cannot be drawn is told at the end: the history does not need it.
    show(&report::history(&runs)?);
    drawn.into_iter().try_for_each(|page| page.map(drop))
}

fn show(page: &Path) {
    println!("{}", page.display());
}
