//! Scenario 8: the volume is lost, and the restore that should bring it back
//! is killed on its way, then begun again.

use std::thread;
use std::time::Instant;

use anyhow::{Result, anyhow};
use terms::lang::both;
use terms::{ScenarioName, tr};

use crate::context::Context;
use crate::database::{self, Restored};
use crate::engine::Engine;
use crate::engine::capability::Capability;
use crate::facts::JobState;
use crate::failure::Failure;
use crate::scenario::definition::{Scenario, Way};
use crate::scenario::outage::{self, Disaster};
use crate::scenario::repair::Repair;
use crate::wait;

pub const SCENARIO: Scenario = Scenario {
    number: 8,
    name: ScenarioName::RestoreKilled,
    title: both(
        "the restore itself is killed, then begun again",
        "la restauration elle-même est tuée, puis recommencée",
    ),
    breaks: both(
        "the volume pra-data, and the job that restores it",
        "le volume pra-data et le job qui le restaure",
    ),
    holds: both(
        "the second restore brings everything back; the first left nothing half-way",
        "la seconde restauration ramène tout ; la première n'a rien laissé à moitié fait",
    ),
    takes: both("about 10 s", "environ 10 s"),
    needs: &[Capability::Url],
    by_itself: false,
    takes_for_good: None,
    way: Way::Outage(&DISASTER),
    repair: Repair::WHERE_MISSING,
};

/// Restores that are begun to be killed, at most.
const ATTEMPTS: u32 = 3;
const AGAIN: &str = "cargo xtask setup && cargo xtask scenario restore-killed";

const DISASTER: Disaster = Disaster {
    prepare: outage::verified_backup,
    breaks: both(
        "application stopped, volume pra-data deleted; the restore will be killed",
        "application arrêtée, volume pra-data supprimé ; la restauration sera tuée",
    ),
    strike: outage::lose_data_volume,
    restore: restore_twice,
    untouched: false,
    heals: false,
    points_lost: 0,
    lesson: |_, report| {
        tr!(
            "The first restore was killed on its way, the second one brought {rows} rows back. \
             What a killed restore leaves is the old database or the new one, whole: the new one \
             is built aside, checked, and put in place in one step.",
            "La première restauration a été tuée en route, la seconde a ramené {rows} lignes. Ce \
             que laisse une restauration tuée est l'ancienne base ou la nouvelle, entière : la \
             nouvelle est construite à part, contrôlée, puis mise en place en une seule opération.",
            rows = report.rows,
        )
    },
};

fn restore_twice(ctx: &Context, engine: &dyn Engine) -> Result<Option<Restored>> {
    if ctx.exec.dry_run() {
        ctx.exec.show(both(
            "# A run kills the first of two restores on its way; pasted, it comes to its end.",
            "# Une exécution tue en route la première de deux restaurations ; collée, elle va à \
             son terme.",
        ).text());
        outage::restore_latest(ctx, engine)?;
        engine.delete_jobs()?;
        return outage::restore_latest(ctx, engine);
    }
    kill(
        || kill_one(engine),
        || outage::lose_data_volume(ctx, engine),
    )?;
    outage::restore_latest(ctx, engine)
}

/// What came of an attempt to kill a restore.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Attempt {
    Killed,
    /// It had ended before: the database is back, and nothing was tested.
    TooLate,
}

/// Kills a restore on its way. Where one ends before the kill reaches it, as on a busy machine,
/// the volume is lost once more: what counts is a restore that was killed, not how fast one is.
fn kill(
    mut kill_one: impl FnMut() -> Result<Attempt>,
    lose: impl Fn() -> Result<()>,
) -> Result<()> {
    for attempt in 1..=ATTEMPTS {
        if kill_one()? == Attempt::Killed {
            return Ok(());
        }
        if attempt < ATTEMPTS {
            lose()?;
        }
    }
    let said = tr!(
        "each of {ATTEMPTS} restores had ended before it could be killed",
        "chacune des {ATTEMPTS} restaurations était terminée avant de pouvoir être tuée",
    );
    Err(Failure::tool(said).next(AGAIN).into())
}

/// Begins a restore and ends it with its job.
fn kill_one(engine: &dyn Engine) -> Result<Attempt> {
    let restore_job = database::of(engine).restore_job();
    let runs = || {
        let jobs = engine.facts()?.jobs;
        let mut ours = jobs.iter().filter(|job| job.name == restore_job);
        anyhow::Ok(ours.any(|job| job.state == JobState::Running))
    };
    let (running, first) = thread::scope(|scope| {
        let restore = scope.spawn(|| database::of(engine).restore("latest"));
        wait::until(wait::RESTORE_BEGUN, || {
            if restore.is_finished() {
                return Ok(Some(()));
            }
            Ok(runs()?.then_some(()))
        })?;
        wait::until_moment(Instant::now() + wait::INTO_THE_RESTORE)?;
        // One that failed by itself may not have been waited for yet.
        let running = !restore.is_finished() && runs()?;
        engine.delete_jobs()?;
        let first = restore.join().map_err(|_| {
            anyhow!(tr!(
                "the thread of the restore crashed",
                "le fil de la restauration a planté"
            ))
        })?;
        anyhow::Ok((running, first))
    })?;
    came_of_it(running, first)
}

/// Where a restore failed by itself the scenario failed to run, and no promise was broken.
fn came_of_it<T>(running: bool, first: Result<T>) -> Result<Attempt> {
    match (running, first) {
        (true, Err(_)) => Ok(Attempt::Killed),
        (_, Ok(_)) => Ok(Attempt::TooLate),
        (false, Err(error)) => {
            let said = tr!(
                "the restore had failed by itself before it could be killed",
                "la restauration avait échoué d'elle-même avant de pouvoir être tuée",
            );
            Err(error.context(Failure::tool(said).next(AGAIN)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::{Kind, kind};
    use std::cell::Cell;

    #[test]
    fn a_restore_that_was_too_fast_to_be_killed_is_begun_again_after_another_loss() {
        let (tried, lost) = (Cell::new(0), Cell::new(0));
        let killed_by = |last: u32| {
            tried.set(0);
            lost.set(0);
            let one = || {
                tried.set(tried.get() + 1);
                came_of_it(
                    true,
                    if tried.get() == last {
                        Err(anyhow!("killed"))
                    } else {
                        Ok(())
                    },
                )
            };
            let done = kill(one, || {
                lost.set(lost.get() + 1);
                Ok(())
            });
            (done, tried.get(), lost.get())
        };
        for last in 1..=ATTEMPTS {
            let (done, tried, lost) = killed_by(last);
            done.unwrap();
            assert_eq!((tried, lost), (last, last - 1));
        }
        // No promise is broken by it.
        let (done, tried, _) = killed_by(ATTEMPTS + 1);
        assert_eq!(kind(&done.unwrap_err()), Kind::Tool);
        assert_eq!(tried, ATTEMPTS);
    }

    #[test]
    fn a_restore_that_failed_by_itself_was_not_killed() {
        let failed = Failure::promise("no sound point");
        let error = came_of_it(false, Err::<(), _>(failed.into())).unwrap_err();
        assert_eq!(kind(&error), Kind::Tool);
        assert!(format!("{error:#}").contains("no sound point"), "{error:#}");
    }
}
