//! Draws the results of the workshop: a page and a JUnit document for each run
//! and drill, and a history of all of them.

mod bins;
mod junit;
mod ledger;
mod model;
mod page;
mod plot;
mod theme;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use ledger::Ledger;
use model::{Document, Folder};

/// Draws the page of one run into its folder and returns its path.
///
/// # Errors
/// Where the folder has no readable result, or the page cannot be written.
pub fn run(folder: &Path) -> Result<PathBuf> {
    let read = Folder::read(folder)?;
    draw(&read.with_context(|| format!("{} has no result.json", folder.display()))?)
}

/// Draws the history page of all runs, and the pages of those that have none.
///
/// # Errors
/// Where a result cannot be read, or a page cannot be written.
pub fn history(runs: &Path) -> Result<PathBuf> {
    let folders = model::all(runs)?;
    for folder in &folders {
        if !folder.path.join("report.html").exists() {
            draw(folder)?;
        }
    }
    let path = runs.join("index.html");
    write(&path, &page::history::render(&folders)?)?;
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

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("writing {}", path.display()))
}
