//! Whether the lab is recovered: its state, the service through the URL, the rows against
//! the client's ledger, and its protection. What a scenario insists on at its end.

use std::time::SystemTime;

use anyhow::{Context as _, Result};
use terms::lang::plural;
use terms::tr;

use crate::context::Context;
use crate::database::{self, Volume};
use crate::engine::Engine;
use crate::failure::next;
use crate::game::{Game, Truth};
use crate::measure::compare::{self, Rows, Verdict};
use crate::measure::ledger_file::{self, SoFar};
use crate::measure::observed::Request;
use crate::scenario::outage;
use crate::wait;

use super::excuse::Excuse;

/// Acknowledgements in a row, without a failure between them.
const SERVED: usize = 20;

/// What is still broken, in words; nothing where the lab is recovered.
pub fn broken(
    ctx: &Context,
    engine: &dyn Engine,
    game: &Game,
    truth: &Truth,
) -> Result<Vec<String>> {
    let found = state(engine, truth)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let mut found = Vec::from_iter(service(ctx, game)?);
    found.extend(rows(ctx, engine, game, truth)?);
    if found.is_empty() {
        found.extend(protection(ctx, engine));
    }
    Ok(found)
}

/// What the engine and the application say of themselves.
fn state(engine: &dyn Engine, truth: &Truth) -> Result<Vec<String>> {
    let facts = match engine.facts() {
        Ok(facts) => facts,
        Err(error) => {
            wait::check_interrupt()?;
            return Ok(vec![tr!(
                "the lab does not answer: {error:#}",
                "le lab ne répond pas : {error:#}"
            )]);
        }
    };
    let mut found = Vec::new();
    let ready = facts.ready();
    found.extend(too_few(ready, facts.wanted, truth.replicas));
    let database = database::of(engine);
    let missing = Volume::ALL.into_iter();
    for volume in missing.filter(|one| !facts.has_volume(database.claim(*one))) {
        found.push(tr!(
            "the volume {claim} is missing",
            "le volume {claim} manque",
            claim = database.claim(volume)
        ));
    }
    if facts.suspended {
        found.push(tr!(
            "backups are suspended: {resume} resumes them",
            "les sauvegardes sont suspendues : {resume} les reprend",
            resume = engine.resuming_backups()
        ));
    }
    if ready == 0 {
        return Ok(found);
    }
    match database.state(&facts.url.unwrap_or_default()) {
        Err(error) => found.push(tr!(
            "the application is in trouble: {error:#}",
            "l'application est en difficulté : {error:#}"
        )),
        Ok(state) => {
            if state.needs_restore {
                found.push(tr!(
                    "the database is gone and waits for a restore",
                    "la base de données a disparu et attend une restauration"
                ));
            }
            for volume in state.full {
                found.push(tr!(
                    "the volume {claim} is full",
                    "le volume {claim} est plein",
                    claim = database.claim(volume)
                ));
            }
        }
    }
    Ok(found)
}

/// Fewer replicas than are asked for now, or were before the game: who asks for one alone
/// has given up what the other was for.
fn too_few(ready: usize, wanted: u32, before: u32) -> Option<String> {
    let due = wanted.max(before).max(1);
    (ready < due as usize).then(|| {
        tr!(
            "{ready} of {due} replicas are ready",
            "répliques prêtes : {ready} sur {due} attendues"
        )
    })
}

/// The client's own requests, from now on.
fn service(ctx: &Context, game: &Game) -> Result<Option<String>> {
    let path = game.ledger(&ctx.workspace);
    let now = |so_far: &SoFar| so_far.at(SystemTime::now());
    let mut since = now(&ledger_file::read(&path)?);
    let served = wait::until(wait::GAMEDAY_SERVED, || {
        let so_far = ledger_file::read(&path)?;
        let (acknowledged, failed) = so_far.since(since);
        if failed > 0 {
            since = now(&so_far);
        }
        Ok((failed == 0 && acknowledged >= SERVED).then_some(()))
    });
    let Err(error) = served else {
        return Ok(None);
    };
    wait::check_interrupt()?;
    let so_far = ledger_file::read(&path)?;
    let answer = super::symptoms::Symptoms::of(&so_far, None, now(&so_far));
    let answer = answer.writes.answer.unwrap_or_else(|| format!("{error:#}"));
    Ok(Some(tr!(
        "writes through the URL fail: {answer}",
        "les écritures par l'URL échouent : {answer}"
    )))
}

/// The rows against the ledger, as it stood just before they were read.
fn rows(ctx: &Context, engine: &dyn Engine, game: &Game, truth: &Truth) -> Result<Vec<String>> {
    let before = before(ctx, game)?;
    let so_far = ledger_file::read(&game.ledger(&ctx.workspace))?;
    let excuse = Excuse::of(game, truth, &so_far)?;
    let at = so_far.at(SystemTime::now());
    let after = match database::of(engine).dump() {
        Ok(after) => after,
        Err(error) => {
            wait::check_interrupt()?;
            return Ok(vec![tr!(
                "the database cannot be read: {error:#}",
                "la base de données ne peut pas être lue : {error:#}"
            )]);
        }
    };
    // What came in between is in the ledger as sent.
    let so_far = ledger_file::read(&game.ledger(&ctx.workspace))?;
    let verdict = compare(&before, &so_far.as_of(at), &after, game);
    Ok(told(&verdict, &excuse))
}

/// Every row from before the game.
pub fn before(ctx: &Context, game: &Game) -> Result<Rows> {
    let path = game.before(&ctx.workspace);
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("reading {}", path.display()))?;
    compare::parse_dump(&text)
}

/// As for a scenario, but that others may write as well: the player tries whether it works.
pub fn compare(before: &Rows, requests: &[Request], after: &Rows, game: &Game) -> Verdict {
    let mut verdict = compare::compare(before, requests, after);
    let ours = |id: &i64| {
        let row = after.get(id);
        row.is_some_and(|row| row.message.starts_with(&game.prefix()))
    };
    verdict.phantom.retain(ours);
    verdict
}

/// What a verdict says is broken.
pub fn told(verdict: &Verdict, excuse: &Excuse) -> Vec<String> {
    let mut found = Vec::new();
    let lost = excuse.avoidable(&verdict.lost).count();
    let (phantom, changed) = (verdict.phantom.len(), verdict.changed.len());
    if lost > 0 {
        found.push(tr!(
            "{lost} acknowledged row{s} missing that could be had back",
            "{lost} ligne{s} acquittée{s} manquante{s}, alors qu'on pouvait les retrouver",
            s = plural(lost as u64)
        ));
    }
    if phantom > 0 {
        found.push(tr!(
            "{phantom} row{s} present that nobody sent",
            "{phantom} ligne{s} présente{s} que personne n'a envoyée{s}",
            s = plural(phantom as u64)
        ));
    }
    if changed > 0 {
        found.push(tr!(
            "{changed} acknowledged row{s} with another content",
            "{changed} ligne{s} acquittée{s} au contenu modifié",
            s = plural(changed as u64)
        ));
    }
    found
}

/// A new verified point and a write that is protected: without, nothing is recovered.
fn protection(ctx: &Context, engine: &dyn Engine) -> Option<String> {
    let backup = outage::verified_backup(ctx, engine);
    let proven = backup.and_then(|()| database::of(engine).prove());
    let error = proven.err()?;
    let next = next(&error).map_or_else(String::new, |next| format!(" ({next})"));
    Some(tr!(
        "the data are not protected: {error:#}{next}",
        "les données ne sont pas protégées : {error:#}{next}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_asks_for_fewer_replicas_has_not_recovered_them() {
        assert_eq!(too_few(2, 2, 2), None);
        let told = too_few(1, 1, 2).unwrap();
        assert_eq!(told, "1 of 2 replicas are ready");
        assert!(too_few(2, 3, 2).is_some(), "asked for and not there");
        assert!(too_few(0, 0, 0).is_some());
    }
}
