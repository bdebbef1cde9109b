//! `test`: everything that must hold before a change lands.

use anyhow::Result;

use crate::cli::TestArgs;
use crate::context::Context;
use crate::exec::Cmd;
use crate::tools::python::Venv;
use crate::wait;

pub fn run(ctx: &Context, args: &TestArgs) -> Result<()> {
    let _lock = ctx.lock("test")?;
    // The end-to-end tests run labs of their own with these packages.
    ctx.venv().ensure(&ctx.exec, &ctx.ui)?;
    let tools = Venv {
        dir: ctx.lab.home().join("venv-test"),
        lock: ctx.lab.root.join("app/requirements-dev.txt"),
        compile: true,
    };
    tools.ensure(&ctx.exec, &ctx.ui)?;
    let app = ctx.lab.root.join("app");
    let cargo = |args: &[&str]| Cmd::new("cargo").args(args).cwd(&ctx.lab.root);
    let lints = [
        (
            "format of the Rust code",
            cargo(&["fmt", "--all", "--check"]),
        ),
        (
            "lints of the Rust code",
            cargo(&[
                "clippy",
                "--quiet",
                "--locked",
                "--workspace",
                "--all-targets",
                "--",
                "-D",
                "warnings",
            ]),
        ),
        (
            "format of the Python code",
            tools.bin("ruff").args(["format", "--check"]).cwd(&app),
        ),
        (
            "lints of the Python code",
            tools.bin("ruff").args(["check"]).cwd(&app),
        ),
    ];
    let tests = [
        (
            "Rust tests, unit and end to end",
            cargo(&["test", "--quiet", "--locked", "--workspace"]),
        ),
        ("Python tests", tools.bin("pytest").args(["-q"]).cwd(&app)),
    ];
    let tests = tests.into_iter().filter(|_| !args.lint);
    for (what, cmd) in lints.into_iter().chain(tests) {
        let step = ctx.ui.step(what);
        ctx.exec.attached(&cmd.limit(wait::TEST_COMMAND))?;
        step.done("passed");
    }
    ctx.ui.timings();
    Ok(())
}
