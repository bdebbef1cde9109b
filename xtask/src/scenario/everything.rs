//! The loss of everything but a copy: one that was exported before, or those elsewhere where the lab
//! makes them. How it is prepared, caused, recovered from and judged, whatever takes the rest.

pub mod attacked;
mod lessons;

use std::cell::Cell;
use std::path::Path;

use anyhow::{Context as _, Result};
use terms::lang::{self, Both, both, number};
use terms::{PhaseName, tr};

use crate::context::Context;
use crate::copy::elsewhere::ELSEWHERE;
use crate::copy::{self, Plan, Target};
use crate::database::{self, Restored};
use crate::engine::Engine;
use crate::exec::{quote, quote_path};
use crate::failure::{self, Failure};
use crate::marker::{Marker, Stage};
use crate::measure::attack::Attack;
use crate::measure::client::Client;
use crate::measure::compare::Lost;
use crate::measure::result::ScenarioResult;
use crate::scenario::course::Course;
use crate::scenario::elsewhere::Copies;
use crate::scenario::outage::{self, Outage};
use crate::scenario::outcome::Outcome;
use crate::scenario::repair::Repair;
use crate::scenario::run::Run;

/// Causes a loss; what there is elsewhere is known to it. Says what was taken, where somebody took it.
type Strike = fn(&Context, &dyn Engine, Option<&Copies>) -> Result<Option<Attack>>;

/// A loss that leaves an exported copy alone.
pub struct Loss {
    /// Refuses a lab that would not come back, by what is declared; before anything is asked.
    pub insist: fn(&Context) -> Result<()>,
    /// The same by trying, while the lab is up and nothing is broken.
    pub prove: fn(&Context, &dyn Engine) -> Result<()>,
    /// What is lost, in words and in deed.
    pub breaks: Both,
    pub strike: Strike,
    /// What the outage teaches, as the end of a lesson.
    pub lesson: Both,
}

const REBUILD: Both = both(
    "lab built anew, serving nobody yet",
    "lab reconstruit, encore fermé aux utilisateurs",
);
const ADOPT: Both = both("exported copy adopted", "copie exportée adoptée");
const FETCH: Both = both(
    "copies elsewhere decrypted, rebuilt and adopted",
    "copies ailleurs déchiffrées, reconstruites et adoptées",
);
const OPEN: Both = both("application started", "application démarrée");

/// Exports a copy, causes the loss, and builds the lab around the copy; or around copies
/// elsewhere, where the lab makes them: the exported one is for a run that is cut off then.
pub fn play(loss: &Loss, run: &Run, engine: &dyn Engine) -> Result<ScenarioResult> {
    (loss.prove)(run.ctx, engine)?;
    let (steady, before) = run.begin(engine)?;
    let client = run.client(&steady.url)?;
    let file = run.folder.join("copy.tar");
    let copies = Copies::of(run.ctx);
    let (recovered, promised) = course(loss, run, engine, &client, &file, copies.as_ref())?;
    let Recovered {
        outage,
        report,
        attack,
    } = recovered;

    let outcome = Outcome::shown(run, || Outcome::compare(client, before, engine))?;
    run.steady_state(engine)?;

    // Snapshots and journal went with the cluster.
    let without_copy = outcome.snapshot_only(outage.gone);
    let missing = missing(&outcome.verdict.lost, promised);
    let mut result = outage.result(run, engine, steady, &outcome, &without_copy)?;
    let rows = lang::rows(missing as u64);
    let said = match &copies {
        None => tr!(
            "missing: {rows} acknowledged before the export began",
            "il manque, acquitté avant le début de l'export : {rows}",
        ),
        Some(copies) => tr!(
            "missing: {rows} acknowledged {behind} s before the disaster and \
             earlier: the copies elsewhere were said to be no further behind",
            "il manque, acquitté {behind} s avant le sinistre ou plus tôt, {rows} : les \
             copies ailleurs n'étaient pas censées avoir plus de retard",
            behind = number(copies.behind()),
        ),
    };
    result.break_promises((missing > 0).then_some(said));
    result.attack = attack;
    result.lessons = lessons::lessons(loss.lesson, &result, &report, &file, copies.as_ref());
    Ok(result)
}

/// The same changes as [`play`] makes, shown only. The lab is still there, so
/// what builds it anew is shown as the one command that does.
pub fn show(loss: &Loss, ctx: &Context, engine: &dyn Engine) -> Result<()> {
    // Whole, since what is pasted may change its folder on the way.
    let file = std::path::absolute("copy.tar")
        .with_context(|| tr!("reading the current folder", "lecture du dossier courant"))?;
    copy::export(ctx, engine, &Target::new_file(&file))?;
    let copies = Copies::of(ctx);
    if let Some(copies) = &copies {
        copies.begin(ctx, engine)?;
        copies.history(engine)?;
    }
    (loss.strike)(ctx, engine, copies.as_ref())?;
    let from = match copies {
        Some(copies) => {
            let history = quote(&copies.history(engine)?);
            format!("{ELSEWHERE}latest --history {history}")
        }
        None => quote(&file.to_string_lossy()),
    };
    let adopt = format!("cargo xtask adopt {from}");
    ctx.exec.change(&adopt);
    // Where the cron job outlives the volumes, it is as it was left.
    engine.suspend_backups(false)
}

/// What came of a recovery.
struct Recovered {
    outage: Outage,
    report: Restored,
    attack: Option<Attack>,
}

/// Also returns until when everything that was acknowledged has to come back.
fn course(
    loss: &Loss,
    run: &Run,
    engine: &dyn Engine,
    client: &Client,
    file: &Path,
    copies: Option<&Copies>,
) -> Result<(Recovered, f64)> {
    let ledger = client.ledger();
    let exported = Cell::new(0.0);
    let export = |ctx: &Context, engine: &dyn Engine| {
        exported.set(ledger.now());
        copy::export(ctx, engine, &Target::new_file(file))?;
        copies.map_or(Ok(()), |copies| copies.begin(ctx, engine))
    };
    let (course, unfinished) = Course::begin(
        run,
        engine,
        ledger,
        both("exported copy", "copie exportée").text(),
        export,
    )?;
    unfinished.comes_back_from(file)?;
    let way = (file, copies);
    let recovered = recover(loss, course, client, &unfinished, way).map_err(|error| {
        let kind = failure::kind(&error);
        let said = tr!(
            "the recovery was not ended; the exported copy is there",
            "la reprise n'est pas terminée ; la copie exportée est là",
        );
        // What came back from elsewhere has more than what was exported before.
        let copy = unfinished.copy().unwrap_or_else(|| file.to_owned());
        let next = format!("cargo xtask adopt {}", quote_path(&copy));
        error.context(Failure::new(kind, said).next(next))
    })?;
    unfinished.done()?;
    let promised = copies.map_or(exported.get(), Copies::promised);
    Ok((recovered, promised))
}

fn recover(
    loss: &Loss,
    course: Course,
    client: &Client,
    unfinished: &Marker,
    (file, copies): (&Path, Option<&Copies>),
) -> Result<Recovered> {
    course.will_begin_with(PhaseName::Provisioned);
    let strike = |ctx: &Context, engine: &dyn Engine| {
        if let Some(copies) = copies.filter(|_| !ctx.exec.dry_run()) {
            copies.note(course.ledger, engine)?;
        }
        (loss.strike)(ctx, engine, copies)
    };
    let struck = course.strike(unfinished, &loss.breaks.to_string(), strike)?;
    let noticed = course.noticed(struck.began)?;
    let mut phases = Vec::from_iter(course.decided(noticed)?);
    course.enters(PhaseName::Provisioned);
    let provisioned = course.act(REBUILD.text(), copy::up_closed)?.ended;
    // Where lab.toml leaves the port open, the new lab has another one.
    client.follow(
        &course
            .engine
            .facts()?
            .url
            .with_context(|| tr!("the new lab has no URL", "le nouveau lab n'a pas d'URL"))?,
    );
    course.enters(PhaseName::Restored);
    let restored = match copies {
        None => course.act(ADOPT.text(), |_, engine| copy::adopt(engine, file))?,
        Some(copies) => course.act(FETCH.text(), |ctx, engine| {
            let brought = copies.bring(ctx, &course.run.folder)?;
            if !ctx.exec.dry_run() {
                unfinished.comes_back_from(&brought)?;
            }
            copy::adopt(engine, &brought)
        })?,
    };
    let report = restored
        .value
        .with_context(|| {
            tr!(
                "the restore was only shown",
                "la restauration n'a été que montrée"
            )
        })?
        .value;
    unfinished.restored(report.safety_point.as_deref())?;
    let opened = course.act(OPEN.text(), copy::open)?.ended;
    course.served_again(opened)?;
    let protected = outage::protected_again(&course)?;
    phases.extend([
        (PhaseName::Provisioned, provisioned),
        (PhaseName::Restored, restored.ended),
    ]);
    let outage = Outage {
        struck: struck.began,
        gone: struck.ended,
        // No schedule makes copies.
        backup: None,
        phases,
        protected,
        moments: course.into_moments(),
    };
    Ok(Recovered {
        outage,
        report,
        attack: struck.value,
    })
}

/// How many of the lost rows the copy had to hold, beside those from before the
/// run.
fn missing(lost: &[Lost], exported: f64) -> usize {
    let promised = |lost: &&Lost| lost.acknowledged.is_some_and(|at| at <= exported);
    lost.iter().filter(promised).count()
}

/// Sees that what is in the copy of the run is there. A lab without volumes was
/// built around it before; see [`crate::commands::setup`].
pub const REPAIR: Repair = Repair {
    first: |engine, left| match &left.unfinished.copy {
        Some(copy) if left.unfinished.stage == Stage::Struck => {
            let state = database::of(engine).state(left.url)?;
            insist_on_the_copy(engine, copy, state.needs_restore)
        }
        _ => Ok(()),
    },
    ..Repair::WHERE_MISSING
};

/// Adopts the copy where that takes nothing from what is there.
///
/// # Errors
/// Somebody wrote to a lab that the copy is not in.
fn insist_on_the_copy(engine: &dyn Engine, copy: &Path, database_gone: bool) -> Result<()> {
    if database_gone {
        return copy::adopt(engine, copy).map(drop);
    }
    let Some(plan) = copy::plan(engine, copy)? else {
        return Ok(());
    };
    match Within::of(&plan.value) {
        Within::All => Ok(()),
        Within::Nothing => copy::adopt(engine, copy).map(drop),
        Within::Other => {
            let name = copy.display();
            let said = tr!(
                "the lab has rows that are not in {name}, which it has to come back from and has \
                 not adopted: {against}",
                "le lab a des lignes qui ne sont pas dans {name}, dont il doit revenir et qu'il \
                 n'a pas adoptée : {against}",
                against = plan.value.against(),
            );
            let next = format!("cargo xtask adopt {}", quote_path(copy));
            Err(Failure::usage(said).next(next).into())
        }
    }
}

/// How much of a copy a lab has.
#[derive(Debug, PartialEq)]
enum Within {
    /// Every row of it: it was adopted, or nothing was ever lost.
    All,
    /// The lab has no row that is not in the copy.
    Nothing,
    /// Rows of its own, and not those of the copy.
    Other,
}

impl Within {
    fn of(plan: &Plan) -> Self {
        match (plan.gained, plan.changed, plan.lost) {
            (Some(0), Some(0), _) => Self::All,
            (_, Some(0), Some(0)) => Self::Nothing,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn against(gained: u64, changed: u64, lost: u64) -> Within {
        let counts = format!(
            r#"{{"gained":{gained},"changed":{changed},"lost":{lost},"point":null,"replayed":0,
                "rows":5,"unreadable":null,"left_behind":null,"warnings":[],"seconds":0}}"#
        );
        Within::of(&serde_json::from_str(&counts).unwrap())
    }

    #[test]
    fn a_copy_is_adopted_by_itself_only_where_that_takes_nothing() {
        assert_eq!(against(5, 0, 0), Within::Nothing);
        // A client found the empty lab before the repair did.
        assert_eq!(against(4, 1, 0), Within::Other);
        assert_eq!(against(5, 0, 1), Within::Other);
        // It is in there, with what was written since.
        assert_eq!(against(0, 0, 7), Within::All);
        // A row of it was changed since, or is another one.
        assert_eq!(against(0, 1, 0), Within::Other);
    }
}
