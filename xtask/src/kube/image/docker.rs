//! The Docker daemon: does it answer, and what does it say of itself.

use anyhow::Result;
use std::path::Path;
use terms::{LabName, tr};

use crate::context::Context;
use crate::exec::Cmd;
use crate::failure::Failure;
use crate::tools::docker::{self, Info};
use crate::wait;

/// What the daemon says; `None` where none answers.
pub fn info(ctx: &Context) -> Option<Info> {
    let cmd = Cmd::new("docker")
        .args(docker::INFO)
        .limit(wait::DOCKER_ANSWER);
    // No client, a hang, a refusal: all the same to the caller.
    let output = ctx.exec.probe(&cmd).ok()?;
    Info::parse(&output.stdout)
}

/// The daemon, waited for where it is still starting.
pub fn insist(ctx: &Context) -> Result<Info> {
    if let Some(info) = info(ctx) {
        return Ok(info);
    }
    if which::which("docker").is_err() || !may_be_starting(ctx) {
        return Err(unanswered(ctx).into());
    }
    let step = ctx.ui.step(tr!("Docker is starting", "Docker démarre"));
    let info = wait::until(wait::DOCKER_UP, || Ok(info(ctx)))
        .map_err(|error| error.context(unanswered(ctx)))?;
    step.done(tr!("it answers", "il répond"));
    Ok(info)
}

/// Why a tool that needs the daemon failed: without one, what the tool says is no help.
pub fn explain(ctx: &Context, error: anyhow::Error) -> anyhow::Error {
    match info(ctx) {
        Some(_) => error,
        None => unanswered(ctx).into(),
    }
}

/// Nobody answers, and what there is to do about it.
fn unanswered(ctx: &Context) -> Failure {
    if which::which("docker").is_err() {
        return Failure::preflight(tr!(
            "`docker` was not found on PATH",
            "`docker` est introuvable dans le PATH",
        ))
        .next(or_without_docker(
            ctx,
            tr!(
                "install Docker (https://docs.docker.com/get-docker/)",
                "installez Docker (https://docs.docker.com/get-docker/)",
            ),
        ));
    }
    let start = if cfg!(target_os = "macos") {
        tr!(
            "start Docker Desktop, then run the same command again",
            "démarrez Docker Desktop, puis relancez la même commande",
        )
    } else {
        tr!(
            "sudo systemctl start docker, and be in the group docker",
            "sudo systemctl start docker, et soyez du groupe docker",
        )
    };
    Failure::preflight(tr!(
        "the Docker daemon does not answer",
        "le démon Docker ne répond pas",
    ))
    .next(or_without_docker(ctx, start))
}

/// The other way on, where the lab has one.
fn or_without_docker(ctx: &Context, first: String) -> String {
    match ctx.options.lab {
        LabName::Pra | LabName::Image => tr!(
            "{first}; or use --engine local",
            "{first} ; ou prenez --engine local",
        ),
        LabName::Ha => first,
    }
}

/// A socket that refuses, or a service that systemd is bringing up, is worth
/// the wait; a machine without either is not.
fn may_be_starting(ctx: &Context) -> bool {
    let host = std::env::var("DOCKER_HOST").unwrap_or_default();
    let socket = host
        .strip_prefix("unix://")
        .unwrap_or("/var/run/docker.sock");
    if Path::new(socket).exists() {
        return true;
    }
    let cmd = Cmd::new("systemctl").args(["is-active", "docker"]);
    let said = ctx.exec.probe(&cmd);
    said.is_ok_and(|output| output.stdout.trim() == "activating")
}
