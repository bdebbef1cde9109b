//! `drill`: disasters at moments that nobody chose, often enough to tell the
//! spread of what they cost, against the objectives.

use std::time::SystemTime;

use anyhow::{Context as _, Result};

use crate::cli::DrillArgs;
use crate::commands::{report, scenario as play, setup};
use crate::config::Protection;
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::failure::{self, Failure, Kind};
use crate::measure::drill::{DrillResult, DrillRun, Group};
use crate::measure::figures::milliseconds;
use crate::measure::result::Draw;
use crate::scenario::protection;
use crate::scenario::run::{How, versions};
use crate::scenario::{self, Scenario};
use crate::wait;

pub fn run(ctx: &Context, args: &DrillArgs) -> Result<()> {
    let scenarios = args.scenarios.iter().map(|name| scenario::find(name));
    let scenarios = scenarios.collect::<Result<Vec<_>>>()?;
    if !(1.0..=86_400.0).contains(&args.interval) {
        return Err(
            Failure::usage("--interval has to be from 1 to 86400 seconds")
                .next("cargo xtask drill --help")
                .into(),
        );
    }
    let _lock = ctx.lock("drill")?;
    let engine = engine::select(ctx)?;
    for one in &scenarios {
        one.insist_on(engine.name())?;
    }
    setup::ensure_up(ctx, engine.as_ref())?;
    if ctx.exec.dry_run() {
        return show(ctx, engine.as_ref(), args, &scenarios);
    }
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    ctx.ui.note(&format!(
        "Seed {seed}: the same moments again with --seed {seed}"
    ));
    let command = command(args, seed);
    let mut result = DrillResult::new(seed, args.interval, command, versions(ctx));
    let played = play_all(ctx, engine.as_ref(), args, &scenarios, &mut result);
    let back = protection::put_back(ctx, engine.as_ref());
    let Err(error) = played.and(back) else {
        return finish(ctx, result);
    };
    // What was played until then is worth having: a soak has no other end.
    let error = setup::put_back_after(ctx, engine.as_ref(), error);
    keep_what_there_is(ctx, result, &error);
    Err(error)
}

fn keep_what_there_is(ctx: &Context, mut result: DrillResult, error: &anyhow::Error) {
    if result.groups.iter().all(|group| group.runs.is_empty()) {
        return;
    }
    result.cut_off = Some(format!("{error:#}"));
    result.failed = failure::kind(error) != Kind::Interrupted;
    if let Err(late) = finish(ctx, result) {
        ctx.ui.warn(&format!("until then: {late:#}"));
    }
}

/// The command that draws the same moments again.
fn command(args: &DrillArgs, seed: u64) -> String {
    let mut words = vec!["cargo xtask drill".to_owned()];
    words.extend(args.scenarios.iter().cloned());
    words.push(if args.until_failure {
        "--until-failure".to_owned()
    } else {
        format!("--runs {}", args.runs)
    });
    if !args.protection.is_empty() {
        let names: Vec<&str> = args.protection.iter().map(|one| one.name()).collect();
        words.push(format!("--protection {}", names.join(",")));
    }
    words.push(format!("--interval {} --seed {seed}", args.interval));
    words.join(" ")
}

/// What a drill changes, shown only: one run of each kind.
fn show(
    ctx: &Context,
    engine: &dyn Engine,
    args: &DrillArgs,
    scenarios: &[&Scenario],
) -> Result<()> {
    for protection in wanted(args) {
        if let Some(protection) = protection {
            protection::switch(ctx, engine, protection)?;
        }
        for one in scenarios {
            (one.show)(ctx, engine)?;
        }
    }
    protection::put_back(ctx, engine)
}

/// The protections in turn; `None` is the declared one.
fn wanted(args: &DrillArgs) -> Vec<Option<Protection>> {
    if args.protection.is_empty() {
        return vec![None];
    }
    args.protection.iter().copied().map(Some).collect()
}

fn play_all(
    ctx: &Context,
    engine: &dyn Engine,
    args: &DrillArgs,
    scenarios: &[&Scenario],
    result: &mut DrillResult,
) -> Result<()> {
    for protection in wanted(args) {
        if let Some(protection) = protection {
            protection::switch(ctx, engine, protection)?;
        }
        play_under_one(ctx, engine, args, scenarios, result)?;
    }
    Ok(())
}

/// All runs under the protection that is in force; each meets the same moments.
fn play_under_one(
    ctx: &Context,
    engine: &dyn Engine,
    args: &DrillArgs,
    scenarios: &[&Scenario],
    result: &mut DrillResult,
) -> Result<()> {
    let mut drawn = 0;
    let mut draws = fastrand::Rng::with_seed(result.seed);
    let before = result.groups.len();
    let groups = scenarios.iter().map(|one| Group::new(one.name));
    result.groups.extend(groups);
    let runs = if args.until_failure {
        u32::MAX
    } else {
        args.runs
    };
    for number in 1..=runs {
        let mut broken = false;
        for (group, one) in result.groups[before..].iter_mut().zip(scenarios) {
            wait::check_interrupt()?;
            let moment = draws.f64() * args.interval;
            ctx.ui.note(&format!(
                "Run {number} of {}: {moment:.1} s after its backup or its steady state",
                one.name
            ));
            drawn += 1;
            let draw = Draw {
                seed: result.seed,
                number: drawn,
                moment_seconds: milliseconds(moment),
            };
            let how = How {
                step: false,
                draw: Some(draw),
            };
            let run = play::play(ctx, engine, one, how)?;
            broken |= !run.passed;
            group.add(DrillRun::new(&run, number, moment), &run);
        }
        if args.until_failure && broken {
            break;
        }
    }
    Ok(())
}

/// Keeps, shows and judges.
fn finish(ctx: &Context, mut result: DrillResult) -> Result<()> {
    result.judge(&ctx.config.objectives);
    let stamp = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
    let name = format!("{}-drill", stamp.replace([':', '.'], "-"));
    let folder = ctx.lab.runs().join(name);
    std::fs::create_dir_all(&folder).with_context(|| format!("creating {}", folder.display()))?;
    let document = folder.join("result.json");
    let text = serde_json::to_string_pretty(&result)? + "\n";
    std::fs::write(&document, text).with_context(|| format!("writing {}", document.display()))?;
    if let Err(error) = report::draw(ctx, &folder) {
        ctx.ui.warn(&format!("the page was not drawn: {error:#}"));
    }
    if ctx.ui.json() {
        ctx.ui.document(&result)?;
    } else {
        tell(ctx, &result);
        ctx.ui
            .say(&format!("Kept in {}", folder.join("report.html").display()));
    }
    if result.passed {
        return Ok(());
    }
    Err(Failure::promise(result.missed.join("; "))
        .next(format!(
            "look into {}",
            folder.join("report.html").display()
        ))
        .into())
}

fn tell(ctx: &Context, result: &DrillResult) {
    for group in &result.groups {
        ctx.ui.say(&group.title());
        let rows = group.figures.iter().map(|figure| {
            let mut row = vec![format!("{} ({})", figure.name, figure.unit)];
            let values = [figure.min, figure.median, figure.p95, figure.max];
            row.extend(values.map(|value| format!("{value:.3}")));
            // One run is no spread.
            row.push(if figure.n == 1 {
                "-".to_owned()
            } else {
                format!(
                    "{:.3} to {:.3} ({:.1} %)",
                    figure.median_low,
                    figure.median_high,
                    figure.coverage * 100.0
                )
            });
            row
        });
        let headers = ["", "min", "median", "p95", "max", "interval of the median"];
        ctx.ui.table(&headers, &rows.collect::<Vec<_>>());
    }
    for line in &result.comparison {
        ctx.ui.say(line);
    }
    if let Some(why) = &result.cut_off {
        ctx.ui.warn(&format!("the drill was cut off: {why}"));
    }
    for doubt in &result.doubts {
        ctx.ui.warn(doubt);
    }
}
