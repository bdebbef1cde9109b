//! `report RUNS [RUN…]`: draws the named runs, then the history of all runs
//! under the folder RUNS. Prints the paths of the pages, one a line.
//!
//! `report --live RUNS PROCESS PORT`: serves the page of the run that a process plays, until
//! standard input ends. Prints its address.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use terms::lang::{self, Lang};

fn main() -> Result<()> {
    lang::choose(Lang::of_environment(|name| std::env::var(name).ok()));
    let mut args = std::env::args_os().skip(1).map(PathBuf::from).peekable();
    if args
        .next_if(|first| first.as_os_str() == "--live")
        .is_some()
    {
        return live(args);
    }
    let runs = args.next().context("usage: report RUNS [RUN…]")?;
    let drawn: Vec<Result<PathBuf>> = args.map(|run| report::run(&run)).collect();
    drawn.iter().flatten().for_each(|page| show(page));
    // One that cannot be drawn is told at the end: the history does not need it.
    show(&report::history(&runs)?);
    drawn.into_iter().try_for_each(|page| page.map(drop))
}

fn live(mut args: impl Iterator<Item = PathBuf>) -> Result<()> {
    const USAGE: &str = "usage: report --live RUNS PROCESS PORT";
    let runs = args.next().context(USAGE)?;
    let mut number = || args.next()?.to_str()?.parse::<u32>().ok();
    let (process, port) = (number().context(USAGE)?, number().context(USAGE)?);
    let port = u16::try_from(port).context(USAGE)?;
    report::serve(&runs, process, port, |url| println!("{url}"))
}

fn show(page: &Path) {
    println!("{}", page.display());
}
