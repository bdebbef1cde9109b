//! `report RUNS [RUN…]`: draws the named runs, then the history of all runs
//! under the folder RUNS. Prints the paths of the pages, one a line.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let runs = args.next().context("usage: report RUNS [RUN…]")?;
    for run in args {
        show(&report::run(&run)?);
    }
    show(&report::history(&runs)?);
    Ok(())
}

fn show(page: &Path) {
    println!("{}", page.display());
}
