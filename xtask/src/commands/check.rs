//! `check`: marks works against the workshops' own schemes, each on a lab of its own.

mod work;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context as _, Result};
use serde_json::json;
use terms::{EngineName, tr};

use crate::cli::CheckArgs;
use crate::context::Context;
use crate::engine::select;
use crate::failure::Failure;
use crate::marking::marked::Marked;
use crate::marking::show;
use crate::wait;
use crate::workspace;
use work::Marking;

/// What is written beside a page: the table, and the document.
const BESIDE: [&str; 2] = ["csv", "json"];

pub fn run(ctx: &Context, args: &CheckArgs) -> Result<()> {
    let engine = engine(ctx)?;
    if let Some(page) = &args.page {
        insist_on_new_files(page)?;
    }
    let works = works(ctx, args)?;
    consent(ctx, &works, engine)?;
    if ctx.exec.dry_run() {
        for work in &works {
            show_plan(ctx, work, engine);
        }
        return Ok(());
    }
    let _lock = ctx.lock("check")?;
    let mut all = Vec::new();
    let mut failed = Vec::new();
    for work in &works {
        let shown = work.display();
        ctx.ui
            .note(&tr!("Marking {shown} …", "Notation de {shown} …"));
        let marked = Marking::begin(ctx, work, engine, args.base.as_deref());
        match marked.and_then(Marking::mark) {
            Ok(marked) => all.push(marked),
            Err(error) => {
                wait::check_interrupt()?;
                // One of thirty that cannot be read keeps no other from its mark.
                ctx.ui.warn(&show::harmless(&format!("{error:#}")));
                failed.push((shown.to_string(), error));
            }
        }
    }
    if !all.is_empty() {
        tell(ctx, args, &all, &failed)?;
    }
    match failed.pop() {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Where the works are tried: on a lab of their own, which a cluster of others is no place for.
fn engine(ctx: &Context) -> Result<EngineName> {
    let engine = select(ctx)?.name();
    if engine != EngineName::Kubernetes {
        return Ok(engine);
    }
    Err(Failure::usage(tr!(
        "works are marked on a lab of their own, not on a cluster that others use",
        "les travaux sont notés sur un lab à part, pas sur un cluster que d'autres utilisent",
    ))
    .next("cargo xtask check --engine k3d DIR")
    .into())
}

/// The page, and what comes beside it: before anything is marked.
fn insist_on_new_files(page: &Path) -> Result<()> {
    let beside = BESIDE.map(|extension| page.with_extension(extension));
    if beside.iter().any(|file| file == page) {
        let said = tr!(
            "{page} is to be a page, and the table or the document beside it would have its name",
            "{page} doit être une page, et le tableau ou le document à côté porterait son nom",
            page = page.display()
        );
        let next = crate::exec::quote_path(&page.with_extension("html"));
        let next = format!("cargo xtask check --page {next}");
        return Err(Failure::usage(said).next(next).into());
    }
    workspace::insist_on_new(page)?;
    beside
        .iter()
        .try_for_each(|file| workspace::insist_on_new(file))
}

/// The works that were named; this checkout otherwise.
fn works(ctx: &Context, args: &CheckArgs) -> Result<Vec<PathBuf>> {
    if args.works.is_empty() {
        return Ok(vec![work::find(&ctx.workspace.root)?]);
    }
    let named = args.works.iter();
    named.map(|work| work::find(work)).collect()
}

/// What is handed in is somebody's program: it is run only where that is wanted.
fn consent(ctx: &Context, works: &[PathBuf], engine: EngineName) -> Result<()> {
    let ours = work::find(&ctx.workspace.root)?;
    let others = works.iter().filter(|work| **work != ours).count();
    if others == 0 || engine != EngineName::K3d {
        return Ok(());
    }
    ctx.confirm(&tr!(
        "Works of others to build with their Packer templates and to deploy with their Ansible \
         playbooks, which run on this machine with your rights (scripts and Makefiles are read, \
         and not run): {others}.",
        "Travaux d'autres personnes à construire par leurs modèles Packer et à déployer par leurs \
         playbooks Ansible, qui s'exécutent sur cette machine avec vos droits (les scripts et \
         Makefile sont lus, et non exécutés) : {others}."
    ))
}

fn show_plan(ctx: &Context, work: &Path, engine: EngineName) {
    let shown = crate::exec::quote_path(work);
    let lines = [
        tr!(
            "# {shown}: cloned into .lab/check, its history and texts read",
            "# {shown} : cloné dans .lab/check, son historique et ses textes lus"
        ),
        tr!(
            "# a lab of its own on {engine}, used, broken, restored, and removed",
            "# un lab à lui sur {engine}, utilisé, cassé, restauré, puis retiré"
        ),
    ];
    for line in lines {
        ctx.exec.show(&line);
    }
}

/// The sheets on the terminal, the page, the table, the document.
fn tell(
    ctx: &Context,
    args: &CheckArgs,
    all: &[Marked],
    failed: &[(String, anyhow::Error)],
) -> Result<()> {
    let folder = ctx.workspace.marks();
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let stamp = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let stamp = stamp.replace(':', "-");
    let page = args.page.clone();
    let page = page.unwrap_or_else(|| folder.join(format!("{stamp}.html")));
    let [csv, json] = BESIDE.map(|extension| page.with_extension(extension));
    let not_marked = failed
        .iter()
        .map(|(work, error)| (work.clone(), format!("{error:#}")));
    let not_marked: BTreeMap<String, String> = not_marked.collect();
    let document = json!({"page": page, "csv": csv, "works": all, "not_marked": not_marked});
    workspace::write_file(&page, &show::page::page(all, &not_marked))?;
    workspace::write_file(&csv, &show::csv(all))?;
    let text = serde_json::to_string_pretty(&document).context("spelling out the marking")?;
    workspace::write_file(&json, &text)?;
    for marked in all {
        for line in show::lines(marked) {
            ctx.ui.say(&line);
        }
        ctx.ui.say("");
    }
    if all.len() > 1 {
        let head = show::head();
        let head: Vec<&str> = head.iter().map(String::as_str).collect();
        let rows: Vec<Vec<String>> = all.iter().map(show::row).collect();
        ctx.ui.table(&head, &rows);
    }
    for (work, why) in &not_marked {
        let (work, why) = (show::harmless(work), show::harmless(why));
        ctx.ui.say(&tr!(
            "not marked: {work}: {why}",
            "non noté : {work} : {why}"
        ));
    }
    let (page, csv) = (page.display(), csv.display());
    ctx.ui.say(&tr!(
        "For the teacher: {page} (table: {csv})",
        "Pour l'enseignant : {page} (tableau : {csv})"
    ));
    if ctx.ui.json() {
        return ctx.ui.document(&document);
    }
    Ok(())
}
