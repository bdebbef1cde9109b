//! Disasters that end the service until somebody recovers it: one course of
//! events for all of them, from steady writing to steady writing.

use anyhow::{Context as _, Result};
use terms::lang::{Both, both, number};
use terms::{Labelled, PhaseName, PointStatus, Protection, tr};

use crate::context::Context;
use crate::database::{self, Restored, Volume};
use crate::engine::Engine;
use crate::failure::Failure;
use crate::measure::compare::Lost;
use crate::measure::downtime::{self, Downtime, Failures};
use crate::measure::figures::milliseconds;
use crate::measure::ledger::Ledger;
use crate::measure::result::{Moment, Rpo, Rto, ScenarioResult};
use crate::measure::schedule::Backup;
use crate::scenario::course::Course;
use crate::scenario::healing;
use crate::scenario::outcome::{self, Outcome};
use crate::scenario::run::{Run, SteadyState};
use crate::wait;

/// What one disaster is made of. In a dry run each part only shows its changes.
pub struct Disaster {
    /// Before the client writes: what the recovery will need.
    pub prepare: fn(&Context, &dyn Engine) -> Result<()>,
    /// What breaks, in words and in deed. Afterwards the data are unreachable.
    pub breaks: Both,
    pub strike: fn(&Context, &dyn Engine) -> Result<()>,
    /// Brings the data back.
    pub restore: fn(&Context, &dyn Engine) -> Result<Option<Restored>>,
    /// The database itself survives.
    pub untouched: bool,
    /// Servers that start afterwards can restore by themselves what is lost.
    pub heals: bool,
    /// So many of the newest points are damaged as well.
    pub points_lost: usize,
    /// What there is to learn from this disaster in particular.
    pub lesson: fn(&ScenarioResult, &Restored) -> String,
}

/// An outage and the recovery from it, in seconds of the ledger's clock.
pub struct Outage {
    /// The disaster began.
    pub struck: f64,
    /// The data were unreachable for good.
    pub gone: f64,
    /// The backup from before, where snapshots alone would have come back to it.
    pub backup: Option<Backup>,
    /// The phases between noticing and serving, and when each ended; with the
    /// last one the data are back.
    pub phases: Vec<(PhaseName, f64)>,
    /// A new verified backup existed, and writes were proven to be journaled.
    pub protected: f64,
    pub moments: Vec<Moment>,
}

impl Outage {
    /// The result of the run, but for what there is to learn from it.
    ///
    /// # Errors
    /// Where no request failed.
    pub fn result(
        self,
        run: &Run,
        engine: &dyn Engine,
        steady: SteadyState,
        outcome: &Outcome,
        snapshot_only: &[Lost],
    ) -> Result<ScenarioResult> {
        let (observed, after) = (&outcome.observed, &outcome.after);
        let failures = Failures::new(observed, &[self.struck]);
        let downtime =
            Downtime::of(&failures.of[0], observed, after, self.gone).with_context(|| {
                tr!(
                    "no request failed after the disaster",
                    "aucune requête n'a échoué après le sinistre"
                )
            })?;
        let rto = Rto::of(&downtime, &self.phases, observed.ended());
        let requests = &observed.requests;
        let unreachable = outcome::unreachable_since(requests, self.gone);
        let mut rpo = Rpo::new(requests, &outcome.verdict, snapshot_only, unreachable);
        if let Some(backup) = self.backup {
            outcome.beside_schedule(&mut rpo, &steady, backup, unreachable);
        }
        let recovered = self.phases.last().map_or(self.gone, |(_, at)| *at);
        // A second outage is no excuse for what readers see before it.
        let served = downtime::first_verified(requests, after, recovered);
        let unseen = (
            downtime.began.min(unreachable),
            served.unwrap_or(observed.ended()),
        );
        let mut result = outcome.result(run, engine, steady, rpo, rto, Some(unseen))?;
        outcome.judge_losses(recovered, &mut result);
        result.doubts.extend(failures.doubt());
        result.protected_seconds = Some(milliseconds(self.protected - downtime.began));
        result.moments = self.moments;
        Ok(result)
    }
}

/// The phase that the users waited for longest, as the end of a sentence.
pub fn most_of_it(rto: &Rto) -> String {
    let longest = rto
        .phases
        .iter()
        .max_by(|a, b| a.seconds.total_cmp(&b.seconds));
    longest.map_or_else(String::new, |phase| {
        tr!(
            "; most of it was \"{name}\", {seconds} s",
            ", surtout dans la phase « {name} », {seconds} s",
            name = phase.name.label(),
            seconds = number(phase.seconds),
        )
    })
}

pub fn play(disaster: &Disaster, run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    let (steady, before) = run.begin(engine)?;
    let client = run.client(&steady.url)?;
    let (outage, report) = course(disaster, run, engine, client.ledger())?;

    let outcome = Outcome::shown(run, || {
        let mut outcome = Outcome::compare(client, before, engine)?;
        let point = report.point.as_deref();
        let point = point.with_context(|| {
            tr!(
                "the restore began with no point",
                "la restauration est partie d'aucun point"
            )
        })?;
        outcome.read_point(point, engine)?;
        outcome.read_newer_points(engine)?;
        Ok(outcome)
    })?;
    let snapshot_only = outcome.snapshot_only(outage.gone);
    run.steady_state(engine)?;

    let mut result = outage.result(run, engine, steady, &outcome, &snapshot_only)?;
    if disaster.untouched {
        result.insist_on_no_loss();
    }
    result.auto = run.options.auto;
    result.lessons = lessons(disaster, &result, &report);
    Ok(result)
}

/// The same changes as [`play`] makes, shown only.
pub fn show(disaster: &Disaster, ctx: &Context, engine: &dyn Engine, auto: bool) -> Result<()> {
    (disaster.prepare)(ctx, engine)?;
    (disaster.strike)(ctx, engine)?;
    engine.apply()?;
    if !auto {
        (disaster.restore)(ctx, engine)?;
    }
    protect(ctx, engine).map(drop)
}

fn course(
    disaster: &Disaster,
    run: &Run,
    engine: &dyn Engine,
    ledger: &Ledger,
) -> Result<(Outage, Restored)> {
    let (course, unfinished) = Course::begin(run, engine, ledger, BACKUP.text(), disaster.prepare)?;
    let breaks = disaster.breaks;
    let words = tr!("disaster: {breaks}", "sinistre : {breaks}");
    course.will_begin_with(PhaseName::Provisioned);
    let struck = course.strike(&unfinished, &words, disaster.strike)?;
    let noticed = course.noticed(struck.began)?;
    let mut phases = Vec::from_iter(course.decided(noticed)?);
    course.enters(PhaseName::Provisioned);
    let provisioned = course
        .act(
            both("infrastructure recreated", "infrastructure recréée").text(),
            provision,
        )?
        .ended;
    course.enters(PhaseName::Restored);
    let restored = match run.options.auto {
        true => course.act(BY_ITSELF.text(), healing::wait_until_back)?,
        false => course.act(both("restore", "restauration").text(), disaster.restore)?,
    };
    let report = restored.value;
    let report = report.with_context(|| {
        tr!(
            "the restore was only shown",
            "la restauration n'a été que montrée"
        )
    })?;
    unfinished.restored(report.safety_point.as_deref())?;
    course.served_again(restored.ended)?;
    let protected = protected_again(&course)?;
    unfinished.done()?;
    phases.extend([
        (PhaseName::Provisioned, provisioned),
        (PhaseName::Restored, restored.ended),
    ]);
    let backup = course.backup(disaster.points_lost);
    let outage = Outage {
        struck: struck.began,
        gone: struck.ended,
        backup: (!disaster.untouched).then_some(backup),
        phases,
        protected,
        moments: course.into_moments(),
    };
    Ok((outage, report))
}

/// Claims and replicas as declared; does not wait for readiness, which needs
/// the data.
fn provision(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    engine.apply()?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    let database = database::of(engine);
    wait::until(wait::PODS_EXIST, || {
        engine.insist_on_life()?;
        let facts = engine.facts()?;
        let mut volumes = Volume::ALL.iter();
        let there = volumes.all(|volume| facts.has_volume(database.claim(*volume)));
        Ok((there && facts.pods.len() >= facts.wanted as usize).then_some(()))
    })
}

/// What most recoveries need.
pub const BACKUP: Both = both("verified backup", "sauvegarde vérifiée");
/// What takes the place of the restore where nobody is to begin one.
const BY_ITSELF: Both = both(
    "the servers restore by themselves",
    "les serveurs restaurent d'eux-mêmes",
);
/// What ends every recovery.
const PROTECT: Both = both(
    "backups resumed, new verified backup, journal checked",
    "sauvegardes reprises, nouvelle sauvegarde vérifiée, journal contrôlé",
);

/// Ends a recovery: returns when what is written from then on was protected again.
pub fn protected_again(course: &Course) -> Result<f64> {
    let said = |unproven: &Option<String>| unproven.clone().unwrap_or_else(|| tr!("done", "fait"));
    course.is_back();
    let protected = course.act_and_tell(PROTECT.text(), protect, said)?;
    Ok(protected.ended)
}

/// Returns why no write was seen protected, where the settings want it so.
pub fn protect(ctx: &Context, engine: &dyn Engine) -> Result<Option<String>> {
    engine.suspend_backups(false)?;
    verified_backup(ctx, engine)?;
    database::of(engine).prove()
}

/// A new point, which must be a verified one.
pub fn verified_backup(_ctx: &Context, engine: &dyn Engine) -> Result<()> {
    let Some(point) = database::of(engine).back_up()? else {
        return Ok(());
    };
    if point.status == PointStatus::Verified {
        return Ok(());
    }
    let reason = point
        .reason
        .as_deref()
        .unwrap_or(both("no reason given", "aucune raison donnée").text());
    let (name, status) = (point.name, point.status.label());
    Err(Failure::promise(tr!(
        "the new backup {name} is {status}: {reason}",
        "la nouvelle sauvegarde {name} est dans l'état « {status} » : {reason}",
    ))
    .next("cargo xtask restore --list")
    .into())
}

/// The restore job with the latest verified point, journal included.
pub fn restore_latest(_ctx: &Context, engine: &dyn Engine) -> Result<Option<Restored>> {
    database::of(engine).restore("latest")
}

/// Stops replicas, schedule and jobs, and waits until no pod is left.
pub fn stop_everything(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    engine.scale(0)?;
    engine.suspend_backups(true)?;
    engine.delete_jobs()?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    wait::until(wait::APP_STOPPED, || {
        Ok(engine.facts()?.pods.is_empty().then_some(()))
    })
}

/// Stops everything and deletes the volume with the database.
pub fn lose_data_volume(ctx: &Context, engine: &dyn Engine) -> Result<()> {
    stop_everything(ctx, engine)?;
    engine.delete_volume(database::of(engine).claim(Volume::Data))
}

/// The lessons of a run: what happened, what was lost and why, what snapshots alone
/// would have lost.
fn lessons(disaster: &Disaster, result: &ScenarioResult, report: &Restored) -> Vec<String> {
    let rpo = &result.rpo;
    let point = report.point.as_deref().unwrap_or_default();
    let why = match (result.protection, rpo.lost) {
        (_, 0) if disaster.untouched => {
            tr!(
                "RPO: nothing was lost; {point} is the first point of the new protection.",
                "RPO : rien n'a été perdu ; {point} est le premier point de la nouvelle \
                 protection.",
            )
        }
        (Protection::Journal, 0) => tr!(
            "RPO: nothing was lost. Every write was on pra-backup before it was acknowledged; \
             {replayed} transactions were replayed onto {point}.",
            "RPO : rien n'a été perdu. Chaque écriture était sur pra-backup avant d'être \
             acquittée ; {replayed} transactions ont été rejouées sur {point}.",
            replayed = report.replayed,
        ),
        (_, 0) => tr!(
            "RPO: nothing was lost: no write was acknowledged after {point}.",
            "RPO : rien n'a été perdu : aucune écriture n'a été acquittée après {point}.",
        ),
        (_, lost) if rpo.lost_unexcused > 0 => tr!(
            "RPO: {lost} rows were lost, and {unexcused} of them had to be kept whatever protects \
             the lab: the recovery did not do what it says.",
            "RPO : {lost} lignes ont été perdues, dont {unexcused} devaient être conservées \
             quelle que soit la protection du lab : la reprise n'a pas fait ce qu'elle annonce.",
            unexcused = rpo.lost_unexcused,
        ),
        (_, lost) => tr!(
            "RPO: {lost} of {acknowledged} acknowledged rows were lost, {seconds} s worth: they \
             came after {point}, and only a journal could have kept them.",
            "RPO : {lost} lignes acquittées sur {acknowledged} ont été perdues, soit {seconds} s \
             d'écritures : elles sont arrivées après {point}, et seul un journal aurait pu les \
             conserver.",
            acknowledged = rpo.acknowledged,
            seconds = number(rpo.seconds),
        ),
    };
    let rto = tr!(
        "RTO: users were without service for {seconds} s{most}.",
        "RTO : les utilisateurs ont été privés de service pendant {seconds} s{most}.",
        seconds = number(result.rto.seconds),
        most = most_of_it(&result.rto),
    );
    let look = tr!(
        "Look at: cargo xtask restore --list, and the page of cargo xtask report.",
        "À regarder : cargo xtask restore --list, et la page de cargo xtask report.",
    );
    let mut lessons = vec![rto, (disaster.lesson)(result, report), why];
    lessons.extend(rpo.on_schedule());
    let warned = report.warnings.iter();
    lessons.extend(warned.map(|one| {
        tr!(
            "The restore warned: {one}",
            "La restauration a averti : {one}",
        )
    }));
    lessons.push(look.to_owned());
    lessons
}
