//! Scenario 7: both volumes run full, one after the other, and get room again.
//! The application is not restarted and nothing is restored.

use anyhow::{Context as _, Result};
use terms::lang::{both, number};
use terms::{PhaseName, Protection, ScenarioName, tr};

use crate::context::Context;
use crate::database::{self, Volume};
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::failure::Failure;
use crate::marker::Marker;
use crate::measure::downtime::{Downtime, Failures};
use crate::measure::figures::milliseconds;
use crate::measure::observed::{Outcome as Answer, Seen};
use crate::measure::result::{Rpo, Rto, ScenarioResult};
use crate::scenario::course::Course;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage;
use crate::scenario::outcome::Outcome;
use crate::scenario::repair::Repair;
use crate::scenario::run::Run;
use crate::wait;

pub const SCENARIO: Scenario = Scenario {
    number: 7,
    name: ScenarioName::DiskFull,
    title: both(
        "both volumes run full, in turn",
        "les deux volumes se remplissent, l'un après l'autre",
    ),
    breaks: both(
        "the room on pra-backup, then on pra-data, by an empty file as large as the volume",
        "la place sur pra-backup, puis sur pra-data, par un fichier vide aussi grand que le volume",
    ),
    holds: both(
        "writes without room are refused and say so, reading goes on, nothing is lost; all goes \
         on by itself once there is room",
        "les écritures sans place sont refusées et disent pourquoi, la lecture continue, rien \
         n'est perdu ; tout reprend seul dès qu'il y a de la place",
    ),
    takes: both("about 15 s", "environ 15 s"),
    needs: &[Capability::Url],
    by_itself: false,
    takes_for_good: None,
    way: Way::Own {
        play,
        show,
        strike: Some(strike),
    },
    repair: REPAIR,
};

/// Bytes of a message: the journal has room for a MiB ahead, which short
/// messages would take a minute and a half to use up.
const MESSAGE: usize = 2000;
/// Acknowledgements once there is room again.
const ACKNOWLEDGED_AFTER: usize = 60;
/// What every refusal for lack of room says.
const NO_ROOM: &str = "no space left";

/// A time in which a volume was full, in seconds of the ledger's clock.
struct Full {
    volume: &'static str,
    began: f64,
    decided: Option<(PhaseName, f64)>,
    /// There was room again.
    freed: f64,
    /// A new verified backup existed.
    protected: f64,
}

/// What users met of it.
struct Refusal {
    volume: &'static str,
    rto: Rto,
    protected: f64,
}

fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    let (steady, before) = run.begin(engine)?;
    let client = run.client_writing(&steady.url, MESSAGE)?;
    let (course, unfinished) = Course::begin(
        run,
        engine,
        client.ledger(),
        outage::BACKUP.text(),
        outage::verified_backup,
    )?;
    let journal = steady.protection == Protection::Journal;
    let full = [
        fill_backup(&course, &unfinished, &steady.url, journal)?,
        fill_data(&course, &unfinished, &steady.url)?,
    ];
    let moments = course.into_moments();
    unfinished.done()?;

    let outcome = Outcome::shown(run, || Outcome::compare(client, before, engine))?;
    run.steady_state(engine)?;

    let failures = Failures::new(&outcome.observed, &full.each_ref().map(|one| one.began));
    let refusals = refusals(&full, &failures, &outcome);
    let lessons_of_times = lesson_of_times(&refusals);
    let longest = refusals
        .into_iter()
        .max_by(|a, b| a.rto.seconds.total_cmp(&b.rto.seconds));
    let longest =
        longest.with_context(|| tr!("no write was refused", "aucune écriture n'a été refusée"))?;
    let began = longest.rto.began.unwrap_or_default();
    let requests = &outcome.observed.requests;
    let rpo = Rpo::new(requests, &outcome.verdict, &[], began);
    let mut result = outcome.result(run, engine, steady, rpo, longest.rto, None)?;
    result.protected_seconds = Some(milliseconds(longest.protected - began));
    result.doubts.extend(failures.doubt());
    result.moments = moments;
    judge(&outcome, &mut result);
    result.lessons = lessons(&result, lessons_of_times);
    Ok(result)
}

/// The same changes as [`play`] makes, shown only.
fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::verified_backup(ctx, engine)?;
    for volume in [Volume::Backup, Volume::Data] {
        database::of(engine).fill(volume)?;
        attempt(ctx, engine)?;
        database::of(engine).make_room(volume)?;
        outage::protect(ctx, engine)?;
    }
    Ok(())
}

/// The volume on which the shortage shows at once.
fn strike(_ctx: &Context, engine: &dyn Engine) -> Result<()> {
    database::of(engine).fill(Volume::Data)
}

/// Removes what fills the volumes.
const REPAIR: Repair = Repair {
    first: |engine, _| {
        let database = database::of(engine);
        database.make_room(Volume::Backup)?;
        database.make_room(Volume::Data)
    },
    ..Repair::WHERE_MISSING
};

/// No point can be made any more; writes are refused when the journal has used
/// up its room, and without a journal not at all.
fn fill_backup(course: &Course, mark: &Marker, url: &str, journal: bool) -> Result<Full> {
    let began = fill(course, mark, Volume::Backup, url)?;
    let step = course
        .run
        .ctx
        .ui
        .step(tr!("a backup is tried", "une sauvegarde est tentée"));
    let said = refused_backup(course)?;
    step.done(said);
    let decided = if journal {
        await_refusal(course, began)?
    } else {
        None
    };
    make_room_again(course, Volume::Backup, began, decided)
}

/// Writes are refused at once; a backup needs no room there.
fn fill_data(course: &Course, mark: &Marker, url: &str) -> Result<Full> {
    let began = fill(course, mark, Volume::Data, url)?;
    let step = course
        .run
        .ctx
        .ui
        .step(tr!("a backup is tried", "une sauvegarde est tentée"));
    attempt(course.run.ctx, course.engine)?;
    step.done(tr!(
        "taken: it needs no room there",
        "prise : elle n'a pas besoin de place à cet endroit",
    ));
    let decided = await_refusal(course, began)?;
    make_room_again(course, Volume::Data, began, decided)
}

/// Fills a volume; returns when that began.
fn fill(course: &Course, mark: &Marker, volume: Volume, url: &str) -> Result<f64> {
    let database = database::of(course.engine);
    let claim = database.claim(volume);
    let words = tr!(
        "disaster: {claim} runs full",
        "sinistre : {claim} se remplit"
    );
    let filled = course.strike(mark, &words, |_, engine| database::of(engine).fill(volume))?;
    let began = filled.began;
    if database.state(url)?.full.contains(&volume) {
        return Ok(began);
    }
    let setting = database.size_setting(volume);
    let said = tr!(
        "{claim} did not run full: {setting} sets it no size",
        "{claim} ne s'est pas rempli : {setting} ne lui fixe aucune taille",
    );
    let next = tr!(
        "state {setting} in k8s/05-config.yaml, then: cargo xtask setup",
        "indiquez {setting} dans k8s/05-config.yaml, puis : cargo xtask setup",
    );
    Err(Failure::usage(said).next(next).into())
}

/// A backup outside its schedule, in a replica: a job would be tried again and
/// again.
fn attempt(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    // It may fail, and the shell that it is pasted into goes on.
    if !ctx.exec.change("! cargo xtask backup") {
        return Ok(());
    }
    database::of(engine).back_up_once()
}

/// What the backup says that finds no room; it has to fail.
fn refused_backup(course: &Course) -> Result<String> {
    match attempt(course.run.ctx, course.engine) {
        Err(error) if error.to_string().contains(NO_ROOM) => {
            Ok(tr!("refused, and says why", "refusée, et dit pourquoi"))
        }
        Err(error) => Err(error),
        Ok(()) => Err(Failure::promise(tr!(
            "a backup was reported although its volume is full",
            "une sauvegarde a été annoncée alors que son volume est plein",
        ))
        .next("cargo xtask restore --list")
        .into()),
    }
}

/// Returns when somebody had decided what to do about it, where that is asked for.
fn await_refusal(course: &Course, full: f64) -> Result<Option<(PhaseName, f64)>> {
    let step = course.run.ctx.ui.step(tr!(
        "writing on until a write is refused",
        "écriture jusqu'au premier refus"
    ));
    let refused = || Ok(course.ledger.first_refusal(full));
    step.done(wait::until(wait::VOLUME_FULL, refused)?);
    course.decided(course.ledger.now())
}

/// Makes room in a volume that was full since `began`, and sees that writes and
/// backups go on by themselves.
fn make_room_again(
    course: &Course,
    volume: Volume,
    began: f64,
    decided: Option<(PhaseName, f64)>,
) -> Result<Full> {
    let claim = database::of(course.engine).claim(volume);
    let words = tr!("{claim} has room again", "{claim} a de nouveau de la place");
    course.enters(PhaseName::Freed);
    let freed = course
        .act(&words, |_, engine| database::of(engine).make_room(volume))?
        .ended;
    course.enters(PhaseName::Serving);
    let step = course.run.ctx.ui.step(tr!(
        "writes go on by themselves",
        "les écritures reprennent d'elles-mêmes",
    ));
    course
        .run
        .acknowledged(course.engine, course.ledger, freed, ACKNOWLEDGED_AFTER)?;
    step.done(tr!(
        "{ACKNOWLEDGED_AFTER} acknowledged",
        "{ACKNOWLEDGED_AFTER} acquittées"
    ));
    let protected = outage::protected_again(course)?;
    Ok(Full {
        volume: claim,
        began,
        decided,
        freed,
        protected,
    })
}

/// How long writes were refused for each volume for which they were, as the
/// client saw it.
fn refusals(full: &[Full], failures: &Failures, outcome: &Outcome) -> Vec<Refusal> {
    let observed = &outcome.observed;
    let each = full.iter().zip(&failures.of);
    let refused = each.filter_map(|(one, failed)| {
        let downtime = Downtime::of(failed, observed, &outcome.after, one.began)?;
        let mut between = Vec::from_iter(one.decided);
        between.push((PhaseName::Freed, one.freed));
        Some(Refusal {
            volume: one.volume,
            rto: Rto::of(&downtime, &between, observed.ended()),
            protected: one.protected,
        })
    });
    refused.collect()
}

/// Nothing may be lost, every refusal has to say why, and reading goes on.
fn judge(outcome: &Outcome, result: &mut ScenarioResult) {
    let mut found = Vec::new();
    let reasons = outcome.observed.requests.iter().filter_map(|request| {
        let Answer::Failed { reason, .. } = &request.outcome else {
            return None;
        };
        (!reason.contains(NO_ROOM)).then_some(reason)
    });
    let reasons: Vec<&String> = reasons.collect();
    if let Some(first) = reasons.first() {
        let count = reasons.len();
        found.push(tr!(
            "{count} writes failed without naming the full volume, the first: {first}",
            "{count} écritures ont échoué sans nommer le volume plein, la première : {first}",
        ));
    }
    let reads = outcome
        .observed
        .reads
        .iter()
        .filter_map(|read| match &read.seen {
            Seen::Failed(reason) => Some(reason),
            _ => None,
        });
    let reads: Vec<&String> = reads.collect();
    if let Some(first) = reads.first() {
        found.push(tr!(
            "{count} reads failed, the first: {first}",
            "{count} lectures ont échoué, la première : {first}",
            count = reads.len(),
        ));
    }
    result.break_promises(found);
    result.insist_on_no_loss();
}

fn lesson_of_times(refusals: &[Refusal]) -> String {
    let each = refusals.iter();
    let each = each.map(|one| {
        tr!(
            "{seconds} s for {volume}",
            "{seconds} s pour {volume}",
            seconds = number(one.rto.seconds),
            volume = one.volume,
        )
    });
    each.collect::<Vec<_>>().join(", ")
}

fn lessons(result: &ScenarioResult, times: String) -> Vec<String> {
    let backup = if result.protection == Protection::Journal {
        tr!(
            "When pra-backup is full, a backup fails at once. Writes go on for a while: the \
             journal takes its room a MiB ahead. Then they are refused, since nothing would \
             protect them.",
            "Quand pra-backup est plein, une sauvegarde échoue aussitôt. Les écritures continuent \
             un moment : le journal réserve sa place un Mio à l'avance. Puis elles sont refusées, \
             puisque plus rien ne les protégerait.",
        )
    } else {
        tr!(
            "When pra-backup is full, backups fail while writes go on: each of them is \
             unprotected, and only the age of the last backup in cargo xtask status tells.",
            "Quand pra-backup est plein, les sauvegardes échouent tandis que les écritures \
             continuent : aucune n'est protégée, et seul l'âge de la dernière sauvegarde dans \
             cargo xtask status le montre.",
        )
    };
    vec![
        tr!(
            "RTO: writes were refused until there was room again: {times}. Reading went on.",
            "RTO : les écritures ont été refusées jusqu'à ce qu'il y ait de nouveau de la place : \
             {times}. La lecture a continué.",
        ),
        backup.to_owned(),
        tr!(
            "When pra-data is full, each write is refused and says so; a backup still succeeds.",
            "Quand pra-data est plein, chaque écriture est refusée et le dit ; une sauvegarde \
             réussit encore.",
        ),
        tr!(
            "RPO: {lost} rows were lost. A refused write is no lost one: its client was told, and \
             can send it again. Snapshots alone would have lost nothing either: the data were \
             never gone.",
            "RPO : lignes perdues : {lost}. Une écriture refusée n'est pas perdue : son client en \
             a été averti et peut la renvoyer. Les points seuls n'auraient rien perdu non \
             plus : les données n'ont jamais disparu.",
            lost = result.rpo.lost,
        ),
        tr!(
            "Look at: cargo xtask status while a volume is full (docs/runbook.md fills one by \
             hand).",
            "À regarder : cargo xtask status pendant qu'un volume est plein (docs/runbook.md en \
             remplit un à la main).",
        ),
    ]
}
