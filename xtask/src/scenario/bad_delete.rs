//! Scenario 4: somebody deletes every row, the application goes on writing, and
//! it is found out later. No request fails before the recovery begins.

use anyhow::{Context as _, Result};
use terms::lang::{Both, both, number};
use terms::{PhaseName, Protection, ScenarioName, tr};

use crate::context::Context;
use crate::database::{self, Restored};
use crate::engine::capability::Capability;
use crate::engine::{Engine, serving};
use crate::marker::{Stage, Unfinished};
use crate::measure::downtime::{self, Downtime, Failure, Failures};
use crate::measure::figures::milliseconds;
use crate::measure::ledger::Ledger;
use crate::measure::result::{Moment, Rpo, Rto, ScenarioResult};
use crate::measure::schedule::Backup;
use crate::scenario::course::Course;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage;
use crate::scenario::outcome::Outcome;
use crate::scenario::repair::Repair;
use crate::scenario::run::Run;
use crate::wait;

pub const SCENARIO: Scenario = Scenario {
    number: 4,
    name: ScenarioName::BadDelete,
    title: both(
        "a DELETE without WHERE, found later",
        "un DELETE sans WHERE, découvert plus tard",
    ),
    breaks: both(
        "all rows are deleted through the application's own connection; writing goes on",
        "toutes les lignes sont supprimées par la connexion de l'application elle-même ; les \
         écritures continuent",
    ),
    holds: both(
        "the moment just before it comes back, and what was written since is kept",
        "l'instant juste avant est restauré, et ce qui a été écrit depuis est conservé",
    ),
    takes: both("about 10 s", "environ 10 s"),
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

const ACKNOWLEDGED_BETWEEN: usize = 60;

const DISASTER: Both = both(
    "disaster: every row is deleted, and nobody notices",
    "sinistre : toutes les lignes sont supprimées et personne ne le remarque",
);

/// Moments in seconds of the ledger's clock.
struct Played {
    point: String,
    backup: Backup,
    deleted: f64,
    /// The delete was over: what came later is to be kept.
    over: f64,
    found: f64,
    decided: Option<(PhaseName, f64)>,
    restored: f64,
    kept: f64,
    protected: f64,
    report: Restored,
    moments: Vec<Moment>,
}

/// Just before the delete, and what came after it.
const REPAIR: Repair = Repair {
    target: |engine, left| match left.unfinished.stage {
        Stage::Restored => Ok(None),
        _ => target_again(engine, left.unfinished),
    },
    last: |engine, left| match kept_since(engine, left.unfinished)? {
        Some(safety) => database::of(engine).bring_back(&safety),
        None => Ok(()),
    },
    ..Repair::WHERE_MISSING
};

fn play(run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    let (steady, before) = run.begin(engine)?;
    let client = run.client(&steady.url)?;
    let journal = steady.protection == Protection::Journal;
    let played = course(run, engine, client.ledger(), journal)?;

    let outcome = Outcome::shown(run, || {
        let mut outcome = Outcome::compare(client, before, engine)?;
        outcome.read_point(&played.point, engine)?;
        Ok(outcome)
    })?;
    let snapshot_only = outcome.snapshot_only(played.deleted);
    run.steady_state(engine)?;

    let failures = Failures::new(&outcome.observed, &[played.deleted]);
    let downtime = downtime(&played, &failures.of[0], &outcome);
    let mut between = Vec::from_iter(played.decided);
    between.push((PhaseName::Restored, played.restored));
    let rto = Rto::of(&downtime, &between, outcome.observed.ended());
    let requests = &outcome.observed.requests;
    let mut rpo = Rpo::new(requests, &outcome.verdict, &snapshot_only, played.deleted);
    outcome.beside_schedule(&mut rpo, &steady, played.backup, played.deleted);
    let without_rows = (played.deleted - wait::UNDER_WAY.as_secs_f64(), played.kept);
    let mut result = outcome.result(run, engine, steady, rpo, rto, Some(without_rows))?;
    outcome.judge_losses(played.over, &mut result);
    result.doubts.extend(failures.doubt());
    result.protected_seconds = Some(milliseconds(played.protected - downtime.began));
    let seen = Seen::of(&failures, played.found);
    result.lessons = lessons(&result, &played, seen);
    let decided = played.decided.map(|(_, at)| at);
    result.taken_away = Some(decided.unwrap_or(played.found));
    result.moments = played.moments;
    Ok(result)
}

/// Requests that failed, on either side of the moment at which the delete was found.
#[derive(Clone, Copy)]
struct Seen {
    before: usize,
    during: usize,
}

impl Seen {
    fn of(failures: &Failures, found: f64) -> Self {
        let all = || failures.of.iter().flatten();
        let before = all().filter(|one| one.ended < found).count();
        Self {
            before,
            during: all().count() - before,
        }
    }

    fn told(self) -> String {
        let Self { before, during } = self;
        let unseen = match before {
            0 => tr!(
                "Until it was found no request failed: only who read could see it.",
                "Jusqu'à sa découverte aucune requête n'a échoué : seuls ceux qui lisaient \
                 pouvaient le voir.",
            ),
            _ => tr!(
                "Requests that failed before it was found: {before}.",
                "Requêtes en échec avant sa découverte : {before}.",
            ),
        };
        tr!(
            "{unseen} Requests, reads among them, that failed during the recovery, for which \
             the application was stopped: {during}.",
            "{unseen} Requêtes, lectures comprises, en échec pendant la reprise, pour laquelle \
             l'application a été arrêtée : {during}.",
        )
    }
}

/// Users were without their rows from the delete on, though nothing failed, and
/// until all of them were back and no request failed any more.
fn downtime(played: &Played, failures: &[Failure], outcome: &Outcome) -> Downtime {
    let (observed, after) = (&outcome.observed, &outcome.after);
    let seen = Downtime::of(failures, observed, after, played.kept);
    let back = || downtime::first_verified(&observed.requests, after, played.kept);
    Downtime {
        began: seen.map_or(played.deleted, |seen| seen.began.min(played.deleted)),
        detected: played.found,
        back: seen.map_or_else(back, |seen| seen.back),
    }
}

fn show(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    outage::verified_backup(ctx, engine)?;
    strike(ctx, engine)?;
    let database = database::of(engine);
    let target = database.show_before_deletion()?;
    outage::stop_everything(ctx, engine)?;
    database.restore(&target)?;
    engine.apply()?;
    database.bring_back(&database.show_kept_by_restore()?)?;
    outage::protect(ctx, engine).map(drop)
}

fn course(run: &Run, engine: &dyn Engine, ledger: &Ledger, journal: bool) -> Result<Played> {
    let (course, unfinished) = Course::begin(
        run,
        engine,
        ledger,
        outage::BACKUP.text(),
        outage::verified_backup,
    )?;
    let point = database::of(engine).latest_point()?;
    let point = point.with_context(|| {
        tr!(
            "the backup that was just made is not listed",
            "la sauvegarde qui vient d'être faite n'est pas dans la liste"
        )
    })?;

    if !journal {
        unfinished.goes_back_to(&point)?;
    }
    let struck = course.strike(&unfinished, DISASTER.text(), strike)?;
    run.acknowledged(engine, ledger, ledger.now(), ACKNOWLEDGED_BETWEEN)?;

    let step = run.ctx.ui.step(tr!(
        "the transaction that did it",
        "la transaction responsable"
    ));
    let target = target(engine, journal, &point)?;
    let found = ledger.now();
    course.moment(both("found", "trouvée").text());
    step.done(&target);
    let decided = course.decided(found)?;

    // What is written from now on would have to be brought back as well.
    course.enters(PhaseName::Restored);
    let done = course.act(
        both(
            "application stopped, restore to just before it",
            "application arrêtée, restauration à l'instant juste avant",
        )
        .text(),
        |ctx, engine| {
            outage::stop_everything(ctx, engine)?;
            database::of(engine).restore(&target)
        },
    )?;
    let (report, restored) = (done.value, done.ended);
    let report = report.with_context(|| {
        tr!(
            "the restore was only shown",
            "la restauration n'a été que montrée"
        )
    })?;
    let safety = report.safety_point.as_deref();
    let safety = safety.with_context(|| {
        tr!(
            "the restore kept nothing of what was there",
            "la restauration n'a rien conservé de ce qui était là"
        )
    })?;
    unfinished.restored(Some(safety))?;
    course.enters(PhaseName::Serving);
    let back = course.act(
        both(
            "application back, with what came after the delete",
            "application de retour, avec ce qui a suivi la suppression",
        )
        .text(),
        |ctx, engine| {
            engine.apply()?;
            if !ctx.exec.dry_run() {
                serving::wait_until_ready(engine)?;
            }
            database::of(engine).bring_back(safety)
        },
    )?;
    let kept = back.ended;
    run.acknowledged(engine, ledger, kept, ACKNOWLEDGED_BETWEEN)?;
    let protected = outage::protected_again(&course)?;
    unfinished.done()?;
    Ok(Played {
        point,
        backup: course.backup(0),
        deleted: struck.began,
        over: struck.ended,
        found,
        decided,
        restored,
        kept,
        protected,
        report,
        moments: course.into_moments(),
    })
}

fn strike(_ctx: &Context, engine: &dyn Engine) -> Result<()> {
    database::of(engine).delete_all()
}

/// Where to go back to in a run that was cut off; `None` where it had not come to
/// the delete, or its restore was over.
fn target_again(engine: &dyn Engine, left: &Unfinished) -> Result<Option<String>> {
    if left.point.is_some() {
        let restored = kept_since(engine, left)?.is_some();
        return Ok(left.point.clone().filter(|_| !restored));
    }
    database::of(engine).before_deletion(Some(&left.since))
}

/// What the restore of the run, or of its repair, kept of what was there: the
/// newest of that kind where the run was cut off before it could note that.
fn kept_since(engine: &dyn Engine, left: &Unfinished) -> Result<Option<String>> {
    if left.safety_point.is_some() {
        return Ok(left.safety_point.clone());
    }
    database::of(engine).kept_by_restore(&left.since)
}

/// Where to go back to: just before the largest transaction of the journal, or, without
/// one, the last point from before.
fn target(engine: &dyn Engine, journal: bool, point: &str) -> Result<String> {
    if !journal {
        return Ok(point.to_owned());
    }
    let found = database::of(engine).before_deletion(None)?;
    found.with_context(|| {
        tr!(
            "the largest transaction of the journal deletes nothing",
            "la plus grande transaction du journal ne supprime rien"
        )
    })
}

fn lessons(result: &ScenarioResult, played: &Played, seen: Seen) -> Vec<String> {
    let rpo = &result.rpo;
    let mut lessons = vec![
        tr!(
            "Every row was deleted through the application, which went on writing. {seen} The \
             rows were away for {seconds} s.",
            "Toutes les lignes ont été supprimées par l'application, qui a continué d'écrire. \
             {seen} Les lignes ont été absentes pendant {seconds} s.",
            seen = seen.told(),
            seconds = number(result.rto.seconds),
        ),
        tr!(
            "The journal lists each transaction, the largest first, so the one that did it is \
             found and the moment before it restored: {rows} rows. What was written since came \
             back from {kept}, which the restore had kept.",
            "Le journal liste chaque transaction, la plus grosse d'abord : la transaction \
             responsable est trouvée, et l'instant qui la précède restauré : {rows} lignes. Ce \
             qui a été écrit depuis est revenu de {kept}, que la restauration avait conservé.",
            rows = played.report.rows,
            kept = played.report.safety_point.as_deref().unwrap_or_default(),
        ),
        tr!(
            "RPO: {lost} rows were lost. Snapshots alone would have lost everything since \
             {point}, whose replacement by a newer, empty one the poison guard refuses.",
            "RPO : lignes perdues : {lost}. Les points seuls auraient perdu tout ce qui a \
             suivi {point}, dont le remplacement par un point plus récent et vide est refusé par \
             la garde contre l'empoisonnement.",
            lost = rpo.lost,
            point = played.point,
        ),
    ];
    lessons.extend(rpo.on_schedule());
    lessons.push(tr!(
        "Look at: cargo xtask restore --log --largest; and at cargo xtask scenario \
         foreign-delete, where the journal cannot see it.",
        "À regarder : cargo xtask restore --log --largest ; et cargo xtask scenario \
         foreign-delete, que le journal ne peut pas voir.",
    ));
    lessons
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_failed_is_told_by_whether_the_delete_had_been_found() {
        let failure = |ended: f64| Failure {
            sent: ended - 0.1,
            ended,
            write: true,
        };
        let told = |ended: &[f64]| {
            let failures = Failures {
                before: Vec::new(),
                of: vec![ended.iter().copied().map(failure).collect()],
            };
            Seen::of(&failures, 5.0).told()
        };
        let said = told(&[5.5, 6.0]);
        assert!(
            said.starts_with("Until it was found no request failed"),
            "{said}"
        );
        assert!(said.ends_with("stopped: 2."), "{said}");
        let said = told(&[4.0, 6.0]);
        assert!(
            said.starts_with("Requests that failed before it was found: 1."),
            "{said}"
        );
        assert!(said.ends_with("stopped: 1."), "{said}");
    }
}
