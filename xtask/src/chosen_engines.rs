//! The engines that a lab of this checkout is on, as they were chosen: with
//! `--engine` there can be one on each.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use terms::EngineName;

use crate::config::EngineChoice;
use crate::lab::{self, Lab};

/// All of them, the one chosen last at the end.
pub fn engines(lab: &Lab) -> Vec<EngineName> {
    let text = fs::read_to_string(file(lab)).unwrap_or_default();
    let lines = text.lines().map(str::trim);
    lines.filter_map(|line| line.parse().ok()).collect()
}

/// All but that one.
pub fn others(lab: &Lab, engine: EngineName) -> Vec<EngineName> {
    let mut engines = engines(lab);
    engines.retain(|one| *one != engine);
    engines
}

/// That one was chosen last.
pub fn add(lab: &Lab, engine: EngineName) -> Result<()> {
    let mut engines = others(lab, engine);
    engines.push(engine);
    write(lab, &engines)
}

/// There is none on that one any more; returns those that are left.
pub fn remove(lab: &Lab, engine: EngineName) -> Result<Vec<EngineName>> {
    let others = others(lab, engine);
    if !file(lab).exists() {
        return Ok(others);
    }
    if others.is_empty() {
        fs::remove_file(file(lab)).context("forgetting the engine of the lab")?;
    } else {
        write(lab, &others)?;
    }
    Ok(others)
}

/// The option that a command needs to mean the engine that was asked for: none where
/// it is meant without, since lab.toml declares it or it was chosen last.
pub fn option(lab: &Lab, declared: EngineChoice, asked: Option<EngineChoice>) -> Option<String> {
    let asked = asked?.named()?;
    // Where there is no lab yet, it depends on Docker.
    let meant = declared.named().or_else(|| engines(lab).pop());
    (meant != Some(asked)).then(|| format!("--engine {asked}"))
}

fn file(lab: &Lab) -> PathBuf {
    lab.state().join("engine")
}

fn write(lab: &Lab, engines: &[EngineName]) -> Result<()> {
    let lines = engines.iter().map(|one| format!("{one}\n"));
    lab::write_file(&file(lab), &lines.collect::<String>())
}
