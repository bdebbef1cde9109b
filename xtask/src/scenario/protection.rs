//! The lab under another protection than the declared one, for as long as a
//! drill compares them: the declarations are copied with one value changed, and
//! the engines apply the copy while it is there.

use std::fs;

use anyhow::{Context as _, Result};

use crate::config::Protection;
use crate::context::Context;
use crate::engine::Engine;
use crate::failure::Failure;
use crate::manifests;
use crate::scenario::outage;
use crate::wait;

const KEY: &str = "PRA_JOURNAL:";

impl Protection {
    /// As `/status` says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Snapshot => "snapshot",
            Self::Journal => "journal",
        }
    }

    fn value(self) -> &'static str {
        match self {
            Self::Snapshot => "\"off\"",
            Self::Journal => "required",
        }
    }
}

/// Puts the lab under a protection, with a new base for it.
pub fn switch(ctx: &Context, engine: &dyn Engine, protection: Protection) -> Result<()> {
    let step = ctx.ui.step(format!("protection: {}", protection.name()));
    let copy = manifests::substitute(&ctx.lab.root);
    let shown = format!("PRA_JOURNAL={} in a copy of k8s/", protection.value());
    if ctx.exec.change(&format!("# {shown}")) {
        write_copy(ctx, protection).with_context(|| format!("writing {}", copy.display()))?;
    }
    restart(ctx, engine)?;
    step.done("in force, with a new base");
    Ok(())
}

/// Puts the lab back under the declared protection, where it is not.
pub fn put_back(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let copy = manifests::substitute(&ctx.lab.root);
    if !copy.exists() {
        return Ok(());
    }
    let step = ctx.ui.step("the declared protection");
    if ctx.exec.change(&format!("rm -r {}", copy.display())) {
        fs::remove_dir_all(&copy).with_context(|| format!("removing {}", copy.display()))?;
    }
    restart(ctx, engine)?;
    step.done("back in force");
    Ok(())
}

/// Replicas read their settings when they start; the protection that begins
/// needs a point of its own to begin from.
fn restart(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::stop_everything(ctx, engine)?;
    engine.apply()?;
    if !ctx.exec.dry_run() {
        wait::until(wait::APP_READY, || {
            let facts = engine.facts()?;
            let ready = facts.wanted > 0 && facts.ready() >= facts.wanted as usize;
            Ok(ready.then_some(()))
        })?;
    }
    engine.suspend_backups(false)?;
    outage::verified_backup(ctx, engine)
}

fn write_copy(ctx: &Context, protection: Protection) -> Result<()> {
    let copy = manifests::substitute(&ctx.lab.root);
    // A copy that is not whole must not be taken for one.
    let aside = copy.with_extension(format!("{}.tmp", std::process::id()));
    if aside.exists() {
        fs::remove_dir_all(&aside)?;
    }
    fs::create_dir_all(&aside)?;
    let mut changed = 0;
    for entry in fs::read_dir(ctx.lab.root.join("k8s"))? {
        let path = entry?.path();
        let text = fs::read_to_string(&path)?;
        changed += text.matches(KEY).count();
        let name = path.file_name().unwrap_or_default();
        fs::write(aside.join(name), with_value(&text, protection.value()))?;
    }
    if changed != 1 {
        return Err(Failure::usage(format!(
            "k8s/ states {KEY} {changed} times; it has to be stated once"
        ))
        .next("git diff k8s/")
        .into());
    }
    if copy.exists() {
        fs::remove_dir_all(&copy)?;
    }
    Ok(fs::rename(aside, copy)?)
}

fn with_value(text: &str, value: &str) -> String {
    let lines = text.lines().map(|line| match line.split_once(KEY) {
        Some((indent, _)) => format!("{indent}{KEY} {value}\n"),
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_value_changes_and_nothing_else() {
        let text = include_str!("../../../k8s/05-config.yaml");
        let off = with_value(text, Protection::Snapshot.value());
        assert!(off.contains("  PRA_JOURNAL: \"off\"\n"), "{off}");
        assert_eq!(off.lines().count(), text.lines().count());
        assert_eq!(with_value(&off, Protection::Journal.value()), text);
    }
}
