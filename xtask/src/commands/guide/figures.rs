//! Figures in the guide's text: what stands between `<!-- mesure: … -->` and
//! `<!-- /mesure -->` is written from the committed measurements, and nobody types it.
//!
//! `<!-- mesure: FILE /pointer -->` is one number (a JSON pointer, RFC 6901), `tableau FILE`
//! a table, `provenance FILE` a sentence on what made it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;
use terms::tr;

use super::committed::{COMPONENTS, RECOVERY, ROBUST, read};
use super::tables;
use crate::context::Context;
use crate::failure::Failure;
use crate::workspace;

const OPENING: &str = "<!-- mesure: ";
const OPENED: &str = " -->";
const CLOSING: &str = "<!-- /mesure -->";

pub fn run(ctx: &Context, check: bool) -> Result<()> {
    let mut measured = Measured::default();
    let mut differing = Vec::new();
    for path in pages(&ctx.workspace.root)? {
        let text = fs::read_to_string(&path)?;
        let name = path.display().to_string();
        let (filled, changes) = fill(&text, &mut |asked| {
            measured.said(&ctx.workspace.root, asked)
        })
        .with_context(|| name.clone())?;
        differing.extend(
            changes
                .into_iter()
                .map(|change| format!("{name}: {change}")),
        );
        if !check && filled != text && ctx.exec.change(&format!("# {name}")) {
            workspace::write_file(&path, &filled)?;
        }
    }
    if ctx.ui.json() {
        ctx.ui
            .document(&serde_json::json!({"differing": differing}))?;
    } else {
        for one in &differing {
            ctx.ui.say(one);
        }
    }
    if check && !differing.is_empty() {
        let count = differing.len();
        let said = tr!(
            "{count} figures of the text are not those of docs/atelier/mesures",
            "{count} chiffres du texte ne sont pas ceux de docs/atelier/mesures"
        );
        return Err(Failure::promise(said)
            .next("cargo xtask guide figures")
            .into());
    }
    Ok(())
}

/// The pages of the guide.
fn pages(root: &Path) -> Result<Vec<PathBuf>> {
    let folder = root.join("docs/atelier");
    let entries = fs::read_dir(&folder).with_context(|| format!("listing {}", folder.display()))?;
    let pages = entries.filter_map(|entry| Some(entry.ok()?.path()));
    let mut pages: Vec<PathBuf> = pages
        .filter(|path| path.extension().is_some_and(|one| one == "md"))
        .collect();
    pages.push(root.join("README.fr.md"));
    pages.sort();
    Ok(pages)
}

/// The measurements that were read so far.
#[derive(Default)]
struct Measured(BTreeMap<String, Value>);

impl Measured {
    fn file(&mut self, root: &Path, name: &str) -> Result<&Value> {
        if !self.0.contains_key(name) {
            self.0.insert(name.to_owned(), read(root, name)?);
        }
        Ok(&self.0[name])
    }

    /// What is to stand where `asked` is asked for.
    fn said(&mut self, root: &Path, asked: &str) -> Result<String> {
        match asked.split_once(' ') {
            Some(("tableau", COMPONENTS)) => tables::components(self.file(root, COMPONENTS)?),
            Some(("tableau", RECOVERY)) => tables::recovery(self.file(root, RECOVERY)?),
            Some(("tableau", ROBUST)) => tables::robust(self.file(root, ROBUST)?),
            Some(("provenance", name)) => tables::provenance(self.file(root, name)?),
            Some((name, pointer)) => {
                let found = self.file(root, name)?.pointer(pointer);
                tables::number(found.with_context(|| format!("there is no {asked}"))?)
            }
            None => anyhow::bail!("{asked:?} is no measurement"),
        }
    }
}

/// The text with every marked place filled, and what was different there.
fn fill(text: &str, said: &mut dyn FnMut(&str) -> Result<String>) -> Result<(String, Vec<String>)> {
    let (mut filled, mut changes, mut rest) = (String::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once(OPENING) {
        let (asked, after) = after.split_once(OPENED).context("a mark without its end")?;
        let (old, after) = after
            .split_once(CLOSING)
            .with_context(|| format!("{asked} is not closed"))?;
        let new = said(asked)?;
        // A table needs lines of its own.
        let new = if new.contains('\n') || old.contains('\n') {
            format!("\n\n{}\n\n", new.trim())
        } else {
            new
        };
        if new != old {
            changes.push(format!("{asked}: {:?} -> {:?}", old.trim(), new.trim()));
        }
        filled.push_str(&format!("{before}{OPENING}{asked}{OPENED}{new}{CLOSING}"));
        rest = after;
    }
    anyhow::ensure!(
        !rest.contains(CLOSING),
        "a place is closed that was not opened"
    );
    filled.push_str(rest);
    Ok((filled, changes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filled(text: &str) -> Result<(String, Vec<String>)> {
        fill(text, &mut |asked| Ok(asked.to_uppercase()))
    }

    #[test]
    fn a_marked_place_is_filled_and_nothing_else_is_touched() {
        let text = "a <!-- mesure: x /y -->1<!-- /mesure --> s, b";
        let (new, changes) = filled(text).unwrap();
        assert_eq!(new, "a <!-- mesure: x /y -->X /Y<!-- /mesure --> s, b");
        assert_eq!(changes, ["x /y: \"1\" -> \"X /Y\""]);
        assert_eq!(filled(&new).unwrap(), (new.clone(), Vec::new()));
    }

    #[test]
    fn a_mark_that_is_not_closed_is_no_text() {
        assert!(filled("<!-- mesure: x -->1").is_err());
        assert!(filled("1<!-- /mesure -->").is_err());
    }
}
