//! `test`: everything that must hold before a change lands.

use anyhow::Result;

use crate::cli::{TestArgs, TestPart as Part};
use crate::context::Context;
use crate::engine::k3d::docker;
use crate::exec::Cmd;
use crate::tools::packer;
use crate::tools::toolbox::Tool;
use crate::tools::venv::Venv;
use crate::wait;

type Check = (&'static str, Cmd);

pub fn run(ctx: &Context, args: &TestArgs) -> Result<()> {
    // The end-to-end tests run labs of their own with these packages.
    ctx.packages("test", &ctx.venv())?;
    let tools = Venv {
        dir: ctx.workspace.home().join("venv-test"),
        lock: ctx.workspace.root.join("app/requirements-dev.txt"),
        minimum: ctx.config.python.minimum(),
        modules: &["flask", "pytest", "ruff", "xdist"],
        compile: true,
        script: None,
    };
    ctx.packages("test", &tools)?;
    let mut all = Vec::new();
    for part in parts(args) {
        all.extend(checks(ctx, &tools, part)?);
    }
    for (what, cmd) in all {
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

fn checks(ctx: &Context, tools: &Venv, part: Part) -> Result<Vec<Check>> {
    let app = ctx.workspace.root.join("app");
    let cargo = |words: &str| {
        Cmd::new("cargo")
            .args(words.split(' '))
            .cwd(&ctx.workspace.root)
    };
    let python = |tool: &str, words: &str| tools.bin(tool).args(words.split(' ')).cwd(&app);
    Ok(match part {
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
            cargo("test --quiet --locked --workspace --")
                .args([format!("--test-threads={}", tests_at_once())]),
        )],
        Part::Python => vec![("Python tests", python("pytest", "-q -n auto"))],
        Part::Cluster => cluster_checks(ctx)?,
        Part::ClusterLong => {
            docker::insist(ctx)?;
            ctx.tools.ensure_all()?;
            vec![
                (
                    "the French guide on a real cluster, by its short commands",
                    on_k3d(ctx, "short_form"),
                ),
                ("works marked on a real cluster", on_k3d(ctx, "marking")),
            ]
        }
    })
}

/// Most of an end-to-end test is waiting: for pods, probes, a schedule. Two for each core
/// keep this machine busy without making the measuring ones late.
fn tests_at_once() -> usize {
    2 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// What needs the tools of the k3d engine, whose own lints come first.
fn cluster_checks(ctx: &Context) -> Result<Vec<Check>> {
    docker::insist(ctx)?;
    ctx.tools.ensure_all()?;
    let lint = Venv {
        dir: ctx.workspace.home().join("ansible-test"),
        lock: ctx.workspace.root.join("ansible/requirements-dev.txt"),
        minimum: ctx.config.python.minimum(),
        modules: &["ansible", "ansiblelint"],
        compile: false,
        script: Some("ansible-lint"),
    };
    ctx.packages("test", &lint)?;
    // ansible-lint looks for Ansible on PATH.
    let path = std::env::var("PATH").unwrap_or_default();
    let path = format!("{}:{path}", lint.dir.join("bin").display());
    let ansible = lint
        .bin("ansible-lint")
        .args(["--offline", "--profile", "production"])
        .args(["ansible/playbook.yml", "ansible/image.yml"])
        .env("PATH", path)
        .cwd(&ctx.workspace.root);
    let program = ctx.tools.program(Tool::Packer)?;
    let packer = |words: &str| packer::cmd(&program, words.split(' ')).cwd(&ctx.workspace.root);
    Ok(vec![
        ("lints of the playbooks", ansible),
        (
            "format of the templates",
            packer("fmt -check -recursive packer"),
        ),
        ("plugin of the templates", packer("init packer/flask")),
        (
            "template of the application",
            packer("validate packer/flask"),
        ),
        ("template of the page", packer("validate packer/nginx")),
        (
            "the lab on a real cluster",
            on_k3d(ctx, "--skip the_guide --skip marking"),
        ),
        (
            "the French guide on a real cluster, as it is typed",
            on_k3d(ctx, "typed_form"),
        ),
    ])
}

/// The tests on k3d of these names, one after the other: they share its clusters' names.
fn on_k3d(ctx: &Context, chosen: &str) -> Cmd {
    let words = "test --locked --package xtask --test k3d -- --ignored --test-threads=1";
    Cmd::new("cargo")
        .args(words.split(' ').chain(chosen.split(' ')))
        .cwd(&ctx.workspace.root)
}
