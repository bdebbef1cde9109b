//! `offsite`: the encrypted copies elsewhere, and the key that opens them.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Result;
use serde_json::json;
use terms::lang::{Both, both, moment};
use terms::tr;

use crate::app::Document;
use crate::cli::{OffsiteAction, Reading};
use crate::commands::setup;
use crate::config::Destination;
use crate::context::Context;
use crate::copy::elsewhere::{self, History, Pushed, Verified};
use crate::copy::pruned::{Pruned, Pruning};
use crate::exec::quote_path;
use crate::failure::Failure;
use crate::offsite::{self, store};

pub fn run(ctx: &Context, action: OffsiteAction) -> Result<()> {
    match action {
        OffsiteAction::Keygen => keygen(ctx),
        OffsiteAction::List => list(ctx),
        OffsiteAction::Push { all_points, anew } => {
            let options = [(all_points, "--all-points"), (anew, "--anew")];
            let asked = options.into_iter().filter(|(asked, _)| *asked);
            push(ctx, &asked.map(|(_, option)| option).collect::<Vec<_>>())
        }
        OffsiteAction::Verify {
            all,
            sample,
            reading,
        } => match all {
            true => verify(ctx, &reading, &["--all"]),
            false => verify(ctx, &reading, &["--sample", &sample.to_string()]),
        },
        OffsiteAction::Prune { reading } => prune(ctx, &reading),
    }
}

fn keygen(ctx: &Context) -> Result<()> {
    let file = offsite::key(&ctx.workspace);
    let there = offsite::public_key(&ctx.workspace)?;
    let made = there.is_none();
    let public = match there {
        Some(public) => public,
        None => {
            ctx.packages("offsite keygen", &ctx.venv())?;
            let shown = format!("cargo xtask offsite keygen # {}", quote_path(&file));
            if !ctx.exec.change(&shown) {
                return Ok(());
            }
            ctx.workspace.create()?;
            ctx.workspace.create_private_folder(&ctx.workspace.keys())?;
            elsewhere::keygen(ctx, &file)?
        }
    };
    if ctx.config.offsite.destination() == Some(Destination::Embedded) && !ctx.exec.dry_run() {
        // Of the lab's own store, who may do what.
        store::ensure(&ctx.workspace)?;
    }
    let name = file.display();
    if ctx.ui.json() {
        let status = if made { "made" } else { "kept" };
        return ctx
            .ui
            .document(&json!({"status": status, "public": public, "file": file}));
    }
    ctx.ui.say(&match made {
        true => tr!(
            "The private key is in {name}. Copies are encrypted for {public}.",
            "La clé privée est dans {name}. Les copies sont chiffrées pour {public}.",
        ),
        false => tr!(
            "There is a private key already, which stays: {name}. Copies are encrypted for \
             {public}.",
            "Il y a déjà une clé privée, qui reste : {name}. Les copies sont chiffrées pour \
             {public}.",
        ),
    });
    ctx.ui.say(
        both(
            "Keep a second copy of that file where this machine cannot be lost with it: without it \
             no copy can be read, and who has it can read all of them.",
            "Gardez un double de ce fichier là où il ne peut pas être perdu avec cette machine : \
             sans lui, aucune copie n'est lisible, et qui l'a peut toutes les lire.",
        )
        .text(),
    );
    Ok(())
}

fn list(ctx: &Context) -> Result<()> {
    // Who reads may have to run the store, and two of them would have the same data.
    let _lock = ctx.lock("offsite list")?;
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    let said = elsewhere::list(ctx)?;
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
        return Ok(());
    }
    let found = said.value;
    if found.histories.is_empty() {
        ctx.ui.say(&tr!(
            "There are no copies in {place}.",
            "Il n'y a pas de copie dans {place}.",
            place = found.place,
        ));
        return Ok(());
    }
    let headers = [
        both("history", "histoire"),
        Both::same("points"),
        both("newest point (UTC)", "dernier point (UTC)"),
        both("segments of the journal", "segments du journal"),
        both("bytes", "octets"),
    ];
    let rows: Vec<Vec<String>> = found.histories.iter().map(row).collect();
    ctx.ui.table(&headers.map(Both::text), &rows);
    for one in &found.histories {
        let points = one.points.join(" ");
        ctx.ui.say(&format!("{}: {points}", one.short()));
    }
    ctx.ui.say(
        both(
            "  next: cargo xtask offsite verify",
            "  ensuite : cargo xtask offsite verify",
        )
        .text(),
    );
    Ok(())
}

fn row(one: &History) -> Vec<String> {
    vec![
        one.short().to_owned(),
        one.points.len().to_string(),
        one.newest.as_deref().map(moment).unwrap_or_default(),
        one.segments.to_string(),
        one.bytes.to_string(),
    ]
}

fn push(ctx: &Context, options: &[&str]) -> Result<()> {
    let _lock = ctx.lock("offsite push")?;
    let engine = setup::bring_up(ctx)?;
    let step = ctx.ui.step(tr!("copy elsewhere", "copie ailleurs"));
    let Some(said) = elsewhere::push(engine.as_ref(), options)? else {
        step.done(tr!("shown", "montré"));
        return Ok(());
    };
    let pushed = &said.value;
    step.done(match pushed.faults.is_empty() {
        true => tr!("whole", "entière"),
        false => tr!("INCOMPLETE", "INCOMPLÈTE"),
    });
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
    } else {
        tell(ctx, pushed);
    }
    match pushed.faults.first() {
        None => Ok(()),
        Some(fault) => Err(Failure::promise(tr!(
            "not everything was copied: {fault}",
            "tout n'a pas été copié : {fault}",
        ))
        .next("cargo xtask status")
        .into()),
    }
}

fn tell(ctx: &Context, pushed: &Pushed) {
    ctx.ui.say(&tr!(
        "{place}: {objects} objects were sent, {bytes} bytes. Points: {points}",
        "{place} : {objects} objets envoyés, {bytes} octets. Points : {points}",
        place = pushed.place,
        objects = pushed.objects,
        bytes = pushed.bytes,
        points = pushed.points.join(", "),
    ));
    if let Some(lock) = &pushed.lock {
        ctx.ui.warn(&tr!(
            "whoever has the credentials of the lab can remove these copies: {lock}",
            "qui a les identifiants du lab peut supprimer ces copies : {lock}",
        ));
    }
}

fn verify(ctx: &Context, reading: &Reading, options: &[&str]) -> Result<()> {
    let _lock = ctx.lock("offsite verify")?;
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    let step = ctx.ui.step(tr!(
        "newest copy, opened and restored aside",
        "dernière copie, ouverte et restaurée à part",
    ));
    let said = elsewhere::verify(ctx, reading, options)?;
    let found = &said.value;
    step.done(match found.ok {
        true => tr!("whole", "entière"),
        false => tr!("DAMAGED", "ENDOMMAGÉE"),
    });
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
    } else {
        tell_verified(ctx, found);
    }
    if found.ok {
        return Ok(());
    }
    Err(Failure::promise(tr!(
        "the copies elsewhere are damaged: {fault}",
        "les copies ailleurs sont endommagées : {fault}",
        fault = found.first_fault(),
    ))
    .next("cargo xtask offsite push")
    .into())
}

fn tell_verified(ctx: &Context, found: &Verified) {
    let short = elsewhere::short(&found.history);
    for point in &found.points {
        let state = point.reason.as_deref();
        let state = state.unwrap_or(both("sound", "sain").text());
        ctx.ui.say(&format!("{}  {state}", point.name));
    }
    if let Some(latest) = &found.latest {
        ctx.ui.say(&tr!(
            "The key opens the copies {short}: the newest moment has {rows} rows.",
            "La clé ouvre les copies {short} : le dernier instant a {rows} lignes.",
            rows = latest.rows,
        ));
    }
    for fault in &found.faults {
        ctx.ui.warn(fault);
    }
    if let Some(proven) = found.proven {
        let since = UNIX_EPOCH + Duration::from_secs_f64(proven.max(0.0));
        let since = humantime::format_rfc3339_seconds(since).to_string();
        ctx.ui.say(&tr!(
            "The proof of {since} is noted beside the copies, where the lab reads it.",
            "La preuve du {since} est notée à côté des copies, où le lab la lit.",
            since = moment(&since),
        ));
    } else if let Some(why) = &found.unnoted {
        ctx.ui.warn(&tr!(
            "the proof is not noted beside the copies, so that the lab goes on to ask for one: {why}",
            "la preuve n'est pas notée à côté des copies, et le lab continuera d'en demander une : \
             {why}",
        ));
    }
}

fn prune(ctx: &Context, reading: &Reading) -> Result<()> {
    let _lock = ctx.lock("offsite prune")?;
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    let pruning = Pruning::begin(ctx, reading)?;
    let pruned = look_and_prune(ctx, &pruning);
    pruning.end();
    let Some(said) = pruned? else {
        return Ok(());
    };
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
    }
    said.value.insist_on_no_fault()
}

/// Removes what goes by the rules, once somebody has agreed to it; `None` in a dry run.
fn look_and_prune(ctx: &Context, pruning: &Pruning) -> Result<Option<Document<Pruned>>> {
    let step = ctx
        .ui
        .step(tr!("copies looked through", "copies parcourues"));
    let planned = pruning.plan()?;
    let what = planned.value.told();
    step.done(tr!("{what} to remove", "à supprimer : {what}"));
    if planned.value.objects == 0 {
        ctx.ui.say(&tr!(
            "Nothing in {place} has to go.",
            "Rien ne doit partir de {place}.",
            place = pruning.place(),
        ));
        return Ok(Some(planned));
    }
    for point in &planned.value.points {
        ctx.ui.note(point);
    }
    ctx.confirm(&tr!(
        "This removes copies in {place} for good: {what}. What a lock holds stays.",
        "Ceci supprime définitivement des copies de {place} : {what}. Ce qu'un verrou tient reste.",
        place = pruning.place(),
    ))?;
    let Some(said) = pruning.remove()? else {
        return Ok(None);
    };
    let (what, held) = (said.value.told(), &said.value.held);
    ctx.ui.say(&tr!("Removed: {what}.", "Supprimé : {what}."));
    if held.objects > 0 {
        ctx.ui.say(&tr!(
            "A lock holds {objects} objects, {bytes} bytes, until {until} at the latest: they go the \
             next time after that.",
            "Un verrou tient {objects} objets, {bytes} octets, jusqu'au {until} au plus tard : ils \
             partiront la fois suivante.",
            objects = held.objects,
            bytes = held.bytes,
            until = held.until.as_deref().map(moment).unwrap_or_default(),
        ));
    }
    Ok(Some(said))
}
