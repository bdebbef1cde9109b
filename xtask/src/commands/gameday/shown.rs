//! What a player and a teacher are told of a game day.

use std::path::Path;
use std::time::SystemTime;

use anyhow::Result;
use serde_json::json;
use terms::lang::{Both, both, decimal, plural};
use terms::{FaultName, tr};

use crate::context::Context;
use crate::failure::Failure;
use crate::game::{Game, Truth, What};
use crate::gameday::result;
use crate::gameday::told::GamedayResult;
use crate::gameday::{begin, faults, hints, score};

/// The rules, before the first symptoms.
pub fn intro(ctx: &Context, game: &Game) {
    let level = game.level;
    ctx.ui.say(&tr!(
        "Game day, level {level}: something is broken. Users write all along; find out what it is, \
         recover with kubectl or cargo xtask, and lose nothing.",
        "Game day, niveau {level} : quelque chose est en panne. Les utilisateurs continuent \
         d'écrire ; trouvez ce que c'est, rétablissez avec kubectl ou cargo xtask, sans rien perdre."
    ));
    let [first, second, third] = score::HINT_SECONDS.map(|price| decimal(price, 0));
    let typed = [
        (
            "status",
            tr!(
                "what users see now, and the clock",
                "ce que voient les utilisateurs, et l'horloge"
            ),
        ),
        (
            "noticed TEXT",
            tr!(
                "says that you have noticed, and what you take it for",
                "signale que vous avez constaté la panne, et ce que vous en pensez"
            ),
        ),
        (
            "hint",
            tr!(
                "buys a hint: {first}, {second}, {third} s are added to your time",
                "achète un indice : {first}, {second}, {third} s s'ajoutent à votre temps"
            ),
        ),
        (
            "done",
            tr!(
                "has the recovery verified; only then is the truth told",
                "fait vérifier le rétablissement ; alors seulement la vérité est dite"
            ),
        ),
        (
            "abort",
            tr!(
                "puts the lab back, without a result",
                "remet le lab en état, sans résultat"
            ),
        ),
    ];
    for (words, what) in typed {
        let typed = format!("cargo xtask gameday {words}");
        ctx.ui.say(&format!("  {typed:<34} {what}"));
    }
}

pub fn hints_bought(ctx: &Context, game: &Game) -> usize {
    let events = game.events(&ctx.workspace);
    let hints = events.iter().filter(|event| event.what == What::Hint);
    hints.count()
}

/// The clock, the symptoms, and the hints that were bought.
pub fn state(ctx: &Context, game: &Game) -> Result<()> {
    let symptoms = begin::symptoms(ctx, game)?;
    let bought = hints_bought(ctx, game);
    let hints: Vec<Both> = match bought {
        // Nobody opens the seal for nothing.
        0 => Vec::new(),
        _ => hints::of(&game.truth(&ctx.workspace)?.faults)[..bought].to_vec(),
    };
    let clock = seconds_since(game.struck.as_deref().unwrap_or(&game.since));
    let price = score::hint_seconds(bought);
    if ctx.ui.json() {
        let hints: Vec<&str> = hints.iter().map(|hint| hint.text()).collect();
        return ctx.ui.document(&json!({
            "over": false, "engine": game.engine, "level": game.level, "since": game.since,
            "clock_seconds": clock, "hint_seconds": price, "hints": hints, "symptoms": symptoms,
        }));
    }
    let (clock, paid) = (decimal(clock, 0), decimal(price, 0));
    ctx.ui.say(&tr!(
        "Clock: {clock} s since the disaster, and {paid} s for {bought} hint{s}.",
        "Horloge : {clock} s depuis le sinistre, et {paid} s pour {bought} indice{s}.",
        s = plural(bought as u64)
    ));
    let window = decimal(symptoms.window_seconds, 0);
    ctx.ui.say(&tr!(
        "What users saw in the last {window} s:",
        "Ce que les utilisateurs ont vu ces {window} dernières secondes :"
    ));
    for line in symptoms.told() {
        ctx.ui.say(&format!("  {line}"));
    }
    for (number, hint) in hints.iter().enumerate() {
        ctx.ui.say(&hint_line(number, hint));
    }
    Ok(())
}

fn seconds_since(wall: &str) -> f64 {
    let at = humantime::parse_rfc3339(wall).unwrap_or(SystemTime::UNIX_EPOCH);
    let passed = SystemTime::now().duration_since(at).unwrap_or_default();
    (passed.as_secs_f64() * 10.0).round() / 10.0
}

fn hint_line(number: usize, hint: &Both) -> String {
    let number = number + 1;
    tr!("Hint {number}: {hint}", "Indice {number} : {hint}")
}

/// The hint that was just bought.
pub fn hint(ctx: &Context, game: &Game, number: usize, all: &[Both]) -> Result<()> {
    if ctx.ui.json() {
        return state(ctx, game);
    }
    ctx.ui.say(&hint_line(number, &all[number]));
    let price = score::hint_seconds(number + 1) - score::hint_seconds(number);
    let price = decimal(price, 0);
    let left = all.len() - number - 1;
    ctx.ui.say(&tr!(
        "It costs {price} s; hints left: {left}.",
        "Il coûte {price} s ; indices restants : {left}."
    ));
    Ok(())
}

/// What is still broken: the game goes on.
pub fn goes_on(ctx: &Context, broken: &[String]) -> Result<()> {
    if ctx.ui.json() {
        ctx.ui.document(&json!({"over": false, "broken": broken}))?;
    }
    for what in broken {
        ctx.ui
            .say(&tr!("Still broken: {what}", "Encore en panne : {what}"));
    }
    let said = tr!(
        "the lab is not recovered, and the game day goes on",
        "le lab n'est pas rétabli, et le game day continue"
    );
    let next = tr!(
        "cargo xtask gameday hint; cargo xtask gameday done --give-up ends it as it is",
        "cargo xtask gameday hint ; cargo xtask gameday done --give-up y met fin en l'état"
    );
    Err(Failure::promise(said).next(next).into())
}

/// What breaks and the way back, for the teacher.
pub fn truth(names: &[FaultName]) -> Vec<String> {
    let mut lines = vec![tr!(
        "For the teacher alone: what breaks, and the hints that the class can buy.",
        "Pour l'enseignant seul : ce qui tombe en panne, et les indices que la classe peut acheter."
    )];
    for fault in faults::in_order(names) {
        lines.push(format!("{}: {}", fault.name, fault.broke));
    }
    let hints = hints::of(names);
    let hints = hints.iter().enumerate();
    lines.extend(hints.map(|(number, hint)| hint_line(number, hint)));
    lines
}

/// `None` where what broke cannot be read any more.
pub fn aborted(ctx: &Context, truth: Option<&Truth>) -> Result<()> {
    let broke = truth.map(|truth| match truth.began {
        Some(_) => result::broke(truth),
        None => Vec::new(),
    });
    if ctx.ui.json() {
        return ctx
            .ui
            .document(&json!({"over": true, "aborted": true, "faults": broke}));
    }
    ctx.ui.say(&tr!(
        "The game day was aborted, and the lab was put back.",
        "Le game day est abandonné, et le lab est remis en état."
    ));
    let Some(broke) = broke else { return Ok(()) };
    if broke.is_empty() {
        ctx.ui.say(&tr!(
            "Nothing had been broken yet.",
            "Rien n'avait encore été cassé."
        ));
    }
    for one in broke {
        ctx.ui.say(&one.what);
    }
    Ok(())
}

/// The truth, the figures and the score.
pub fn result(ctx: &Context, result: &GamedayResult, page: Option<&Path>) -> Result<()> {
    if ctx.ui.json() {
        return ctx.ui.document(result);
    }
    let told = &result.gameday;
    let row = |name: Both, value: String| vec![name.to_string(), value];
    let names: Vec<&str> = told.faults.iter().map(|fault| fault.name.word()).collect();
    let seconds = |value: f64| format!("{} s", decimal(value, 1));
    let recovered = told
        .recovered_seconds
        .map_or_else(|| both("not recovered", "non rétabli").to_string(), seconds);
    let score = told.score;
    let lost = result.rpo.lost;
    let mut rows = vec![
        row(
            both("what broke", "ce qui est tombé en panne"),
            names.join(", "),
        ),
        row(
            both("level, seed", "niveau, graine"),
            format!("{}, {}", told.level, told.seed),
        ),
        row(
            both("noticed after", "constaté après"),
            seconds(told.noticed_seconds),
        ),
        row(both("recovered after", "rétabli après"), recovered),
        row(
            both("hints", "indices"),
            format!("{}, {}", told.hints, seconds(told.hint_seconds)),
        ),
        row(
            both("the runbook takes", "le runbook prend"),
            seconds(told.runbook.seconds),
        ),
        row(
            both("rows lost", "lignes perdues"),
            tr!(
                "{lost}, of which {avoidable} could have been kept",
                "{lost}, dont {avoidable} pouvaient être gardées",
                avoidable = told.avoidable
            ),
        ),
        row(Both::same("RTO (client)"), seconds(result.rto.seconds)),
        row(Both::same("client"), result.client.failures()),
        row(
            Both::same("score"),
            tr!(
                "{total} of 100: data {data}/40, time {time}/40, noticing {noticed}/10, protection \
                 {protected}/10",
                "{total} sur 100 : données {data}/40, temps {time}/40, constat {noticed}/10, \
                 protection {protected}/10",
                total = score.total,
                data = score.data,
                time = score.time,
                noticed = score.noticed,
                protected = score.protected
            ),
        ),
    ];
    let asked = result.client.asked();
    rows.extend(asked.map(|said| row(both("it asked", "ses demandes"), said)));
    rows.push(row(both("kept in", "conservé dans"), result.run.clone()));
    ctx.ui.table(&["", ""], &rows);
    for line in &result.lessons {
        ctx.ui.say(line);
    }
    for doubt in &result.doubts {
        ctx.ui.warn(doubt);
    }
    match page {
        Some(page) => ctx.ui.note(&page.display().to_string()),
        None => ctx.ui.note(&tr!(
            "cargo xtask report draws the page of this game day.",
            "cargo xtask report dessine la page de ce game day."
        )),
    }
    Ok(())
}
