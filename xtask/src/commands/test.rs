//! `test`: everything that must hold before a change lands.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use terms::lang::both;
use terms::tr;

use crate::cli::{TestArgs, TestPart as Part};
use crate::context::Context;
use crate::exec::Cmd;
use crate::kube::image::docker;
use crate::tools::packer;
use crate::tools::python;
use crate::tools::toolbox::Tool;
use crate::tools::venv::Venv;
use crate::wait;

type Check = (&'static str, Cmd);

const PYTHON_TESTS: &str = "Python tests";

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
    ctx.packages("test", &ctx.store_venv())?;
    let mut all = Vec::new();
    for part in parts(args) {
        all.extend(checks(ctx, &tools, part)?);
    }
    let pictures = pictures(ctx);
    forget(&pictures)?;
    for (what, cmd) in all {
        let step = ctx.ui.step(what);
        ctx.exec.attached(&cmd.limit(wait::TEST_COMMAND))?;
        step.done(match what {
            PYTHON_TESTS => passed(&pictures),
            _ => both("passed", "réussi").into(),
        });
    }
    ctx.ui.timings();
    Ok(())
}

/// Pictures of an earlier run would be taken for those of this one, which may take none.
fn forget(pictures: &Path) -> Result<()> {
    match fs::remove_dir_all(pictures) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("removing {}", pictures.display()))
        }
        _ => Ok(()),
    }
}

/// What is said of the Python tests: where their pictures are, if there was a browser.
fn passed(pictures: &Path) -> String {
    let taken = fs::read_dir(pictures).is_ok_and(|mut some| some.next().is_some());
    if !taken {
        return both("passed", "réussi").into();
    }
    tr!(
        "passed; pictures of the page: {folder}",
        "réussi ; images de la page : {folder}",
        folder = pictures.display(),
    )
}

/// Where the Python tests keep what a browser showed.
fn pictures(ctx: &Context) -> PathBuf {
    ctx.workspace.home().join("screenshots")
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
        Part::Rust => {
            let mut all = vec![(
                "Rust tests, unit and end to end",
                cargo("test --quiet --locked --workspace --")
                    .args([format!("--test-threads={}", tests_at_once())]),
            )];
            all.extend(rules_of_alerts(ctx));
            all
        }
        // Says what it skips, as where there is no browser.
        Part::Python => vec![(
            PYTHON_TESTS,
            python("pytest", &format!("-q -n {} -rs", tests_at_once()))
                .envs(&python::compiled(&ctx.workspace))
                .env("PRA_SCREENSHOTS", pictures(ctx).display().to_string()),
        )],
        Part::Cluster => cluster_checks(ctx)?,
        Part::Offsite => {
            docker::insist(ctx)?;
            ctx.tools.ensure_all()?;
            vec![(
                "copies elsewhere of a lab on a real cluster",
                on_k3d(ctx, "copies_outlive"),
            )]
        }
        Part::Ha => {
            docker::insist(ctx)?;
            ctx.tools.ensure_all()?;
            vec![(
                "the lab ha on three real servers",
                on_k3d(ctx, "ha_from_nothing"),
            )]
        }
        Part::HaLong => {
            docker::insist(ctx)?;
            ctx.tools.ensure_all()?;
            vec![
                (
                    "all disasters of the lab ha on three real servers",
                    on_k3d(ctx, "ha_plays_all"),
                ),
                (
                    "the lab ha in a real cluster of somebody else",
                    on_k3d(ctx, "ha_in_a_foreign"),
                ),
            ]
        }
        Part::ClusterLong => {
            docker::insist(ctx)?;
            ctx.tools.ensure_all()?;
            vec![
                (
                    "the French guide on a real cluster, as it is typed and by its short commands",
                    on_k3d(ctx, "the_guide"),
                ),
                (
                    "a lab of an account with few rights in a restricted cluster",
                    on_k3d(ctx, "an_account_of_two"),
                ),
                (
                    "alerts of all disasters on a real cluster, and none without",
                    on_k3d(ctx, "alarms_follow"),
                ),
                (
                    "copies of a lab in a foreign cluster, in a bucket",
                    on_k3d(ctx, "copies_of_a_foreign"),
                ),
                (
                    "a cluster and its bucket attacked with the lab's own credentials",
                    on_k3d(ctx, "ransomware_leaves"),
                ),
                ("works marked on a real cluster", on_k3d(ctx, "marking")),
                (
                    "two hundred pods deleted under load on a real cluster",
                    on_k3d(ctx, "draining"),
                ),
            ]
        }
    })
}

/// The rules of the alerts against states of a lab, by Prometheus' own program.
fn rules_of_alerts(ctx: &Context) -> Option<Check> {
    const PROGRAM: &str = "promtool";
    if which::which(PROGRAM).is_err() {
        ctx.ui.note(&tr!(
            "{PROGRAM} is not on PATH: the tests of the alert rules are left out (Debian, Ubuntu: \
             apt-get install prometheus).",
            "{PROGRAM} n'est pas dans le PATH : les tests des règles d'alerte sont omis (Debian, \
             Ubuntu : apt-get install prometheus).",
        ));
        return None;
    }
    let words = ["test", "rules", "monitoring/rules/tests.yaml"];
    let cmd = Cmd::new(PROGRAM).args(words).cwd(&ctx.workspace.root);
    Some(("tests of the alert rules", cmd))
}

/// Most of a test is waiting: for pods, probes, a schedule, a standby. Two for each core
/// keep this machine busy without making the measuring ones late.
fn tests_at_once() -> usize {
    2 * std::thread::available_parallelism().map_or(1, usize::from)
}

/// How the tests on k3d begin that take minutes more, and are run by name.
const OF_OTHER_PARTS: [&str; 10] = [
    "the_guide",
    "an_account_of_two",
    "alarms_follow",
    "marking",
    "draining",
    "copies_o",
    "ransomware_leaves",
    "ha_from_nothing",
    "ha_plays_all",
    "ha_in_a_foreign",
];

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
        .args([
            "ansible/playbook.yml",
            "ansible/image.yml",
            "ansible/ha.yml",
        ])
        .env("PATH", path)
        .cwd(&ctx.workspace.root);
    let program = ctx.tools.program(Tool::Packer)?;
    let packer = |words: &str| packer::cmd(&program, words.split(' ')).cwd(&ctx.workspace.root);
    let skipped = OF_OTHER_PARTS
        .map(|name| format!("--skip {name}"))
        .join(" ");
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
        ("the lab on a real cluster", on_k3d(ctx, &skipped)),
    ])
}

/// The tests on k3d of these names, one after the other: they share its clusters' names.
fn on_k3d(ctx: &Context, chosen: &str) -> Cmd {
    let words = "test --locked --package xtask --test k3d -- --ignored --test-threads=1";
    Cmd::new("cargo")
        .args(words.split(' ').chain(chosen.split(' ')))
        .cwd(&ctx.workspace.root)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_told_where_this_run_has_taken_some() {
        let folder = std::env::temp_dir().join(format!("xtask-pictures-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("old.png"), "").unwrap();
        forget(&folder).unwrap();
        forget(&folder).unwrap();
        assert_eq!(passed(&folder), "passed");
        // The tests make their folder before they know whether there is a browser.
        fs::create_dir_all(&folder).unwrap();
        assert_eq!(passed(&folder), "passed");
        fs::write(folder.join("new.png"), "").unwrap();
        let said = passed(&folder);
        assert!(said.ends_with(&folder.display().to_string()), "{said}");
        forget(&folder).unwrap();
    }
}
