//! The engines that a lab of this checkout is on, as they were chosen: with
//! `--engine` there can be one on each.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use terms::EngineName;

use crate::config::EngineChoice;
use crate::workspace::{self, Workspace};

/// All of them, the one chosen last at the end.
pub fn engines(workspace: &Workspace) -> Vec<EngineName> {
    let text = fs::read_to_string(file(workspace)).unwrap_or_default();
    let lines = text.lines().map(str::trim);
    lines.filter_map(|line| line.parse().ok()).collect()
}

/// All but that one.
pub fn others(workspace: &Workspace, engine: EngineName) -> Vec<EngineName> {
    let mut engines = engines(workspace);
    engines.retain(|one| *one != engine);
    engines
}

/// That one was chosen last.
pub fn add(workspace: &Workspace, engine: EngineName) -> Result<()> {
    let mut engines = others(workspace, engine);
    engines.push(engine);
    write(workspace, &engines)
}

/// There is none on that one any more; returns those that are left.
pub fn remove(workspace: &Workspace, engine: EngineName) -> Result<Vec<EngineName>> {
    let others = others(workspace, engine);
    if !file(workspace).exists() {
        return Ok(others);
    }
    if others.is_empty() {
        fs::remove_file(file(workspace)).context("forgetting the engine of the lab")?;
    } else {
        write(workspace, &others)?;
    }
    Ok(others)
}

/// The option that a command needs to mean the engine that was asked for: none where
/// it is meant without, since lab.toml declares it or it was chosen last.
pub fn option(
    workspace: &Workspace,
    declared: EngineChoice,
    asked: Option<EngineChoice>,
) -> Option<String> {
    let asked = asked?.named()?;
    // Where there is no lab yet, it depends on Docker.
    let meant = declared.named().or_else(|| engines(workspace).pop());
    (meant != Some(asked)).then(|| format!("--engine {asked}"))
}

fn file(workspace: &Workspace) -> PathBuf {
    workspace.lab_state().join("engine")
}

fn write(workspace: &Workspace, engines: &[EngineName]) -> Result<()> {
    let lines = engines.iter().map(|one| format!("{one}\n"));
    workspace::write_file(&file(workspace), &lines.collect::<String>())
}
