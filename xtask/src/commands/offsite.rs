//! `offsite`: the encrypted copies elsewhere, and the key that opens them.

use std::time::{Duration, UNIX_EPOCH};

use anyhow::Result;
use serde::Serialize;
use serde_json::{Value, json};
use terms::lang::{self, Both, both, moment};
use terms::tr;

use crate::app::Document;
use crate::cli::{OffsiteAction, Reading};
use crate::commands::setup;
use crate::config::Destination;
use crate::context::Context;
use crate::copy::elsewhere::{self, History, Pushed, Verified};
use crate::copy::pruned::{Pruned, Pruning};
use crate::engine;
use crate::exec::quote_path;
use crate::failure::Failure;
use crate::offsite::{self, store};

/// The word that copies are for the keys that are stated now.
const SAME_KEYS: &str = "--same-keys";

pub fn run(ctx: &Context, action: OffsiteAction) -> Result<()> {
    match action {
        OffsiteAction::Keygen => keygen(ctx),
        OffsiteAction::List => list(ctx),
        OffsiteAction::Push {
            all_points,
            anew,
            same_keys,
        } => {
            let options = [
                (all_points, "--all-points"),
                (anew, "--anew"),
                (same_keys, SAME_KEYS),
            ];
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
    let status = match (&there, file.exists()) {
        (None, _) => Key::Made,
        (Some(_), true) => Key::Kept,
        (Some(_), false) => Key::KeptElsewhere,
    };
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
    if !ctx.exec.dry_run() {
        offsite::keep_public_key(&ctx.workspace, &public)?;
    }
    if ctx.config.offsite.destination() == Some(Destination::Embedded) && !ctx.exec.dry_run() {
        // Of the lab's own store, who may do what.
        store::ensure(&ctx.workspace)?;
    }
    if ctx.ui.json() {
        return ctx
            .ui
            .document(&json!({"status": status, "public": public, "file": file}));
    }
    say_where_the_key_is(ctx, status, &public);
    Ok(())
}

/// What became of the private key.
#[derive(Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Key {
    Made,
    Kept,
    /// The public one alone is there.
    KeptElsewhere,
}

fn say_where_the_key_is(ctx: &Context, key: Key, public: &str) {
    let file = offsite::key(&ctx.workspace);
    let name = file.display();
    ctx.ui.say(&match key {
        Key::Made => tr!(
            "The private key is in {name}. Copies are encrypted for {public}.",
            "La clé privée est dans {name}. Les copies sont chiffrées pour {public}.",
        ),
        Key::KeptElsewhere => {
            ctx.ui.say(&tr!(
                "The private key is no longer in {name}: put it there, or name its file with \
                 --identity, where copies are to be read. Copies are still encrypted for {public}.",
                "La clé privée n'est plus dans {name} : remettez-la, ou nommez son fichier avec \
                 --identity, pour lire des copies. Les copies restent chiffrées pour {public}.",
            ));
            return ctx.ui.say(&tr!(
                "Where it is lost, make another one, for the copies of from now on: remove \
                 {public_file}, then cargo xtask offsite keygen.",
                "Si elle est perdue, faites-en une autre, pour les copies à venir : supprimez \
                 {public_file}, puis cargo xtask offsite keygen.",
                public_file = quote_path(&offsite::file_of_public_key(&ctx.workspace)),
            ));
        }
        Key::Kept => tr!(
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
}

fn list(ctx: &Context) -> Result<()> {
    // Who reads may have to run the store, and two of them would have the same data.
    let _lock = ctx.lock("offsite list")?;
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    let said = elsewhere::list(ctx)?;
    let own = elsewhere::own(ctx);
    if ctx.ui.json() {
        let mut document: Value = serde_json::from_str(&said.text)?;
        for one in document["histories"].as_array_mut().into_iter().flatten() {
            one["own"] = (one["history"].as_str() == own.as_deref()).into();
        }
        return ctx.ui.document(&document);
    }
    let found = said.value;
    if !found.deleted_seen {
        ctx.ui.warn(both(
            "what somebody deleted is not told: the credentials may not list versions \
             (s3:ListBucketVersions)",
            "ce que quelqu'un a supprimé n'est pas dit : les identifiants ne peuvent pas lister les \
             versions (s3:ListBucketVersions)",
        ).text());
    }
    if found.histories.is_empty() {
        ctx.ui.say(&tr!(
            "There are no copies in {place}.",
            "Il n'y a pas de copie dans {place}.",
            place = found.place,
        ));
        return Ok(());
    }
    let headers = [
        both("history", "historique"),
        Both::same("points"),
        both("newest point (UTC)", "dernier point (UTC)"),
        both("segments of the journal", "segments du journal"),
        both("bytes", "octets"),
    ];
    let rows: Vec<Vec<String>> = found.histories.iter().map(row).collect();
    ctx.ui.table(&headers.map(Both::text), &rows);
    tell_apart(ctx, &found.histories, own.as_deref());
    for one in found.histories.iter().filter(|one| !one.points.is_empty()) {
        let points = one.points.join(" ");
        ctx.ui.say(&format!("{}: {points}", one.short()));
    }
    let chosen = match (&found.histories[..], &own) {
        ([_], _) => String::new(),
        (_, Some(own)) => format!(" --history {}", elsewhere::short(own)),
        (_, None) => format!(" --history {}", both("NAME", "NOM")),
    };
    ctx.ui.say(&tr!(
        "  next: cargo xtask offsite verify{chosen}",
        "  ensuite : cargo xtask offsite verify{chosen}",
    ));
    Ok(())
}

/// Whose they are, and which of them somebody deleted.
fn tell_apart(ctx: &Context, histories: &[History], own: Option<&str>) {
    for one in histories {
        let name = one.short();
        if own == Some(one.history.as_str()) {
            ctx.ui.say(&tr!(
                "{name} are the copies of the lab that runs here.",
                "{name} : les copies du lab qui tourne ici.",
            ));
        }
        if one.hidden {
            ctx.ui.warn(&tr!(
                "{name} was deleted; the store has kept it, and adopt and verify read it",
                "{name} a été supprimée ; le stockage l'a gardée, et adopt et verify la lisent",
            ));
        }
    }
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
    elsewhere::insist_on_place(ctx)?;
    let engine = engine::select(ctx)?;
    // What copies all the time goes where this does, for the same keys.
    setup::ensure_as_declared(ctx, engine.as_ref())?;
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
        if options.contains(&SAME_KEYS) {
            ctx.ui.say(&tr!(
                "  next: cargo xtask offsite verify, which proves that they are the same",
                "  ensuite : cargo xtask offsite verify, qui prouve que ce sont les mêmes",
            ));
        }
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
    let points = match pushed.points.is_empty() {
        true => both("none yet", "aucun encore").into(),
        false => pushed.points.join(", "),
    };
    ctx.ui.say(&tr!(
        "{place}: {objects} object{s} sent, {bytes} bytes. Points: {points}",
        "{place} : {objects} objet{s} envoyé{s}, {bytes} octets. Points : {points}",
        place = pushed.place,
        objects = pushed.objects,
        s = lang::plural(pushed.objects),
        bytes = pushed.bytes,
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
    let Some(said) = elsewhere::verify(ctx, reading, options)? else {
        step.done(tr!("shown", "montré"));
        return Ok(());
    };
    let found = &said.value;
    step.done(match found.ok {
        true => tr!("whole", "entière"),
        false => tr!("NOT WHOLE", "INCOMPLÈTE"),
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
        "not all of the copies elsewhere can be read: {fault}",
        "les copies ailleurs ne se lisent pas toutes : {fault}",
        fault = found.first_fault(),
    ))
    .next(tr!(
        "where one is for another key, --identity names that, and nothing is removed; one that is \
         damaged is removed by the means of the store (in a folder: rm), then cargo xtask offsite \
         push sends again what the lab still has",
        "si l'une est pour une autre clé, --identity la nomme, et rien n'est supprimé ; une copie \
         endommagée se supprime par les moyens du stockage (dans un dossier : rm), puis cargo \
         xtask offsite push renvoie ce que le lab a encore",
    ))
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
            "The key opens the copies {short}: the newest moment has {rows}.",
            "La clé ouvre les copies {short} : le dernier instant a {rows}.",
            rows = lang::rows(latest.rows),
        ));
    }
    for fault in &found.faults {
        ctx.ui.warn(fault);
    }
    if let Some(proven) = found.proven {
        let since = UNIX_EPOCH + Duration::from_secs_f64(proven.max(0.0));
        let since = humantime::format_rfc3339_seconds(since).to_string();
        ctx.ui.say(&tr!(
            "The proof of {since} is noted beside the copies, where the lab reads it within a minute.",
            "La preuve du {since} est notée à côté des copies, où le lab la lit en moins d'une minute.",
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
