//! `restore`, `undo`, `prune`: the restore points and the journal, listed;
//! a moment brought back, or planned; old points removed.

mod list;

use anyhow::Result;
use serde::Deserialize;
use terms::lang::{both, fixed, plural};
use terms::tr;

use crate::app::{self, Document, Plan, RestoreOptions, Restored};
use crate::cli::RestoreArgs;
use crate::commands::{consent, setup};
use crate::context::Context;
use crate::engine::serving;
use crate::failure::Failure;
use crate::protected;

/// The restore point that stands for the database on the data volume, as it is.
const CURRENT: &str = "current";

pub fn run(ctx: &Context, args: &RestoreArgs) -> Result<()> {
    if args.list {
        return list::points(ctx);
    }
    if args.log {
        return list::transactions(ctx, args.largest, args.limit);
    }
    let target = target(args, |moment| in_utc(ctx, moment))?;
    if args.plan {
        return plan(ctx, &target, args.force);
    }
    let options = RestoreOptions {
        force: args.force,
        take_over: args.take_over,
    };
    bring_back(ctx, "restore", &target, options).map(drop)
}

pub fn undo(ctx: &Context, plan_only: bool) -> Result<()> {
    if plan_only {
        return plan(ctx, "undo", false);
    }
    bring_back(ctx, "undo", "undo", RestoreOptions::default()).map(drop)
}

/// What `PRA_RESTORE_POINT` is to say. Whatever cannot be a target is refused
/// before it goes anywhere near a pod; `in_utc` says which moment was meant, once,
/// so that each attempt of the job restores the same one.
fn target(args: &RestoreArgs, in_utc: impl Fn(&str) -> Result<String>) -> Result<String> {
    if let Some(seq) = args.to_before {
        return Ok(format!("before:{seq}"));
    }
    if let Some(moment) = &args.to {
        return in_utc(moment);
    }
    let name = args.point.clone().unwrap_or_default();
    check_name(&name)?;
    Ok(name)
}

/// The moment that a person wrote, as the package reads it: RFC 3339, UTC.
pub(super) fn in_utc(ctx: &Context, moment: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Meant {
        moment: String,
    }
    let cmd = app::on_this_machine(ctx, &["moment", "--json", "--", moment])?;
    let output = ctx.exec.probe(&cmd)?;
    if !output.status.success() {
        return Err(app::refusal(&output, "moment").into());
    }
    let meant: Meant = app::parse(&output.stdout, "moment")?.value;
    Ok(meant.moment)
}

fn check_name(point: &str) -> Result<()> {
    let stem = point
        .strip_prefix("app-")
        .and_then(|rest| rest.strip_suffix(".db"));
    let named = stem.is_some_and(|n| !n.is_empty() && n.chars().all(|c| c.is_ascii_digit()));
    if named || point == "latest" || point == CURRENT {
        return Ok(());
    }
    Err(Failure::usage(tr!(
        "{point:?} cannot be the name of a restore point",
        "{point:?} ne peut pas être le nom d'un point de restauration",
    ))
    .next("cargo xtask restore --list")
    .into())
}

fn plan(ctx: &Context, target: &str, force: bool) -> Result<()> {
    let _lock = ctx.lock("restore --plan")?;
    let engine = setup::bring_up(ctx)?;
    if ctx.exec.dry_run() {
        return Ok(());
    }
    let said = app::plan(engine.as_ref(), target, force)?;
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
        return Ok(());
    }
    let plan = said.value;
    let base = base(target, plan.point.as_deref());
    ctx.ui.say(&tr!(
        "Restoring {target} would start {base} and replay {replayed} transaction{s}: {against} \
         (worked out in {seconds} s; nothing was touched).",
        "Une restauration ({target}) partirait {base} et rejouerait {replayed} transaction{s} : \
         {against} (calculé en {seconds} s ; rien n'a été touché).",
        replayed = plan.replayed,
        s = plural(plan.replayed as u64),
        against = plan.against(),
        seconds = fixed(plan.seconds, 2),
    ));
    tell_losses(ctx, &plan);
    Ok(())
}

/// Prints the warnings of a plan.
pub fn tell_losses(ctx: &Context, plan: &Plan) {
    warn(ctx, &plan.warnings);
    let Some(left) = &plan.left_behind else {
        return;
    };
    let (count, first, last) = (left.transactions, left.first_seq, left.last_seq);
    let which = transactions(first, last);
    ctx.ui.say(&if plan.takes_something() {
        tr!(
            "Transactions left behind: {count} ({which}); `cargo xtask undo` would bring them back.",
            "Transactions laissées de côté : {count} ({which}) ; `cargo xtask undo` les ramènerait.",
        )
    } else {
        tr!(
            "No row that is there now would be lost. The history of {which} would be left; `cargo \
             xtask undo` would come back to it.",
            "Aucune ligne présente ne serait perdue. L'historique ({which}) serait quitté ; `cargo \
             xtask undo` y reviendrait.",
        )
    });
}

/// Those from one number to another, or the one.
fn transactions(first: u64, last: u64) -> String {
    if first == last {
        return format!("transaction {first}");
    }
    tr!(
        "transactions {first} to {last}",
        "transactions {first} à {last}"
    )
}

/// From what a restore starts, which is a point as a rule.
fn base(target: &str, point: Option<&str>) -> String {
    match point {
        Some(name) => tr!("from {name}", "de {name}"),
        None if target == CURRENT => tr!(
            "from the database on the data volume, as it is,",
            "de la base du volume de données, telle qu'elle est,",
        ),
        None => tr!("from the beginning of the journal", "du début du journal"),
    }
}

/// Asks, restores a target and tells of it; `None` in a dry run.
pub fn bring_back(
    ctx: &Context,
    command: &str,
    target: &str,
    options: RestoreOptions,
) -> Result<Option<Restored>> {
    let _lock = ctx.lock(command)?;
    let engine = setup::bring_up(ctx)?;
    consent::insist(
        ctx,
        engine.as_ref(),
        &tr!("Restoring {target}", "Restauration ({target})"),
        || app::plan(engine.as_ref(), target, options.force).map(Some),
    )?;
    let step = ctx
        .ui
        .step(tr!("restore {target}", "restauration ({target})"));
    let report = app::restore(engine.as_ref(), target, options)?;
    if report.is_some() {
        serving::wait_until_ready(engine.as_ref())?;
    }
    step.done(tr!("verified and in place", "vérifiée et en place"));
    let protected = protected::again(ctx, engine.as_ref())?;
    let (Some(report), Some(protected)) = (report, protected) else {
        return Ok(None);
    };
    if ctx.ui.json() {
        let members = protected.members();
        let document = format!(r#"{{"restore":{},{members}}}"#, report.text);
        ctx.ui.raw(&document);
        return Ok(Some(report.value));
    }
    ctx.ui.say(&summary(target, &report));
    warn(ctx, &report.value.warnings);
    ctx.ui.say(&protected.words());
    Ok(Some(report.value))
}

/// Prints the package's warnings.
pub fn warn(ctx: &Context, warnings: &[String]) {
    for one in warnings {
        ctx.ui.warn(one);
    }
}

fn summary(target: &str, report: &Document<Restored>) -> String {
    let Restored {
        point,
        rows,
        replayed,
        safety_point,
        already,
        warnings: _,
    } = &report.value;
    let base = base(target, point.as_deref());
    let kept = match safety_point {
        Some(name) => {
            tr!(
                "What was there is kept as {name}; `cargo xtask undo` brings it back.",
                "Ce qui était là est conservé sous le nom {name} ; `cargo xtask undo` le ramène.",
            )
        }
        None => tr!("Nothing was there before.", "Il n'y avait rien avant."),
    };
    let again = if *already {
        both(
            " An earlier attempt of the job did it; the last one changed nothing.",
            " Une tentative antérieure du job l'avait faite ; la dernière n'a rien changé.",
        )
        .text()
    } else {
        ""
    };
    tr!(
        "Restored {target}: {rows} row{s}, {base}; transactions replayed: {replayed}. {kept}{again}",
        "Restauré ({target}) : {rows} ligne{s}, à partir {base} ; transactions rejouées : \
         {replayed}. {kept}{again}",
        s = plural(*rows),
    )
}

pub fn prune(ctx: &Context) -> Result<()> {
    let _lock = ctx.lock("prune")?;
    let engine = setup::bring_up(ctx)?;
    let dry_run = ctx.exec.dry_run();
    let said = app::prune(engine.as_ref(), dry_run)?;
    if ctx.ui.json() {
        ctx.ui.raw(&said.text);
        return Ok(());
    }
    let removed = &said.value.removed;
    for name in removed {
        ctx.ui.say(name);
    }
    let count = removed.len();
    let s = plural(count as u64);
    ctx.ui.say(&match (dry_run, count) {
        (false, _) => tr!("{count} point{s} removed", "{count} point{s} supprimé{s}"),
        (true, 0 | 1) => tr!(
            "{count} point{s} would be removed",
            "{count} point serait supprimé",
        ),
        (true, _) => tr!(
            "{count} points would be removed",
            "{count} points seraient supprimés",
        ),
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use terms::lang::{Lang, speaking};

    use super::*;

    #[test]
    fn french_contracts_what_a_restore_starts_from() {
        assert_eq!(base("latest", None), "from the beginning of the journal");
        speaking(Lang::French, || {
            assert_eq!(base("latest", None), "du début du journal");
            assert_eq!(base("latest", Some("app-1.db")), "de app-1.db");
        });
    }

    #[test]
    fn only_names_of_points_pass() {
        for good in ["latest", "current", "app-1763719200.db"] {
            check_name(good).unwrap();
        }
        for bad in [
            "",
            "..",
            "../app-1.db",
            "/etc/a.db",
            "--force.db",
            "a b.db",
            "app-1",
            "app-.db",
            "app-1-2.db",
        ] {
            assert!(check_name(bad).is_err(), "{bad:?} passed");
        }
    }

    #[test]
    fn a_job_is_told_the_moment_and_not_the_words_for_it() {
        let args = RestoreArgs {
            to: Some("10 min ago".to_owned()),
            ..RestoreArgs::default()
        };
        let meant = target(&args, |words| Ok(format!("the moment of {words}"))).unwrap();
        assert_eq!(meant, "the moment of 10 min ago");
        let refused = target(&args, |_| Err(Failure::usage("no moment").into()));
        assert!(refused.is_err());
    }
}
