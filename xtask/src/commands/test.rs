//! `test`: everything that must hold before a change lands.

use anyhow::Result;
use clap::ValueEnum;

use crate::cli::TestArgs;
use crate::context::Context;
use crate::exec::Cmd;
use crate::tools::python::Venv;
use crate::wait;

/// The parts of the test command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Part {
    /// Formatting and lints
    Lint,
    /// Unit tests, and end-to-end tests on the local engine
    Rust,
    /// The application's tests
    Python,
    /// The real flow on k3d: needs Docker, and clusters named pra and lab are made and removed
    Cluster,
}

type Check = (&'static str, Cmd);

pub fn run(ctx: &Context, args: &TestArgs) -> Result<()> {
    // The end-to-end tests run labs of their own with these packages.
    ctx.packages("test", &ctx.venv())?;
    let tools = Venv {
        dir: ctx.lab.home().join("venv-test"),
        lock: ctx.lab.root.join("app/requirements-dev.txt"),
        compile: true,
    };
    ctx.packages("test", &tools)?;
    for (what, cmd) in parts(args)
        .into_iter()
        .flat_map(|part| checks(ctx, &tools, part))
    {
        let step = ctx.ui.step(what);
        ctx.exec.attached(&cmd.limit(wait::TEST_COMMAND))?;
        step.done("passed");
    }
    ctx.ui.timings();
    Ok(())
}

fn parts(args: &TestArgs) -> Vec<Part> {
    if !args.only.is_empty() {
        return args.only.clone();
    }
    let mut parts = vec![Part::Lint, Part::Rust, Part::Python];
    parts.extend(args.cluster.then_some(Part::Cluster));
    parts
}

fn checks(ctx: &Context, tools: &Venv, part: Part) -> Vec<Check> {
    let app = ctx.lab.root.join("app");
    let cargo = |words: &str| Cmd::new("cargo").args(words.split(' ')).cwd(&ctx.lab.root);
    let python = |tool: &str, words: &str| tools.bin(tool).args(words.split(' ')).cwd(&app);
    match part {
        Part::Lint => vec![
            ("format of the Rust code", cargo("fmt --all --check")),
            (
                "lints of the Rust code",
                cargo("clippy --quiet --locked --workspace --all-targets -- -D warnings"),
            ),
            (
                "format of the Python code",
                python("ruff", "format --check"),
            ),
            ("lints of the Python code", python("ruff", "check")),
        ],
        Part::Rust => vec![(
            "Rust tests, unit and end to end",
            cargo("test --quiet --locked --workspace"),
        )],
        Part::Python => vec![("Python tests", python("pytest", "-q"))],
        Part::Cluster => vec![(
            "the lab on a real cluster",
            cargo("test --locked --package xtask --test k3d -- --ignored --nocapture"),
        )],
    }
}
