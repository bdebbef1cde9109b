//! `drill`: repeats disasters at random moments, and compares the distribution of RPO
//! and RTO with the objectives.

use anyhow::Result;
use terms::lang::{Both, both, fixed, listed, number};
use terms::{LabName, Labelled, Protection, Unit, tr};

use crate::app;
use crate::cli::DrillArgs;
use crate::commands::{report, setup};
use crate::context::Context;
use crate::engine::{self, Engine};
use crate::exec::quote_path;
use crate::facts;
use crate::failure::{self, Failure, Kind};
use crate::measure::drill::{DrillResult, DrillRun, Group, Plan};
use crate::measure::figures::milliseconds;
use crate::measure::result::{Draw, persons_part};
use crate::measure::result_file;
use crate::measure::schedule;
use crate::provenance;
use crate::runs;
use crate::scenario::run::RunOptions;
use crate::scenario::{self, Scenario, healing, play, protection};
use crate::wait;

pub fn run(ctx: &Context, args: &DrillArgs) -> Result<()> {
    let named = args.scenarios.iter();
    let scenarios = named.map(|name| scenario::find(ctx.options.lab, name));
    let scenarios = scenarios.collect::<Result<Vec<_>>>()?;
    insist_on_sense(args)?;
    let _lock = ctx.lock("drill")?;
    let engine = engine::select(ctx)?;
    for one in &scenarios {
        one.insist_on(engine.name())?;
        one.insist_on_a_way_back(ctx)?;
        play::insist_on_consent(ctx, engine.as_ref(), one)?;
        one.insist_on_decider(args.operator_delay)?;
        one.insist_on_healing(args.auto)?;
    }
    setup::ensure_as_declared(ctx, engine.as_ref())?;
    // A protection that is asked for is what the lab will run with.
    if args.auto && args.protection.is_empty() {
        healing::insist(ctx, engine.as_ref())?;
    }
    let drill = Drill {
        ctx,
        engine: engine.as_ref(),
        args,
        scenarios: &scenarios,
    };
    if ctx.exec.dry_run() {
        return drill.show();
    }
    let schedule = match engine.lab() {
        LabName::Ha => None,
        LabName::Pra | LabName::Image => schedule::interval(&engine.facts()?.schedule),
    };
    let seed = args.seed.unwrap_or_else(|| fastrand::u64(..1_000_000_000));
    ctx.ui.note(&tr!(
        "Seed {seed}: the same moments again with --seed {seed}",
        "Graine {seed} : les mêmes instants de nouveau avec --seed {seed}",
    ));
    let plan = Plan {
        seed,
        lab: engine.lab(),
        interval: interval(args, engine.lab(), schedule)?,
        schedule,
        operator_delay: args.operator_delay,
        client: ctx.config.client.mode(args.client.mode()),
    };
    let command = command(args, &plan);
    let mut result = DrillResult::new(&plan, command, provenance::collect(ctx, engine.as_ref()));
    result.simplifications = engine.simplifications();
    if scenarios.iter().any(|one| !one.by_itself) {
        result
            .notes
            .push(persons_part(args.operator_delay, false, false));
    }
    if args.auto {
        result.notes.push(persons_part(None, false, true));
    }
    let played = drill.play(&mut result);
    let back = match &played {
        // Nothing can be awaited until the interrupt is taken notice of, below.
        Err(error) if failure::kind(error) == Kind::Interrupted => Ok(()),
        _ => protection::put_back(ctx, engine.as_ref()),
    };
    let Err(error) = played.and(back) else {
        return finish(ctx, result);
    };
    // What was played until then is worth having: a soak has no other end.
    let error = setup::put_back_after(ctx, engine.as_ref(), error);
    keep_what_there_is(ctx, result, &error);
    Err(error)
}

fn insist_on_sense(args: &DrillArgs) -> Result<()> {
    if args.auto && args.protection.contains(&Protection::Snapshot) {
        return Err(healing::refuse_without_journal());
    }
    let sensible = |seconds: &f64| (1.0..=86_400.0).contains(seconds);
    if args.interval.as_ref().is_none_or(sensible) {
        return Ok(());
    }
    Err(Failure::usage(tr!(
        "--interval has to be from 1 to 86400 seconds",
        "--interval doit être de 1 à 86400 secondes",
    ))
    .next("cargo xtask drill --help")
    .into())
}

/// What is asked for, or what lies between two backups of the lab's schedule; where there
/// are none, one moment is as good as another.
fn interval(args: &DrillArgs, lab: LabName, schedule: Option<f64>) -> Result<f64> {
    const WITHOUT_BACKUPS: f64 = 10.0;
    let usual = schedule.or((lab == LabName::Ha).then_some(WITHOUT_BACKUPS));
    args.interval.or(usual).ok_or_else(|| {
        Failure::usage(tr!(
            "the schedule of the backups does not say how far apart they are",
            "le calendrier des sauvegardes ne dit pas leur écart",
        ))
        .next("cargo xtask drill --interval SECONDS")
        .into()
    })
}

fn keep_what_there_is(ctx: &Context, mut result: DrillResult, error: &anyhow::Error) {
    if result.groups.iter().all(|group| group.runs.is_empty()) {
        return;
    }
    result.cut_off = Some(format!("{error:#}"));
    result.failed = failure::kind(error) != Kind::Interrupted;
    if let Err(late) = finish(ctx, result) {
        ctx.ui
            .warn(&tr!("until then: {late:#}", "d'ici là : {late:#}"));
    }
}

/// The command that draws the same moments again.
fn command(args: &DrillArgs, plan: &Plan) -> String {
    let mut words = vec!["cargo xtask drill".to_owned()];
    words.extend(args.scenarios.iter().cloned());
    words.push(if args.until_failure {
        "--until-failure".to_owned()
    } else {
        format!("--runs {}", args.runs)
    });
    if !args.protection.is_empty() {
        let names: Vec<&str> = args.protection.iter().map(|one| one.word()).collect();
        words.push(format!("--protection {}", names.join(",")));
    }
    if args.auto {
        words.push("--auto".to_owned());
    }
    if let Some(delay) = plan.operator_delay {
        words.push(format!("--operator-delay {delay}"));
    }
    words.extend(args.client.mode().options().map(str::to_owned));
    words.push(format!("--interval {} --seed {}", plan.interval, plan.seed));
    words.join(" ")
}

/// What is drilled, and where.
struct Drill<'a> {
    ctx: &'a Context,
    engine: &'a dyn Engine,
    args: &'a DrillArgs,
    scenarios: &'a [&'a Scenario],
}

impl Drill<'_> {
    /// What a drill changes, shown only: one run of each kind.
    fn show(&self) -> Result<()> {
        for protection in self.protections() {
            self.switch(protection)?;
            for auto in self.ways() {
                self.leave_to_the_lab(auto)?;
                for one in self.scenarios {
                    one.show(self.ctx, self.engine, *auto)?;
                }
            }
        }
        protection::put_back(self.ctx, self.engine)
    }

    /// Plays all runs into `result`, which also has those before an error.
    fn play(&self, result: &mut DrillResult) -> Result<()> {
        for protection in self.protections() {
            self.switch(protection)?;
            for auto in self.ways() {
                self.leave_to_the_lab(auto)?;
                self.play_under_one(*auto, result)?;
            }
        }
        Ok(())
    }

    /// The protections in turn; `None` is the declared one.
    fn protections(&self) -> Vec<Option<Protection>> {
        if self.args.protection.is_empty() {
            return vec![None];
        }
        self.args.protection.iter().copied().map(Some).collect()
    }

    fn switch(&self, protection: Option<Protection>) -> Result<()> {
        match protection {
            Some(protection) => protection::switch(self.ctx, self.engine, protection),
            None => Ok(()),
        }
    }

    /// The recoveries in turn: by who restores, then by the lab itself.
    fn ways(&self) -> &'static [bool] {
        match self.args.auto {
            true => &[false, true],
            false => &[false],
        }
    }

    fn leave_to_the_lab(&self, auto: &bool) -> Result<()> {
        match auto {
            true => healing::turn_on(self.ctx, self.engine),
            false => Ok(()),
        }
    }

    /// All runs under the protection that is in force; each meets the same moments.
    fn play_under_one(&self, auto: bool, result: &mut DrillResult) -> Result<()> {
        let mut draws = fastrand::Rng::with_seed(result.seed);
        let mut drawn = 0;
        let before = result.groups.len();
        let url = self.engine.facts()?.url.unwrap_or_default();
        let protection = app::status(&url)?.protection;
        let lab = self.ctx.options.lab;
        let groups = self.scenarios.iter();
        let groups =
            groups.map(|one| Group::new(lab, one.name, self.engine.name(), protection, auto));
        result.groups.extend(groups);
        let runs = if self.args.until_failure {
            u32::MAX
        } else {
            self.args.runs
        };
        for number in 1..=runs {
            let mut broken = false;
            for (group, one) in result.groups[before..].iter_mut().zip(self.scenarios) {
                wait::check_interrupt()?;
                drawn += 1;
                let draw = Draw {
                    seed: result.seed,
                    number: drawn,
                    moment_seconds: milliseconds(draws.f64() * result.interval_seconds),
                };
                broken |= !self.play_once(one, number, draw, group)?;
            }
            if self.args.until_failure && broken {
                break;
            }
        }
        Ok(())
    }

    /// One run, kept in its group; whether it passed.
    fn play_once(
        &self,
        scenario: &Scenario,
        number: u32,
        draw: Draw,
        group: &mut Group,
    ) -> Result<bool> {
        let shown = fixed(draw.moment_seconds, 1);
        self.ctx.ui.note(&tr!(
            "Run {number} of {name}: {shown} s after its backup or its steady state",
            "Exécution {number} de {name} : {shown} s après sa sauvegarde ou son état stable",
            name = scenario.name,
        ));
        let options = RunOptions {
            step: false,
            draw: Some(draw),
            operator_delay: self.args.operator_delay,
            auto: group.auto,
            mode: self.args.client.mode(),
        };
        // Until it ends: whatever cuts it off, it was begun.
        group.cut_off += 1;
        let run = play::play(self.ctx, self.engine, scenario, options)?;
        group.cut_off -= 1;
        group.add(DrillRun::new(&run, number, draw.moment_seconds), &run);
        Ok(run.passed)
    }
}

/// Keeps, shows and judges.
fn finish(ctx: &Context, mut result: DrillResult) -> Result<()> {
    result.judge(&ctx.config.objectives);
    let (_, folder) = runs::create(ctx, "drill")?;
    result_file::write(&folder, &result)?;
    let kept = match report::draw(ctx, &folder) {
        Ok(()) => folder.join(report::PAGE),
        Err(error) => {
            ctx.ui.warn(&tr!(
                "the page was not drawn: {error:#}",
                "la page n'a pas été dessinée : {error:#}",
            ));
            folder.join(result_file::FILE)
        }
    };
    if ctx.ui.json() {
        ctx.ui.document(&result)?;
    } else {
        tell(ctx, &result);
        ctx.ui.say(&tr!(
            "Kept in {folder}",
            "Conservé dans {folder}",
            folder = kept.display()
        ));
    }
    if result.passed {
        return Ok(());
    }
    Err(Failure::promise(listed(&result.missed))
        .next(tr!(
            "look into {folder}",
            "regardez dans {folder}",
            folder = quote_path(&kept)
        ))
        .into())
}

fn tell(ctx: &Context, result: &DrillResult) {
    for group in &result.groups {
        ctx.ui.say(&group.title());
        let rows = group.figures.iter().map(|figure| {
            let mut row = vec![format!("{} ({})", figure.name.label(), figure.unit.label())];
            let shown = |value: f64| match figure.unit {
                Unit::Seconds => fixed(value, 3),
                // A count is whole; its median may lie between two.
                Unit::Rows | Unit::Writes | Unit::Attempts | Unit::Requests => number(value),
            };
            row.extend([figure.min, figure.median].map(shown));
            row.push(figure.p95.map_or_else(|| "= max".to_owned(), shown));
            row.push(shown(figure.max));
            // One run is no spread.
            row.push(if figure.n == 1 {
                "-".to_owned()
            } else {
                tr!(
                    "{low} to {high} ({share} %)",
                    "{low} à {high} ({share} %)",
                    low = shown(figure.median_low),
                    high = shown(figure.median_high),
                    share = fixed(figure.coverage * 100.0, 1),
                )
            });
            row
        });
        let headers = [
            Both::same(""),
            Both::same("min"),
            both("median", "médiane"),
            Both::same("p95"),
            Both::same("max"),
            both("interval of the median", "intervalle de la médiane"),
        ];
        ctx.ui
            .table(&headers.map(Both::text), &rows.collect::<Vec<_>>());
    }
    for line in result.comparison.iter().chain(&result.notes) {
        ctx.ui.say(line);
    }
    if let Some(said) = facts::said_of(result.simplifications) {
        ctx.ui.say(&tr!(
            "Simpler than a cluster: {said}",
            "Plus simple qu'un cluster : {said}"
        ));
    }
    if let Some(why) = &result.cut_off {
        ctx.ui.warn(&tr!(
            "the drill was cut off: {why}",
            "l'exercice a été interrompu : {why}"
        ));
    }
    for doubt in &result.doubts {
        ctx.ui.warn(doubt);
    }
}
