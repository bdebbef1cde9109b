//! The folders under `.lab/runs/`: one for each scenario and each drill, named
//! after its moment, and no more of them than `keep.runs` of lab.toml says.

pub mod figures;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use terms::tr;

use crate::context::Context;
use crate::exec::quote;
use crate::failure::Failure;
use crate::game;
use crate::marker::{self, Needing};
use crate::workspace::Workspace;

/// A folder for a run of its own, and the moment in its name. The oldest beyond
/// the bound go; the caller has the lab's lock.
pub fn create(ctx: &Context, what: &str) -> Result<(String, PathBuf)> {
    bound(ctx)?;
    let now = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let stamp = now.replace([':', '.'], "-");
    let folder = ctx.workspace.runs().join(format!("{stamp}-{what}"));
    fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    Ok((stamp, folder))
}

/// Makes room for one more.
fn bound(ctx: &Context) -> Result<()> {
    let keep = ctx.config.keep.runs();
    for folder in beyond(&ctx.workspace, keep)? {
        remove(ctx, &folder)?;
        ctx.ui.note(&tr!(
            "{name} was removed: lab.toml keeps {keep} runs",
            "{name} a été supprimée : lab.toml garde {keep} exécutions",
            name = name_of(&folder),
        ));
    }
    Ok(())
}

/// The oldest folders that one more would be too many for, but for those that hold
/// what a scenario has to come back from.
fn beyond(workspace: &Workspace, keep: usize) -> Result<Vec<PathBuf>> {
    let mut all = folders(&workspace.runs())?;
    all.truncate((all.len() + 1).saturating_sub(keep));
    let mut going = Vec::new();
    for folder in all {
        let game = game::needing(workspace, &name_of(&folder))?;
        if marker::needing(workspace, &folder)?.is_none() && game.is_none() {
            going.push(folder);
        }
    }
    Ok(going)
}

/// The folders of runs, the oldest first: their names begin with their time.
pub fn folders(runs: &Path) -> Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(runs) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("listing {}", runs.display())),
    };
    let mut found: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.is_dir() && is_stamped(&name_of(path)))
        .collect();
    found.sort();
    Ok(found)
}

/// Whether a name is one that this program gives: what else lies there is
/// somebody's own.
fn is_stamped(name: &str) -> bool {
    let shape = "0000-00-00T00-00-00-000Z-";
    let fits = |(is, should): (char, char)| match should {
        '0' => is.is_ascii_digit(),
        other => is == other,
    };
    name.len() > shape.len() && name.chars().zip(shape.chars()).all(fits)
}

pub fn name_of(folder: &Path) -> String {
    let name = folder.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}

/// Refuses a run whose folder holds what a scenario has to come back from: it may
/// be the only copy of the database.
pub fn insist_on_unneeded(workspace: &Workspace, folder: &Path) -> Result<()> {
    if let Some(game) = game::needing(workspace, &name_of(folder))? {
        let said = tr!(
            "{name} is the game day that goes on since {since}",
            "{name} est le game day en cours depuis {since}",
            name = name_of(folder),
            since = game.since
        );
        let next = format!("cargo xtask --engine {} gameday abort", game.engine);
        return Err(Failure::usage(said).next(next).into());
    }
    let Some(Needing { lab, engine, left }) = marker::needing(workspace, folder)? else {
        return Ok(());
    };
    let said = tr!(
        "{name} holds the copy that the lab {lab} on {engine} has to come back from: scenario \
         {scenario} of {since} was interrupted",
        "{name} contient la copie dont le lab {lab} sur {engine} doit revenir : le scénario \
         {scenario} de {since} a été interrompu",
        name = name_of(folder),
        scenario = left.scenario,
        since = left.since,
    );
    let next = tr!(
        "cargo xtask --lab {lab} --engine {engine} setup, which adopts it",
        "cargo xtask --lab {lab} --engine {engine} setup, qui l'adopte",
    );
    Err(Failure::usage(said).next(next).into())
}

/// Removes a run for good; shown only in a dry run.
pub fn remove(ctx: &Context, folder: &Path) -> Result<()> {
    insist_on_unneeded(&ctx.workspace, folder)?;
    let shell = format!("rm -r {}", quote(&folder.to_string_lossy()));
    if ctx.exec.change(&shell) {
        fs::remove_dir_all(folder).with_context(|| format!("removing {}", folder.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::next;
    use terms::{EngineName, LabName, ScenarioName};

    #[test]
    fn the_run_with_the_only_copy_of_a_database_stays() {
        let root = std::env::temp_dir().join(format!("xtask-runs-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        let workspace = Workspace::at(root);
        workspace.create().unwrap();
        let run = |day: u32, what: &str| {
            let name = format!("2026-11-0{day}T08-08-59-158Z-{what}");
            let folder = workspace.runs().join(name);
            fs::create_dir(&folder).unwrap();
            folder
        };
        let [needed, old] = [run(1, "cluster-loss"), run(2, "volume-loss")];
        run(3, "volume-loss");
        let mark = marker::begin(&workspace, EngineName::K3d, ScenarioName::ClusterLoss).unwrap();
        mark.comes_back_from(&needed.join("copy.tar")).unwrap();
        assert_eq!(beyond(&workspace, 2).unwrap(), std::slice::from_ref(&old));
        insist_on_unneeded(&workspace, &old).unwrap();
        // Each lab sees the runs of all.
        for lab in LabName::ALL {
            let workspace = Workspace::of(workspace.root.clone(), *lab);
            assert_eq!(beyond(&workspace, 2).unwrap(), std::slice::from_ref(&old));
            let refused = insist_on_unneeded(&workspace, &needed).unwrap_err();
            assert!(refused.to_string().contains(&name_of(&needed)), "{refused}");
            assert!(
                next(&refused)
                    .unwrap()
                    .starts_with("cargo xtask --lab pra --engine k3d setup")
            );
        }
        mark.done().unwrap();
        assert_eq!(beyond(&workspace, 2).unwrap(), [needed, old]);
        fs::remove_dir_all(&workspace.root).unwrap();
    }

    #[test]
    fn only_folders_that_were_named_here_are_runs() {
        assert!(is_stamped("2026-11-24T08-08-59-158Z-volume-loss"));
        for other in [
            "index.html",
            "my notes",
            "2026-11-24",
            "2026-11-24T08-08-59-158Z-",
        ] {
            assert!(!is_stamped(other), "{other}");
        }
    }
}
