//! Draws the results of the workshop: a page and a JUnit document for each run
//! and drill, and a history of all of them.

mod bins;
mod junit;
mod ledger;
mod live;
mod model;
mod page;
mod plot;
mod theme;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use ledger::Ledger;
pub use live::serve;
use model::{Document, Folder, Unreadable};

/// Draws the page of one run into its folder and returns its path.
///
/// # Errors
/// Where the folder has no readable result, or the page cannot be written.
pub fn run(folder: &Path) -> Result<PathBuf> {
    let read = Folder::read(folder)?;
    draw(&read.with_context(|| format!("{} has no result.json", folder.display()))?)
}

/// Draws the history page of all runs, and the pages of those that have none.
/// What cannot be read or drawn is named there, with the reason.
///
/// # Errors
/// Where the runs cannot be listed, or the history cannot be written.
pub fn history(runs: &Path) -> Result<PathBuf> {
    let (folders, mut unreadable) = model::all(runs)?;
    for folder in &folders {
        if !folder.path.join("report.html").exists()
            && let Err(error) = draw(folder)
        {
            unreadable.push(Unreadable::new(&folder.path, &error));
        }
    }
    let path = runs.join("index.html");
    write(&path, &page::history::render(&folders, &unreadable)?)?;
    Ok(path)
}

fn draw(folder: &Folder) -> Result<PathBuf> {
    let html = match &folder.document {
        Document::Scenario(scenario) => {
            let path = folder.path.join("ledger.jsonl");
            let ledger = if path.exists() {
                ledger::read(&path)?
            } else {
                Ledger::default()
            };
            page::run::render(folder, scenario, &ledger)?
        }
        Document::Drill(drill) => page::drill::render(folder, drill)?,
    };
    write(&folder.path.join("junit.xml"), &junit::render(folder))?;
    let path = folder.path.join("report.html");
    write(&path, &html)?;
    Ok(path)
}

/// Whole or not at all: somebody may be reading the page that was there.
fn write(path: &Path, text: &str) -> Result<()> {
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    let written = fs::File::create(&aside)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&aside, path));
    written
        .inspect_err(|_| {
            // Half a page is of no use.
            let _ = fs::remove_file(&aside);
        })
        .with_context(|| format!("writing {}", path.display()))
}
